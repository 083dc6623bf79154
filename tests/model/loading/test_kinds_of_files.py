"""`inspect` says what a file is by all the keys that its kind must have, and advises what works."""

import re

import pytest
import torch
from safetensors.torch import save_file

import sdexplore as sdx
from sdexplore.base.errors import LoadError
from sdexplore.model.loading.checkpoint_families import family_of
from sdexplore.model.loading.kinds_of_files import KINDS, kind_of
from sdexplore.model.loading.safetensors_headers import Header, Tensor

BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0"
KOHYA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_q"
PAIR = ("down", "up")
# What it is called -> files by their makers: names of tensors, as published.
FILES = {
    "LoRA": {
        "diffusers 0.12": [f"{BLOCK}.attn1.processor.to_{p}_lora.{d}.weight" for p in "qkv" for d in PAIR],
        "diffusers 0.18": [f"unet.{BLOCK}.attn2.processor.to_q_lora.{d}.weight" for d in PAIR],
        "diffusers 0.23": [f"unet.{BLOCK}.attn2.to_q.lora.{d}.weight" for d in PAIR],
        "diffusers today": [f"unet.{BLOCK}.attn2.to_q.lora_{d}.weight" for d in "AB"],
        "peft": [f"base_model.model.{BLOCK}.attn2.to_q.lora_{d}.weight" for d in "AB"],
        "kohya": [f"{KOHYA}.lora_{d}.weight" for d in PAIR],
        "kohya, text encoder": [f"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_{d}.weight" for d in PAIR],
        "text encoder": [
            f"text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_linear_layer.{d}.weight" for d in PAIR
        ],
        "xlabs": [f"double_blocks.0.processor.proj_lora1.{d}.weight" for d in PAIR],
    },
    "DoRA": {"kohya": [f"{KOHYA}.{d}" for d in ("lora_down.weight", "lora_up.weight", "dora_scale")]},
    "LoHa of LyCORIS": {"kohya": [f"{KOHYA}.hada_w{i}_{c}" for i in (1, 2) for c in "ab"]},
    "LoKr of LyCORIS": {
        "whole": [f"{KOHYA}.lokr_w{i}" for i in (1, 2)],
        "two": [f"{KOHYA}.lokr_w{i}_a" for i in (1, 2)],
    },
    "Control-LoRA": {
        "stability": ["lora_controlnet", "input_hint_block.0.weight", "input_blocks.4.1.proj_in.down", "x.proj_in.up"]
    },
    "IP-Adapter": {
        "h94": ["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight", "ip_adapter.1.to_v_ip.weight"],
        "with a LoRA": ["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight", "ip_adapter.0.to_q_lora.down.weight"],
    },
    "ControlNet": {
        "prefixed": ["control_model.input_blocks.0.0.weight", "control_model.zero_convs.0.0.weight"],
        "bare": ["input_blocks.0.0.weight", "input_hint_block.0.weight", "zero_convs.0.0.weight"],
    },
    "ControlNet in diffusers' layout": {
        "diffusers": [
            "conv_in.weight",
            "controlnet_cond_embedding.conv_in.weight",
            "controlnet_down_blocks.0.weight",
            "down_blocks.0.resnets.0.conv1.weight",
            f"{BLOCK}.attn2.to_k.weight",
        ]
    },
    "T2I-Adapter in diffusers' layout": {
        "diffusers": ["adapter.conv_in.weight", "adapter.body.0.resnets.0.block1.weight"]
    },
    "T2I-Adapter in the original layout": {
        "tencent": ["conv_in.weight", "body.0.block1.weight", "body.0.block2.weight"]
    },
    "motion module (AnimateDiff)": {
        "original": [
            "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_q.weight"
        ],
        "diffusers": ["down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q.weight"],
    },
    "VAE": {
        "bare": ["encoder.conv_in.weight", "encoder.down.0.block.0.conv1.weight", "decoder.conv_out.weight"],
        "prefixed": [
            f"first_stage_model.{k}"
            for k in ("encoder.conv_in.weight", "encoder.down.0.block.0.conv1.weight", "decoder.conv_out.weight")
        ],
    },
    "VAE in diffusers' layout": {
        "mse": ["encoder.conv_in.weight", "encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.conv_out.weight"]
    },
    "TAESD in diffusers' layout": {
        "diffusers": ["encoder.layers.0.weight", "encoder.layers.1.conv.0.weight", "decoder.layers.1.weight"]
    },
    "TAESD in the original layout": {
        "decoder": ["1.weight", "3.conv.0.weight", "3.conv.2.weight"],
        "encoder": ["0.weight", "1.conv.0.weight", "1.conv.2.weight"],
    },
    "CLIP of pictures (image encoder)": {
        "h94": [
            "vision_model.embeddings.patch_embedding.weight",
            "vision_model.encoder.layers.0.self_attn.q_proj.weight",
            "visual_projection.weight",
        ]
    },
    "safety checker": {
        "compvis": ["concept_embeds", "vision_model.vision_model.encoder.layers.0.self_attn.q_proj.weight"]
    },
    "CLIP text encoder": {
        "old": ["text_model.embeddings.token_embedding.weight", "text_model.encoder.layers.0.self_attn.q_proj.weight"],
        "new": ["embeddings.token_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight"],
    },
    "T5 text encoder": {"t5": ["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"]},
    "textual inversion, SDXL": {"clip": ["clip_l", "clip_g"], "pivotal": ["text_encoders_0", "text_encoders_1"]},
    "textual inversion": {"webui": ["emb_params"], "webui's .pt": ["string_to_param.*"]},
    "hypernetwork of the webui": {"webui": ["768.0.linear.0.weight", "768.1.linear.0.weight"]},
    "UNet in diffusers' layout": {
        "diffusers": ["conv_in.weight", "down_blocks.0.resnets.0.conv1.weight", "up_blocks.0.resnets.0.conv1.weight"]
    },
    "UNet in the original layout": {"bare": ["input_blocks.0.0.weight", "output_blocks.0.0.in_layers.0.weight"]},
    "upscaler (ESRGAN)": {"4x": ["model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"]},
}
CASES = [(name, maker) for name, makers in FILES.items() for maker in makers]


