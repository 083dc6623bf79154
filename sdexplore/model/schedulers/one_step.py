"""Schedulers that stand in for the pipeline's own: one step, or none at all."""

from typing import Any

import torch
from diffusers import DDIMScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput


class OneStepScheduler(DDIMScheduler):  # type: ignore[misc]  # diffusers is untyped
    """DDIM that makes one step only: from the timestep `at` to x0."""

    at = 0

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """One timestep, whatever is asked for."""
        del num_inference_steps
        self.num_inference_steps = 1  # DDIM's step then ends before t = 0, where x_t is x0
        self.timesteps = torch.tensor([self.at], dtype=torch.int64, device=device)

    def step(self, model_output: Any, timestep: Any, sample: Any, *, eta: float | None = 0.0, **more: Any) -> Any:
        """DDIM's step; LCM's pipeline passes no eta where it means none."""
        return super().step(model_output, timestep, sample, eta=eta or 0.0, **more)


class StandingScheduler(OneStepScheduler):
    """Asks the denoiser once, at any timestep, and leaves the sample as it is."""

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """One timestep, as a whole number where it is one."""
        super().set_timesteps(num_inference_steps)
        whole = float(self.at).is_integer()
        self.timesteps = torch.tensor([self.at], dtype=torch.int64 if whole else torch.float32, device=device)

    def step(self, model_output: Any, timestep: Any, sample: Any, *, eta: float | None = 0.0, **more: Any) -> Any:
        """The sample itself."""
        del model_output, timestep, eta
        # A consistency model's pipeline takes two: the next sample and the denoised one.
        return DDIMSchedulerOutput(prev_sample=sample) if more.get("return_dict", True) else (sample, sample)
