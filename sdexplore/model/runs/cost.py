"""`cost`: the bytes of a recorded run, estimated from the configuration; nothing is computed."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...records.cost import Cost
from ...trace.record import USUAL, Record
from ..capture.file_sink import IN_FLIGHT
from ..capture.hooks import attention_modules
from ..capture.plans import LayerPlan, plan_layers
from ..components.pipeline_parts import attention_layers, denoiser
from .call_outline import Outline, outline_of
from .check_call import check_counts
from .check_record import check_record

_STEP, _WORKSPACE = "a step", "workspace"  # beside the names of arrays
_WIDTH = {"float16": 2, "float32": 4}


def cost(
    pipe: Any,
    record: Record = USUAL,
    *,
    prompt: str | list[str] | None = None,
    to: str | Path | None = None,
    **pipeline_arguments: Any,
) -> Cost:
    """Bytes on device, host and disk that `run` with this Record and these arguments will take.

    Without a prompt, the estimate takes one that fills every position. It does not foresee a callback that switches
    guidance off during the run.

    Args:
        to: As in `run`: with it the host holds only what waits to be written.
        pipeline_arguments: As in `run`, its own `prompt_at` and `guide` among them.

    Raises:
        RunError: The Record names steps, roles or layers that the run does not have; a number of steps or images is
            below 1.
        InspectionError: The pipeline has no UNet.
    """
    check_counts(pipeline_arguments, "cost")
    check_record(pipe, record, pipeline_arguments)
    outline = outline_of(pipe, prompt, pipeline_arguments)
    return cost_of(pipe, record, outline, spilled=to is not None)


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
    kept, widest, largest, waiting = 0, 0, 0, 0
    step = parts.pop(_STEP)
    for name, plan in plan_layers(modules := attention_modules(denoiser(pipe)), record).items():
        grid = outline.grid if bound else grids[name]
        if grid is None or not (bound or plan.wants(grid)):
            continue
        for key, amount, row in _layer(name, plan, modules[name], record, outline, grid):
            if key == _WORKSPACE:
                widest, waiting = max(widest, amount), waiting + row
                continue
            parts[key] = parts.get(key, 0) + amount
            kept, largest = kept + row, max(largest, row)
    # Maps that wait for those of the other layers are put one behind the other, which copies them once.
    device = max(waiting + widest, 2 * waiting)
    step += kept
    total = dict(sorted(((name, size) for name, size in parts.items() if size), key=lambda part: -part[1]))
    disk = sum(total.values())
    host = min(disk, 2 * min(step, IN_FLIGHT + largest)) if spilled else disk
    return Cost(device=kept + device, host=host, disk=disk, parts=total, images=outline.images, steps=outline.steps)


def _arrays(record: Record, outline: Outline) -> dict[str, int]:
    """Bytes of the arrays that hold no attention, all images together; and of the rows of one step."""
    steps, images = outline.steps, outline.images
    plane = 4 * outline.channels * outline.grid[0] * outline.grid[1] * images
    parts = {"latents": plane * (steps + 1)} if record.latents else {}
    if record.noise_pred:
        parts |= {f"noise_preds/{role}": plane * steps for role in outline.roles} | {"noise_pred": plane * steps}
        parts |= {"noise_pred_before_guide": plane * steps} if outline.guide else {}
    parts[_STEP] = plane * len(parts)
    both = record.latents and record.noise_pred and outline.x0
    if both:
        parts["pred_original_sample"] = plane * steps
    picture = 3 * outline.grid[0] * outline.grid[1] * outline.factor**2 * images
    if record.latents and outline.x0 and outline.decodes and (decoded := len(record.decoded_steps(steps))):
        parts |= {"decoded": decoded * picture} | ({"decoded_x0": decoded * picture} if both else {})
    if outline.draws:
        parts["image"] = picture
    return parts


def _layer(
    name: str, plan: LayerPlan, module: Any, record: Record, outline: Outline, grid: tuple[int, int]
) -> Iterator[tuple[str, int, int]]:
    """(array, its bytes, bytes of a row) of one layer, all images together; and its workspace on the device."""
    pixels, heads = grid[0] * grid[1], int(module.heads)
    cross, width = plan.kind == "cross_attention", _WIDTH[record.dtype]
    inner = int(getattr(module, "inner_dim", 0)) or int(module.to_q.out_features)
    roles = outline.roles if outline.roles == ("uncond",) else [one for one in outline.roles if one in record.roles]
    calls, wide = Counter(map(outline.filed, record.attention_steps(outline.steps))), 0
    for role in roles:
        if role == "perturbed" and not cross and any(re.search(one, name) for one in outline.identity):
            continue
        filed = calls if cross and role == "cond" else {role: calls.total()}
        rows = {one: _columns(record, outline, one) if cross else (pixels * outline.images, pixels) for one in filed}
        wide = max([wide, *(positions for _, positions in rows.values())])
        each = (1 if plan.head_mean else heads) * pixels * width
        amounts = {one: each * columns for one, (columns, _) in rows.items()}
        yield f"{plan.kind}/{name}", sum(amounts[one] * filed[one] for one in filed), max(amounts.values(), default=0)
        if plan.queries:
            row = pixels * inner * width * outline.images
            yield f"queries/{name}", row * calls.total(), row
    # Scores and probabilities, queries before and after they are scaled, and keys, in float32.
    workspace = 4 * (2 * heads * pixels * wide + inner * (2 * pixels + wide)) * len(roles) * outline.images
    waiting = 4 * pixels * wide * len(roles) * outline.images if plan.waits else 0
    yield _WORKSPACE, workspace, waiting


def _columns(record: Record, outline: Outline, role: str) -> tuple[int, int]:
    """(columns that are kept of all images together, columns of one image before any are summed)."""
    several = [outline.columns(record, role, image) for image in range(outline.images)]
    return sum(kept for kept, _ in several), max(positions for _, positions in several)


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
