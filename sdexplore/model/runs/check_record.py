"""What a Record names that a pipeline has not: told before a run, or after it where only the run could know."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...base.errors import RunError, did_you_mean
from ...base.known_names import beginnings
from ...trace.record import Record
from ..capture.plans import LayerPlan, within
from ..capture.recorder import Recorder
from ..components.pipeline_parts import attention_layers, denoiser
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.grids import Grid
from .call_outline import outline_of, size_of

# What rows of a denoiser call are ever called (`roles`); a Record may name those that one pipeline has not.
_ROLE = re.compile(r"cond|uncond|perturbed|image|extra_\d+")


@dataclass(frozen=True)
class Miss:
    """A value of a Record that fits nothing.

    Attributes:
        text: What it is, and what there is in its place.
        fatal: Whether nothing that its field asks for would be kept, or no pipeline ever has such a thing.
    """

    text: str
    fatal: bool


def misses(
    record: Record, layers: Mapping[str, Layer], grids: Mapping[str, Grid | None], roles: Callable[[], Sequence[str]]
) -> Iterator[Miss]:
    """Everything that the Record names in vain.

    Args:
        layers: Dotted name -> attention layer of the denoiser.
        grids: Its (y, x) in the run, as far as known; empty where it is not.
        roles: Those of the run.
    """
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for name, layer in layers.items():
        if layer.to_words:
            kinds[True].append(name)
        if layer.to_picture:
            kinds[False].append(name)
    if strange := [one for one in record.roles if not _ROLE.fullmatch(one)]:
        hint = did_you_mean(strange[0], roles())
        yield Miss(f"Record(roles={record.roles!r}): no run has a role {strange[0]!r}; {hint}", fatal=True)
    # A denoiser without layers of a kind has nothing to misname; an empty choice is meant.
    if record.cross_attention and record.layers and kinds[True]:
        yield from _unnamed("layers", record.layers, record.layers, kinds[True])
    asked = record.self_attention
    if not asked or not kinds[False]:
        return
    names = [one for one in asked if isinstance(one, str)]
    sizes = [one for one in asked if not isinstance(one, str)]
    known = [grid for name in kinds[False] if (grid := grids.get(name)) is not None]
    if not sizes:
        yield from _unnamed("self_attention", asked, names, kinds[False])
    elif known and not any(grid in sizes or max(grid) in sizes for grid in known):
        there = ", ".join(map(str, sorted({max(grid) for grid in known}, reverse=True)))
        fatal = not any(within(name, names) for name in kinds[False])
        yield Miss(
            f"Record(self_attention={asked!r}): no layer's grid has {_sides(sizes)}; longer sides are {there}", fatal
        )


def _unnamed(field: str, asked: Sequence[Any], names: Sequence[str], layers: Sequence[str]) -> Iterator[Miss]:
    kind = {"layers": "cross", "self_attention": "self"}[field]
    lost = [one for one in names if not any(within(layer, [one]) for layer in layers)]
    for one in lost:
        hint = did_you_mean(one, beginnings(layers), most=6)
        text = f"Record({field}={asked!r}): no {kind}-attention layer is called {one!r}, or begins so; {hint}"
        yield Miss(text, fatal=len(lost) == len(names))


def _sides(sizes: Sequence[Any]) -> str:
    return " or ".join(f"side {one}" if isinstance(one, int) else f"(y, x) = {one}" for one in sizes)


def check_kind(record: Any) -> None:
    """RunError where it is no Record."""
    if not isinstance(record, Record):
        raise RunError(f"record={record!r:.80}: what to keep is a Record, as in sdx.Record(roles=('cond', 'uncond'))")


def check_record(pipe: Any, record: Record, arguments: Mapping[str, Any]) -> None:
    """RunError where a field of the Record fits nothing of this run; a warning where one of its layers does not."""
    check_kind(record)
    grids: Mapping[str, Grid | None] = {}
    if any(not isinstance(one, str) for one in record.self_attention):
        grids = _grids(pipe, arguments)
    there = family_of(pipe).attention_layers(denoiser(pipe))
    for miss in misses(record, there, grids, lambda: _roles(pipe, arguments)):
        if miss.fatal:
            raise RunError(miss.text)
        warnings.warn(miss.text, stacklevel=4)  # to who called `run`


def _grids(pipe: Any, arguments: Mapping[str, Any]) -> Mapping[str, Grid | None]:
    """The grids of a run whose size is told by its arguments; of one whose size is a picture's only the run knows."""
    if size_of(arguments.get("image")) is not None:
        return {}
    try:
        outline = outline_of(pipe, None, arguments)
        y, x = (side * outline.factor for side in outline.grid)
        return {layer.name: layer.resolution for layer in attention_layers(pipe, y, x)}
    except Exception:  # noqa: BLE001  (what cannot be told beforehand is told afterwards)
        return {}


def _roles(pipe: Any, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return outline_of(pipe, None, arguments).roles
    except Exception:  # noqa: BLE001  (an example will do)
        return ("cond", "uncond")


def tell_if_nothing_was_kept(record: Record, recorder: Recorder) -> None:
    """A warning where attention was asked for and no call of the run had what the Record names."""
    kept = {name.partition("/")[0] for _, name in recorder.calls}
    lacking = {plan.kind: plan for plan in recorder.layers.values() if plan.kind not in kept}
    if not lacking or record.steps == ():
        return
    total, roles = len(recorder.steps), tuple(recorder.seen)
    if not record.attention_steps(total):
        reason = f"Record(steps={record.steps!r}): this run has steps 0 to {total - 1}"
    elif not set(record.roles).intersection(roles):
        reason = f"Record(roles={record.roles!r}): this run has {', '.join(map(repr, roles))}"
    elif _by_grid(lacking.get("self_attention")):
        reason = f"Record(self_attention={record.self_attention!r}): no layer of this run has such a grid"
    else:
        return
    what = " and ".join(kind.replace("_", "-") for kind in lacking)
    warnings.warn(f"no {what} was recorded. {reason}", stacklevel=4)  # to who called `run`


def _by_grid(plan: LayerPlan | None) -> bool:
    return plan is not None and plan.grids is not None
