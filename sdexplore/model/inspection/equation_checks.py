"""Equations compared with diffusers' own code, on this pipeline's schedule and denoiser."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.utils.torch_utils import randn_tensor

from ...base.errors import InspectionError, RunError
from ...records.equation_checks import EquationCheck, EquationChecks, TimestepEmbedding
from ...theory import ddpm, pred_original_sample
from ...theory.embeddings import timestep_embedding
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import denoiser, device_of
from ..components.weights_present import without_weights
from ..families import family_of

_SHAPE = (1, 4, 16, 16)  # of the random samples that are compared
_EQUATIONS: Mapping[str, tuple[str, str]] = {
    "Eq. 4": ("xₜ = √ᾱₜ x₀ + √(1−ᾱₜ) ε", "add_noise"),
    "Eq. 15": ("x̂₀ = (xₜ − √(1−ᾱₜ) ε) / √ᾱₜ", "step().pred_original_sample"),
    "Eq. 7": ("μ̃ₜ(xₜ, x̂₀)", "step().prev_sample less its noise"),
    "Eq. 11": ("μ = (xₜ − βₜ/√(1−ᾱₜ) ε) / √αₜ", "step().prev_sample less its noise"),
    "Eq. 7, variance": ("β̃ₜ = (1−ᾱₜ₋₁)/(1−ᾱₜ) βₜ", "_get_variance, fixed_small"),
    "3.2, variance": ("βₜ = 1 − ᾱₜ/ᾱₜ₋₁", "_get_variance, fixed_large"),
}


def equation_checks(pipe: Any, *, num_inference_steps: int | None = None, seed: int = 0) -> EquationChecks:
    """DDPM's equations, as `theory` has them, against diffusers' DDPMScheduler on this pipeline's noise schedule.

    At every timestep a random x_0 and ε are noised and stepped back, and each number that the scheduler gives is
    compared with the equation's. That is done twice: with the scheduler as it is, in float32, where the rounding of its
    schedule shows (β_t is a difference of numbers near 1); and with the schedule in float64, where only a wrong
    equation could differ. x̂_0 is not clipped. The step's noise, which its generator tells, is subtracted again.

    Args:
        pipe: Any pipeline whose scheduler has DDPM's betas.
        num_inference_steps: Steps of a shorter schedule; by default all training timesteps.
        seed: Of x_0 and ε.

    Raises:
        InspectionError: The scheduler has no betas, as in flow matching.
        RunError: num_inference_steps is not from 1 to the number of training timesteps.

    Source: Ho et al. 2020 (DDPM), Eqs. 4, 7, 11, 15 and section 3.2.
    """
    own = pipe.scheduler
    if not hasattr(own, "betas"):
        raise InspectionError(f"{type(own).__name__} has no betas, which DDPM's equations are about")
    most = int(own.config.num_train_timesteps)
    steps = most if num_inference_steps is None else num_inference_steps
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or not 1 <= steps <= most:
        raise RunError(
            f"equation_checks(num_inference_steps={num_inference_steps!r}): a whole number from 1 to {most} is possible"
        )
    found = {dtype: _differences(own, steps, seed, dtype) for dtype in (torch.float32, torch.float64)}
    timesteps, single, size = found[torch.float32]
    _, double, _ = found[torch.float64]
    return EquationChecks(
        own_scheduler=type(own).__name__,
        beta_schedule=getattr(own.config, "beta_schedule", "trained"),
        steps=int(steps),
        num_train_timesteps=most,
        timesteps=timesteps,
        numbers=int(np.prod(_SHAPE)),
        num_inference_steps=num_inference_steps,
        seed=seed,
        checks={
            name: EquationCheck(
                equation=name,
                formula=formula,
                against=against,
                float32=single[name],
                float64=double[name],
                size=size[name],
            )
            for name, (formula, against) in _EQUATIONS.items()
        },
    )


def time_embedding(pipe: Any, timesteps: Sequence[int | float] | None = None) -> TimestepEmbedding:
    """How the pipeline's denoiser is told the time: the closed form against its own, and what it makes of it.

    Args:
        timesteps: Which; by default all training timesteps.

    Raises:
        InspectionError: The denoiser has no sinusoidal embedding.
        RunError: timesteps is empty, or holds something that is not a number.

    Source: Vaswani et al. 2017, section 3.5; Ho et al. 2020 (DDPM), appendix B.
    """
    network = denoiser(pipe)
    if (lacking := without_weights(pipe, family_of(pipe).component)) is not None:
        raise InspectionError(f"time_embedding: {lacking}")
    projection, layers = getattr(network, "time_proj", None), getattr(network, "time_embedding", None)
    if not hasattr(projection, "num_channels") or not isinstance(layers, torch.nn.Module):
        raise InspectionError(
            f"time_embedding reads the sinusoids of a denoiser that has time_proj and time_embedding, as UNets have, "
            f"and this {type(network).__name__} has no such modules"
        )
    many = range(int(pipe.scheduler.config.num_train_timesteps)) if timesteps is None else timesteps
    if not len(many) or not all(isinstance(t, int | float | np.number) for t in many):
        raise RunError(f"time_embedding(timesteps={timesteps!r:.80}): name at least one timestep, as in [0, 500, 999]")
    times = np.array([float(t) for t in many], np.float64)
    told = family_of(pipe).given_timestep(times)
    projection = cast("Any", projection)
    closed = timestep_embedding(
        told,
        int(projection.num_channels),
        flip_sin_to_cos=bool(projection.flip_sin_to_cos),
        downscale_freq_shift=float(projection.downscale_freq_shift),
    )
    parameter = next(layers.parameters())
    device = device_of(pipe)
    with lock_of(pipe), torch.no_grad():
        own = projection(torch.from_numpy(told).float())
        learned = layers(own.to(device, parameter.dtype)).float().cpu().numpy()
    return TimestepEmbedding(
        timesteps=times,
        sinusoids=closed,
        learned=learned,
        deviation=float(np.abs(closed - own.float().numpy()).max()),
        flip_sin_to_cos=bool(projection.flip_sin_to_cos),
        freq_shift=float(projection.downscale_freq_shift),
        unet=type(network).__name__,
        asked=None if timesteps is None else tuple(map(float, timesteps)),
    )


def _differences(
    own: Any, steps: int, seed: int, dtype: torch.dtype
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Timesteps, and by equation the largest difference and the size at each."""
    scheduler = _scheduler(own, dtype)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    largest: dict[str, list[float]] = {name: [] for name in _EQUATIONS}
    size: dict[str, list[float]] = {name: [] for name in _EQUATIONS}
    timesteps = [int(t) for t in scheduler.timesteps]
    for t in timesteps:
        pairs = _held_against(scheduler, t, generator, dtype)
        for name, (mine, theirs) in pairs.items():
            largest[name].append(float(np.abs(mine - theirs).max()))
            size[name].append(float(np.sqrt(np.square(mine).mean())))
    return (
        np.array(timesteps, np.int64),
        {name: np.array(values) for name, values in largest.items()},
        {name: np.array(values) for name, values in size.items()},
    )


