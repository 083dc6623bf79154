"""Whether what a run keeps fits into free memory and disk, asked before anything is computed; and what to leave out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...base.display import size
from ...base.errors import RunError
from ...records.cost import Cost
from ...trace.record import Record
from ..components.memory import free_memory, free_on, free_on_disk
from ..components.pipeline_parts import device_of
from ..schedulers.names import scheduler_from_name
from .call import Call
from .call_outline import Outline, outline_of
from .cost import cost_of, together

_OFFERED = 4  # ways out that a message names
_WORTH = 0.02  # share of the whole that a way out must save to be named


def ensure_affordable(
    pipe: Any, calls: Sequence[Call], function: str, to: str | Path | None = None, *, spilled: bool = False
) -> None:
    """RunError if the traces of the calls, of one Record, need more memory, device memory or disk than is free.

    A pipeline of which too little is known for an estimate is not refused.

    Args:
        function: The public function that the user called.
        to: Where the traces go, each when it is made; None: all are held.
        spilled: Whether they go there while they are made.
    """
    try:
        refusal = _refusal(pipe, calls, function, to, spilled=spilled)
    except Exception:  # noqa: BLE001  (an estimate that fails must not keep a run from being made)
        return
    if refusal is not None:
        raise RunError(f"{function}: {refusal}")


def place_on_disk(function: str, images: int, runs: int = 1) -> str | None:
    """The argument, as typed, that has traces written to disk; None where the function takes none."""
    if function == "run":
        return "to='folder'" if images > 1 else "to='trace.safetensors'"
    return "to='folder'" if function == "compare" and runs > 1 else None


def _refusal(pipe: Any, calls: Sequence[Call], function: str, to: str | Path | None, *, spilled: bool) -> str | None:
    record = calls[0].record
    outlines = [outline_of(pipe, call.prompt, call.outlined, _scheduler(pipe, call)) for call in calls]
    device = device_of(pipe)
    free = {"memory": free_memory(), "device": free_on(device), "disk": None if to is None else free_on_disk(to)}

    def needs(
        record: Record, *, held: bool = to is None, spilled: bool = spilled, bound: bool = False
    ) -> dict[str, int]:
        costs = [cost_of(pipe, record, one, spilled=spilled, bound=bound) for one in outlines]
        return needed(together(costs, held=held), device)

    def short(needed: Mapping[str, int]) -> list[str]:
        return [kind for kind, there in free.items() if there is not None and needed[kind] > there]

    bounded = all(outline.positions is not None or _without_text(outline) for outline in outlines)
    if bounded and not short(needs(record, bound=True)):
        return None
    now = needs(record)
    for kind in short(now):
        there = free[kind] or 0
        several = f"these {len(calls)} runs" if len(calls) > 1 else "this run"
        what = {
            "memory": f"{several} would hold {size(now[kind])} in memory",
            "device": f"recording {several} takes {size(now[kind])} on {device} beside the pipeline",
            "disk": f"{several} would write {size(now[kind])}",
        }[kind]
        saved = savings(record, lambda one: needs(one)[kind], now[kind])  # noqa: B023  (called at once)
        place = place_on_disk(function, outlines[0].images, len(calls))
        if kind == "memory" and to is None and place is not None:
            saved = {place: now[kind] - needs(record, held=False, spilled=function == "run")[kind], **saved}
        return f"{what}, and {size(there)} are free. {way_out(saved, now[kind] - there)}"
    return None


def _scheduler(pipe: Any, call: Call) -> Any:
    return scheduler_from_name(pipe, call.scheduler) if isinstance(call.scheduler, str) else call.scheduler


def _without_text(outline: Outline) -> bool:
    """Whether the run has no prompt to attend to."""
    return outline.roles == ("uncond",)


def needed(told: Cost, device: torch.device) -> dict[str, int]:
    """Bytes of memory, device memory and disk that a cost takes; on the CPU, device and host share one memory."""
    own = device.type != "cpu"
    return {"memory": told.host + (0 if own else told.device), "device": told.device if own else 0, "disk": told.disk}


def savings(record: Record, needed_by: Callable[[Record], int], whole: int) -> dict[str, int]:
    """Change of the Record, as typed -> bytes that it saves, the largest first; small ones are left out."""
    found = {text: whole - needed_by(smaller) for text, smaller in _smaller(record).items()}
    worth = {text: saved for text, saved in found.items() if saved > _WORTH * whole}
    return dict(sorted(worth.items(), key=lambda one: -one[1]))


def way_out(saved: Mapping[str, int], missing: int) -> str:
    """What to change, in a sentence. The changes that are enough by themselves come first."""
    if not saved:
        return "Make smaller or fewer pictures, with fewer steps"
    order = sorted(saved, key=lambda text: (saved[text] < missing, list(saved).index(text)))[:_OFFERED]
    told = [f"{text} saves {size(saved[text])}{' and is enough' if saved[text] >= missing else ''}" for text in order]
    return "Leave something out: " + "; ".join(told)


def _smaller(record: Record) -> dict[str, Record]:
    """Each change by which a Record keeps less, one field at a time: as typed -> the Record."""
    roles = record.roles[:1]
    changes: tuple[tuple[object, str, dict[str, Any]], ...] = (
        (record.self_attention, "self_attention=()", {"self_attention": ()}),
        (record.features, "features=()", {"features": ()}),
        (record.queries, "queries=False", {"queries": False}),
        (record.concepts, "concepts=()", {"concepts": ()}),
        (record.word_attention, "word_attention=False", {"word_attention": False}),
        (record.roles[1:], f"roles=({', '.join(map(repr, roles))},)", {"roles": roles}),
        (record.cross_attention == "heads", "cross_attention='mean'", {"cross_attention": "mean"}),
        (record.columns == "all", "columns='prompt'", {"columns": "prompt"}),
        (record.dtype == "float32", "dtype='float16'", {"dtype": "float16"}),
        (record.steps is None, "steps=slice(None, None, 4)", {"steps": slice(None, None, 4)}),
        (record.cross_attention, "cross_attention=False", {"cross_attention": False, "queries": False}),
        (record.decode, "decode=0", {"decode": 0}),
        (record.noise_pred, "noise_pred=False", {"noise_pred": False}),
    )
    return {f"Record({text})": replace(record, **change) for there, text, change in changes if there}
