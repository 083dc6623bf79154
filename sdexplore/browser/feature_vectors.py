"""Features packed for the browser: for each cell a short vector; the product of two is the cosine of their features.

A cell's features, less the mean over cells, have length 1. They are turned to their principal axes, which changes no
product, and the leading numbers are kept in 8 bits: as few as keep every cosine within `WITHIN`. The error of each
packed step is measured over all pairs of cells, and said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float64, Int8

from ..analysis.features import features_at, unit_vectors
from ..base.display import clip, size
from ..base.errors import SdexploreError
from ..strings.wording import counted, wording
from ..trace.record import spread
from ..trace.trace import Trace
from .buffers import Buffer

WITHIN: Final = 0.05
"""Of a cosine, unless a vector is kept whole and is still off by more."""
MOST_CELLS: Final = 1024
_BUDGET = 1 << 20  # bytes of all vectors together
_LAST = 127


@dataclass(frozen=True, eq=False)
class _Step:
    """The vectors of one module at one step.

    Attributes:
        levels: Times `scale`, they are the vectors; a cell without a direction has zeros.
        error: The largest difference of a product from the cosine.
    """

    step: int
    levels: Int8[np.ndarray, "cell number"]
    scale: float
    error: float


@dataclass(frozen=True, eq=False)
class FeatureVectors:
    """The features of a trace, ready to be packed.

    Attributes:
        modules: Name -> (grid, its steps).
        missing: What is not there, a sentence each.
        reduced: What is kept at fewer steps, a sentence each.
    """

    role: str
    modules: dict[str, tuple[tuple[int, int], list[_Step]]]
    missing: list[str]
    reduced: list[str]

    @classmethod
    def of(cls, trace: Trace, budget: int) -> "FeatureVectors | None":
        """Those of the prompt's role, or of the only other; None where the trace holds no features.

        Args:
            budget: Bytes of the whole packed trace, of which features take an eighth, and at most 1 MiB.
        """
        if not trace.features:
            return None
        role = "cond" if "cond" in trace.features else next(iter(trace.features))
        found, most = cls(role, {}, [], []), min(_BUDGET, budget // 8)
        last = {name: one for name in found._candidates(trace) if (one := list(found._steps(trace, name, [-1])))}
        found._leave_out(last, most)
        steps = max(1, most // max(1, _bytes_of(last)))
        whole = {name: found._with_earlier(trace, name, final, steps) for name, (final,) in last.items()}
        while _bytes_of(whole) > most and steps > 1:  # earlier steps may need longer vectors
            steps -= 1
            whole = {
                name: [several[at] for at in spread(range(len(several)), steps)] for name, several in whole.items()
            }
        for name, several in whole.items():
            features = trace.features[role][name]
            found.modules[name] = (features.grid, several)
            if len(several) < (recorded := len(set(features.steps))):
                kept = {"kept": len(several), "all": recorded}
                found.reduced.append(wording("packed.reduced.features", module=clip(name), **kept))
        return found

    def _with_earlier(self, trace: Trace, name: str, last: _Step, most: int) -> list[_Step]:
        """At most so many steps of a module, evenly spread, the last of them given."""
        kept = spread(sorted(set(trace.features[self.role][name].steps)), most)
        return [*self._steps(trace, name, kept[:-1], last.levels.shape[1]), last]

    def pack(self, buffer: Buffer) -> dict[str, Any] | None:
        """Adds the vectors to `buffer`; returns their facts, None where there are none."""
        modules = [
            {
                "name": name,
                "grid": list(grid),
                "error": max(one.error for one in steps),
                "steps": [
                    buffer.numbers(one.levels, step=one.step, scale=one.scale, numbers=one.levels.shape[1])
                    for one in steps
                ],
            }
            for name, (grid, steps) in self.modules.items()
        ]
        return {"role": self.role, "modules": modules} if modules else None

    def _candidates(self, trace: Trace) -> Iterator[str]:
        """Modules whose grids are not too fine."""
        for name, one in trace.features[self.role].items():
            if (cells := one.grid[0] * one.grid[1]) <= MOST_CELLS:
                yield name
            else:
                self.missing.append(
                    wording("packed.missing.features.cells", module=clip(name), cells=cells, most=MOST_CELLS)
                )

    def _leave_out(self, last: dict[str, list[_Step]], budget: int) -> None:
        """Leaves out the largest modules, until one step of the others fits a number of bytes."""
        for name in sorted(last, key=lambda one: -last[one][0].levels.nbytes):
            if _bytes_of(last) > budget:
                (whole,) = last.pop(name)
                held = size(whole.levels.nbytes)
                self.missing.append(wording("packed.missing.features.bytes", module=clip(name), size=held))

    def _steps(self, trace: Trace, name: str, steps: Sequence[int], numbers: int = 16) -> Iterator[_Step]:
        """The vectors at some recorded steps, -1 for the last; `numbers` is about how many each has."""
        recorded = trace.features[self.role][name].steps
        lost = []
        for step in (max(recorded) if one < 0 else one for one in steps):
            try:
                units = unit_vectors(features_at(trace, "pack", name, step, self.role))
            except SdexploreError:
                lost.append(step)
                continue
            yield _Step(step, *quantised(np.nan_to_num(units), numbers))
        if lost:
            several = counted(len(lost), "step")
            self.missing.append(
                wording("packed.missing.features.lost", module=clip(name), steps=several, first=lost[0])
            )


def _bytes_of(modules: Mapping[str, Sequence[_Step]]) -> int:
    return sum(one.levels.nbytes for steps in modules.values() for one in steps)


def quantised(
    units: Float64[np.ndarray, "cell channel"], numbers: int = 16
) -> tuple[Int8[np.ndarray, "cell number"], float, float]:
    """Vectors whose products are those of `units`, as whole numbers and their scale; and the largest error of one.

    Args:
        numbers: Of a vector, to begin with; more where `WITHIN` asks for it.
    """
    cosines = units @ units.T
    wide = units.shape[1] <= len(units)
    values, axes = np.linalg.eigh(units.T @ units if wide else cosines)
    order = np.argsort(values)[::-1]
    turned = units @ axes[:, order] if wide else axes[:, order] * np.sqrt(np.maximum(values[order], 0))
    numbers = min(numbers, turned.shape[1])
    while True:
        kept = turned[:, :numbers]
        scale = float(np.abs(kept).max()) / _LAST or 1.0
        levels = np.rint(kept / scale)
        error = float(np.abs(np.square(scale) * (levels @ levels.T) - cosines).max())
        if error <= WITHIN or numbers == turned.shape[1]:
            return levels.astype(np.int8), scale, error
        numbers = min(numbers * 3 // 2, turned.shape[1])
