"""One tiny checkpoint in every layout that people have on disk."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from original_layout import networks, state_dict
from safetensors.torch import load_file, save_file
from tiny_pipelines import TOKENIZER, tokenizer

# Family as told -> (whose networks, input channels, class of the pipeline, scheduler, prediction type, side in pixels).
FAMILIES: dict[str, tuple[str, int, str, str, str, int]] = {
    "SD 1.x": ("SD 1.x", 4, "StableDiffusionPipeline", "PNDMScheduler", "epsilon", 512),
    "SD 1.x inpainting": ("SD 1.x", 9, "StableDiffusionInpaintPipeline", "PNDMScheduler", "epsilon", 512),
    "SD 1.x InstructPix2Pix": ("SD 1.x", 8, "StableDiffusionInstructPix2PixPipeline", "PNDMScheduler", "epsilon", 512),
    "SD 2.x base": ("SD 2.x", 4, "StableDiffusionPipeline", "PNDMScheduler", "epsilon", 512),
    "SD 2.x v": ("SD 2.x", 4, "StableDiffusionPipeline", "DDIMScheduler", "v_prediction", 768),
    "SD 2.x inpainting": ("SD 2.x", 9, "StableDiffusionInpaintPipeline", "PNDMScheduler", "epsilon", 512),
    "SDXL base": ("SDXL base", 4, "StableDiffusionXLPipeline", "EulerDiscreteScheduler", "epsilon", 1024),
    "SDXL turbo": ("SDXL base", 4, "StableDiffusionXLPipeline", "EulerAncestralDiscreteScheduler", "epsilon", 512),
    "SDXL v": ("SDXL base", 4, "StableDiffusionXLPipeline", "EulerDiscreteScheduler", "v_prediction", 1024),
    "SDXL inpainting": ("SDXL base", 9, "StableDiffusionXLInpaintPipeline", "EulerDiscreteScheduler", "epsilon", 1024),
    "SDXL refiner": ("SDXL refiner", 4, "StableDiffusionXLImg2ImgPipeline", "EulerDiscreteScheduler", "epsilon", 1024),
}
# What such files have in their headers.
METADATA = {
    "SD 2.x base": {"modelspec.architecture": "stable-diffusion-v2-512"},
    "SD 2.x v": {"modelspec.architecture": "stable-diffusion-v2-768-v", "modelspec.prediction_type": "v"},
    "SDXL base": {"modelspec.architecture": "stable-diffusion-xl-v1-base", "modelspec.prediction_type": "epsilon"},
    "SDXL turbo": {"modelspec.architecture": "stable-diffusion-xl-v1-base", "modelspec.title": "SDXL Turbo"},
}


def tensors_of(family: str, parts: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of the family's single file."""
    found = state_dict(FAMILIES[family][0], parts)
    return {**found, "v_pred": torch.zeros(1)} if family == "SDXL v" else found


def tiny_networks(family: str) -> dict[str, Any]:
    return networks(FAMILIES[family][0], channels=FAMILIES[family][1])


def pipeline_of(family: str, parts: dict[str, Any], **more: Any) -> Any:
    """The pipeline of these networks, with scheduler and tokenizers as published."""
    base, _, pipeline, scheduler, prediction, _ = FAMILIES[family]
    spacing = {"Euler": {"timestep_spacing": "leading"}, "Ancestral": {"timestep_spacing": "trailing"}}
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    config |= {"prediction_type": prediction}
    for name, values in spacing.items():
        config |= values if name in scheduler else {}
    config |= {"skip_prk_steps": True} if "PNDM" in scheduler else {}
    config |= {"clip_sample": False, "set_alpha_to_one": False} if "DDIM" in scheduler else {}
    made: dict[str, Any] = {**parts, "scheduler": getattr(diffusers, scheduler)(**config)}
    padding = {"pad_token": "!"}
    made["tokenizer"] = tokenizer(**(padding if base == "SD 2.x" else {}))
    if "XL" in base:
        made["tokenizer_2"] = tokenizer(**padding)
    else:
        made |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if base == "SDXL refiner":
        made |= {"text_encoder": None, "tokenizer": None, "requires_aesthetics_score": True}
        made |= {"force_zeros_for_empty_prompt": False}
    return getattr(diffusers, pipeline)(**made, **more)


