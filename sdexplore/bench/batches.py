"""Several prompts in one call of the pipeline: whether a study's runs take less time so (`Study.run(batch=…)`)."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from ..records.benchmark import BenchmarkRow
from ..studies.study import Study
from ..trace.record import Record

SIZES: Final = (1, 2, 4, 8)
"""Prompts in one call."""
_RECORD: Final = Record(decode=0)
_THINGS: Final = ("rocket", "lemon", "penguin", "gift", "robot", "tomato", "horse", "guitar")
_SMALL: Final = 64  # pixels, where a run is little more than what each step costs however small it is


def batch_rows(folder: Path, steps: int, pairs: int) -> list[BenchmarkRow]:
    """Eight guided runs of the embedded model, one prompt a call and more; at its own size, and where it is tiny.

    Each row's share is its time divided by that of one prompt a call, pair by pair.
    """
    rows = []
    for what, size in (
        ("embedded model", {}),
        (f"embedded model, {_SMALL} × {_SMALL}", {"height": _SMALL, "width": _SMALL}),
    ):
        rows += _rows(
            folder, {"num_inference_steps": steps, **size}, pairs, f"{what}, {steps} steps, {len(_THINGS)} runs"
        )
    return rows


def _rows(folder: Path, arguments: dict[str, Any], pairs: int, subject: str) -> list[BenchmarkRow]:
    import torch

    from ..model.runs.timing import timed

    numbers = count()
    runs = [{"prompt": f"a cat and a {one}", "seed": seed, **arguments} for seed, one in enumerate(_THINGS)]

    def of(batch: int) -> Callable[[], object]:
        def made() -> None:
            to = folder / f"batch-{len(arguments)}-{next(numbers)}"
            study = Study("mini", runs=runs, measure="attention_mass", record=_RECORD, to=to)
            study.run(batch=batch, on_row=lambda _: None)

        return made

    names = {batch: f"sdx.Study, {batch} prompt{'s' * (batch > 1)} a call" for batch in SIZES}
    times = timed({name: of(batch) for batch, name in names.items()}, pairs, torch.device("cpu"))
    base = names[1]
    return [
        BenchmarkRow(
            subject=subject,
            name=name,
            seconds=times.of(name),
            share=None if name == base else times.ratio(name, base),
        )
        for name in names.values()
    ]