def _scheduler(own: Any, dtype: torch.dtype) -> Any:
    """DDPM's own scheduler on the same betas, unclipped, its schedule in `dtype`."""
    plain = {"prediction_type": "epsilon", "clip_sample": False, "thresholding": False, "variance_type": "fixed_small"}
    spacing = {"timestep_spacing": "leading", "steps_offset": 0}  # an offset would lead beyond the last timestep
    scheduler = DDPMScheduler.from_config(own.config, **plain, **spacing)
    scheduler.betas = own.betas.detach().cpu().to(dtype)
    scheduler.alphas = 1.0 - scheduler.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, dim=0)
    scheduler.one = torch.tensor(1.0, dtype=dtype)
    return scheduler


def _held_against(
    scheduler: Any, t: int, generator: torch.Generator, dtype: torch.dtype
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By equation: what `theory` says, in float64, and what the scheduler gives at timestep t."""
    x0, eps = (torch.randn(_SHAPE, generator=generator, dtype=dtype) for _ in range(2))
    noisy = scheduler.add_noise(x0, eps, torch.tensor([t]))
    state = generator.get_state()
    stepped = scheduler.step(eps, t, noisy, generator=generator)
    after = generator.get_state()
    generator.set_state(state)
    drawn = randn_tensor(_SHAPE, generator=generator, dtype=dtype) if t > 0 else torch.zeros(_SHAPE, dtype=dtype)
    generator.set_state(after)
    small, large = (scheduler._get_variance(t, variance_type=kind) for kind in ("fixed_small", "fixed_large"))  # noqa: SLF001
    mean = stepped.prev_sample - small**0.5 * drawn
    previous = int(scheduler.previous_timestep(t))
    now = float(scheduler.alphas_cumprod[t])
    before = float(scheduler.alphas_cumprod[previous]) if previous >= 0 else 1.0
    a, b, x, noise, theirs_x0, theirs_mean = (
        one.double().numpy() for one in (x0, eps, noisy, eps, stepped.pred_original_sample, mean)
    )
    sigma = float(np.sqrt((1 - now) / now))
    closed_x0 = pred_original_sample(x, noise, sigma, "epsilon", "variance preserving")
    return {
        "Eq. 4": (ddpm.add_noise(a, b, now), x),
        "Eq. 15": (np.asarray(closed_x0), theirs_x0),
        "Eq. 7": (ddpm.posterior_mean(x, np.asarray(closed_x0), now, before), theirs_mean),
        "Eq. 11": (ddpm.reverse_mean(x, noise, now, before), theirs_mean),
        "Eq. 7, variance": (np.maximum(ddpm.posterior_variance(now, before), 1e-20), small.double().numpy()),
        "3.2, variance": (ddpm.beta(now, before), large.double().numpy()),
    }
