"""The last calls of a run made again with gradients, through the denoiser, guidance and the sampler's own steps.

The pipeline's own call is made from its seed. From a chosen step on, operations are recorded for a backward pass, and
the prompt's embeddings are a tensor that gradients lead back to. Each call of the denoiser is checkpointed: it keeps
its inputs alone, and is computed once more in the backward pass.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from ...base.errors import RunError
from ...trace.trace import Trace
from ..components.patching import quiet, replaced, restored
from ..components.pipeline_parts import denoiser
from ..components.scheduler_exchange import exchanged_scheduler
from ..families import family_of
from ..runs.provenance import given_again, is_summary
from .asked_again import SAME, Asking

_FUNCTION = "attribution(last=…)"
# Of the run's arguments those that change nothing in it, or that are set here.
_OURS = frozenset(
    {"output_type", "return_dict", "guide_scale", "callback_on_step_end", "callback_on_step_end_tensor_inputs"}
)


class _Reached(BaseException):
    """Leaves the pipeline's loop where its denoiser is about to be called at the step that is asked about."""


def latents_through(asked: Asking, step: int, calls: int, embeddings: torch.Tensor) -> torch.Tensor:
    """What the denoiser is given at `step`, one row, as a function of the prompt's embeddings in the calls before it.

    Args:
        calls: Gradients go through so many, that of `step` counted.
        embeddings: (1, position, width), which gradients lead back to.

    Raises:
        RunError: The run cannot be made again from its call, or comes to other latents than the trace's.
    """
    pipe, trace = asked.running.pipe, asked.trace
    again = _Again(pipe, step, step - calls + 1, embeddings)
    arguments = arguments_again(trace, asked.given)
    generator = torch.Generator("cpu").manual_seed(int(trace.call["seed"]))
    with (
        suppress(_Reached),
        restored(pipe, denoiser(pipe)),
        quiet(pipe),
        exchanged_scheduler(pipe, deepcopy(pipe.scheduler)),  # it keeps what it was given, and all gradients with it
        replaced(denoiser(pipe), "forward", again.forward),
        replaced(pipe.scheduler, "step", again.stepped),
        torch.no_grad(),  # the pipeline's own, to which its end goes back
    ):
        pipe(prompt=trace.call.get("prompt"), **arguments, generator=generator, output_type="latent")
    if again.sample is None:
        raise RunError(f"{_FUNCTION}: made again, the run has no call of its denoiser at step {step}")
    recorded = torch.from_numpy(np.asarray(asked.model_input(step))).to(again.sample)
    family = family_of(pipe)
    there = family.packed(recorded[None], tuple(recorded.shape[1:]))  # type: ignore[arg-type]
    made = again.sample.detach()[:, : there.shape[1]]
    if (made - there).square().mean().sqrt() > SAME * there.square().mean().sqrt():
        raise RunError(
            f"{_FUNCTION}: made again from its seed, the run comes to other latents at step {step} than the trace's: "
            "the pipeline or its scheduler is another, or it had arguments that the trace does not hold"
        )
    return again.sample


class _Again:
    """The run while it is made again."""

    def __init__(self, pipe: Any, step: int, begin: int, embeddings: torch.Tensor) -> None:
        self._family, self._step, self._begin, self._embeddings = family_of(pipe), step, begin, embeddings
        self._steps, self._prompted = 0, False
        self.sample: torch.Tensor | None = None

    def stepped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The scheduler's step, counted."""

        @wraps(original)  # pipelines read its signature
        def step(*args: Any, **kwargs: Any) -> Any:
            if self._steps >= self._begin and not self._prompted:
                raise RunError(
                    f"{_FUNCTION}: at step {self._steps}, no row of the run's own calls was given the prompt as it is "
                    "asked again, alone; last=1 asks one call"
                )
            made = original(*args, **kwargs)
            self._steps, self._prompted = self._steps + 1, False
            return made

        return step

    def forward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The denoiser's forward, with gradients from the first of the calls on."""
        named = list(signature(original).parameters)

        @wraps(original)
        def forward(*args: Any, **kwargs: Any) -> Any:
            if self._steps < self._begin:
                return original(*args, **kwargs)
            torch.set_grad_enabled(True)
            call = {**dict(zip(named, args, strict=False)), **kwargs}
            embeds = call[self._family.text]
            rows = self._rows(embeds)
            self._prompted = self._prompted or bool(rows)
            if rows and self._steps == self._step:
                self.sample = call[self._family.sample][rows[0] : rows[0] + 1]
                raise _Reached
            if rows:
                parts = [self._embeddings if row in rows else embeds[row : row + 1] for row in range(len(embeds))]
                call[self._family.text] = torch.cat(parts)
            return checkpoint(original, use_reentrant=False, **call)

        return forward

    def _rows(self, embeds: Any) -> list[int]:
        """The rows of a call that were given the prompt; none in a call for the other half of guidance."""
        own = self._embeddings.detach()[0]
        if not isinstance(embeds, torch.Tensor) or embeds.shape[1:] != own.shape:
            return []
        near = 1e-3 * float(own.abs().max())
        return [row for row, one in enumerate(embeds) if bool(((one.detach() - own).abs() <= near).all())]


def arguments_again(trace: Trace, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the trace's call.

    Args:
        given: Those that the user gave again.

    Raises:
        RunError: The run cannot be made again from them.
    """
    told = dict(trace.call.get("arguments", {}))
    if trace.kind != "run":
        raise RunError(f"{_FUNCTION}: a trace of {trace.kind!r} has no run to go back through; last=1 asks its call")
    if not isinstance(trace.call.get("prompt"), str) or "image" in trace.call:
        raise RunError(f"{_FUNCTION}: the run made several images at once; ask a run of one")
    if "guide" in told:
        raise RunError(f"{_FUNCTION}: the run was guided, and the trace does not hold its guide; last=1 asks its call")
    told = {name: value for name, value in told.items() if name not in _OURS} | dict(given)
    if trace.call.get("seed") is None:
        raise RunError(f"{_FUNCTION}: the trace names no seed to begin again from")
    for name, value in told.items():
        if name not in given and is_summary(value):
            raise RunError(f"{_FUNCTION}: the trace holds {name} of its run by name only; give it again: {name}=…")
    return {name: value if name in given else given_again(name, value) for name, value in told.items()}