def header(*names, shape=(4, 4), metadata=None):
    return Header({name: Tensor("float16", shape, 2 * shape[0] * shape[-1]) for name in names}, metadata or {})


@pytest.mark.parametrize(("name", "maker"), CASES)
def test_a_kind_is_known_by_all_its_keys(name, maker):
    names = FILES[name][maker]
    assert family_of(header(*names)).name == name
    assert not family_of(header(*names)).pipeline


@pytest.mark.parametrize(
    "name", ["encoder.down.weird", "down_blocks.0.resnets.0.x", "lora_teapot", "encoder.layers.0.x"]
)
def test_one_substring_makes_no_kind(name):
    assert family_of(header(name)).name == "unknown"


def test_each_kind_is_reached():
    """No row of the table stands behind one that takes all its files."""
    told = {kind_of(header(*names))[0] for makers in FILES.values() for names in makers.values()}
    assert told == set(FILES)
    assert set(FILES) <= {kind.name for kind in KINDS}


def test_an_embedding_says_whose_it_is():
    for width, family in ((768, "SD 1.x"), (1024, "SD 2.x")):
        found = family_of(header("<cat-toy>", shape=(3, width)))
        assert found.name == "textual inversion"
        assert f"3 of {width} numbers" in " ".join(found.notes)
        assert family in " ".join(found.notes)
    assert family_of(header("weights", shape=(3, 5))).name == "unknown"


def test_a_lora_says_what_it_was_made_for_and_what_it_lacks():
    to_k = KOHYA.replace("to_q", "to_k")
    whole = header(
        f"{to_k}.lora_down.weight",
        f"{to_k}.lora_up.weight",
        shape=(4, 2048),
        metadata={"ss_v_parameterization": "True"},
    )
    said = " ".join(family_of(whole).notes)
    assert "made for SDXL" in said
    assert "predicts v" in said
    assert "has no up (B) matrix" in " ".join(family_of(header(f"{to_k}.lora_down.weight")).notes)


