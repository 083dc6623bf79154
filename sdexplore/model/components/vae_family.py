"""Whether a pipeline's autoencoder is of another family than its UNet, told by the scale of its latents."""

import math
from typing import Any

from ...base.errors import InspectionError
from .pipeline_parts import autoencoder, denoiser

# Scaling factor of the published VAEs -> whose they are. Others, as AutoencoderTiny's 1, tell nothing.
_FACTORS = {0.18215: "SD 1.x and 2.x", 0.13025: "SDXL"}
_WIDTHS = {768: 0.18215, 1024: 0.18215, 1280: 0.13025, 2048: 0.13025}  # of the text that the UNet is given
_LATENTS_ALONE = (4, 9, 8, 5)  # input channels; the x4 upscaler's 7 has a VAE of its own


def foreign_vae(pipe: Any) -> str | None:
    """What is wrong with the pipeline's autoencoder, and the way out; None where nothing is known to be wrong."""
    try:
        config: Any = denoiser(pipe).config
    except InspectionError:
        return None
    vae: Any = getattr(autoencoder(pipe), "config", None)
    width, channels = getattr(config, "cross_attention_dim", None), getattr(config, "in_channels", None)
    if channels not in _LATENTS_ALONE or not isinstance(width, int) or getattr(vae, "latents_mean", None) is not None:
        return None
    with_time = getattr(config, "addition_embed_type", None) == "text_time"
    wanted = _WIDTHS.get(width)
    if wanted is None or with_time != (_FACTORS[wanted] == "SDXL"):
        return None
    own = float(getattr(vae, "scaling_factor", None) or 0)
    theirs = next((name for factor, name in _FACTORS.items() if math.isclose(own, factor)), None)
    if theirs is None or theirs == _FACTORS[wanted]:
        return None
    right = _FACTORS[wanted]
    return (
        f"its VAE has the scaling factor {own:g}, that of {theirs}, and its UNet is of {right}, whose latents "
        f"are scaled by {wanted:g}: pictures come out wrong. load(..., vae=) takes a VAE of {right}"
    )
