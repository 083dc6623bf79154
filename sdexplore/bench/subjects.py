"""The pipelines that are measured, and their runs with and without tracing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from ..base.errors import SdexploreError, did_you_mean
from ..trace.record import Record
from ..trace.trace import Trace

SIZES: Final = ("mini", "sd15", "sdxl")
TRANSFORMERS: Final = ("sd3-like", "flux-like")
PROMPT: Final = "a cat and a rocket in space"
WORD: Final = "cat"
SEED: Final = 7
_NAMES = {"mini": "the embedded model", "sd15": "SD 1.5's size, random weights", "sdxl": "SDXL's size, random weights"}


@dataclass(frozen=True)
class Subject:
    """One pipeline with the arguments of its runs.

    Attributes:
        name: Its name in tables.
        pipe: The pipeline.
        device: The device on which it computes.
        steps: num_inference_steps.
        arguments: The other arguments of its call.
    """

    name: str
    pipe: Any
    device: Any
    steps: int
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, size: str, device: Any, steps: int) -> "Subject":  # noqa: ANN401  (torch's, which is not imported here)
        """The pipeline of a size; float16 on a GPU, float32 on a CPU.

        Raises:
            SdexploreError: There is no such size.
        """
        from ..model.loading.random_weights import sized_pipeline

        if size not in SIZES:
            raise SdexploreError(f"there is no size {size!r} to measure; {did_you_mean(size, SIZES)}")
        return cls.around(sized_pipeline(size, device), device, steps, _NAMES[size])

    @classmethod
    def of_transformer(cls, size: str, device: Any, steps: int) -> "Subject":  # noqa: ANN401  (torch's)
        """A small transformer with the tokens of a picture of 512 × 512; float16 on a GPU, float32 on a CPU."""
        from ..model.loading.random_transformers import CALLS, SIDE, random_transformer_pipeline

        pipe: Any = random_transformer_pipeline(size, device)
        facts = f"{SIDE} × {SIDE}, {steps} steps, {str(pipe.dtype).removeprefix('torch.')}"
        return cls(f"{size} transformer, random weights, {facts}", pipe, device, steps, CALLS[size])

    @classmethod
    def around(cls, pipe: Any, device: Any, steps: int, name: str) -> "Subject":  # noqa: ANN401  (any pipeline)
        """Any pipeline, at the size for which it was made, without progress bars."""
        pipe.set_progress_bar_config(disable=True)
        from ..model.inspection.situation import situation

        now = situation(pipe)
        side, dtype = now.side, now.dtype
        return cls(f"{name}, {side} × {side}, {steps} steps, {dtype}", pipe, device, steps)

    def of_steps(self, steps: int) -> "Subject":
        """The same pipeline with another number of steps."""
        return replace(self, steps=steps, name=self.name.replace(f", {self.steps} steps,", f", {steps} steps,"))

    def untraced(self, **more: Any) -> Any:  # noqa: ANN401  (tensors, or pictures)
        """Runs the pipeline without tracing; returns what diffusers returns."""
        from ..model.runs.timing import plain_latents

        return plain_latents(self.pipe, PROMPT, SEED, **self._call(more))

    def traced(self, record: Record, on_step: Callable[[Any], object] | None = None, **more: Any) -> Trace:  # noqa: ANN401
        """Runs the same call with tracing; `more` may hold a change."""
        from ..model.runs.run_pipeline import run

        given = {"output_type": "latent", **self._call(more)}
        found = run(self.pipe, PROMPT, seed=SEED, record=record, on_step=on_step, **given)
        if not isinstance(found, Trace):
            raise SdexploreError(f"{self.name}: one prompt gave several traces, and a benchmark measures one")
        return found

    def _call(self, more: Mapping[str, Any]) -> dict[str, Any]:
        return {"num_inference_steps": self.steps, **self.arguments, **more}

    @property
    def layers(self) -> tuple[str, ...]:
        """Its cross-attention layers by dotted name."""
        from ..model.families import family_of

        family = family_of(self.pipe)
        layers = family.attention_layers(family.denoiser(self.pipe))
        return tuple(name for name, layer in layers.items() if layer.to_words)

    def reference(self) -> np.ndarray:
        """The last latents of an untraced run, as a trace holds them."""
        return self.as_traced(self.untraced())

    def as_traced(self, made: Any) -> np.ndarray:  # noqa: ANN401  (a tensor)
        """Latents that the pipeline returned, as a trace holds them."""
        from ..model.components.pipeline_parts import latent_grid
        from ..model.families import family_of
        from ..model.runs.timing import as_numbers

        size = self.arguments.get("height"), self.arguments.get("width")
        return as_numbers(family_of(self.pipe).unpacked(made, latent_grid(self.pipe, *size)))

    def checked(self, trace: Trace, reference: np.ndarray, *, exact: bool = True) -> tuple[str, str]:
        """In words: how the latents compare with those of an untraced run, and what was captured.

        Args:
            exact: Whether the latents must be equal to the bit.

        Raises:
            SdexploreError: The latents differ although they must not; or a layer or a call is missing, so that the time
                would be that of less work.
        """
        last = trace.recorded("latents")[-1]
        if not np.isfinite(reference).all():
            raise SdexploreError("the untraced run's latents are not finite: there is nothing to compare with")
        apart = float(np.abs(last - reference).max())
        if exact and last.tobytes() != reference.tobytes():
            raise SdexploreError(f"tracing changed the latents, by up to {apart:.3g}")
        found, every = trace.attention("cond"), set(range(trace.num_steps))
        for layer in self.layers:
            if layer not in found or set(found[layer].steps) != every:
                raise SdexploreError(f"layer {layer!r} was not captured at every step")
        largest = max(float(np.abs(reference).max()), 1e-30)
        image = "to the bit" if exact else f"within {apart / largest:.1e} of its largest"
        return image, f"{len(found)} layers × {len(next(iter(found.values())).steps)} calls"
