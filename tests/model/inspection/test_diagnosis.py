"""`doctor` says before a run what the run then does."""

import pytest
import tiny_families as families
import torch
from diffusers.models.attention_dispatch import attention_backend
from family_matrix import MATRIX, arguments_of
from tiny_families import fused, groups, lora, lora_fused, sequential
from tiny_pipelines import ddpm, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.records.diagnosis import Diagnosis, LayerNote

FAMILIES = ("SD 1.x", "SD 2.x", "SDXL, zeroed uncond", "LCM", "ControlNet", "InstructPix2Pix", "IP-Adapter", "PAG, mid")


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_told_is_what_is_recorded(name, tmp_path):
    family = MATRIX[name]
    pipe = family.make(tmp_path)
    record = sdx.Record(roles=("cond", "uncond", "perturbed"), self_attention=(8, 4), decode=0)
    told = sdx.doctor(pipe, record)
    trace = sdx.run(pipe, record=record, **arguments_of(family, pipe))
    assert told.observable
    assert tuple(told.roles) == family.roles  # in the order of the batch
    assert set(trace.noise_preds) == set(told.roles)
    assert set(trace.cross_attention) == set(told.recorded_roles)
    recorded = {layer.name: layer for layer in told.layers if layer.recorded}
    assert recorded.keys() == trace.cross_attention["cond"].keys() | trace.self_attention.get("cond", {}).keys()
    for layer in recorded.values():
        attention = (trace.cross_attention if layer.kind == "cross" else trace.self_attention)["cond"][layer.name]
        assert attention.probs.shape[2:4] == layer.grid
        assert layer.recorded == f"mean over {layer.heads} heads, float16"


def test_a_plain_pipeline_has_nothing_to_tell(tiny):
    told = sdx.doctor(tiny)
    assert told.obstacles == told.warnings == ()
    assert told.facts == {
        "UNet": "UNet2DConditionModel, float32, computes on cpu",
        "compiled": "no",
        "offloaded": "no",
        "processors": "8 × AttnProcessor2_0",
        "attention computed by": "torch's scaled_dot_product_attention",
        "projections": "apart (to_q, to_k)",
        "scheduler": "PNDMScheduler; σ and x0 recorded",
        "cross-attention": "mean over heads, columns='prompt'",
        "self-attention": "not recorded",
    }
    assert told.roles == {"uncond": "where guidance_scale > 1", "cond": "always"}
    assert told.recorded_roles == ("cond",)


def two_loras(pipe):
    lora(pipe)
    pipe.load_lora_weights(families.lora_weights(pipe, seed=9), adapter_name="second")
    pipe.set_adapters("second")


@pytest.mark.parametrize(
    ("prepare", "fact", "expected"),
    [
        (fused, "projections", "fused in 8 layers (to_qkv, to_kv)"),
        (fused, "processors", "8 × FusedAttnProcessor2_0"),
        (lambda pipe: pipe.enable_attention_slicing(1), "attention computed by", "naive softmax, a slice at a time"),
        (
            lambda pipe: families.with_processor(pipe, families.OpaqueProcessor()),
            "attention computed by",
            "OpaqueProcessor's own",
        ),
        (sequential, "offloaded", "layer by layer, by accelerate (enable_sequential_cpu_offload)"),
        (groups("leaf_level"), "offloaded", "in groups of layers (enable_group_offload)"),
        (
            lambda pipe: pipe.enable_model_cpu_offload(device="cpu"),
            "offloaded",
            "model by model (enable_model_cpu_offload)",
        ),
        (two_loras, "LoRA", "style (not active), second (active)"),
        (lora_fused, "LoRA in the weights", "style"),
        (lambda pipe: pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4), "FreeU", "on; it changes features after"),
        (lambda pipe: pipe.to(torch.bfloat16), "UNet", "UNet2DConditionModel, bfloat16, computes on cpu"),
    ],
)
def test_what_is_in_the_pipeline_is_told(tiny, prepare, fact, expected):
    assert sdx.doctor(tiny).facts.get(fact) != expected
    prepare(tiny)
    told = sdx.doctor(tiny)
    assert told.facts[fact].startswith(expected)
    assert told.facts["UNet"].endswith("computes on cpu")  # not "meta", where offloaded weights are
    assert told.observable


