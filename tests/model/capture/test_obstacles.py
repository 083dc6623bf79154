"""What cannot be captured is refused: before the run if that can be known, else with a reason and a clean pipeline."""

import re

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.hooks import HookRegistry
from diffusers.hooks.faster_cache import FasterCacheBlockHook
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import AttnProcessor2_0, CustomDiffusionAttnProcessor2_0
from tiny_families import merging
from tiny_pipelines import unet
from witness import state_of, untraced

import sdexplore as sdx

PROMPT = "a photo of a cat"
BLOCK = "mid_block.attentions.0.transformer_blocks.0"
EVERYTHING = sdx.Record(self_attention=("",), decode=0)
NOTHING = sdx.Record(cross_attention=False, decode=0)


def refused(pipe, record=EVERYTHING):
    """The message of the refusal; nothing was called and nothing is left behind."""
    before, calls = state_of(pipe), []
    counter = pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    with pytest.raises(sdx.RunError) as caught:
        sdx.run(pipe, PROMPT, num_inference_steps=3, record=record)
    counter.remove()
    assert not calls
    assert state_of(pipe) == before
    assert sdx.doctor(pipe, record).obstacles
    assert not sdx.doctor(pipe, record).observable
    assert sdx.doctor(pipe, record).obstacles[0] in str(caught.value)
    return str(caught.value)


def observed(pipe, record=EVERYTHING):
    """The trace; nothing stood in the way, the doctor agrees and the picture is the same."""
    assert sdx.doctor(pipe, record).obstacles == ()
    arguments = {"prompt": PROMPT, "num_inference_steps": 3}
    expected = untraced(pipe, 1, **arguments)[0]
    trace = sdx.run(pipe, seed=5, record=record, **arguments)
    assert np.array_equal(trace.image, (expected * 255).round().astype(np.uint8))
    return trace


def shell(pipe):
    pipe.unet = torch.compile(pipe.unet, backend="eager")


def in_place(pipe):
    pipe.unet.compile(backend="eager")


def forward_alone(pipe):
    pipe.unet.forward = torch.compile(pipe.unet.forward, backend="eager")


def blocks(pipe):
    pipe.unet.compile_repeated_blocks(backend="eager")


def one_block(pipe):
    pipe.unet.mid_block = torch.compile(pipe.unet.mid_block, backend="eager")


@pytest.mark.parametrize("compile_it", [shell, in_place, forward_alone, blocks, one_block])
def test_a_compiled_unet_is_refused_and_the_way_out_that_is_told_works(tiny, compile_it):
    compile_it(tiny)
    for record in (EVERYTHING, NOTHING):  # without hooks not even roles are known
        message = refused(tiny, record)
        assert "compiled by torch.compile, where hooks never fire" in message
    way_out = re.search(r"ndo it: (.*)$", message).group(1)
    exec(way_out, {"pipe": tiny})  # noqa: S102  (what the user is told to type)
    trace = observed(tiny)
    assert len(trace.cross_attention["cond"]) == len(trace.self_attention["cond"]) == 4


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
def test_a_scripted_unet_is_refused(tiny):
    tiny.unet.conv_out = torch.jit.script(tiny.unet.conv_out)
    assert "'conv_out' is compiled by torch.jit, where hooks never fire" in refused(tiny)


def test_attention_over_frames_is_refused(tiny):
    class TransformerTemporalModel(torch.nn.Module):
        pass

    tiny.unet.mid_block.add_module("motion", TransformerTemporalModel())
    assert "'mid_block.motion' attends over frames" in refused(tiny)


def test_caches_of_diffusers_are_refused_where_they_leave_out_rows_of_what_is_recorded(tiny):
    layer = tiny.unet.get_submodule(f"{BLOCK}.attn1")
    hook = FasterCacheBlockHook(2, (-1, 1000), False, lambda _: 1.0, lambda: 500)  # noqa: FBT003
    HookRegistry.check_if_exists_or_initialize(layer).register_hook(hook, "faster_cache_block")
    message = refused(tiny)
    assert f"faster_cache_block at '{BLOCK}.attn1'" in message
    assert "leave those layers out: Record(layers=…, self_attention=…)" in message
    trace = observed(tiny, sdx.Record(decode=0))  # it skips self-attention only
    assert len(trace.cross_attention["cond"]) == 4


def test_caches_of_other_packages_are_refused_by_name(tiny):
    own = tiny.unet.forward

    def forward(*args, **kwargs):
        return own(*args, **kwargs)

    forward.__module__ = "DeepCache.extension.deepcache"
    tiny.unet.forward = forward
    assert "DeepCache at the UNet reuses results of earlier steps" in refused(tiny)
    assert len(observed(tiny, NOTHING).noise_preds) == 2
    tiny.unet.forward = own  # as its disable() leaves it
    observed(tiny)


