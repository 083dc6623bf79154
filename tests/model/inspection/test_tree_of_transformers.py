"""The tree of a transformer: modules as the data flows, shapes of words and picture, joint attention."""

import pytest
import torch
from transformer_matrix import SUBJECTS

from sdexplore import tree, views

TWO_STREAMS = {  # a block of two streams -> what it returns, in its order
    "sd3": ("transformer_blocks.0", ["words", "picture"]),
    "flux": ("single_transformer_blocks.1", ["words", "picture"]),
    "flux2": ("transformer_blocks.0", ["words", "picture"]),
    "qwenimage": ("transformer_blocks.1", ["words", "picture"]),
    "chroma": ("transformer_blocks.1", ["words", "picture"]),
    "auraflow": ("joint_transformer_blocks.0", ["registers and words", "picture"]),
}


@pytest.fixture(scope="module", params=sorted(SUBJECTS))
def found(request):
    """Family, its transformer, and its tree."""
    pipe = SUBJECTS[request.param].make()
    return request.param, pipe.transformer, tree(pipe, depth=1)


def test_every_family_has_shapes_in_the_order_of_its_calls(found):
    family, network, modules = found
    assert modules.note.startswith("shapes for ")
    assert modules.root.output
    names = [name for name, _ in network.named_modules(remove_duplicate=False)]
    assert sorted(node.name for node in modules) == sorted(names)
    assert modules.parameters == sum(one.numel() for one in network.parameters())
    children = [child.name for child in modules.root.children]
    blocks = [name for name in children if name.endswith(("blocks", "layers"))]
    last = {"zimage": "all_final_layer", "lumina2": "norm_out"}.get(family, "proj_out")
    assert children[-1] == last
    assert children.index(blocks[0]) > max(children.index(one) for one in children if "embed" in one), children
    for block in (one for one in modules if one.name.rpartition(".")[0] in blocks):
        assert block.output, block.name


def test_a_block_of_two_streams_tells_both(found):
    family, _, modules = found
    told = {node.name: node.streams for node in modules if node.streams}
    if family not in TWO_STREAMS:
        assert not told
        return
    block, streams = TWO_STREAMS[family]
    assert list(told[block]) == streams
    text = repr(modules[block])
    for name, shape in told[block].items():
        assert f"{name} {shape}" in text
    (_, words, width), (_, picture, width_too) = told[block].values()
    assert width == width_too
    assert words != picture


def test_layers_that_see_words_and_picture_are_joint_and_drawn(found):
    family, _, modules = found
    kinds = {layer.name: layer.kind for layer in modules.attention_layers}
    assert {kinds[name] for name in SUBJECTS[family].layers} == {"joint" if SUBJECTS[family].joint else "cross"}
    picture = views.tree(modules)
    legend = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert ("joint attention" in legend) == SUBJECTS[family].joint
    assert f"{list(kinds.values()).count('joint')} of joint attention" in picture.alt or not SUBJECTS[family].joint


def test_the_last_block_of_sd3_returns_the_picture_alone():
    modules = tree(SUBJECTS["sd3"].make())
    blocks = modules["transformer_blocks"].root.children
    assert not blocks[-1].streams
    assert blocks[-1].output == blocks[0].streams["picture"]


def test_shapes_are_those_of_a_real_run():
    pipe = SUBJECTS["sd3"].make()
    real: dict[str, list[tuple[int, ...]]] = {}

    def note(name):
        def hook(_module, _args, output):
            several = output if isinstance(output, tuple) else (output,)
            real[name] = [tuple(one.shape) for one in several if isinstance(one, torch.Tensor)]

        return hook

    blocks = dict(pipe.transformer.transformer_blocks.named_children())
    hooks = [block.register_forward_hook(note(f"transformer_blocks.{name}")) for name, block in blocks.items()]
    config = pipe.transformer.config
    with torch.no_grad():
        pipe.transformer(
            hidden_states=torch.zeros(1, config.in_channels, config.sample_size, config.sample_size),
            encoder_hidden_states=torch.zeros(1, 154, config.joint_attention_dim),
            pooled_projections=torch.zeros(1, config.pooled_projection_dim),
            timestep=torch.zeros(1),
        )
    for hook in hooks:
        hook.remove()
    modules = tree(pipe)
    assert {name: list(modules[name].root.told.values()) for name in real} == real