@pytest.fixture(scope="module")
def pipe():
    return sdx.load()


def lora(pipe, names):
    """A file's tensors: down and up of one layer, of this pipeline's width."""
    layer = pipe.unet.get_submodule(f"{BLOCK}.attn2.to_q")
    shapes = {True: (2, layer.in_features), False: (layer.out_features, 2)}
    return {name: torch.randn(shapes[bool(re.search(r"(down|A)\.weight$", name))]) for name in names}


@pytest.mark.parametrize(
    "maker", ["diffusers 0.18", "diffusers 0.23", "diffusers today", "peft", "kohya", "diffusers 0.12"]
)
def test_the_advice_for_a_lora_loads_it(maker, pipe, tmp_path):
    names = [
        name.replace("attn1", "attn2") for name in FILES["LoRA"][maker] if "to_k" not in name and "to_v" not in name
    ]
    file = str(tmp_path / "lora.safetensors")
    save_file(lora(pipe, names), file)
    advice = sdx.inspect(file).notes[0].partition(", then ")[2]
    eval(advice, {"pipe": pipe, "file": file})  # noqa: S307  (the words of the advice are what is tested)
    assert sum("lora" in name for name, _ in pipe.unet.named_parameters()) == 2
    pipe.unload_lora_weights()


@pytest.mark.parametrize("name", ["LoHa of LyCORIS", "LoKr of LyCORIS", "DoRA", "Control-LoRA"])
def test_nothing_is_advised_that_raises_or_loads_as_something_else(name):
    way = next(kind.way for kind in KINDS if kind.name == name)
    assert "pipe." not in way


def test_the_webui_s_pickles_are_told(tmp_path):
    embedding, hypernetwork = tmp_path / "style.pt", tmp_path / "anime.pt"
    torch.save(
        {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.zeros(2, 768)}, "name": "style"}, embedding
    )
    half = {"linear.0.weight": torch.zeros(4, 4)}
    torch.save({768: (half, half), "step": 3, "name": "anime"}, hypernetwork)
    assert sdx.inspect(embedding, allow_pickle=True).family == "textual inversion"
    assert sdx.inspect(hypernetwork, allow_pickle=True).family == "hypernetwork of the webui"
    with pytest.raises(LoadError, match=r"anime.pt' is no checkpoint to load: hypernetwork"):
        sdx.load(hypernetwork, allow_pickle=True)


def test_tensors_that_make_no_network_are_told_in_words(tmp_path):
    """A file that lost most of its blocks; diffusers' own error is an IndexError."""
    unet = "model.diffusion_model."
    shapes = {
        f"{unet}input_blocks.0.0.weight": (32, 4, 3, 3),
        f"{unet}input_blocks.1.0.out_layers.3.weight": (32, 32, 3, 3),
        f"{unet}input_blocks.2.0.op.weight": (32, 32, 3, 3),
        f"{unet}input_blocks.3.0.out_layers.3.weight": (64, 32, 3, 3),
        f"{unet}input_blocks.3.1.proj_in.weight": (64, 64),
        f"{unet}input_blocks.3.1.transformer_blocks.0.attn2.to_k.weight": (64, 2048),
        f"{unet}middle_block.0.out_layers.3.weight": (64, 64, 3, 3),
        f"{unet}label_emb.0.0.weight": (64, 2816),
        f"{unet}out.2.weight": (4, 32, 3, 3),
    }
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "part.safetensors")
    said = sdx.inspect(tmp_path / "part.safetensors")
    assert any("is damaged, or a variant unknown: no unet of a" in note for note in said.notes)
    with pytest.raises(LoadError, match="has no vae"):
        sdx.load(tmp_path / "part.safetensors")
