"""What one call of a pipeline did, step by step: watched while it runs, made into traces when it is over."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np
import torch

from ..errors import RunError
from ..record import Record
from ..tokenization import Tokenizations
from . import noise_levels
from .hosting import HostCopies
from .probes import CallPlan, DenoiserCall, LayerPlan, StandIn, observing
from .roles import Roles

_UNSEEN = (
    "the scheduler made its first step, and no call of the UNet was seen: the pipeline calls something else in its "
    "place, or calls its forward past all hooks"
)
_DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass
class StepRecord:
    """One call of `scheduler.step`, copied to the host; axes (image, channel, y, x)."""

    mark: noise_levels.StepMark
    sample: torch.Tensor | None
    noise_pred: torch.Tensor | None
    by_role: dict[str, torch.Tensor]
    before_guide: torch.Tensor | None = None
    guidance: dict[str, float] = field(default_factory=dict)


@dataclass
class AttentionRecord:
    """One layer at one denoiser call: (role, image) -> (head, y, x, column or width), on the host."""

    step: int
    probs: dict[tuple[str, int], torch.Tensor]


@dataclass
class Recorder:
    """Collects what the Record asks for while the pipeline runs.

    Attributes:
        tokens: (role, image) -> what its prompt became; absent where there was no text.
        layers: Attention layers to read, by dotted name.
        after_step: Called with (step, timestep, latents on the device) once a step is recorded.
        total: How many steps there will be.
        guidance: Given a timestep, the scales that the pipeline guides by at it.
        guide: Called with (model output, timestep, sample, step); the scheduler gets its answer.
        swapped: Given a step, what its attention to the prompt is filed under, where that is not "cond".
    """

    record: Record
    roles: Roles
    tokens: Callable[[str, int], Tokenizations | None]
    layers: dict[str, LayerPlan]
    after_step: Callable[[int, Any, torch.Tensor], None]
    total: Callable[[], int]
    guidance: Callable[[Any], dict[str, float]] = lambda _: {}
    guide: Callable[[torch.Tensor, Any, torch.Tensor, int], torch.Tensor] | None = None
    swapped: Callable[[int], str] = lambda _: "cond"
    steps: list[StepRecord] = field(default_factory=list)
    attention: dict[str, list[AttentionRecord]] = field(default_factory=dict)
    queries: dict[str, list[AttentionRecord]] = field(default_factory=dict)
    last: torch.Tensor | None = None
    _copies: HostCopies = field(default_factory=HostCopies)
    _by_role: dict[str, torch.Tensor] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _wanted_steps: frozenset[int] | None = None

    @contextmanager
    def watching(self, pipe: Any, denoiser: torch.nn.Module, stand_in: StandIn | None = None) -> Iterator[None]:
        """Observes encode_prompt, the denoiser and scheduler.step of `pipe` until the block ends; see `observing`."""
        with (
            replaced(pipe, "encode_prompt", self._encode_prompt),
            replaced(pipe.scheduler, "step", self._scheduler_step(pipe.scheduler)),
            observing(denoiser, self.layers, self._begin, self._end, stand_in),
        ):
            yield

    def finish(self) -> None:
        """Waits for the copies; the numbers of all steps can be read now."""
        if self.last is not None and self.record.latents:
            self.last = self._copies.take(self.last, torch.float32)
        self._copies.wait()

    def _encode_prompt(self, encode_prompt: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(encode_prompt)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = encode_prompt(*args, **kwargs)
            if isinstance(result, tuple) and isinstance(result[0], torch.Tensor):
                uncond = result[1] if len(result) > 1 and isinstance(result[1], torch.Tensor) else None
                self.roles.encode(result[0], uncond)
            return result

        return watched

    def _scheduler_step(self, scheduler: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrapper(step: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(step)  # pipelines read its signature to decide what to pass
            def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
                if not self.steps and not self._taken:
                    raise RunError(_UNSEEN)
                first_order = bool(getattr(scheduler, "state_in_first_order", True))
                guidance, before = self.guidance(timestep), None
                if self.guide is not None:
                    before = self._copies.take(model_output, torch.float32) if self.record.noise_pred else None
                    model_output = self.guide(model_output, timestep, sample, len(self.steps))
                kept_sample = self._copies.take(sample, torch.float32) if self.record.latents else None
                kept_pred = self._copies.take(model_output, torch.float32) if self.record.noise_pred else None
                result = step(model_output, timestep, sample, *args, **kwargs)
                mark = noise_levels.StepMark(timestep, getattr(scheduler, "step_index", None), first_order)
                self.steps.append(StepRecord(mark, kept_sample, kept_pred, self._by_role, before, guidance))
                self._by_role, self._taken = {}, set()
                self.last = result[0] if isinstance(result, tuple) else result.prev_sample
                self.after_step(len(self.steps) - 1, timestep, self.last)
                return result

            return watched

        return wrapper

    def _begin(self, sample: torch.Tensor, embeds: torch.Tensor | None) -> CallPlan:
        roles = self.roles.of_call(sample.shape[0], embeds, self._taken)
        self._taken |= set(roles)
        if self._wanted_steps is None:
            self._wanted_steps = self.record.attention_steps(self.total())
        if len(self.steps) not in self._wanted_steps or not self.layers:
            return CallPlan(roles)
        rows = tuple(row for row, role in enumerate(roles) if role in self.record.roles)
        length = embeds.shape[1] if embeds is not None else 0
        cuts = tuple(self._cut(self._filed(roles[row]), row % self.roles.images, length) for row in rows)
        return CallPlan(roles, rows, cuts)

    def _cut(self, role: str, image: int, length: int) -> int | None:
        """How many leading positions keep their own column; None keeps all."""
        tokens = self.tokens(role, image)
        if self.record.columns == "all" or tokens is None:
            return None
        return cut_of(tokens, length)

    def _filed(self, role: str) -> str:
        return self.swapped(len(self.steps)) if role == "cond" else role

    def _end(self, call: DenoiserCall) -> None:
        images = self.roles.images
        if self.record.noise_pred and call.noise_pred is not None:
            for start in range(0, len(call.plan.roles), images):
                kept = self._copies.take(call.noise_pred[start : start + images], torch.float32)
                self._by_role[call.plan.roles[start]] = kept
        for found, made in ((self.attention, call.attention), (self.queries, call.queries)):
            for layer, rows in made.items():
                to_prompt = self.layers[layer].kind == "cross_attention"
                names = [self._filed(role) if to_prompt else role for role in call.plan.roles]
                copies = {(names[row], row % images): self._copies.take(one) for row, one in rows.items()}
                found.setdefault(layer, []).append(AttentionRecord(len(self.steps), copies))


def cut_of(tokens: Tokenizations, length: int) -> int | None:
    """Positions up to the first end of the longest tokenization; None where they do not name the `length` keys."""
    ends = [t.first_end for t in tokens.values() if len(t.ids) == length and t.first_end is not None]
    return max(ends) + 1 if len(ends) == len(tokens) else None


def plan_layers(modules: dict[str, Any], record: Record) -> dict[str, LayerPlan]:
    """Which of the denoiser's attention layers the Record asks for, by dotted name, and how each is read."""
    dtype, plans = _DTYPES[record.dtype], {}
    head_mean = record.cross_attention != "heads"
    names = [wanted for wanted in record.self_attention if isinstance(wanted, str)]
    grids = tuple(wanted for wanted in record.self_attention if not isinstance(wanted, str))
    for name, module in modules.items():
        if module.is_cross_attention:
            if record.cross_attention and (record.layers is None or _within(name, record.layers)):
                plans[name] = LayerPlan("cross_attention", head_mean, dtype, queries=record.queries)
        elif _within(name, names):
            plans[name] = LayerPlan("self_attention", head_mean, dtype)
        elif grids:
            plans[name] = LayerPlan("self_attention", head_mean, dtype, grids)
    return plans


