"""What a layer attends with, heard at torch's own kernel: the probabilities made of it are the kernel's."""

import pytest
import torch
from torch.nn import functional

from sdexplore.model.capture.probabilities import probabilities
from sdexplore.model.families.ways_in import listen_to_kernel

HEADS, PICTURE, WORDS, WIDTH = 4, 6, 5, 8


class Layer(torch.nn.Module):
    def forward(self, *args, **kwargs):
        return functional.scaled_dot_product_attention(*args, **kwargs)


def mask(kind):
    if kind == "bool":
        allowed = torch.rand(2, 1, PICTURE, WORDS) > 0.4
        allowed[0, 0, 2] = False  # a query that may see no key
        return allowed
    return torch.randn(1, HEADS, PICTURE, WORDS)


@pytest.mark.parametrize(
    "given",
    [
        dict,
        lambda: {"scale": 0.3},
        lambda: {"attn_mask": mask("bool")},
        lambda: {"attn_mask": mask("float")},
        lambda: {"is_causal": True},
        lambda: {"enable_gqa": True},
    ],
    ids=["plain", "scale", "bool mask", "float mask", "causal", "grouped heads"],
)
def test_probabilities_times_values_are_what_the_kernel_returns(given):
    torch.manual_seed(0)
    arguments = given()
    groups = HEADS // 2 if "enable_gqa" in arguments else HEADS
    query = torch.randn(2, HEADS, PICTURE, WIDTH)
    key, value = (torch.randn(2, groups, WORDS, WIDTH) for _ in range(2))
    layer, heard = Layer(), []
    hooks = listen_to_kernel(layer, heard.append)
    made = layer(query, key, value, **arguments)
    for hook in hooks:
        hook.remove()
    layer(query, key, value, **arguments)  # not heard any more
    (attended,) = heard
    value = value.repeat_interleave(HEADS // groups, 1)
    for row in range(2):
        some = attended.of_rows((row,)).of_queries(slice(1, 4))
        probs = probabilities(some, head_mean=False)[0]
        assert torch.allclose(probs @ value[row], made[row, :, 1:4], atol=1e-6)


def test_only_the_layer_is_heard_and_no_mode_stays_when_it_fails():
    layer, heard = Layer(), []
    listen_to_kernel(layer, heard.append)
    x = torch.randn(1, 1, 2, 4)
    functional.scaled_dot_product_attention(x, x, x)
    with pytest.raises(RuntimeError):
        layer(x, x[..., :2], x)
    functional.scaled_dot_product_attention(x, x, x)
    assert not heard
