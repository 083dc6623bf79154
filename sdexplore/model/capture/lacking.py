"""What could not be made of a finished run: it costs that part, and the trace and a warning say which and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...base.display import clip
from ...base.error_lines import first_line
from ...base.user_warnings import warn_user
from ...trace.provenance import Provenance
from ..components.memory import ran_out

_SHOWN = 4


@dataclass
class Lacking:
    """Parts of a trace that are missing.

    Attributes:
        reasons: Name of an array -> why it is not there.
        no_memory: Names of arrays for which memory did not suffice.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    no_memory: list[str] = field(default_factory=list)

    @contextmanager
    def unless(self, name: str) -> Iterator[None]:
        """In the block an array is made; if that fails, it is missing. That memory runs out is raised all the same."""
        try:
            yield
        except Exception as error:
            if ran_out(error):
                raise
            self.note(name, f"{type(error).__name__}: {first_line(error)}")

    def note(self, name: str, reason: str) -> None:
        """An array is missing."""
        self.reasons.setdefault(name, clip(reason, 300))

    def memory(self, names: list[str]) -> None:
        """Memory did not suffice for these arrays."""
        self.no_memory += [name for name in names if name not in self.no_memory]

    def entries(self) -> Provenance:
        """The entries of provenance."""
        found: Provenance = {}
        if self.no_memory:
            found["out_of_memory"] = list(self.no_memory)
        if self.reasons:
            found["missing"] = dict(self.reasons)
        return found

    def tell(self) -> None:
        """Warns of what is missing."""
        if self.no_memory:
            warn_user(
                "run: the run is whole, but memory did not suffice to decode its steps afterwards; missing: "
                f"{_listed(self.no_memory)}. Record(decode=0) decodes none, pipe.vae.enable_tiling() needs less memory"
            )
        if self.reasons:
            name, reason = next(iter(self.reasons.items()))
            warn_user(
                f"run: the run is whole, but parts of it are missing: {_listed(list(self.reasons))}. {name}: {reason}"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
