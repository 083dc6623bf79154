"""What views of runs say: their steps, guidance, schedules, and several runs side by side."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "denoising.x_t": "x_t",
    "denoising.x0": "predicted x0",
    "denoising.alt": "Two rows of pictures, the latents above and the predicted x0 beneath, at steps {steps} of {of}, "
    "{way}, for {prompt}.{drawn_by}",
    "denoising.not_decoded": " Not decoded by the VAE: {pictures}.",
    "denoising.caption.run": "In {steps}, noise becomes the picture; the predicted x0 shows early where it will lead.",
    "denoising.caption.look": "What the denoiser sees in a noisy picture, and what it predicts the picture to be.",
    "denoising.caption.invert": "In {steps}, the picture goes back to the noise that it comes from.",
}