def single_file(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    path = folder / "model.safetensors"
    save_file(tensors_of(family, parts), path, METADATA.get(family))
    return path, {}


def half_single_file(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    path = folder / "half.safetensors"
    tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors_of(family, parts).items()}
    save_file(tensors, path, METADATA.get(family))
    return path, {"dtype": "float16"}


def fine_tune(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    """A file as trainers write it: CLIP's positions are cast like all other tensors, its projection is there."""
    path = folder / "single fine-tune.safetensors"
    tensors = tensors_of(family, parts)
    for name in list(tensors):
        if name.endswith("text_model.embeddings.position_ids"):
            tensors[name] = tensors[name].half()
            stem = name.removesuffix("text_model.embeddings.position_ids")
            tensors[f"{stem}text_projection.weight"] = torch.ones(32, 32)
    save_file(tensors, path, METADATA.get(family))
    return path, {}


def bare_clip(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    """A file as some tools write it: CLIP's names lack `text_model.`."""
    path = folder / "single bare.safetensors"
    tensors = {name.replace(".text_model.", "."): tensor for name, tensor in tensors_of(family, parts).items()}
    save_file(tensors, path, METADATA.get(family))
    return path, {}


def new_folder(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    pipeline_of(family, parts).save_pretrained(folder / "new")
    return folder / "new", {}


def sharded_folder(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    pipeline_of(family, parts).save_pretrained(folder / "sharded", max_shard_size="1MB")
    assert len(list((folder / "sharded" / "unet").glob("*-of-*.safetensors"))) > 1
    return folder / "sharded", {}


def variant_folder(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    pipeline_of(family, parts).save_pretrained(folder / "variant", variant="fp16")
    return folder / "variant", {"variant": "fp16"}


def old_folder(family: str, parts: dict[str, Any], folder: Path) -> tuple[Path, dict[str, Any]]:
    """A folder as transformers 4.2x and diffusers 0.1x wrote it, with their names of keys, classes and entries."""
    path = folder / "old"
    pipeline_of(family, parts).save_pretrained(path)
    for name in ("text_encoder", "text_encoder_2"):
        if (path / name).is_dir():
            _age_text_encoder(path / name)
    for name in ("tokenizer", "tokenizer_2"):
        if (path / name).is_dir():
            _age_tokenizer(path / name)
    file = path / "vae" / "diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    aged = {}
    for key, tensor in load_file(file).items():
        for new, old in names.items():
            key = re.sub(rf"(attentions\.\d+)\.{re.escape(new)}\.", rf"\1.{old}.", key)  # noqa: PLW2901
        aged[key] = tensor
    save_file(aged, file, {"format": "pt"})
    edit(path / "vae" / "config.json", drop=("force_upcast", "use_quant_conv", "use_post_quant_conv", "shift_factor"))
    edit(path / "scheduler" / "scheduler_config.json", drop=("sigma_min", "sigma_max", "timestep_type"))
    index: dict[str, Any] = {"_diffusers_version": "0.6.0"}
    if "XL" not in family:  # people delete the 1.2 GB of the checker; the index goes on naming it
        index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
        index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]
    edit(path / "model_index.json", drop=("requires_safety_checker", "image_encoder"), **index)
    return path, {}


def _age_text_encoder(folder: Path) -> None:
    """Keys below `text_model.`, positions saved, the configuration nested in `text_config`."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    apart = ("text_model.", "text_projection.")
    aged = {key if key.startswith(apart) else f"text_model.{key}": tensor for key, tensor in tensors.items()}
    aged["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(aged, file, {"format": "pt"})
    kept = {**json.loads((folder / "config.json").read_text()), "torch_dtype": "float32"}
    kept.pop("dtype", None)
    nested = {
        "architectures": kept["architectures"],
        "model_type": "clip",
        "text_config": kept,
        "text_config_dict": None,
    }
    nested |= {"torch_dtype": "float32", "transformers_version": "4.22.0", "projection_dim": kept["projection_dim"]}
    (folder / "config.json").write_text(json.dumps(nested))


def _age_tokenizer(folder: Path) -> None:
    """vocab.json and merges.txt in place of tokenizer.json."""
    whole = json.loads((TOKENIZER / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    vocabulary = whole["vocab"]
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in whole["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    padding = json.loads((folder / "tokenizer_config.json").read_text())["pad_token"]
    padding = padding if isinstance(padding, str) else padding["content"]
    (folder / "tokenizer.json").unlink()
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special |= {"pad_token": padding}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    config = {**special, "model_max_length": 77, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def edit(path: Path, *, drop: tuple[str, ...] = (), **values: Any) -> None:
    """Changes entries of a JSON file."""
    found = {key: value for key, value in json.loads(path.read_text()).items() if key not in drop}
    path.write_text(json.dumps({**found, **values}))


LAYOUTS: dict[str, Callable[[str, dict[str, Any], Path], tuple[Path, dict[str, Any]]]] = {
    "single file": single_file,
    "single file in float16": half_single_file,
    "single file of a fine-tune": fine_tune,
    "single file with bare names": bare_clip,
    "folder": new_folder,
    "old folder": old_folder,
    "fp16 variant": variant_folder,
    "sharded": sharded_folder,
}
