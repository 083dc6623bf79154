"""Trees of configurations alone have the published sizes of well-known networks."""

import json
from pathlib import Path

import pytest
from published_configs import TEXT, TRANSFORMERS, UNETS, VAES

import sdexplore as sdx
from sdexplore.base.errors import InspectionError, LoadError

CLIP = {key: value for key, value in TEXT["SD 1.x"]["text_encoder"].items() if key != "projected"}
CLIP_CLASS = {"architectures": ["CLIPTextModel"]}
VIT = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
VIT |= {"patch_size": 14, "image_size": 224, "projection_dim": 768}
CONFIGS = {
    "SD 1.5": {"_class_name": "UNet2DConditionModel", **UNETS["SD 1.x"]},
    "SDXL": {"_class_name": "UNet2DConditionModel", **UNETS["SDXL base"]},
    "VAE": {"_class_name": "AutoencoderKL", **VAES["SD 1.x"]},
    **TRANSFORMERS,
    "CLIP": {**CLIP_CLASS, "model_type": "clip_text_model", **CLIP},
    "CLIP without class": {"model_type": "clip_text_model", **CLIP},
    "CLIP nested": {**CLIP_CLASS, "model_type": "clip", "text_config": CLIP},
    "T5": {
        "architectures": ["T5EncoderModel"],
        "model_type": "t5",
        "feed_forward_proj": "gated-gelu",
        "d_model": 4096,
        "d_ff": 10240,
        "d_kv": 64,
        "num_layers": 24,
        "num_heads": 64,
        "vocab_size": 32128,
    },
    "safety checker": {
        "architectures": ["StableDiffusionSafetyChecker"],
        "model_type": "clip",
        "vision_config": VIT,
        "projection_dim": 768,
    },
}


def of(configuration, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(configuration))
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("name", "parameters", "layers", "first"),
    [
        ("SD 1.5", 859_520_964, 32, "self-attention, 8 heads of 40, keys of 320, 64 × 64"),
        ("SDXL", 2_567_463_684, 140, "self-attention, 10 heads of 64, keys of 640, 64 × 64"),
        ("VAE", 83_653_863, 2, "self-attention, 1 heads of 512"),
        ("SD 3", 2_028_328_000, 24, "joint-attention, 24 heads of 64"),
        ("FLUX", 11_901_408_320, 57, "joint-attention, 24 heads of 128"),
        ("PixArt", 611_349_152, 56, "self-attention, 16 heads of 72"),
        ("CLIP", 123_060_480, 12, "self-attention, 12 heads of 64"),
        ("CLIP without class", 123_060_480, 12, "self-attention, 12 heads of 64"),
        ("CLIP nested", 123_060_480, 12, "self-attention, 12 heads of 64"),
        ("T5", 4_762_310_656, 24, "self-attention, 64 heads of 64"),
        ("safety checker", 303_981_588, 24, "self-attention, 16 heads of 64"),
    ],
)
def test_the_published_sizes(name, parameters, layers, first, tmp_path):
    tree = sdx.tree(of(CONFIGS[name], tmp_path), depth=1)
    assert tree.parameters == parameters
    assert len(tree.attention_layers) == layers
    assert str(tree.attention_layers[0]).startswith(first)
    assert f"{tree.parameters:,} parameters" in repr(tree)
    if name != "safety checker":  # its forward pass takes more than shapes
        assert tree.note.startswith("shapes for ")


def test_a_folder_a_component_s_folder_and_a_path_in_text():
    folder = Path(sdx.__file__).parent / "mini" / "pipeline"
    for source, component in ((str(folder), None), (folder / "unet", None)):
        tree = sdx.tree(source, component)
        assert tree.component == "unet"
        assert tree.parameters == 13_048_132
    assert sdx.tree(folder, "vae").parameters == 3_884_295


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"_class_name": "UNetOfTomorrow"}, "is of a 'UNetOfTomorrow', which is no network of diffusers"),
        ({"_class_name": "DDIMScheduler"}, "is of a 'DDIMScheduler', which is no network"),
        ({"_class_name": "../evil"}, "is of a '../evil', which is no network"),
        ({"architectures": ["system"]}, r"names no network of diffusers or transformers \(it says 'system'\)"),
        ({}, r"\(it says None\)"),
        ({"_class_name": "UNet2DConditionModel", "block_out_channels": "wide"}, "no network can be made of"),
    ],
)
def test_what_is_no_network_s(configuration, message, tmp_path):
    with pytest.raises(InspectionError, match=message):
        sdx.tree(of(configuration, tmp_path))


def test_what_is_not_there(tmp_path):
    with pytest.raises(InspectionError, match=r"there is no configuration 'nowhere.json'"):
        sdx.tree("nowhere.json")
    with pytest.raises(InspectionError, match="is one component's, and 'vae' was asked for"):
        sdx.tree(of({}, tmp_path), "vae")
    with pytest.raises(InspectionError, match="has no network 'transformer'; there is"):
        sdx.tree(Path(sdx.__file__).parent / "mini" / "pipeline", "transformer")
    (tmp_path / "config.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(LoadError, match="names 'a' twice"):
        sdx.tree(tmp_path)
