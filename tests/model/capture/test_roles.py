"""Roles follow from what the pipeline encoded, never from the halves of a batch."""

import pytest
import torch

from sdexplore.base.errors import RunError
from sdexplore.model.capture.roles import Roles

COND, UNCOND, OTHER = (torch.full((2, 5, 3), value) for value in (1.0, 2.0, 3.0))


def roles(uncond=UNCOND):
    found = Roles(images=2)
    found.encode(COND, uncond)
    return found


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((COND,), ("cond",)),
        ((UNCOND,), ("uncond",)),
        ((UNCOND, COND), ("uncond", "cond")),
        ((COND, UNCOND), ("cond", "uncond")),  # the other order, as some transformers have it
        ((UNCOND, COND, COND), ("uncond", "cond", "perturbed")),
        ((COND, COND), ("cond", "perturbed")),
        ((COND, UNCOND, UNCOND), ("cond", "uncond", "extra_0")),  # nobody knows what the second is
        ((UNCOND, COND, COND, COND), ("uncond", "cond", "perturbed", "extra_0")),
        ((UNCOND, OTHER), ("uncond", "cond")),  # the prompt was exchanged in mid-run
        ((OTHER,), ("cond",)),
        ((OTHER, OTHER), ("uncond", "cond")),
        ((OTHER, OTHER, OTHER, OTHER), ("uncond", "cond", "perturbed", "extra_0")),
    ],
)
def test_rows_are_recognised_by_their_embeddings(parts, expected):
    found = roles().of_call(2 * len(parts), torch.cat(parts))
    assert found == tuple(role for role in expected for _ in range(2))


def test_equal_prompts_fall_back_on_the_order_of_batches():
    same = roles(uncond=COND.clone())
    assert same.of_call(4, torch.cat([COND, COND])) == ("uncond", "uncond", "cond", "cond")
    assert same.of_call(2, COND) == ("cond", "cond")


def test_without_embeddings_the_order_tells():
    assert Roles(images=1).of_call(1, None) == ("cond",)
    assert Roles(images=1).of_call(2, None) == ("uncond", "cond")


def test_a_batch_that_is_no_multiple_is_refused():
    with pytest.raises(RunError, match="batch of 3 for 2 images"):
        roles().of_call(3, torch.cat([COND, COND[:1]]))


def test_zeroed_embeddings_are_named():
    assert roles(uncond=torch.zeros_like(COND)).zeroed == ("uncond",)
    assert roles().zeroed == ()


def test_a_role_of_an_earlier_call_of_the_step_is_not_given_again():
    """Self-attention guidance calls the denoiser a second time, on other latents."""
    found = roles()
    both = torch.cat([UNCOND, COND])
    assert found.of_call(4, both) == ("uncond", "uncond", "cond", "cond")
    assert found.of_call(2, UNCOND, {"uncond", "cond"}) == ("extra_0", "extra_0")
    assert found.of_call(2, UNCOND, {"uncond", "cond", "extra_0"}) == ("extra_1", "extra_1")
    assert found.of_call(2, UNCOND) == ("uncond", "uncond")
    assert found.of_call(2, OTHER, {"uncond"}) == ("cond", "cond")  # guidance in two calls, embeddings exchanged
    assert found.of_call(2, None, {"cond"}) == ("extra_0", "extra_0")
    assert found.of_call(4, both) == ("uncond", "uncond", "cond", "cond")


def test_the_order_of_a_pipeline_of_its_own_is_followed():
    """InstructPix2Pix: prompt and picture, picture alone, neither; the last two have the same embeddings."""
    found = Roles(images=2, order=("cond", "image", "uncond"))
    found.encode(COND, UNCOND)
    batch = torch.cat([COND, UNCOND, UNCOND])
    assert found.of_call(6, batch) == ("cond", "cond", "image", "image", "uncond", "uncond")
    assert found.of_call(2, COND) == ("cond", "cond")
