"""How a run that is under way on a worker learns that its study was stopped.

Dask's own cancel does not end a task that has begun, and an executor has no such thing. So a run looks at a flag after
each of its steps.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOK: Final = 0.5  # seconds between two looks at a flag that lies on the scheduler
_seen: dict[str, tuple[float, bool]] = {}


class Stop(ABC):
    """A flag that travels with each run to its worker."""

    @abstractmethod
    def is_set(self) -> bool:
        """Whether the study was stopped."""


@dataclass(frozen=True)
class NeverStop(Stop):
    """Of runs in the driver's own thread, which Ctrl-C reaches by itself."""

    def is_set(self) -> bool:
        """Never."""
        return False


@dataclass(frozen=True)
class FileStop(Stop):
    """A file that appears when the study is stopped: for threads and processes of this machine."""

    path: str

    def is_set(self) -> bool:
        """Whether the file is there."""
        return Path(self.path).exists()


@dataclass(frozen=True)
class EventStop(Stop):
    """An event of Dask's on the scheduler: for workers on any machine. It is asked twice a second at most."""

    name: str

    def is_set(self) -> bool:
        """Whether the event is set; a worker whose scheduler is gone stops too."""
        from distributed import Event

        now = time.monotonic()
        asked, found = _seen.get(self.name, (-_LOOK, False))
        if not found and now - asked >= _LOOK:
            try:
                found = bool(Event(self.name).is_set())
            except (OSError, ValueError, RuntimeError):
                found = True
            _seen[self.name] = (now, found)
        return found
