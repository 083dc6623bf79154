"""`look` and `invert`: what the model sees in a picture that it did not draw.

Both run the pipeline's own call with a scheduler of ours in the place of its own, so that conditioning (SDXL's sizes,
adapters, guidance) is the pipeline's; the own scheduler is back when they return.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from ..errors import RunError
from ..record import USUAL, Record
from ..trace import Trace
from ..traces import Traces
from . import decoding
from .architecture import vae_scale_factor
from .autoencoding import Picture, pixels_of, psnr
from .comparing import exchanged_scheduler
from .locking import lock_of
from .provenance import described
from .running import check, image_count, run_locked

_OURS = ("latents", "timesteps", "sigmas", "num_inference_steps", "output_type", "image")


class OneStepScheduler(DDIMScheduler):  # type: ignore[misc]  # diffusers is untyped
    """DDIM that makes one step only: from the timestep `at` to x0."""

    at = 0

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """One timestep, whatever is asked for."""
        del num_inference_steps
        self.num_inference_steps = 1  # DDIM's step then ends before t = 0, where x_t is x0
        self.timesteps = torch.tensor([self.at], dtype=torch.int64, device=device)


def look(
    pipe: Any,
    image: Picture,
    prompt: str | None = None,
    *,
    t: int | Sequence[int],
    seed: int = 0,
    record: Record = USUAL,
    guidance_scale: float = 1.0,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """A Trace of one denoiser call on a given picture, noised to timestep `t`; Traces for several.

    The picture is resized to `height` × `width` (by default the pipeline's size), encoded by the VAE (the mode of
    its posterior) and noised by DDPM's Eq. 4 with noise from `seed`. `latents` of the trace are x_t, then x0 as
    predicted from it; `image` is the picture that was given, as the VAE got it.

    Args:
        image: A PIL image or uint8 array (Y, X, 3).
        t: Training timestep, 0 to 999: at 0 there is next to no noise, at 999 next to no picture.
        seed: Of the noise.
        guidance_scale: 1 by default: one call, of role "cond".
        pipeline_arguments: Further arguments of the pipeline's call, negative_prompt say.

    Raises:
        RunError: `t` is no timestep, or an argument is given that `look` sets itself.
    """
    times = (t,) if isinstance(t, int) else tuple(t)
    last = int(pipe.scheduler.config.num_train_timesteps) - 1
    if not times or any(not 0 <= one <= last for one in times):
        raise RunError(f"look(t={t!r}): t is a training timestep from 0 to {last}, or several")
    pixels = pixels_of(pipe, image, pipeline_arguments)
    with lock_of(pipe):
        z = decoding.encode(pipe, pixels)
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(seed)).to(z.device)
    traces = []
    for one in times:
        scheduler = OneStepScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=True, clip_sample=False)
        scheduler.at = one
        noisy = scheduler.add_noise(z, noise, torch.tensor([one]))
        arguments = {**pipeline_arguments, "guidance_scale": guidance_scale}
        trace = _observed(pipe, scheduler, noisy, prompt, seed, record, 1, arguments)
        call = _call_of(trace, "look", image, {"t": one})
        traces.append(replace(trace, kind="look", call=call, image=decoding.uint8(pixels)))
    return traces[0] if isinstance(t, int) else Traces(traces)


def invert(
    pipe: Any,
    image: Picture,
    prompt: str | None = None,
    *,
    num_inference_steps: int = 50,
    record: Record = USUAL,
    **pipeline_arguments: Any,
) -> Trace:
    """The way back from a picture to noise, by DDIM inversion without guidance: a Trace from x_0 to x_T.

    `latents[-1]` is the noise from which `run(pipe, prompt, latents=…)` with DDIM and guidance off draws the picture
    again. That is done once here, and provenance["reconstruction"] says how well: the peak signal-to-noise ratio in dB
    of the redrawn picture against the given one, and, as the best that could be, of the VAE's own round trip.

    Args:
        image: A PIL image or uint8 array (Y, X, 3); resized as `look` does.
        num_inference_steps: More steps invert better.

    Raises:
        RunError: An argument is given that `invert` sets itself.

    Source: Song et al. 2021 (DDIM), section 4.3; Mokady et al. 2023 (2211.09794), section 3.
    """
    pixels = pixels_of(pipe, image, pipeline_arguments)
    with lock_of(pipe):
        z = decoding.encode(pipe, pixels)
    config = {"clip_sample": False, "timestep_spacing": "leading", "steps_offset": 0}
    inverse = DDIMInverseScheduler.from_config(pipe.scheduler.config, **config)
    forward = DDIMScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=False, **config)
    arguments = {**pipeline_arguments, "guidance_scale": 1.0}
    trace = _observed(pipe, inverse, z, prompt, 0, record, num_inference_steps, arguments)
    noise = torch.from_numpy(np.array(trace.recorded("latents")[-1:])).to(z.device)
    bare = Record(cross_attention=False, noise_pred=False, decode=0)
    again = _observed(pipe, forward, noise, prompt, 0, bare, num_inference_steps, arguments)
    given = decoding.uint8(pixels)
    with lock_of(pipe):
        redrawn, best = (
            decoding.decode(pipe, latents) for latents in (again.recorded("latents")[-1], z[0].cpu().numpy())
        )
    reconstruction = {"psnr_db": psnr(redrawn, given), "vae_psnr_db": psnr(best, given)}
    call = _call_of(trace, "invert", image, {"num_inference_steps": num_inference_steps})
    provenance = {**trace.provenance, "reconstruction": reconstruction}
    return replace(trace, kind="invert", call=call, provenance=provenance, image=given)


def _observed(
    pipe: Any,
    scheduler: Any,
    latents: torch.Tensor,
    prompt: Any,
    seed: int,
    record: Record,
    steps: int,
    given: dict[str, Any],
) -> Trace:
    if clash := sorted(given.keys() & set(_OURS)):
        raise RunError(f"{clash[0]!r} is set by look and invert themselves; leave it out")
    if (images := image_count(prompt, given)) != 1:
        raise RunError(f"look and invert take one picture and one prompt; this call makes {images} images")
    check(pipe, {"seed": seed, **given})
    y, x = latents.shape[2:]
    factor = vae_scale_factor(pipe)
    arguments = {
        **given,
        "height": y * factor,
        "width": x * factor,
        "latents": latents.to(pipe.unet.dtype),
        "num_inference_steps": steps,
        "output_type": "latent",
    }
    with lock_of(pipe), exchanged_scheduler(pipe, scheduler):
        trace = run_locked(pipe, prompt, seed=seed, record=record, on_step=None, **arguments)
    return cast("Trace", trace)


def _call_of(trace: Trace, function: str, image: Picture, own: dict[str, Any]) -> dict[str, Any]:
    """The call as the user made it: the picture instead of the latents that were made of it."""
    arguments = {name: value for name, value in trace.call["arguments"].items() if name not in _OURS}
    return {**trace.call, "function": function, "arguments": {"image": described(image), **own, **arguments}}
