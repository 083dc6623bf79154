"""A denoiser that knows the picture: its answers are exact, and it reads only the arguments of a UNet.

It reads the noise level from the timestep alone, by the rules that models are trained with (ᾱ by timestep, c_noise of
EDM, τ of flow matching), and never from sdexplore or the scheduler's tables of σ.
"""

import inspect

import diffusers
import numpy as np
import torch
from diffusers import UNet2DConditionModel
from tiny_pipelines import stable_diffusion

SHAPE = (1, 4, 8, 8)
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHA_BAR = torch.cumprod(1 - BETAS, 0).numpy()


def picture():
    return np.random.default_rng(1).normal(size=SHAPE)


def log_ratio(alpha_bar):
    with np.errstate(divide="ignore"):
        return 0.5 * np.log((1 - alpha_bar) / alpha_bar)


def scales(scheduler, timestep):
    """(a, b) of what the UNet sees, x = a x0 + b ε, and σ_data (None without preconditioning)."""
    name, t = type(scheduler).__name__, float(timestep)
    if getattr(scheduler.config, "use_flow_sigmas", False):
        return 1 - t / 1000, t / 1000, None
    if name.startswith("IPNDM"):
        return np.cos(t * np.pi / 2), np.sin(t * np.pi / 2), None
    if name.startswith(("EDM", "Cosine")):
        data = scheduler.config.sigma_data
        sigma = np.tan(t * np.pi / 2) if name.startswith("Cosine") else np.exp(4 * t)
        return 1 / np.hypot(sigma, data), sigma / np.hypot(sigma, data), data
    changed = name.startswith("CogVideoX") or getattr(scheduler.config, "rescale_betas_zero_snr", False)
    table = scheduler.alphas_cumprod.double().numpy() if changed else ALPHA_BAR
    sigma = np.exp(np.interp(t, np.arange(1000), log_ratio(table)))
    with np.errstate(divide="ignore"):  # σ = ∞ where a schedule begins with noise alone
        return 1 / np.hypot(1, sigma), 1 / np.hypot(1, 1 / sigma), None


class Oracle(UNet2DConditionModel):
    """Answers in the scheduler's own parametrisation, and remembers the noise ε of each call."""

    def prepare(self, scheduler, noise=None):
        """`noise`: the ε of every call, for schedulers that add none; None reads it off the sample."""
        self.scheduler, self.noise, self.noises = scheduler, noise, []
        return self

    def forward(self, sample, timestep, *_, return_dict=True, **__):  # noqa: ARG002  (the pipeline's call)
        x, (a, b, data) = sample.double().numpy(), scales(self.scheduler, timestep)
        noise = (x - a * picture()) / b if self.noise is None else self.noise
        self.noises.append(noise)
        kind = getattr(self.scheduler.config, "prediction_type", "epsilon")
        if type(self.scheduler).__name__.startswith("IPNDM"):
            kind = "v_prediction"  # what its step computes with, whatever its config was given
        if data is not None:  # F = (x0 − c_skip x)/c_out of Karras et al., with x before c_in
            sigma, exploding = b / a, x * np.hypot(b / a, data)
            skip, out = data**2 / (sigma**2 + data**2), sigma * data / np.hypot(sigma, data)
            answer = (picture() - skip * exploding) / (out if kind == "epsilon" else -out)
        else:
            answer = {
                "epsilon": noise,
                "v_prediction": a * noise - b * picture(),
                "sample": picture(),
                "flow_prediction": noise - picture(),
            }[kind]
        return (torch.from_numpy(answer).to(sample.dtype),)


def pipeline():
    """A Stable Diffusion pipeline whose UNet is such a denoiser."""
    pipe = stable_diffusion()
    tiny = {name: value for name, value in pipe.unet.config.items() if not name.startswith("_")}
    pipe.unet = Oracle(**tiny).eval()
    return pipe


def scheduler(name, **options):
    """The scheduler with Stable Diffusion's betas, no clipping, and integer timesteps wherever it lets choose."""
    known = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "timestep_spacing": "leading",
        "steps_offset": 1,
    }
    cls = getattr(diffusers, name)
    taken = inspect.signature(cls.__init__).parameters
    return cls.from_config({key: value for key, value in known.items() if key in taken} | options)
