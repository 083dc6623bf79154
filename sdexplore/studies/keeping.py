"""What a study keeps of each run beside its numbers: nothing, a thumbnail, the trace, or the traces of some runs."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..base.errors import RunError
from ..trace.preview import preview_in
from ..trace.trace import Trace
from .identity import DIGITS

TRACES: Final = "_traces"
"""The folder in a study's folder; readers of Parquet skip names that begin with an underscore."""
MANIFEST: Final = "_study.json"
_WAYS: Final = ("nothing", "thumbnails", "traces")


@dataclass(frozen=True)
class Keep:
    """What is kept.

    Attributes:
        thumbnails: Whether each row has a small WebP of its picture.
        traces: Whether traces are kept, in the study's folder.
        condition: A function of a row's columns, a dictionary; the traces of rows for which it is true are kept.
    """

    thumbnails: bool = False
    traces: bool = False
    condition: Callable[[Mapping[str, Any]], object] | None = None

    @classmethod
    def of(cls, given: Any) -> "Keep":  # noqa: ANN401  (whatever the user gave)
        """What `Study(keep=…)` names.

        Raises:
            RunError: It is none of "nothing", "thumbnails", "traces", a function, or several of them.
        """
        several = given if isinstance(given, list | tuple) else (given,)
        for one in several:
            if not callable(one) and one not in _WAYS:
                raise RunError(
                    f"Study(keep={given!r:.80}): it is 'nothing', 'thumbnails', 'traces', a function of a row that "
                    "picks whose trace is kept, or several of these"
                )
        conditions = [one for one in several if callable(one)]
        if len(conditions) > 1 or (conditions and "traces" in several):
            raise RunError(f"Study(keep={given!r:.80}): one condition picks the traces: 'traces' would keep them all")
        return cls("thumbnails" in several, "traces" in several, conditions[0] if conditions else None)

    def of_run(self, trace: Trace, row: Mapping[str, Any], folder: str) -> dict[str, Any]:
        """The columns of what is kept of a run.

        Raises:
            RunError: This machine does not see the study's folder.
        """
        found: dict[str, Any] = {}
        if self.thumbnails and (shown := preview_in(trace)) is not None:
            found["thumbnail"] = base64.b64decode(shown.partition(",")[2])
        if self.traces or (self.condition is not None and self.condition(row)):
            if not (Path(folder) / MANIFEST).is_file():
                raise RunError(f"the trace is not kept: this worker does not see the study's folder {folder!r}")
            place = Path(folder) / TRACES
            place.mkdir(exist_ok=True)
            name = trace_of(str(row["identity"]))
            trace.save(Path(folder) / name)
            found["trace"] = name
        return found


def trace_of(identity: str) -> str:
    """Where the trace of a run is kept, in a study's folder.

    Raises:
        RunError: It is no identity; a folder from elsewhere must not name a file outside.
    """
    if not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", identity):
        raise RunError(f"{identity!r:.80} is no identity of a run: {DIGITS} hexadecimal digits")
    return f"{TRACES}/{identity}.safetensors"
