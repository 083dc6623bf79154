"""How large what each module gave is: statistics of activations, and where numbers cease to be finite."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError, did_you_mean, errors_named
from ..trace.first_not_finite import QUANTITIES, FirstNotFinite, first_not_finite
from ..trace.trace import Trace
from .selection import Whole

_MOST = 8  # rows of the repr
FLOAT16 = 65504.0
"""The greatest number of float16."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ActivationStatistics(Shown):
    """What every module of the denoiser gave at one step, in five numbers.

    Attributes:
        step, role: Of which call.
        modules: Names, "#1" behind one for its second time in a call, in the order in which they end: a block stands
            behind what is in it.
        values: Of all numbers in the tensors that a module returned (of what is nested deeper, none): mean, standard
            deviation (division by the count), least and greatest of those that are finite, and the share of those that
            are not. NaN where the module did not run, or gave no finite number.
        first: The first module that is not finite in the whole trace; None where all are finite.
        fingerprint: Of the trace.
    """

    step: int
    role: str
    modules: tuple[str, ...]
    values: Float32[np.ndarray, "module 5"]
    first: FirstNotFinite | None
    fingerprint: str

    @property
    def magnitudes(self) -> Float32[np.ndarray, " module"]:
        """The greatest magnitude among the finite numbers of each module's output."""
        return np.asarray(np.abs(self.values[:, 2:4]).max(axis=1), np.float32)

    def of(self, module: str) -> dict[str, float]:
        """The five numbers of one module by name; TraceError where it was not measured."""
        if module not in self.modules:
            raise TraceError(f"{module!r} was not measured; {did_you_mean(module, self.modules)}")
        found = self.values[self.modules.index(module)]
        return dict(zip(QUANTITIES, map(float, found), strict=True))

    def blocks(self) -> list[Block]:
        """What the repr shows: the first that is not finite, or that all are; then the largest outputs."""
        sizes = np.nan_to_num(self.magnitudes, nan=-1.0)
        largest = np.argsort(-sizes, kind="stable")[:_MOST]
        rows = [(clip(self.modules[at], 70), *(f"{number:.4g}" for number in self.values[at])) for at in largest]
        verdict = "all finite" if self.first is None else f"✗ the first that is not finite is {self.first}"
        over = int((sizes > FLOAT16).sum())
        return [
            Line(
                f"Activations of {len(self.modules)} modules at step {self.step} ({self.role}), trace "
                f"{self.fingerprint}",
                strong=True,
            ),
            Line(verdict),
            Line(f"{over} of them reach beyond {FLOAT16:g}, the greatest float16; the largest are:"),
            Table(("module", *QUANTITIES), rows, frozenset(QUANTITIES)),
        ]


def activation_statistics(trace: Trace, *, step: Whole | None = None, role: str = "cond") -> ActivationStatistics:
    """What every module gave at one step, and the first module that is not finite.

    Args:
        step: Negative ones count from the end; None: the step of the first module that is not finite, or else the last
            that was measured.
        role: Whose row.

    Raises:
        TraceError: That was not measured.
    """
    if not trace.statistics:
        raise TraceError("activation_statistics: nothing was measured: run with Record(statistics=True)")
    if role not in trace.statistics:
        raise TraceError(f"activation_statistics(role={role!r}): not measured; {did_you_mean(role, trace.statistics)}")
    values, first = trace.statistics[role], first_not_finite(trace)
    measured = np.flatnonzero(~np.isnan(values[..., -1]).all(axis=1)).tolist()
    if step is None:
        number = first.step if first is not None and first.step in measured else measured[-1]
    else:
        with errors_named("activation_statistics"):
            number = trace.check_step(step)
    if number not in measured:
        raise TraceError(
            f"activation_statistics(step={step}): step {number} was not measured; there are "
            f"{', '.join(map(str, measured))}"
        )
    return ActivationStatistics(
        step=number,
        role=role,
        modules=tuple(trace.provenance.get("modules", ())),
        values=np.asarray(values[number]),
        first=first,
        fingerprint=trace.fingerprint,
    )
