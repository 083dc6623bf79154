"""A warning where what came of a run is not finite: NaN pictures are black, and nothing else says why."""

import torch

from ...base.display import counted
from ...base.user_warnings import warn_user
from ...trace.collections import Traces
from ...trace.first_not_finite import first_not_finite
from ...trace.trace import Trace
from ..capture.recorder import Recorder


def tell_if_not_finite(function: str, recorder: Recorder, result: Trace | Traces) -> None:
    """Warns where the last latents, or an output that was measured, hold NaN or Inf, and names the first module."""
    traces = [result] if isinstance(result, Trace) else list(result)
    first = next((found for trace in traces if (found := first_not_finite(trace)) is not None), None)
    if first is not None:
        warn_user(
            f"{function}: the first module that is not finite is {first}. "
            "sdx.views.activation_statistics(trace) shows the way there"
        )
        return
    last = recorder.last
    if last is None or bool(torch.isfinite(last).all()):
        return
    lost = counted(int((~torch.isfinite(last)).sum()), "number")
    told = (
        "what was measured of its modules is finite: look at other steps and roles, and at the scheduler"
        if recorder.record.statistics
        else "Record(statistics=True) names the module that they come from"
    )
    warn_user(f"{function}: {lost} of the last latents are NaN or infinite, so the picture is none; {told}")
