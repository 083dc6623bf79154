"""Classifier guidance: a log-probability of the user changes the noise prediction before each scheduler step."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, SupportsIndex

import torch
from jaxtyping import Float

from ...base.errors import RunError, errors_named
from ...theory import original_sample_weights, output_per_epsilon, signal_and_noise
from ..capture.word_attention import Layers, PromptedCall, TextMaps, text_maps
from ..components import decoding
from ..components.differentiating import differentiating
from ..schedulers import noise_levels


@dataclass(frozen=True)
class GuideStep:
    """What a guide is given at each scheduler step: float32 tensors (image, channel, y, x) that gradients flow through.

    A guide, `run(guide=…)`, is a function of it. It returns log p as a tensor (image,), one number an image, or their
    sum; or the gradient of log p with respect to `latents`, of their shape; or None, which changes nothing at the step.

    Attributes:
        step: Number of the scheduler step, from 0.
        timestep: Training time, as the denoiser was given it.
        sigma: Noise level √(1−ᾱ)/√ᾱ of the sample.
        latents: x_t on the variance-preserving scale.
        pred_original_sample: x_0 as the model predicts it after classifier-free guidance. Its gradient with respect to
            `latents` is 1/√ᾱ: the noise prediction is a constant there, and the denoiser is not differentiated.

    A guide that moves latents towards a neglected word, after Attend-and-Excite (Chefer et al. 2023, 2301.13826), which
    moves the latents themselves between two calls; `mini.evaluation.neglected_things` measures this one::

        def lift(step):
            if step.step >= 4:  # the first half of the steps
                return None
            highest = step.attention("rocket").flatten(1).topk(12).values.mean(dim=1).log()
            (gradient,) = torch.autograd.grad(highest.sum(), step.latents)
            return gradient / gradient.square().mean().sqrt()  # of one size at every step

        run = {"num_inference_steps": 8, "guide": lift, "guide_scale": 0.25}
        trace = sdx.run(pipe, "a cat and a rocket in space", **run)
    """

    step: int
    timestep: float
    sigma: float
    latents: torch.Tensor
    pred_original_sample: torch.Tensor
    _decode: Callable[[torch.Tensor], torch.Tensor] = field(repr=False)
    _attend: Callable[[], tuple[PromptedCall, TextMaps]] = field(repr=False)

    def decode(self, latents: torch.Tensor | None = None) -> torch.Tensor:
        """The pictures (image, 3, Y, X) that the VAE makes, from 0 to 1 but not clipped, with gradients.

        Args:
            latents: On the variance-preserving scale; None takes `pred_original_sample`.
        """
        return self._decode(self.pred_original_sample if latents is None else latents)

    def attention(
        self,
        word: str | SupportsIndex | Sequence[SupportsIndex],
        *,
        occurrence: SupportsIndex | None = None,
        layers: Layers = None,
    ) -> Float[torch.Tensor, "image y x"]:
        """The probability that each latent pixel pays a word of the prompt, with gradients to `latents`.

        What `word_map` calls "mean", at this step: summed over the word's tokens, averaged over heads and layers, each
        layer resized to the latents' grid. It is of the denoiser as the run's `change` leaves it. When it is first
        asked for at a step, the denoiser is called once more, for the prompt's rows alone, and differentiated: that
        takes some three times a call's time together with the gradient, and memory that `cost(guide=…)` says.

        Args:
            word: As `word_map` takes it: looked up in each image's prompt.
            occurrence: Which of several equal words, from 0; None: all of them.
            layers: Dotted names or their beginnings, or the longer side of a layer's grid; None: all.

        Raises:
            TokenError: A prompt has no such word.
            RunError: No layer is meant; the denoiser has no attention to words, or the prompt's rows cannot be told
                apart, or do not predict again what they predicted.
        """
        seen, maps = self._attended
        with errors_named(f"GuideStep.attention({word!r})"):
            return maps.word(seen.positions(word, occurrence), layers)

    @cached_property
    def _attended(self) -> tuple[PromptedCall, TextMaps]:
        return self._attend()


GuideFunction = Callable[[GuideStep], torch.Tensor | None]


@dataclass(frozen=True)
class Guide:
    """A guide with its scale, for one pipeline.

    Attributes:
        function: GuideStep -> log p, one number an image (image,) or their sum; or the gradient of it with respect to
            x_t, of the latents' shape; or None, which changes nothing at this step.
        scale: Dhariwal & Nichol's s.
    """

    function: GuideFunction
    scale: float
    pipe: Any

    def __call__(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, step: int, prompted: PromptedCall | None
    ) -> torch.Tensor:
        """The model's output after ε − √(1−ᾱ) s ∇ log p, in the model's own parametrisation.

        Raises:
            RunError: The function returned neither one number an image nor a gradient.
        """
        scheduler = self.pipe.scheduler
        sigma = noise_levels.before_step(scheduler, timestep)
        kind, data = noise_levels.prediction_type(scheduler), noise_levels.sigma_data(scheduler)
        if kind is None or sigma in (0.0, float("inf")):  # no noise is left, or there is noise alone
            return model_output
        a, b = map(float, signal_and_noise(sigma))
        scales = {"variance preserving": 1.0, "variance exploding": a, "flow matching": a + b}
        of_sample, of_output = map(float, original_sample_weights(sigma, kind, data))
        with torch.enable_grad(), ExitStack() as open_until_differentiated:
            scaled = sample.detach().float() * scales[str(noise_levels.space(scheduler))]
            x = scaled.clone().requires_grad_()
            x0 = of_sample * scaled + of_output * model_output.detach().float() + (x - scaled) / a
            decode = decoding.differentiable(self.pipe, open_until_differentiated)

            def attend() -> tuple[PromptedCall, TextMaps]:
                if prompted is None:
                    raise RunError("GuideStep.attention: no row of the denoiser's calls is the prompt's")
                open_until_differentiated.enter_context(differentiating(prompted.denoiser))
                return prompted, text_maps(prompted, x)

            told = self.function(GuideStep(step, float(timestep), sigma, x, x0, decode, attend))
            if told is None:
                return model_output
            gradient = _gradient(told, x)
        shift = -b * self.scale * gradient * output_per_epsilon(sigma, kind, data)
        return model_output + shift.to(model_output)


def guide_of(pipe: Any, guide: Any, scale: Any, function: str) -> Guide | None:
    """The guide of a run, or None where it has none.

    Args:
        function: The public function that the user called.

    Raises:
        RunError: It is not callable, the scale is no number, or x_0 of the pipeline's scheduler is refused.
    """
    if guide is None:
        return None
    if not callable(guide):
        raise RunError(f"{function}(guide={guide!r}): guide is a function of a GuideStep that returns log p")
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise RunError(f"{function}(guide_scale={scale!r}): guide_scale is a number")
    if (reason := noise_levels.refusal(pipe.scheduler)) is not None:
        raise RunError(f"{function}(guide=…): {type(pipe.scheduler).__name__} tells no x0 to guide by: {reason}")
    return Guide(guide, float(scale), pipe)


def _gradient(told: Any, x: torch.Tensor) -> torch.Tensor:
    if not isinstance(told, torch.Tensor) or told.shape not in (x.shape, x.shape[:1], torch.Size([])):
        shown = tuple(told.shape) if isinstance(told, torch.Tensor) else type(told).__name__
        raise RunError(
            f"guide returned {shown}; it returns log p as a tensor ({x.shape[0]},), one number an image, "
            f"or its gradient {tuple(x.shape)}, or None"
        )
    if told.shape == x.shape:
        return told.detach()
    if not told.requires_grad:
        raise RunError("guide returned a log p that does not depend on the sample: no gradient leads back to it")
    (gradient,) = torch.autograd.grad(told.sum(), x)
    return gradient
