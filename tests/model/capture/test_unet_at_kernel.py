"""A UNet's cross-attention by its kernel's own normaliser, where a rule says that it pays; else by its projections."""

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from tiny_pipelines import stable_diffusion
from torch.nn import functional
from witness import state_of, untraced, witnessing

import sdexplore as sdx
from sdexplore.model.capture import denoiser_call, hooks

PROMPTS = ["a cat", "a small rocket above a red house"]
STEPS = 2


@pytest.fixture
def always(monkeypatch):
    """Every layer that can be read so is."""
    monkeypatch.setattr(hooks, "SPARED", 1)


def ran(pipe, prompt="a cat", **given):
    record = sdx.Record(dtype="float32", decode=0, **given)
    return sdx.run(pipe, prompt, seed=5, record=record, num_inference_steps=STEPS)


def used(trace):
    return trace.provenance["used"]["normaliser"]


@pytest.mark.parametrize("heads", ["mean", "heads"])
@pytest.mark.parametrize("fused", [False, True], ids=["apart", "fused"])
@pytest.mark.usefixtures("always")
def test_every_entry_is_the_kernels_own_and_the_picture_is_the_same(heads, fused, monkeypatch):
    pipe = stable_diffusion()
    if fused:
        pipe.fuse_qkv_projections()
    expected, before = untraced(pipe, 2, prompt=PROMPTS, num_inference_steps=STEPS), state_of(pipe)
    with witnessing(pipe.unet, monkeypatch) as witness:
        traces = ran(pipe, PROMPTS, cross_attention=heads, roles=("uncond", "cond"), queries=True)
    assert state_of(pipe) == before
    assert not torch.overrides._get_current_function_mode_stack()
    lengths = set()
    for image, trace in enumerate(traces):
        assert np.array_equal(trace.image, (expected[image] * 255).round().astype(np.uint8))
        assert used(trace) == "kernel"
        for row, role in enumerate(("uncond", "cond")):
            layers = trace.cross_attention[role]
            assert len(layers) == 4
            for name, found in layers.items():
                assert len(found.steps) == witness.calls == len(trace.timesteps)
                *kept, others = found.columns
                lengths.add(len(kept))
                for made, naive in zip(found.probs, witness.naive[name], strict=True):
                    probs = naive[row * 2 + image].unflatten(1, found.grid)
                    own = torch.cat(
                        [probs[..., [key for (key,) in kept]], probs[..., others].sum(-1, keepdim=True)], -1
                    )
                    own = own.mean(0, keepdim=True) if heads == "mean" else own
                    assert np.abs(made - own.numpy()).max() < 1e-6
                    wrong = torch.softmax(probs.log() * 1.01, -1)[..., 1]
                    assert (wrong - probs[..., 1]).abs().max() > 1e-6, "a scale wrong by 1 % would be seen"
    assert len(lengths) == 3  # no prompt, and two of different lengths


def test_the_rule_counts_the_scores_that_are_spared(monkeypatch):
    pipe = stable_diffusion()
    assert used(ran(pipe)) == "softmax"  # 64 pixels, 4 heads
    spared = 64 * 4 * (77 - 4)  # start, two words, end
    monkeypatch.setattr(hooks, "SPARED", spared)
    by_rule = ran(pipe)
    assert used(by_rule) == "kernel in 3 of 4 layers, softmax in the others"  # 16 pixels at the bottom
    monkeypatch.setattr(hooks, "SPARED", spared + 1)
    by_hooks = ran(pipe)
    assert used(by_hooks) == "softmax"
    assert by_rule.fingerprint == by_hooks.fingerprint
    for name, found in by_hooks.cross_attention["cond"].items():
        assert found.columns == by_rule.cross_attention["cond"][name].columns
        assert np.abs(found.probs - by_rule.cross_attention["cond"][name].probs).max() < 1e-6


def half(pipe):
    pipe.unet.to(torch.bfloat16)
    pipe.text_encoder.to(torch.bfloat16)
    pipe.vae.to(torch.bfloat16)
    return {}


def every_column(_):
    return {"columns": "all"}


def naive(pipe):
    pipe.unet.set_attn_processor(AttnProcessor())
    return {}


@pytest.mark.parametrize("otherwise", [half, every_column, naive])
@pytest.mark.usefixtures("always")
def test_what_the_kernel_cannot_tell_or_tells_rounded_is_read_by_the_projections(otherwise):
    pipe = stable_diffusion()
    assert used(ran(pipe, **otherwise(pipe))) == "softmax"


