"""What no argument of a call carries, and changes the picture, stands in the provenance of the run."""

import numpy as np
import pytest
import tiny_families as families
import torch
from diffusers.models.attention_dispatch import attention_backend
from tiny_families import lora, lora_fused, merging
from tiny_pipelines import stable_diffusion
from tiny_tokenizers import POSITIONS
from tiny_transformers import flux

import sdexplore as sdx
from sdexplore.model.families import family_of

BLOCK = "mid_block.attentions.0.transformer_blocks.0"
CALL = {"num_inference_steps": 2, "record": sdx.Record(decode=0)}
NOTHING = {"hooks": [], "processors": [], "freeu": None, "tome": None, "tiling": False, "pag_layers": []}


def run(pipe, **more):
    return sdx.run(pipe, "a cat", **CALL, **more)


def test_a_pipeline_as_it_was_loaded_is_under_nothing(tiny):
    trace = run(tiny)
    assert trace.provenance["foreign"] == NOTHING
    assert trace.provenance["adapters"] == []
    assert trace.provenance["used"]["threads"] == torch.get_num_threads()
    assert trace.provenance["used"]["attention_backend"] == "native"
    assert "oreign" not in repr(trace)


def test_a_foreign_hook_is_named_and_our_own_are_not(tiny):
    plain = run(tiny)
    with_one = tiny.unet.mid_block.register_forward_hook(lambda _module, _given, output: output * 0.5)
    before = tiny.text_encoder.register_forward_pre_hook(lambda *_: None)
    trace = run(tiny)
    assert not np.array_equal(trace.image, plain.image)
    assert trace.provenance["foreign"]["hooks"] == ["text_encoder", "unet.mid_block"]
    assert "unet.mid_block" in repr(trace)
    told = sdx.doctor(tiny).warnings
    assert any("unet.mid_block" in warning for warning in told)
    with_one.remove()
    before.remove()
    assert run(tiny).provenance["foreign"] == NOTHING


def test_a_hook_on_every_module_is_named(tiny):
    hook = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert run(tiny).provenance["foreign"]["hooks"] == ["(every module)"]
    finally:
        hook.remove()


def test_a_forward_of_somebody_else_is_named(tiny):
    own = tiny.vae.decoder.forward
    tiny.vae.decoder.forward = lambda *given, **more: own(*given, **more) * 0.5
    assert run(tiny).provenance["foreign"]["hooks"] == ["vae.decoder"]


def test_freeu_is_named_with_its_factors(tiny):
    tiny.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    trace = run(tiny)
    assert trace.provenance["foreign"]["freeu"] == {"s1": 0.9, "s2": 0.2, "b1": 1.2, "b2": 1.4}
    assert "FreeU: s1 0.9" in repr(trace)
    tiny.disable_freeu()
    assert run(tiny).provenance["foreign"] == NOTHING


def test_processors_tiles_and_perturbed_layers_are_named(tiny):
    families.with_processor(tiny, families.OpaqueProcessor())
    tiny.vae.enable_tiling()
    foreign = run(tiny).provenance["foreign"]
    assert foreign["processors"] == ["OpaqueProcessor"]
    assert foreign["tiling"] is True
    assert sdx.run(families.pag(), "a cat", **CALL).provenance["foreign"]["pag_layers"] == ["mid"]


@pytest.mark.parametrize("told", [{"ratio": 0.5, "merge_attn": True, "generator": None}, {"use_rand": True}])
def test_merging_that_draws_by_lot_is_told_with_the_way_out(tiny, told):
    tiny.unet.get_submodule(BLOCK).__class__ = merging("ToMeBlock", **told)
    trace = run(tiny)
    assert "use_rand=False" in trace.provenance["foreign"]["tome"]["note"]
    assert trace.provenance["foreign"]["tome"].get("ratio") == told.get("ratio")
    assert "use_rand=False" in repr(trace)
    assert any("use_rand=False" in warning for warning in sdx.doctor(tiny).warnings)


def test_merging_that_does_not_draw_is_named_without_a_warning(tiny):
    tiny.unet.get_submodule(BLOCK).__class__ = merging("ToMeBlock", ratio=0.5, use_rand=False)
    assert run(tiny).provenance["foreign"]["tome"] == {"ratio": 0.5, "use_rand": False}
    assert not any("use_rand" in warning for warning in sdx.doctor(tiny).warnings)


def test_the_backend_that_was_active_is_named():
    pipe, other = flux(), flux()
    size = {"height": 64, "width": 48, "max_sequence_length": POSITIONS}
    with attention_backend("_native_math"):
        trace = sdx.run(pipe, "a cat", **CALL, **size)
        assert run(stable_diffusion()).provenance["used"]["attention_backend"] == "native"  # a UNet does not ask
    assert trace.provenance["used"]["attention_backend"] == "_native_math"
    assert "_native_math" in repr(trace)
    with attention_backend("native"):  # restores the process's own
        pipe.transformer.set_attention_backend("_native_math")
        told = sdx.run(other, "a cat", **CALL, **size).provenance["used"]["attention_backend"]
    assert told == "_native_math"  # the other pipeline was switched with it