def _within(name: str, places: Sequence[str]) -> bool:
    """Whether a module is one of these or inside one; "" is the whole network."""
    return any(place in ("", name) or name.startswith(place.rstrip(".") + ".") for place in places)


def image_rows(steps: list[StepRecord], image: int) -> dict[str, np.ndarray]:
    """noise_pred, and noise_preds/<role> with NaN rows, of one image; (step, channel, y, x)."""
    found = {"noise_pred": np.stack([_row(step.noise_pred, image) for step in steps])}
    if all(step.before_guide is not None for step in steps):
        found["noise_pred_before_guide"] = np.stack([_row(step.before_guide, image) for step in steps])
    shape = found["noise_pred"].shape[1:]
    for role in dict.fromkeys(role for step in steps for role in step.by_role):
        rows = [
            _row(step.by_role[role], image) if role in step.by_role else np.full(shape, np.nan, np.float32)
            for step in steps
        ]
        found[f"noise_preds/{role}"] = np.stack(rows)
    return found


def _row(tensor: torch.Tensor | None, image: int) -> np.ndarray:
    if tensor is None:
        raise ValueError("noise predictions were not recorded")
    return np.asarray(tensor[image].numpy())


@contextmanager
def replaced(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """owner.name becomes make(owner.name) on this one object, and is as before when the block ends."""
    original = getattr(owner, name, None)
    if original is None:
        yield
        return
    own = vars(owner).get(name)
    vars(owner)[name] = make(original)
    try:
        yield
    finally:
        if own is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = own
