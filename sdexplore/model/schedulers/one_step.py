"""Schedulers that take the place of the pipeline's own for a single call of the denoiser."""

import inspect
from typing import Any

import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput


class OneStepScheduler(DDIMScheduler):  # type: ignore[misc]  # diffusers is untyped
    """DDIM that makes one step: from the timestep `at` to x0."""

    at = 0

    def set_timesteps(self, num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        """Sets the one timestep, whatever number is given."""
        del num_inference_steps
        self.num_inference_steps = 1  # DDIM's step then ends before t = 0, where x_t is x0
        self.timesteps = torch.tensor([self.at], dtype=torch.int64, device=device)

    def noised(self, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Latents with as much noise as there is at the timestep (DDPM, Eq. 4)."""
        made: torch.Tensor = self.add_noise(latents, noise, torch.tensor([self.at]))
        return made

    def step(self, model_output: Any, timestep: Any, sample: Any, *, eta: float | None = 0.0, **more: Any) -> Any:
        """DDIM's step. LCM's pipeline passes eta=None where it means 0."""
        return super().step(model_output, timestep, sample, eta=eta or 0.0, **more)


class OneStepFlowScheduler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]  # diffusers is untyped
    """Euler's method of flow matching in one step: from the timestep `at` = 1000 τ, without any shift, to x0."""

    at = 0

    @classmethod
    def instead_of(cls, scheduler: Any) -> "OneStepFlowScheduler":
        """One with the config of another, which steps from noise to picture and draws nothing by chance."""
        made: OneStepFlowScheduler = cls.from_config(scheduler.config, stochastic_sampling=False, invert_sigmas=False)
        return made

    @property
    def tau(self) -> float:
        """The noise level τ at the timestep, from 0 to 1."""
        return self.at / float(self.config.num_train_timesteps)

    def noised(self, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """x_t = (1 − τ) x0 + τ ε."""
        return (1 - self.tau) * latents + self.tau * noise

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,  # pipelines look for an argument of this name
        mu: Any = None,
        timesteps: Any = None,
    ) -> None:
        """Sets the one timestep, whatever is given."""
        del num_inference_steps, sigmas, mu, timesteps
        self.num_inference_steps = 1
        self.timesteps = torch.tensor([float(self.at)], device=device)
        self.sigmas = torch.tensor([self.tau, 0.0], device=device)
        self._step_index = self._begin_index = None


class StandingScheduler(OneStepScheduler):
    """Has the denoiser called once, at any timestep, and returns the sample unchanged."""

    @classmethod
    def instead_of(cls, scheduler: Any) -> "StandingScheduler":
        """One with the config of another, as far as it knows its keys."""
        known = inspect.signature(DDIMScheduler.__init__).parameters
        made: StandingScheduler = cls.from_config(
            {key: value for key, value in scheduler.config.items() if key in known}
        )
        # Flow matching begins at timestep 1000, which is beyond DDIM's last.
        made.alphas_cumprod = torch.cat([made.alphas_cumprod, made.alphas_cumprod[-1:]])
        return made

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,  # pipelines of flow matching look for an argument of this name
        **_: Any,
    ) -> None:
        """Sets the one timestep, as int64 where it is a whole number."""
        del sigmas
        super().set_timesteps(num_inference_steps)
        whole = float(self.at).is_integer()
        self.timesteps = torch.tensor([self.at], dtype=torch.int64 if whole else torch.float32, device=device)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Does nothing: there is one timestep."""

    def step(self, model_output: Any, timestep: Any, sample: Any, *, eta: float | None = 0.0, **more: Any) -> Any:
        """The sample itself."""
        del model_output, timestep, eta
        # A consistency model's pipeline takes two: the next sample and the denoised one.
        return DDIMSchedulerOutput(prev_sample=sample) if more.get("return_dict", True) else (sample, sample)