def test_what_computes_a_unets_attention_is_named(tiny):
    tiny.enable_attention_slicing(1)
    assert run(tiny).provenance["used"]["attention_backend"] == "sliced"


def test_the_threads_are_those_of_the_run(tiny):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert run(tiny).provenance["used"]["threads"] == 2
    finally:
        torch.set_num_threads(before)


def test_adapters_are_named_with_their_strengths(tiny):
    lora(tiny)
    tiny.load_lora_weights(families.lora_weights(tiny, seed=9), adapter_name="second")
    tiny.set_adapters(["style", "second"], [0.5, {"unet": {"mid": 0.25, "down": 0.75}}])
    first, second = run(tiny).provenance["adapters"]
    assert first == {"name": "style", "strength": 0.5, "fused": False, "in_weights": False}
    assert second["strength"]["unet.mid_block"] == 0.25
    assert second["strength"]["unet.down_blocks"] == 0.75
    tiny.set_adapters("second", 0.8)
    trace = run(tiny)
    assert [(one["name"], one["strength"]) for one in trace.provenance["adapters"]] == [("style", 0), ("second", 0.8)]
    assert "second × 0.8" in repr(trace)
    tiny.disable_lora()
    assert {one["strength"] for one in run(tiny).provenance["adapters"]} == {0}


def test_a_fused_adapter_is_in_the_weights_and_stays_there_when_unloaded(tiny):
    plain = run(tiny)
    lora(tiny)
    tiny.fuse_lora(lora_scale=0.5)
    (fused,) = run(tiny).provenance["adapters"]
    assert fused == {"name": "style", "strength": 0.5, "fused": True, "in_weights": True}
    tiny.unload_lora_weights()
    trace = run(tiny)
    assert not np.array_equal(trace.image, plain.image)
    assert trace.provenance["adapters"] == [{"name": "style", "strength": None, "fused": True, "in_weights": True}]
    assert "style, fused and unloaded" in repr(trace)


def test_an_adapter_that_was_unfused_is_out_of_the_weights(tiny):
    lora_fused(tiny)
    tiny.unfuse_lora()
    (told,) = run(tiny).provenance["adapters"]
    assert (told["fused"], told["in_weights"]) == (False, False)


def test_the_scale_of_an_ip_adapter_is_recorded(tmp_path):
    pipe = families.ip_adapter(tmp_path)
    found = run(pipe, ip_adapter_image_embeds=families.image_embeds()).provenance["adapters"]
    assert found == [{"name": "IP-Adapter", "strength": 0.6, "fused": False, "in_weights": False}]


@pytest.mark.parametrize("scale", [0, 0.7])
def test_a_scale_of_the_call_leaves_the_strength_that_was_set(tiny, scale):
    lora(tiny)
    tiny.set_adapters("style", 0.3)
    before = run(tiny)
    other = run(tiny, cross_attention_kwargs={"scale": scale})
    after = run(tiny)
    assert other.provenance["adapters"] == before.provenance["adapters"] == after.provenance["adapters"]
    assert not np.array_equal(other.image, before.image)
    assert np.array_equal(after.image, before.image)


def test_a_run_that_a_callback_ends_says_how_far_it_came(tiny):
    def end(pipe, step, _timestep, given):
        pipe._interrupt = step == 1
        return given

    trace = sdx.run(tiny, "a cat", num_inference_steps=4, callback_on_step_end=end, record=sdx.Record(decode=0))
    asked = len(run(tiny).timesteps) + 2
    assert trace.provenance["interrupted"] == {"steps": 2, "of": asked}
    assert f"after 2 of {asked} steps" in repr(trace)
    assert "interrupted" not in run(tiny).provenance


def test_a_fingerprint_tells_call_and_picture_alone(tiny):
    plain = run(tiny)
    tiny.unet.register_forward_hook(lambda *_: None)  # changes nothing
    assert run(tiny).fingerprint == plain.fingerprint


def test_keys_of_a_text_are_not_those_of_a_copy_that_is_no_more_computed(tiny):
    layer = next(one for one in family_of(tiny).attention_layers(tiny.unet).values() if one.to_words)
    families.unfused(tiny)  # leaves the copy in the layer
    lora(tiny)
    embeds = torch.ones(1, 3, 32)
    keys = family_of(tiny).text_keys(layer, embeds).transpose(1, 2).flatten(2)
    assert torch.equal(keys, tiny.unet.get_submodule(layer.name).to_k(embeds))
