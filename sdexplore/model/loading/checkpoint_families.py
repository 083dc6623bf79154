"""Families of Stable Diffusion: the family of a checkpoint by its header, and what a header cannot tell.

A header gives names and shapes. The rest (width of a head, activation, noise schedule, scheduler, size of pictures)
belongs to the family, and is written here as published with the models.

Sources of the rules, read as documentation: diffusers, `loaders/single_file_utils.py` (names of keys by family);
ComfyUI, `comfy/supported_models.py` (context widths; `v_pred`, `ztsnr`, `edm_mean`; SD 2's v-prediction by one
tensor's spread); Stability-AI ModelSpec (`modelspec.architecture`, `.prediction_type`, `.title`). Of the configs:
scheduler_config.json, unet/config.json and text_encoder/config.json of stable-diffusion-v1-5, stable-diffusion-2-1,
stable-diffusion-xl-base-1.0, -refiner-1.0 and sdxl-turbo on the hub.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .safetensors_headers import Header

UNET = "model.diffusion_model."
VAE = "first_stage_model."
CLIP = "cond_stage_model.transformer."
OPEN_CLIP = "cond_stage_model.model."
CLIP_XL = "conditioner.embedders.0.transformer."
OPEN_CLIP_XL = "conditioner.embedders.1.model."
OPEN_CLIP_REFINER = "conditioner.embedders.0.model."

SCHEDULE: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}
_PNDM = {"_class_name": "PNDMScheduler", "skip_prk_steps": True, "set_alpha_to_one": False}
_DDIM = {"_class_name": "DDIMScheduler", "clip_sample": False, "set_alpha_to_one": False}
_EULER = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"}
_TURBO = {"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}

# Input channels of the UNet: the purpose of the checkpoint, and the part of its pipeline's name if it is loaded.
_CHANNELS = {4: "", 9: " inpainting", 8: " InstructPix2Pix", 5: " depth", 7: " upscaler"}
_KIND = {4: "", 9: "Inpaint", 8: "InstructPix2Pix"}


@dataclass(frozen=True)
class Family:
    """What checkpoints of one family have in common.

    Attributes:
        name: "SD 1.x", "SD 2.x", "SDXL base" …, with the purpose.
        pipeline: Class of the pipeline that is loaded; empty where sdexplore does not load it.
        text_encoders: Component -> prefix of its keys in the original layout.
        heads: Number of heads of each attention in the UNet; 0 where each head is 64 wide.
        image_size: Side in pixels of the pictures that it was trained on.
        scaling_factor: Of the VAE's latents.
        prediction_type: What the UNet predicts; empty where the header leaves it open.
        scheduler: The scheduler's configuration, with its class.
        unet: Further entries of the UNet's config.
        notes: Guesses, and what is good to know; a sentence each.
    """

    name: str
    pipeline: str = ""
    text_encoders: Mapping[str, str] = field(default_factory=dict)
    heads: int = 0
    image_size: int = 512
    scaling_factor: float = 0.18215
    prediction_type: str = "epsilon"
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    unet: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


_SD1 = Family("SD 1.x", "StableDiffusionPipeline", {"text_encoder": CLIP}, heads=8, scheduler=_PNDM)
_SD2 = Family(
    "SD 2.x",
    "StableDiffusionPipeline",
    {"text_encoder": OPEN_CLIP},
    image_size=768,
    prediction_type="",
    scheduler=_DDIM,
    unet={"upcast_attention": True},
)
_SDXL = Family(
    "SDXL base",
    "StableDiffusionXLPipeline",
    {"text_encoder": CLIP_XL, "text_encoder_2": OPEN_CLIP_XL},
    image_size=1024,
    scaling_factor=0.13025,
    scheduler=_EULER,
    unet={"addition_embed_type": "text_time", "addition_time_embed_dim": 256},
)
_REFINER = replace(
    _SDXL,
    name="SDXL refiner",
    pipeline="StableDiffusionXLImg2ImgPipeline",
    text_encoders={"text_encoder_2": OPEN_CLIP_REFINER},
)

# A part of a key that only this kind of file has, what the file is, and the way to use it. The first match counts.
_OTHERS = (
    ("lora_unet_", "LoRA", "load the model that it was made for, then pipe.load_lora_weights(file)"),
    (".lora_A.weight", "LoRA", "load the model that it was made for, then pipe.load_lora_weights(file)"),
    ("lora_te", "LoRA", "load the model that it was made for, then pipe.load_lora_weights(file)"),
    ("control_model.", "ControlNet", "diffusers' ControlNetModel.from_single_file(file) reads it"),
    ("emb_params", "textual inversion", "load the model that it was made for, then pipe.load_textual_inversion(file)"),
    ("joint_blocks.0.", "SD 3", "it has a transformer where a UNet is needed"),
    ("double_blocks.0.", "FLUX", "it has a transformer where a UNet is needed"),
    ("single_transformer_blocks.0.", "FLUX transformer", "load the folder of its pipeline"),
    ("input_blocks.0.0.weight", "UNet in the original layout", "a whole checkpoint holds VAE and text encoder too"),
    ("down_blocks.0.resnets.0.", "UNet in diffusers' layout", "load the folder of its pipeline"),
    ("encoder.down", "VAE", "diffusers' AutoencoderKL.from_single_file(file) reads it, and load(..., vae=) takes it"),
    ("transformer_blocks.0.", "diffusion transformer", "load the folder of its pipeline"),
    ("encoder.layers.0.", "text encoder", "load the folder of its pipeline"),
    ("encoder.block.0.", "T5 text encoder", "load the folder of its pipeline"),
)


def family_of(header: Header, file_name: str = "") -> Family:
    """The family of a single file; one without `pipeline` is recognised and not loaded.

    Args:
        header: The file's header.
        file_name: Decides between base and turbo, and between SD 2's base and v, where the header does not; the notes
            then say so.
    """
    names = header.tensors
    if "sdexplore" in header.metadata:
        return Family("a Trace", notes=("Trace.load(file) opens it",))
    if not any(name.startswith(f"{UNET}input_blocks.0.0.") for name in names):
        return _other(header)
    width = _context(header)
    if any(name.startswith(CLIP) for name in names):
        family = _SD1
    elif any(name.startswith(OPEN_CLIP) for name in names):
        family = _sd2(header, file_name)
    elif any(name.startswith((CLIP_XL, OPEN_CLIP_XL)) for name in names):
        family = _xl(header, file_name)
    elif any(name.startswith(OPEN_CLIP_REFINER) for name in names):
        family = _REFINER
    else:  # without a text encoder, the width of cross-attention's keys decides
        known = {768: _SD1, 1024: _sd2(header, file_name), 2048: _xl(header, file_name), 1280: _REFINER}
        family = known.get(width, Family(f"unknown, with text {width} wide"))
    return _made_for(family, header)


def _context(header: Header) -> int:
    key = next((name for name in header.tensors if name.endswith("attn2.to_k.weight")), None)
    return header.tensors[key].shape[-1] if key and header.tensors[key].shape else 0


def _other(header: Header) -> Family:
    for mark, name, way in _OTHERS:
        if any(mark in key for key in header.tensors):
            return Family(name, notes=(way,))
    first = ", ".join(map(repr, list(header.tensors)[:3]))
    return Family("unknown", notes=(f"its tensors are {first} …" if first else "it holds no tensor",))


def _sd2(header: Header, file_name: str) -> Family:
    """SD 2.x: base and v have the same names and shapes; the metadata decide, then the file's name."""
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    kind = header.metadata.get("modelspec.architecture", "").lower()
    if said.startswith("v") or kind.endswith("-v"):
        return predicting(_SD2, "v_prediction")
    if said or kind.endswith("v2-512"):
        return _base(_SD2)
    name = file_name.lower()
    if "512-base" in name or "2-base" in name or "2-1-base" in name:
        return replace(_base(_SD2), notes=("epsilon is taken from the file's name",))
    open_question = (
        "whether it predicts epsilon (base) or v its header does not say: "
        "load looks at one small tensor, and prediction_type= decides"
    )
    return replace(_SD2, notes=(open_question,))