def test_merged_tokens_are_refused_where_they_fill_no_grid(tiny):
    block = tiny.unet.get_submodule(BLOCK)
    block.__class__ = merging("ToMeBlock", merge_attn=True, merge_crossattn=False)
    assert "tomesd merges pixels in self_attention, which then fill no grid. tomesd.remove_patch(pipe)" in refused(tiny)
    trace = observed(tiny, sdx.Record(decode=0))
    assert len(trace.cross_attention["cond"]) == 4
    block.__class__ = merging("ToMeBlock", merge_attn=True, merge_crossattn=True)
    assert "tomesd merges pixels in cross_attention" in refused(tiny, sdx.Record(decode=0))
    block.__class__ = BasicTransformerBlock
    tiny.unet._tome_info = {"args": {"merge_attn": True}}  # left behind by tomesd.remove_patch
    observed(tiny)


def test_processors_with_projections_of_their_own_are_refused_by_name(tiny):
    layer = tiny.unet.get_submodule(f"{BLOCK}.attn2")
    layer.set_processor(CustomDiffusionAttnProcessor2_0(hidden_size=layer.inner_dim, cross_attention_dim=32))
    message = refused(tiny)
    assert f"CustomDiffusionAttnProcessor2_0 at '{BLOCK}.attn2' attends with other queries and keys" in message
    observed(tiny, sdx.Record(layers=("down_blocks", "up_blocks"), decode=0))


def test_gligens_layers_over_boxes_are_left_out(tiny):
    tiny.unet = unet(attention_type="gated")
    assert len(observed(tiny).self_attention["cond"]) == 4
    assert any("GLIGEN" in warning for warning in sdx.doctor(tiny).warnings)


def failed(pipe, record=EVERYTHING):
    """The message of a run that fails on its way; the pipeline then draws what it drew before."""
    arguments = {"prompt": PROMPT, "num_inference_steps": 3}
    before, expected = state_of(pipe), untraced(pipe, 1, **arguments)
    assert sdx.doctor(pipe, record).observable
    with pytest.raises(sdx.RunError) as caught:
        sdx.run(pipe, record=record, **arguments)
    assert state_of(pipe) == before
    assert np.array_equal(untraced(pipe, 1, **arguments), expected)
    return str(caught.value)


def skipping(pipe):
    """Every second call of the middle block gives what the first gave."""
    own, kept = pipe.unet.mid_block.forward, []

    def forward(*args, **kwargs):
        kept[:] = [] if kept else [own(*args, **kwargs)]
        return kept[0] if kept else torch.zeros(2, 64, 4, 4)

    pipe.unet.mid_block.forward = forward


def test_a_layer_that_falls_silent_ends_the_run_with_a_reason(tiny):
    skipping(tiny)
    (warning,) = sdx.doctor(tiny).warnings
    assert warning.startswith(f"'mid_block' runs a forward of {__name__}'s; a run ends with an error")
    message = failed(tiny)
    assert f"attention layer '{BLOCK}.attn" in message
    assert "was skipped, though it ran in an earlier call" in message
    assert "leave the layer out: Record(layers=…)" in message
    observed(tiny, sdx.Record(layers=("down_blocks",), self_attention=(8,), decode=0))  # mid's grid is 4 × 4


class Blind(AttnProcessor2_0):
    """Attends with projections of its own."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        del encoder_hidden_states
        return attn.to_out[0](attn.to_q.weight.new_ones(()) * hidden_states)


class Twice(AttnProcessor2_0):
    """Attends once more, as some guidance does."""

    def __call__(self, attn, *args, **kwargs):
        super().__call__(attn, *args, **kwargs)
        return super().__call__(attn, *args, **kwargs)


class Half(AttnProcessor2_0):
    """Attends in half of the rows."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        first, _ = hidden_states.chunk(2)
        text = None if encoder_hidden_states is None else encoder_hidden_states.chunk(2)[0]
        return super().__call__(attn, first, text).repeat(2, 1, 1)


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        (Blind, "made no query and key with its to_q and to_k"),
        (Twice, "attended twice in one call of the denoiser"),
        (Half, "attends in 1 rows, the denoiser in a batch of 2"),
    ],
)
def test_a_processor_that_nobody_knows_is_warned_of_and_found_out(tiny, processor, words):
    tiny.unet.get_submodule(f"{BLOCK}.attn2").set_processor(processor())
    assert f"{processor.__name__} is no processor of diffusers" in sdx.doctor(tiny).warnings[0]
    message = failed(tiny)
    assert words in message
    assert f"'{BLOCK}.attn2'" in message


def test_pixels_merged_by_an_unknown_patch_end_the_run_with_a_reason(tiny):
    tiny.unet.get_submodule(BLOCK).__class__ = merging("Merging")
    assert f"'{BLOCK}.attn1' has 8 queries on the grid (y, x) = (4, 4): something merges or adds" in failed(tiny)


def test_a_unet_called_past_its_hooks_is_found_out(tiny):
    class Direct(UNet2DConditionModel):
        def __call__(self, *args, **kwargs):
            return self.forward(*args, **kwargs)

    tiny.unet.__class__ = Direct
    assert "no call of the UNet was seen" in failed(tiny)


def test_an_attention_mask_is_refused(tiny):
    call = type(tiny.unet).__call__

    class Masked(UNet2DConditionModel):
        def __call__(self, *args, **kwargs):
            return call(self, *args, encoder_attention_mask=torch.ones(2, 77), **kwargs)

    tiny.unet.__class__ = Masked
    message = failed(tiny)
    assert "cannot observe a call of the UNet" in message
    assert "encoder_attention_mask" in message
