"""What a Record names and a pipeline has not: said before the run, or after it where only the run can know."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...base.errors import RunError, did_you_mean
from ...base.known_names import beginnings, lies_in
from ...base.user_warnings import warn_user
from ...trace.record import Record
from ..capture.module_names import TIME, named_modules
from ..capture.module_shapes import feature_shapes
from ..capture.plans import LayerPlan
from ..capture.recorder import Recorder
from ..components.pipeline_parts import attention_layers, denoiser
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.grids import Grid
from .call_outline import outline_of, size_of

# Every role that a row of a denoiser call can have (`roles`). A Record may name some that this pipeline has not.
_ROLE = re.compile(r"cond|uncond|perturbed|skipped|image|edit_\d+|extra_\d+")


@dataclass(frozen=True)
class Miss:
    """A value of a Record that names nothing in this pipeline.

    Attributes:
        text: The value, and what the pipeline has.
        fatal: Whether the run would keep nothing of its field, or no pipeline can have such a thing.
    """

    text: str
    fatal: bool


def misses(
    record: Record, layers: Mapping[str, Layer], grids: Mapping[str, Grid | None], roles: Callable[[], Sequence[str]]
) -> Iterator[Miss]:
    """Every value of the Record that names nothing in this pipeline.

    Args:
        layers: Dotted name -> attention layer of the denoiser.
        grids: Dotted name -> (y, x) in the run; empty where the grids are not known.
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
    # Where a denoiser has no layer of a kind, no name can be wrong; an empty choice is intended.
    if record.cross_attention and record.layers and kinds[True]:
        yield from _unnamed("layers", record.layers, record.layers, kinds[True])
    yield from _of_joint_layers(record, layers)
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
        fatal = not any(lies_in(name, *names) for name in kinds[False])
        yield Miss(
            f"Record(self_attention={asked!r}): no layer's grid has {_sides(sizes)}; longer sides are {there}", fatal
        )


def _of_joint_layers(record: Record, layers: Mapping[str, Layer]) -> Iterator[Miss]:
    """What the Record asks of words that attend, where none do."""
    if record.word_attention and not any(layer.joint for layer in layers.values()):
        text = (
            "Record(word_attention=True): the words attend to nothing in this denoiser, whose attention layers have "
            "queries of the picture alone; families with joint attention (SD3, FLUX, …) have them"
        )
        yield Miss(text, fatal=True)
    if record.concepts and not any(layer.text_block for layer in layers.values()):
        text = (
            f"Record(concepts={record.concepts!r}): how concepts go beside the text is known of Stable Diffusion 3 and "
            "FLUX.1, and not of this denoiser; open_word_map asks a UNet for any word"
        )
        yield Miss(text, fatal=True)


def _unnamed(field: str, asked: Sequence[Any], names: Sequence[str], layers: Sequence[str]) -> Iterator[Miss]:
    kind = {"layers": "cross", "self_attention": "self"}[field]
    lost = [one for one in names if not any(lies_in(layer, one) for layer in layers)]
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
        warn_user(miss.text)
    if record.features:
        _check_features(pipe, record.features, arguments)


def _check_features(pipe: Any, names: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """RunError where there is no such module, or one whose output is known not to be a picture."""
    named_modules(names, denoiser(pipe))
    try:
        shapes = feature_shapes(pipe, tuple(names), outline_of(pipe, None, arguments).grid)
    except Exception:  # noqa: BLE001  (the run itself then finds out, in its first call)
        return
    for name, shape in shapes.items():
        if isinstance(shape, str):
            raise RunError(
                f"Record(features={tuple(names)!r}): {name!r} cannot be laid out as a picture: {shape}. Leave it out"
                + f"; {name.partition(TIME)[0]}{TIME}0 is its first time alone" * (TIME in name)
            )


def _grids(pipe: Any, arguments: Mapping[str, Any]) -> Mapping[str, Grid | None]:
    """The grids that the arguments tell; none where the size of an input picture decides, or where they cannot tell."""
    if size_of(arguments.get("image")) is not None:
        return {}
    try:
        outline = outline_of(pipe, None, arguments)
        y, x = (side * outline.factor for side in outline.grid)
        return {layer.name: layer.resolution for layer in attention_layers(pipe, y, x)}
    except Exception:  # noqa: BLE001  (the run itself then finds out)
        return {}


def _roles(pipe: Any, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return outline_of(pipe, None, arguments).roles
    except Exception:  # noqa: BLE001  (it is only a hint)
        return ("cond", "uncond")


def tell_if_nothing_was_kept(record: Record, recorder: Recorder) -> None:
    """Warns where the Record asks for attention, and no call of the run had what it names."""
    kept = {name.partition("/")[0] for _, name in recorder.calls}
    plans = (one for plan in recorder.layers.values() for one in plan.readings)
    lacking = {one.kind: one for one in plans if one.kind not in kept}
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
    warn_user(f"no {what} was recorded. {reason}")


def _by_grid(plan: LayerPlan | None) -> bool:
    return plan is not None and plan.grids is not None
