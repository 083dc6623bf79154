"""Families of Stable Diffusion: the family of a checkpoint by its header, and what a header cannot tell.

A header gives names and shapes. The rest (width of a head, activation, noise schedule, scheduler, size of pictures)
belongs to the family, and is written here as published with the models.

Sources of the rules, read as documentation: diffusers, `loaders/single_file_utils.py` (names of keys by family);
ComfyUI, `comfy/supported_models.py` (context widths; `v_pred`, `ztsnr`, `edm_mean`; SD 2's v-prediction by one
tensor's spread); Stability-AI ModelSpec (`modelspec.architecture`, `.prediction_type`, `.title`). Of the configs:
scheduler_config.json, unet/config.json and text_encoder/config.json of stable-diffusion-v1-5, stable-diffusion-2-1,
stable-diffusion-xl-base-1.0, -refiner-1.0 and sdxl-turbo on the hub.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .kinds_of_files import kind_of
from .quantized_weights import refusal
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
_LAST = {"timestep_spacing": "trailing"}  # with which the first step begins at noise alone
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
    family = _quantized(_made_for(_marked(_distilled(family, header), header), header), header)
    return replace(family, notes=tuple(dict.fromkeys(family.notes)))


def _context(header: Header) -> int:
    key = next((name for name in header.tensors if name.endswith("attn2.to_k.weight")), None)
    return header.tensors[key].shape[-1] if key and header.tensors[key].shape else 0


def _other(header: Header) -> Family:
    if (kind := kind_of(header)) is not None:
        return Family(kind[0], notes=kind[1])
    first = ", ".join(map(repr, list(header.tensors)[:3]))
    return Family("unknown", notes=(f"its tensors are {first} …" if first else "it holds no tensor",))


def _distilled(family: Family, header: Header) -> Family:
    """SDXL whose middle has no attention: segmind's SSD-1B and Vega, and what was distilled in their way."""
    middle = any(name.startswith(f"{UNET}middle_block.1.transformer_blocks.") for name in header.tensors)
    if middle or family.pipeline != _SDXL.pipeline or f"{UNET}middle_block.0.out_layers.3.weight" not in header.tensors:
        return family
    deep = any(re.match(rf"{UNET}output_blocks\.\d+\.1\.transformer_blocks\.9\.", name) for name in header.tensors)
    name = "SSD-1B" if deep else "SDXL distilled (as Vega)"
    notes = ("its middle has no attention, and its depth differs from that of SDXL base",)
    return replace(family, name=name, notes=notes)


def _marked(family: Family, header: Header) -> Family:
    """The family with the prediction type and the noise schedule that the file's writer marked."""
    said = dict(_marks(header))
    kind, zero = said.get("v_prediction") or said.get("epsilon"), said.get("zero")
    v = "v_prediction" in said
    if not family.pipeline or not (kind or zero):
        return family
    if not v:
        if zero:
            return replace(family, notes=(*family.notes, f"{zero}, without v-prediction: not applied"))
        return replace(family, prediction_type="epsilon") if not family.prediction_type else family
    notes = (f"it predicts v: {kind}", *((f"its noise schedule ends in noise alone: {zero}",) if zero else ()))
    if family.name.startswith("SD 2.x"):
        family = predicting(family, "v_prediction")
    else:
        name = family.name.removesuffix(" base").removesuffix(" v")
        family = replace(family, name=f"{name} v", prediction_type="v_prediction", notes=())
    rescaled = {"rescale_betas_zero_snr": True}
    own = family.scheduler if "Euler" in str(family.scheduler.get("_class_name")) else {**_DDIM, **_LAST}
    return replace(family, scheduler={**own, **rescaled} if zero else family.scheduler, notes=(*family.notes, *notes))


def _marks(header: Header) -> Iterator[tuple[str, str]]:
    """("v_prediction", "epsilon" or "zero", by which mark), as trainers, mergers and ModelSpec write it."""
    told = {key: value.strip().lower() for key, value in header.metadata.items()}
    if "v_pred" in header.tensors:
        yield "v_prediction", "the key 'v_pred'"
    if told.get("modelspec.prediction_type", "").startswith("v"):
        yield "v_prediction", "modelspec.prediction_type"
    if told.get("ss_v_parameterization") == "true":
        yield "v_prediction", "ss_v_parameterization of kohya's trainer"
    if told.get("modelspec.prediction_type", "").startswith("eps"):
        yield "epsilon", "modelspec.prediction_type"
    if "ztsnr" in header.tensors:
        yield "zero", "the key 'ztsnr'"
    for key in ("ss_zero_terminal_snr", "modelspec.zero_terminal_snr", "ztsnr", "zsnr"):
        if told.get(key) == "true":
            yield "zero", key


def _quantized(family: Family, header: Header) -> Family:
    """The family, not to be loaded where its weights are numbers to be multiplied by a scale, or whole numbers."""
    why = refusal(header) if family.pipeline else None
    return family if why is None else replace(family, pipeline="", notes=(*family.notes, why))


def _sd2(header: Header, file_name: str) -> Family:
    """SD 2.x: base and v have the same names and shapes; the metadata decide, then the file's name."""
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    kind = header.metadata.get("modelspec.architecture", "").lower()
    marked = {prediction for prediction, _ in _marks(header)}
    if "v_prediction" in marked or kind.endswith("-v"):
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
    elif prediction_type != "v_prediction":  # zero terminal SNR has no meaning for it
        plain = {key: value for key, value in family.scheduler.items() if key != "rescale_betas_zero_snr"}
        family = replace(family, scheduler=plain)
    return replace(family, prediction_type=prediction_type, notes=())


def _base(family: Family) -> Family:
    told: Mapping[str, Any] = {"image_size": 512, "scheduler": _PNDM, "prediction_type": "epsilon", "notes": ()}
    return replace(family, name="SD 2.x base", **told)


def _xl(header: Header, file_name: str) -> Family:
    if "edm_mean" in header.tensors:
        return Family("Playground 2.5", notes=("its noise schedule is EDM's; load the folder of its pipeline",))
    if any(prediction == "v_prediction" for prediction, _ in _marks(header)):
        return _SDXL  # no turbo predicts v; `_marked` says by which mark
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
    told = tuple(note for note in family.notes if "v: " in note or "noise alone" in note)
    return replace(family, name=family.name.removesuffix(" base") + purpose, pipeline=pipeline, notes=told)
