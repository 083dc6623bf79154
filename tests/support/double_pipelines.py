"""Tiny pipelines in float64, in which a formula and its other form agree to the last digits."""

from functools import cache
from typing import Any

import torch
from diffusers import DDIMScheduler
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

PROMPT = "a cat and a rocket in space"
STEPS = {"num_inference_steps": 3, "seed": 3}
PLAIN = {"num_inference_steps": 3}


@cache
def double(kind: str) -> Any:
    """ "sd" or "sdxl"."""
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
    pipe = {"sd": stable_diffusion, "sdxl": stable_diffusion_xl}[kind](scheduler)
    return pipe.to(torch.float64)


def noise(*seeds: int) -> list[torch.Generator]:
    """The generators that `run` makes of these seeds."""
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