def predicting(family: Family, prediction_type: str) -> Family:
    """The family with this prediction type and its size: SD 2's base draws 512 pixels, its v 768."""
    if family.name.startswith("SD 2.x") and prediction_type == "epsilon":
        return _base(family)
    if family.name.startswith("SD 2.x") and prediction_type == "v_prediction":
        family = replace(family, name="SD 2.x v", image_size=768, scheduler=_DDIM)
    return replace(family, prediction_type=prediction_type, notes=())


def _base(family: Family) -> Family:
    told: Mapping[str, Any] = {"image_size": 512, "scheduler": _PNDM, "prediction_type": "epsilon", "notes": ()}
    return replace(family, name="SD 2.x base", **told)


def _xl(header: Header, file_name: str) -> Family:
    if "edm_mean" in header.tensors:
        return Family("Playground 2.5", notes=("its noise schedule is EDM's; load the folder of its pipeline",))
    if "v_pred" in header.tensors:
        zero = {"rescale_betas_zero_snr": True} if "ztsnr" in header.tensors else {}
        scheduler = {**_EULER, **zero}
        return replace(_SDXL, name="SDXL v", prediction_type="v_prediction", scheduler=scheduler)
    told = " ".join(header.metadata.get(f"modelspec.{key}", "") for key in ("title", "architecture")).lower()
    by_name = "turbo" in file_name.lower() and not told.strip()
    if "turbo" in told or by_name:
        notes: tuple[str, ...] = ("turbo is taken from the file's name",) if by_name else ()
        return replace(_SDXL, name="SDXL turbo", scheduler=_TURBO, image_size=512, notes=notes)
    if told.strip():
        return _SDXL
    note = "base and turbo have the same names and shapes; neither header nor file name says turbo"
    return replace(_SDXL, notes=(note,))


def _made_for(family: Family, header: Header) -> Family:
    """The family with the purpose that its UNet's input channels tell: text alone, a mask, a picture."""
    shape = header.tensors.get(f"{UNET}input_blocks.0.0.weight")
    channels = shape.shape[1] if shape and len(shape.shape) == 4 else 4  # noqa: PLR2004  (a convolution)
    if channels == 4:  # noqa: PLR2004  (the usual)
        return family
    purpose = _CHANNELS.get(channels, f" with {channels} input channels")
    pipeline = ""
    if channels in _KIND and family.pipeline.endswith(("DiffusionPipeline", "XLPipeline")):
        pipeline = family.pipeline.replace("Pipeline", f"{_KIND[channels]}Pipeline")
    if family.name.startswith("SD 2.x"):  # all of them were published for 512 pixels and epsilon
        family = replace(_base(family), name="SD 2.x")
    return replace(family, name=family.name.removesuffix(" base") + purpose, pipeline=pipeline, notes=())
