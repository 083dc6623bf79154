"""Pipelines of the sizes of Stable Diffusion 1.5 and SDXL with random weights, to measure times without a download."""

from collections.abc import Mapping
from typing import Any, Final

import diffusers
import torch
from diffusers import DiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ...base.errors import LoadError, did_you_mean
from ..components.meta_networks import from_config
from .checkpoint_families import SCHEDULE
from .load_pipeline import load
from .single_files import tokenizer

# Entries that differ from the defaults of the constructor. Source: unet/config.json of stable-diffusion-v1-5 and of
# stable-diffusion-xl-base-1.0 on the hub.
UNETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "sd15": {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8},
    "sdxl": {
        "sample_size": 128,
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
_TEXT: Final[Mapping[str, Any]] = {"vocab_size": 49408, "projection_dim": 768, "hidden_act": "quick_gelu"}
_LARGE: Final = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_BIG_G: Final = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
_VAE: Final[Mapping[str, Any]] = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
}


def sized_pipeline(size: str, device: torch.device) -> DiffusionPipeline:
    """The embedded model for "mini", else what `random_pipeline` returns; float32 on a CPU, float16 elsewhere."""
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    return load(device=device, dtype=dtype) if size == "mini" else random_pipeline(size, device, dtype)


def random_pipeline(size: str, device: str | torch.device, dtype: torch.dtype) -> DiffusionPipeline:
    """A pipeline with the networks of "sd15" or "sdxl" and random weights: its pictures are noise.

    The time of a step does not depend on the weights. They are drawn on the device itself, layer by layer, as torch
    initialises a training; seed 0.

    Raises:
        LoadError: There is no such size.
    """
    if size not in UNETS:
        raise LoadError(f"no random weights of size {size!r}; {did_you_mean(size, UNETS)}")
    torch.manual_seed(0)
    xl = size == "sdxl"
    parts: dict[str, Any] = {
        "unet": _drawn(diffusers.UNet2DConditionModel, UNETS[size], device, dtype),
        "vae": _drawn(diffusers.AutoencoderKL, _VAE, device, dtype),
        "text_encoder": _text_encoder(CLIPTextModel, _LARGE, device, dtype),
        "tokenizer": tokenizer(None),
    }
    if xl:
        parts["text_encoder_2"] = _text_encoder(
            CLIPTextModelWithProjection, {**_BIG_G, "projection_dim": 1280, "hidden_act": "gelu"}, device, dtype
        )
        parts["tokenizer_2"] = tokenizer("!")
        parts["scheduler"] = diffusers.EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="leading")
        pipe: Any = diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)
    else:
        parts["scheduler"] = diffusers.PNDMScheduler(**SCHEDULE, skip_prk_steps=True, set_alpha_to_one=False)
        without = dict.fromkeys(("safety_checker", "feature_extractor"))
        pipe = diffusers.StableDiffusionPipeline(**parts, **without, requires_safety_checker=False)
    pipe.register_to_config(_name_or_path=f"random-{size}")
    made: DiffusionPipeline = pipe
    return made


def _drawn(cls: Any, config: Mapping[str, Any], device: str | torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """A network of diffusers, made without content and filled on its device, so that no float32 copy exists."""
    network = from_config(cls, config)
    if left := [name for name, _ in network.named_buffers()]:
        raise LoadError(f"{cls.__name__} holds {left[0]!r}, which no random number stands for")
    network = network.to(dtype).to_empty(device=device)
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    return network.eval()


def _text_encoder(
    cls: Any, config: Mapping[str, Any], device: str | torch.device, dtype: torch.dtype
) -> torch.nn.Module:
    with torch.device(device):
        network: torch.nn.Module = cls(CLIPTextConfig(**{**_TEXT, **config}))
    return network.to(dtype).eval()