def test_adapters_of_pictures_are_told(tmp_path):
    assert sdx.doctor(families.ip_adapter(tmp_path)).facts["IP-Adapter"].startswith("picture tokens (4,), scale [0.6]")
    assert sdx.doctor(families.controlnet()).facts["ControlNet"].startswith("ControlNetModel")
    told = sdx.doctor(families.pag())
    assert told.facts["perturbed layers"] == "mid"
    assert told.roles["perturbed"] == "where pag_scale > 0"
    assert "no self-attention in the perturbed layers" in told.warnings[0]
    assert "identity" in told.warnings[0]


def test_warnings(tiny):
    assert "all-zero embeddings" in sdx.doctor(stable_diffusion_xl()).warnings[0]
    with attention_backend("_native_math"):
        (warning,) = sdx.doctor(tiny).warnings
    assert "attention backend is set to '_native_math'" in warning
    told = sdx.doctor(tiny, sdx.Record(self_attention=(7,), layers=("up_block.1",)))
    assert told.warnings == (
        (
            "Record(layers=('up_block.1',)): no cross-attention layer is called 'up_block.1', or begins so; "
            "did you mean 'up_blocks.1' or 'up_blocks' or 'mid_block'?"
        ),
        "Record(self_attention=(7,)): no layer's grid has side 7; longer sides are 8, 4",
    )
    assert not any(layer.recorded for layer in told.layers)
    (wrong,) = sdx.doctor(tiny, sdx.Record(roles=("conditional",))).warnings
    assert wrong == "Record(roles=('conditional',)): no run has a role 'conditional'; there is 'uncond', 'cond'"
    (absent,) = sdx.doctor(tiny, sdx.Record(roles=("perturbed",))).warnings
    assert absent.endswith("this pipeline has 'uncond', 'cond'; no attention would be recorded")
    assert sdx.doctor(tiny, sdx.Record(roles=("cond", "perturbed"))).warnings == ()
    assert sdx.doctor(ddpm()).warnings == ()


def test_the_record_is_heeded(tiny):
    told = sdx.doctor(tiny, sdx.Record(cross_attention="heads", layers=("mid_block",), dtype="float32"))
    assert [layer.recorded for layer in told.layers if layer.recorded] == ["each of 4 heads, float32"]
    assert sdx.doctor(tiny, sdx.Record(cross_attention=False)).recorded_roles == ()


def test_a_pipeline_without_a_unet_is_refused():
    with pytest.raises(sdx.InspectionError, match="a diffusers pipeline is needed"):
        sdx.doctor(object())


def test_layers_whose_grids_are_not_known_are_told_without(tiny):
    tiny.unet.config["block_out_channels"] = "nonsense"
    told = sdx.doctor(tiny, sdx.Record(self_attention=(8,)))
    assert {layer.grid for layer in told.layers} == {None}
    assert told.layers[0].recorded == "mean over 4 heads, float16, if its grid is asked for"


def test_it_shows_itself_as_text_and_html(tiny):
    text = repr(sdx.doctor(tiny))
    assert text.startswith(
        "StableDiffusionPipeline: can be observed, its image unchanged; 4 of 8 attention layers recorded"
    )
    tiny.unet = torch.compile(tiny.unet, backend="eager")
    told = sdx.doctor(tiny)
    assert told.facts["compiled"] == "yes: no run can be observed"
    assert "cannot be observed as it is" in repr(told)
    assert "✗ its UNet is compiled by torch.compile" in repr(told)
    assert "pipe.unet = pipe.unet._orig_mod" in told._repr_html_()


def test_hostile_names_are_escaped():
    hostile = "</script><b>é\n"
    layer = LayerNote(hostile, "cross", 4, None, hostile, hostile)
    told = Diagnosis(hostile, (hostile,), (hostile,), {hostile: hostile}, {hostile: hostile}, (hostile,), (layer,))
    assert "</script>" not in told._repr_html_()
    assert "</script><b>é⏎" in repr(told)
    empty = Diagnosis("", (), (), {}, {}, (), ())
    assert "0 of 0 attention layers" in repr(empty)


def test_it_leaves_the_pipeline_alone():
    pipe = stable_diffusion()
    before = {name: id(processor) for name, processor in pipe.unet.attn_processors.items()}
    sdx.doctor(pipe)
    assert {name: id(processor) for name, processor in pipe.unet.attn_processors.items()} == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in pipe.unet.modules())
