"""Whether a pipeline's VAE is the one that its denoiser was trained on: their latents must have one scale."""

from typing import Any

from ...base.errors import InspectionError
from ...strings.wording import Told
from ..families import family_of
from .pipeline_parts import autoencoder

# `scaling_factor` of the VAE's config, by which its latents have unit variance: each family of models has one.
_FACTORS = {
    0.18215: "Stable Diffusion 1.x and 2.x",
    0.13025: "Stable Diffusion XL",
    1.5305: "Stable Diffusion 3",
    0.3611: "FLUX",
}


def vae_of_another_family(pipe: Any) -> str | None:
    """Says that the VAE belongs to another family of models than the denoiser; None where nothing tells so.

    A VAE with a factor that no family has (a fine-tuned one, a little decoder) tells nothing.
    """
    try:
        expected = family_of(pipe).vae_scaling(pipe)
    except InspectionError:
        return None
    config = getattr(autoencoder(pipe), "config", None)
    factor = getattr(config, "scaling_factor", None)
    if expected is None or factor is None or factor == expected or factor not in _FACTORS:
        return None
    own, trained = _FACTORS[factor], _FACTORS.get(expected, "another")
    return Told(
        f"the VAE is that of {own} (scaling_factor {factor:g}), and the denoiser was trained on those of "
        f"{trained} (scaling_factor {expected:g}): pictures will have wrong colours and "
        "contrast. Load the right VAE and give it as load(…, vae=…)",
        "components.fact.other_vae",
        {"own": own, "factor": f"{factor:g}", "trained": trained, "expected": f"{expected:g}"},
    )