@pytest.mark.usefixtures("always")
def test_a_kernel_that_somebody_puts_in_torchs_place_leaves_the_projections_to_be_read(monkeypatch):
    pipe = stable_diffusion()
    expected = ran(pipe)

    kernel = functional.scaled_dot_product_attention

    def own(query, key, value, attn_mask=None, *more, is_causal=False, **named):
        if attn_mask is not None or is_causal:  # the text encoder's
            return kernel(query, key, value, attn_mask, *more, is_causal=is_causal, **named)
        return torch.softmax(query @ key.mT * query.shape[-1] ** -0.5, -1) @ value

    monkeypatch.setattr(functional, "scaled_dot_product_attention", own)
    trace = ran(pipe)
    assert (used(expected), used(trace)) == ("kernel", "softmax")
    for name, found in expected.cross_attention["cond"].items():
        assert np.abs(found.probs - trace.cross_attention["cond"][name].probs).max() < 1e-5


@pytest.mark.usefixtures("always")
def test_a_change_that_mixes_probabilities_reads_both_by_the_projections():
    pipe = stable_diffusion()
    change = [sdx.Keep("a dog")]
    kept = sdx.run(pipe, "a cat", change=change, num_inference_steps=STEPS, record=sdx.Record(decode=0))
    assert used(kept) == "softmax"


class WritesIntoItsQueries(AttnProcessor2_0):
    """Scales its queries where they lie, and so would change what is read of them afterwards."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        words = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        parts = attn.to_q(hidden_states), attn.to_k(words), attn.to_v(words)
        query, key, value = (one.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for one in parts)
        query.mul_(query.shape[-1] ** -0.5)
        made = torch.softmax(query @ key.mT, -1) @ value
        return attn.to_out[0](made.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("room", [1, denoiser_call.WAITING])
@pytest.mark.parametrize("read", ["at the kernel", "by the projections", "in place"])
def test_maps_are_the_same_where_layers_wait_to_be_read_and_where_there_is_no_room(read, room, monkeypatch):
    pipe = stable_diffusion()
    if read == "in place":
        pipe.unet.set_attn_processor(WritesIntoItsQueries())
    monkeypatch.setattr(hooks, "SPARED", 1 if read == "at the kernel" else 1 << 40)
    with pytest.MonkeyPatch.context() as at_once:
        at_once.setattr(hooks.Observer, "_may_wait", lambda *_: False)
        expected = ran(pipe, roles=("uncond", "cond"), queries=True)
    monkeypatch.setattr(denoiser_call, "WAITING", room)
    trace = ran(pipe, roles=("uncond", "cond"), queries=True)
    assert used(trace) == used(expected) == ("kernel" if read == "at the kernel" else "softmax")
    arrays = trace.arrays()
    assert all(np.array_equal(one, arrays[name]) for name, one in expected.arrays().items())


def test_layers_stand_as_the_data_pass_them_whichever_way_each_was_read(monkeypatch, tmp_path):
    pipe, ran_in_turn = stable_diffusion(), dict[str, None]()
    for name, one in pipe.unet.named_modules():
        if name.endswith((".attn1", ".attn2")):
            one.register_forward_hook(lambda *_, name=name: ran_in_turn.update({name: None}))
    largest = max(y * x for y, x in (found.grid for found in ran(pipe).cross_attention["cond"].values()))
    monkeypatch.setattr(hooks.Observer, "pays", lambda _, __, queries, ___: queries < largest)
    record = sdx.Record(
        self_attention=[name for name in ran_in_turn if "attn1" in name],
        roles=("uncond", "cond"),
        queries=True,
        decode=0,
    )
    for to in (None, tmp_path / "trace.safetensors"):
        trace = sdx.run(pipe, "a cat", num_inference_steps=STEPS, record=record, to=to)
        assert used(trace).startswith("kernel in "), "some are read one way, and some the other"
        for field in (trace.cross_attention, trace.self_attention, trace.queries):
            for role, layers in field.items():
                assert len(layers) == 4, role
                assert list(layers) == [name for name in ran_in_turn if name in layers]
    loaded = sdx.Trace.load(tmp_path / "trace.safetensors")
    assert list(loaded.cross_attention["cond"]) == list(trace.cross_attention["cond"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.usefixtures("always")
def test_what_ends_a_run_inside_a_layer_leaves_nothing_behind(error, monkeypatch):
    pipe = stable_diffusion()
    before = state_of(pipe)

    def broken(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_out[0], "forward", broken)
        with pytest.raises(error):
            ran(pipe)
    assert state_of(pipe) == before
    assert not torch.overrides._get_current_function_mode_stack()
