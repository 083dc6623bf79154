"""Kinds of files beside whole checkpoints, each recognised by all the keys that it must have.

A kind is a row of the table below. All its patterns must find a tensor's name, and none of those that it must not have.
The first row that fits counts, so that the stricter of two kinds with common names stands first.

Sources of the names: the files as published (madebyollin's TAESD, Stability AI's control-lora, h94's IP-Adapter,
guoyww's AnimateDiff, segmind's SSD-1B), kohya's sd-scripts, LyCORIS, and the savers of diffusers and transformers.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from .safetensors_headers import Header

MOST_NAMES = 50_000  # that are looked at; a whole checkpoint has some three thousand
_TEXT_WIDTHS = {768: "SD 1.x", 1024: "SD 2.x", 1280: "SDXL's second text encoder", 2048: "SDXL"}
_DOWN = r"[._]lora[._](?:linear_layer\.)?(?:down|A)\b|lora_linear_layer\.down\.|lora\d\.down\."
_UP = r"[._]lora[._](?:linear_layer\.)?(?:up|B)\b|lora_linear_layer\.up\.|lora\d\.up\."
_BASE = "load the model that it was made for, then "
_FOLDER = "load the folder of its pipeline"
_TRANSFORMER = "it has a transformer where a UNet is needed; load the folder of its pipeline"
_MERGED = "diffusers' load_lora_weights {}; load a checkpoint into which the tool that made it has merged it"
_OWN_CONFIG = "with its config.json beside it, "


@dataclass(frozen=True)
class Kind:
    """What a file is that is no whole checkpoint.

    Attributes:
        name: As `inspect` tells it.
        way: How to use it.
        needs: Patterns, each of which finds the name of a tensor.
        lacks: Patterns, none of which does.
    """

    name: str
    way: str
    needs: tuple[str, ...]
    lacks: tuple[str, ...] = ()


KINDS = (
    Kind(
        "IP-Adapter",
        _BASE + "pipe.load_ip_adapter(folder, subfolder='', weight_name=file)",
        (r"^image_proj\.", r"^ip_adapter\.\d+\.to_[kv]_ip\."),
    ),
    Kind(
        "Control-LoRA",
        "no class of diffusers reads it as it is; a whole ControlNet of the same purpose does the same",
        (r"^lora_controlnet$", r"\.(up|down)$", r"^(input_hint_block|zero_convs)\."),
    ),
    Kind("LoHa of LyCORIS", _MERGED.format("refuses it"), (r"\.hada_w1_[ab]$", r"\.hada_w2_[ab]$")),
    Kind("LoKr of LyCORIS", _MERGED.format("refuses it"), (r"\.lokr_w1(_[ab])?$", r"\.lokr_w2(_[ab])?$")),
    Kind("(IA)³ of LyCORIS", _MERGED.format("refuses it"), (r"\.on_input$", r"^lora_(unet|te)\w*\.weight$")),
    Kind("GLoRA of LyCORIS", _MERGED.format("refuses it"), (r"\.a1\.weight$", r"\.a2\.weight$", r"\.b1\.weight$")),
    Kind("OFT of LyCORIS", _MERGED.format("refuses it"), (r"\.oft_(blocks|diag)$",)),
    Kind("difference of weights", _MERGED.format("refuses it"), (r"^lora_(unet|te)\w*\.diff(_b)?$",), (_DOWN,)),
    Kind(
        "DoRA",
        _MERGED.format("leaves its dora_scale out and draws as with a plain LoRA, which it is not"),
        (r"\.dora_scale$", _DOWN),
    ),
    Kind(
        "LoRA",
        _BASE + "pipe.unet.load_lora_adapter(file, prefix='base_model.model')",
        (r"^base_model\.model\.(down|mid|up)_block", _DOWN),
    ),
    Kind(
        "LoRA",
        _BASE + "pipe.unet.load_lora_adapter(file, prefix=None)",
        (r"^(down_blocks|mid_block|up_blocks)\.", _DOWN),
    ),
    Kind("LoRA", _BASE + "pipe.load_lora_weights(file)", (_DOWN,)),
    Kind("LoRA", _BASE + "pipe.load_lora_weights(file)", (_UP,)),
    Kind(
        "textual inversion, SDXL",
        _BASE + "pipe.load_textual_inversion for each of its two tensors, with tokenizer= and text_encoder=",
        (r"^(clip_l|text_encoders_0)$", r"^(clip_g|text_encoders_1)$"),
    ),
    Kind("textual inversion", _BASE + "pipe.load_textual_inversion(file)", (r"^emb_params$|^string_to_param\.",)),
    Kind(
        "hypernetwork of the webui",
        "diffusers has no hypernetworks; the webui that it was made for reads it",
        (r"^\d+\.0\.linear", r"^\d+\.1\.linear"),
    ),
    Kind(
        "ControlNet",
        "diffusers' ControlNetModel.from_single_file(file) reads it",
        (r"^control_model\.input_blocks\.0\.0\.",),
    ),
    Kind(
        "ControlNet",
        "diffusers' ControlNetModel.from_single_file(file, config=folder) reads it, with the config of its version in "
        "diffusers' layout",
        (r"^input_hint_block\.0\.", r"^zero_convs\.0\.0\.", r"^input_blocks\.0\.0\."),
    ),
    Kind(
        "ControlNet in diffusers' layout",
        _OWN_CONFIG + "diffusers' ControlNetModel.from_pretrained(folder) reads it",
        (r"^controlnet_cond_embedding\.conv_in\.", r"^controlnet_down_blocks\.0\.", r"^conv_in\.weight$"),
    ),
    Kind("ControlNet of a transformer", _FOLDER, (r"^controlnet_blocks\.0\.", r"transformer_blocks\.0\.")),
    Kind(
        "T2I-Adapter in diffusers' layout",
        _OWN_CONFIG + "diffusers' T2IAdapter.from_pretrained(folder) reads it",
        (r"^adapter\.conv_in\.", r"^adapter\.body\.0\."),
    ),
    Kind(
        "T2I-Adapter in the original layout",
        "diffusers reads the version in its own layout",
        (r"^conv_in\.weight$", r"^body\.0\.block1\.", r"^body\.0\.block2\."),
    ),
    Kind(
        "UNet with motion modules",
        _FOLDER,
        (r"motion_modules\.0\.", r"down_blocks\.0\.resnets\.0\.", r"^conv_in\."),
    ),
    Kind(
        "motion module (AnimateDiff)",
        "diffusers' MotionAdapter takes it; a picture alone has no use for it",
        (r"^(down_blocks|mid_block|up_blocks)\.[\w.]*motion_modules\.0\.", r"\.to_q\.weight$"),
        (r"\.resnets\.0\.",),
    ),
    Kind(
        "safety checker",
        _BASE.removesuffix(", then ") + " with it as safety_checker=",
        (r"^concept_embeds$", r"^vision_model\."),
    ),
    Kind(
        "CLIP, of text and pictures",
        "transformers' CLIPModel reads it with its config.json",
        (
            r"(^|\.)vision_model\.embeddings\.patch_embedding\.",
            r"(^|\.)text_model\.encoder\.layers\.0\.",
        ),
    ),
    Kind(
        "CLIP of pictures (image encoder)",
        _OWN_CONFIG + "transformers' CLIPVisionModelWithProjection reads it, and load(..., image_encoder=) takes it",
        (r"embeddings\.patch_embedding\.weight$", r"encoder\.layers\.0\.self_attn\."),
    ),
    Kind(
        "VAE in diffusers' layout",
        _OWN_CONFIG + "diffusers' AutoencoderKL.from_pretrained(folder) reads it, and load(..., vae=) takes it",
        (r"^encoder\.conv_in\.weight$", r"^decoder\.conv_out\.weight$", r"^encoder\.down_blocks\.0\."),
    ),
    Kind(
        "VAE",
        "diffusers' AutoencoderKL.from_single_file(file) reads it, and load(..., vae=) takes it",
        (
            r"^(first_stage_model\.)?encoder\.conv_in\.weight$",
            r"decoder\.conv_out\.weight$",
            r"encoder\.down\.0\.block\.0\.",
        ),
    ),
    Kind(
        "TAESD in diffusers' layout",
        _OWN_CONFIG + "diffusers' AutoencoderTiny.from_pretrained(folder) reads it, and load(..., vae=) takes it",
        (r"^encoder\.layers\.\d+\.conv\.\d\.weight$", r"^decoder\.layers\.\d+\."),
    ),
    Kind(
        "TAESD in the original layout",
        "diffusers' AutoencoderTiny reads the version in its own layout",
        (
            r"^(taesd_(en|de)coder\.)?1\.(conv\.0\.)?weight$",
            r"^(taesd_(en|de)coder\.)?\d+\.conv\.0\.weight$",
            r"^(taesd_(en|de)coder\.)?\d+\.conv\.2\.weight$",
        ),
    ),
    Kind("SD 3", _TRANSFORMER, (r"joint_blocks\.0\.x_block\.",)),
    Kind("FLUX", _TRANSFORMER, (r"double_blocks\.0\.img_attn\.",)),
    Kind(
        "FLUX transformer in diffusers' layout",
        _FOLDER,
        (r"^single_transformer_blocks\.0\.", r"^transformer_blocks\.0\."),
    ),
    Kind(
        "UNet in diffusers' layout",
        _FOLDER,
        (
            r"^(unet\.)?conv_in\.weight$",
            r"^(unet\.)?down_blocks\.0\.resnets\.0\.",
            r"^(unet\.)?up_blocks\.0\.resnets\.0\.",
        ),
    ),
    Kind(
        "UNet in the original layout",
        "a whole checkpoint holds VAE and text encoder too",
        (r"^input_blocks\.0\.0\.weight$", r"^output_blocks\.0\.0\."),
    ),
    Kind(
        "diffusion transformer",
        _FOLDER,
        (r"^transformer_blocks\.0\.", r"^(proj_out|pos_embed|patch_embed|x_embedder|norm_out)\b"),
    ),
    Kind("T5 text encoder", _FOLDER, (r"encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight$",)),
    Kind("CLIP text encoder", _FOLDER, (r"embeddings\.token_embedding\.weight$", r"encoder\.layers\.0\.self_attn\.")),
    Kind("OpenCLIP text encoder", _FOLDER, (r"transformer\.resblocks\.0\.", r"token_embedding\.weight$")),
    Kind(
        "upscaler (ESRGAN)",
        "it enlarges finished pictures, outside of diffusers",
        (r"^model\.1\.sub\.0\.RDB1\.|^body\.0\.rdb1\.",),
    ),
)


def kind_of(header: Header) -> tuple[str, tuple[str, ...]] | None:
    """(name, notes) of a file that is no whole checkpoint; None where no kind has all its keys there."""
    names = list(islice(header.tensors, MOST_NAMES))
    kind = next((one for one in KINDS if _fits(one, names)), None)
    if kind is not None:
        return kind.name, (kind.way, *(_of_lora(header, names) if kind.name in ("LoRA", "DoRA") else ()))
    if (embedding := _embedding(header)) is not None:
        return "textual inversion", (f"{_BASE}pipe.load_textual_inversion(file)", embedding)
    return None


def _fits(kind: Kind, names: Iterable[str]) -> bool:
    return all(_found(pattern, names) for pattern in kind.needs) and not any(
        _found(pattern, names) for pattern in kind.lacks
    )


def _found(pattern: str, names: Iterable[str]) -> bool:
    return any(map(re.compile(pattern).search, names))


def _of_lora(header: Header, names: list[str]) -> Iterator[str]:
    """What a LoRA was made for, where its widths or its trainer say so, and whether half of it is missing."""
    keys = (name for name in names if re.search(r"attn2[._](processor\.)?to_k\b", name) and re.search(_DOWN, name))
    width = next((shape[-1] for name in keys if len(shape := header.tensors[name].shape) == 2), 0)  # noqa: PLR2004
    if width in _TEXT_WIDTHS:
        yield f"its keys are {width} wide: made for {_TEXT_WIDTHS[width]}"
    if any(
        re.search(r"double_blocks|single_(transformer_)?blocks|joint_blocks|^transformer\.", name) for name in names
    ):
        yield "made for a diffusion transformer, not for a UNet"
    if header.metadata.get("ss_v_parameterization", "").lower() == "true":
        yield "its trainer noted v-prediction: made for a model that predicts v"
    halves = [_found(pattern, names) for pattern in (_DOWN, _UP)]
    if not all(halves):
        lost = "up (B)" if halves[0] else "down (A)"
        yield f"it has no {lost} matrix, and is refused without"


def _embedding(header: Header) -> str | None:
    """Whose vectors the file's one tensor holds; None where it is no embedding of a text encoder known here."""
    if len(header.tensors) != 1:
        return None
    ((name, tensor),) = header.tensors.items()
    shape = tensor.shape
    if "." in name or not 1 <= len(shape) <= 2 or shape[-1] not in _TEXT_WIDTHS or "float" not in tensor.dtype:  # noqa: PLR2004
        return None
    vectors = shape[0] if len(shape) == 2 else 1  # noqa: PLR2004
    return f"{vectors} of {shape[-1]} numbers under the name {name[:80]!r}: made for {_TEXT_WIDTHS[shape[-1]]}"
