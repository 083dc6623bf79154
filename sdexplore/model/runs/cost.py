"""`cost`: the bytes of a recorded run, estimated from the configuration; nothing is computed."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from ...base.errors import RunError
from ...changes.several import changes_of
from ...records.cost import Cost
from ...trace.declaration import Kind, declared, fixed_lengths
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..capture.denoiser_call import WAITING
from ..capture.file_sink import IN_FLIGHT
from ..capture.plans import LayerPlan, plan_layers
from ..capture.probabilities import SCORES
from ..components.pipeline_parts import attention_layers, denoiser, device_of
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.concept_stream import COPIES
from .call_outline import Outline, outline_of
from .check_call import check_counts
from .check_record import check_record
from .check_sizes import check_sides
from .cost_of_modules import of_modules
from .differentiated_memory import bytes_of_call, bytes_of_calls

_STEP, _WORKSPACE = "a step", "workspace"  # beside the names of arrays


def cost(
    pipe: Any,
    record: Record = USUAL,
    *,
    prompt: str | list[str] | None = None,
    to: str | Path | None = None,
    differentiated: int = 0,
    **pipeline_arguments: Any,
) -> Cost:
    """Bytes on device, host and disk that `run` with this Record and these arguments will take.

    Without a prompt, the estimate takes one that fills every position. It does not foresee a callback that switches
    guidance off during the run. Pictures of steps are counted on host and disk. In memory they are there once they are
    decoded, which is when they are first looked at.

    Args:
        to: As in `run`: with it the host holds only what waits to be written.
        differentiated: Through how many calls of the denoiser a gradient goes, for `Cost.differentiated`: n of
            `attribution(last=n)`. With a `guide`, which may ask for `GuideStep.attention`, one is taken.
        pipeline_arguments: As in `run`, its own `prompt_at`, `guide` and `change` among them. A change adds nothing to
            what is kept; the source of a `Keep` or `Patch` doubles what the pipeline itself computes, which is no part
            of the cost.

    Raises:
        RunError: The Record names steps, roles or layers that the run does not have; a number of steps or images is
            below 1; a side is no number of pixels; something else than a change is given.
        InspectionError: The pipeline has no denoiser of a known family.
    """
    changes_of(pipeline_arguments.get("change"), "cost")
    check_counts(pipeline_arguments, "cost")
    check_sides(pipeline_arguments, "cost")
    check_record(pipe, record, pipeline_arguments)
    outline = outline_of(pipe, prompt, pipeline_arguments)
    found = cost_of(pipe, record, outline, spilled=to is not None)
    if differentiated < 0:
        raise RunError(f"cost(differentiated={differentiated!r}): a number of calls, from 0")
    kept = 0
    if differentiated:
        kept = bytes_of_calls(pipe, outline.grid, differentiated, len(outline.roles))
    if outline.guide:
        kept = max(kept, outline.images * bytes_of_call(pipe, outline.grid))
    return replace(found, differentiated=kept)


def cost_of(pipe: Any, record: Record, outline: Outline, *, spilled: bool = False, bound: bool = False) -> Cost:
    """The cost of an outlined run.

    Args:
        spilled: Whether the trace is written to a file while it is made.
        bound: Whether an upper bound will do, which is fast: it looks up no grid and tokenizes nothing. No layer's grid
            is finer than the latents', and no prompt is longer than the positions.
    """
    if bound:
        outline = replace(outline, tokens=lambda *_: None)
    parts = _arrays(record, outline)
    if not bound:
        factor = outline.factor
        y, x = outline.grid
        grids = {layer.name: layer.resolution for layer in attention_layers(pipe, y * factor, x * factor)}
    kept, widest, largest, waiting, longest, unread = 0, 0, 0, 0, 0, [0]
    step, family, on_cpu = parts.pop(_STEP), family_of(pipe), device_of(pipe).type == "cpu"
    there = family.attention_layers(denoiser(pipe))
    for name, plan in plan_layers(there, record).items():
        grid = outline.grid if bound else grids[name]
        if grid is None:
            continue
        wanted = [one for one in plan.readings if bound or one.wants(grid)]
        unread += [_unread(there[name], outline, grid)] if on_cpu and family.stays(there[name]) else []
        found = (_layer(one, there[name], record, outline, grid) for one in wanted)
        for key, amount, row in chain.from_iterable(found):
            if key == _WORKSPACE:
                widest, waiting, longest = max(widest, amount), waiting + row, max(longest, row)
                continue
            parts[key] = parts.get(key, 0) + amount
            kept, largest = kept + row, max(largest, row)
    for key, amount, row in of_modules(pipe, record, outline):
        parts[key] = amount
        kept, largest = kept + row, max(largest, row)
    # Maps that wait for those of the other layers are put one behind the other, which copies them once.
    waiting = min(waiting, WAITING + longest)
    device = max(waiting + widest, 2 * waiting) + min(sum(unread), WAITING + max(unread))
    step += kept
    total = dict(sorted(((name, size) for name, size in parts.items() if size), key=lambda part: -part[1]))
    disk = sum(total.values())
    host = min(disk, 2 * min(step, IN_FLIGHT + largest)) if spilled else disk
    return Cost(device=kept + device, host=host, disk=disk, parts=total, images=outline.images, steps=outline.steps)


def _arrays(record: Record, outline: Outline) -> dict[str, int]:
    """Bytes of the arrays that hold no attention, all images together; and of the rows of one step."""
    y, x = outline.grid
    lengths = {"step": outline.steps, "channel": outline.channels, "y": y, "x": x, **fixed_lengths(Trace)}
    lengths |= dict.fromkeys(("Y", "decoded_Y"), y * outline.factor)
    lengths |= dict.fromkeys(("X", "decoded_X"), x * outline.factor)
    lengths |= {"frame": outline.frames[0], "video_frame": outline.frames[1]}
    parts, decoded = {_STEP: 0}, len(record.decoded_steps(outline.steps))
    for one in declared(Trace):
        if one.note.when is None or not all(_given(need, record, outline) for need in one.note.when):
            continue
        if "module" in one.axes:  # `of_modules` counts it
            continue
        names = [f"{one.name}/{role}" for role in outline.roles] if one.kind is Kind.BY_ROLE else [one.name]
        many = outline.images * (decoded if one.kind is Kind.BY_STEP else 1)
        parts |= dict.fromkeys(names, many * one.bytes_of(lengths))
        parts[_STEP] += len(names) * many * one.bytes_of(lengths, row=True) if one.note.live else 0
    return parts


def _given(need: str, record: Record, outline: Outline) -> bool:
    """Whether what a declared field needs is asked for by the Record, or had by the call."""
    return bool(getattr(record, need) if hasattr(record, need) else getattr(outline, need))


def _layer(
    plan: LayerPlan, layer: Layer, record: Record, outline: Outline, grid: tuple[int, int]
) -> Iterator[tuple[str, int, int]]:
    """(array, its bytes, bytes of a row) of one layer, all images together; its workspace on the device, what waits."""
    name, pixels, heads, inner = layer.name, grid[0] * grid[1], layer.heads, layer.width
    cross, width = plan.kind in {"cross_attention", "word_attention"}, plan.dtype.itemsize
    roles = outline.roles if outline.roles == ("uncond",) else [one for one in outline.roles if one in record.roles]
    calls, wide = Counter(map(outline.filed, record.attention_steps(outline.steps))), 0
    for role in roles:
        if role == "perturbed" and not cross and any(re.search(one, name) for one in outline.identity):
            continue
        filed = calls if cross and role == "cond" else {role: calls.total()}
        rows = {
            one: _columns(record, outline, one, plan)
            if cross
            else (_others(plan, record, pixels) * outline.images, pixels)
            for one in filed
        }
        wide = max([wide, *(positions + plan.rest * pixels for _, positions in rows.values())])
        each = (1 if plan.head_mean else heads) * pixels * width
        amounts = {one: each * columns for one, (columns, _) in rows.items()}
        yield f"{plan.kind}/{name}", sum(amounts[one] * filed[one] for one in filed), max(amounts.values(), default=0)
        if plan.queries:
            row = pixels * inner * width * outline.images
            yield f"queries/{name}", row * calls.total(), row
    # Scores and probabilities of some queries at a time, the columns of all, queries before and after they are scaled,
    # and keys, in float32.
    several = 4 * len(roles) * outline.images
    if (
        plan.kind == "concept_scores"
    ):  # of the keys and values of some heads, of probabilities and of scores, in float32
        some = min(inner, max(inner // heads, COPIES // (several * pixels)))
        yield _WORKSPACE, several * pixels * (3 * some + 2 * heads * len(record.concepts)), 0
        return
    scores = several * heads * pixels * wide
    whole = several * (1 if plan.head_mean else heads) * pixels * wide if scores > SCORES else 0
    workspace = 2 * min(scores, SCORES) + whole + several * inner * (2 * pixels + wide)
    waiting = 4 * pixels * wide * len(roles) * outline.images if plan.waits else 0
    yield _WORKSPACE, workspace, waiting


def _unread(layer: Layer, outline: Outline, grid: tuple[int, int]) -> int:
    """Bytes of a layer's queries and keys, all rows together, which may wait to be read until the call is over."""
    pixels, rows = grid[0] * grid[1], len(outline.roles) * outline.images
    keys = pixels if layer.to_picture else outline.positions or 0
    return 4 * rows * layer.width * (pixels + keys)


def _others(plan: LayerPlan, record: Record, pixels: int) -> int:
    """Columns of what is no attention to words: of the concepts, or of the picture itself."""
    return len(record.concepts) if plan.kind == "concept_scores" else pixels


def _columns(record: Record, outline: Outline, role: str, plan: LayerPlan) -> tuple[int, int]:
    """(columns that are kept of all images together, columns of one image before any are summed)."""
    asking = plan.kind == "word_attention"  # words that ask have no column for the rest
    several = [outline.columns(record, role, image, rest=plan.rest or asking) for image in range(outline.images)]
    return sum(kept - asking for kept, _ in several), max(positions for _, positions in several)


def together(costs: list[Cost], *, held: bool) -> Cost:
    """The cost of several runs, one after the other, whose traces memory holds all (`held`), or one at a time."""
    parts: dict[str, int] = defaultdict(int)
    for one in costs:
        for name, amount in one.parts.items():
            parts[name] += amount
    return Cost(
        device=max(one.device for one in costs),
        host=(sum if held else max)(one.host for one in costs),
        disk=sum(one.disk for one in costs),
        parts=parts,
        images=sum(one.images for one in costs),
        steps=max(one.steps for one in costs),
    )
