"""One change while it is carried out: where it is active now, and whether it reached every place that it should."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import torch

from ...base.errors import RunError
from ...base.known_names import lies_in
from ...changes.change import Change, ChangeAtSteps
from ...trace.provenance import ChangedFacts
from ..families.attention_modules import Layer, Places
from ..families.change_at_kernel import KernelCall, KernelWork
from ..families.family import Call
from ..families.ways_in import Removable
from ..families.ways_to_change import Work

OfRow = Callable[[int], torch.Tensor]
TIME: Final = "#"
"""Behind a module's name, and before which time it is called in one call of the denoiser: "nonlinearity#1"."""


@dataclass(frozen=True)
class Now:
    """The call of the denoiser that is under way.

    Attributes:
        step: Of the scheduler, from 0.
        total: How many steps the run makes.
        roles: Role of every row of the batch.
        prompt_role: The role under which the prompt's attention is recorded now: "cond", or "cond@10".
        images: How many images the batch has; row r belongs to image r % images.
        shown: How many of them are the user's. Behind them ride as many for each source that rides along.
        inputs: The denoiser's arguments by name.
        skipped: Modules that the call leaves out by its arguments.
    """

    step: int
    total: int
    roles: tuple[str, ...]
    prompt_role: str
    images: int
    shown: int
    inputs: Call = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def rows(self, change: ChangeAtSteps) -> tuple[int, ...]:
        """The rows of the user's images that are changed now."""
        if self.step not in change.steps_of(self.total):
            return ()
        mine = (row for row in range(len(self.roles)) if row % self.images < self.shown)
        return tuple(row for row in mine if change.is_of(self.roles[row]))

    def rider(self, row: int, number: int) -> int:
        """The row of the source with this number that rides beside a row, of the same role."""
        return row + self.shown * (1 + number)


Standing = Callable[[Layer, Call, int], Places]
"""(layer, the denoiser's arguments, row) -> where picture and words stand in it."""


def from_riders(x: torch.Tensor, rows: Sequence[int], now: Now, number: int) -> torch.Tensor:
    """`x` with these rows replaced by those of the source that rides beside them."""
    order = list(range(len(x)))
    for row in rows:
        order[row] = now.rider(row, number)
    return x[_on_device(tuple(order), x.device)]


@lru_cache(maxsize=64)
def _on_device(order: tuple[int, ...], device: torch.device) -> torch.Tensor:
    return torch.tensor(order, device=device)


class Edit(ABC):
    """One change of a run. A subclass says at which places it hooks what (`hooks`), and in which rows (`rows_of`).

    Attributes:
        change: As the user gave it.
        rows: Rows of the call under way that are changed; empty where none is.
        now: The call; None between two.
        applied: How often something was changed: one for each module and call of the denoiser.
    """

    def __init__(self, change: Change) -> None:
        self.change = change
        self.now: Now | None = None
        self.rows: tuple[int, ...] = ()
        self.applied = 0
        self._here: Callable[[], bool] = lambda: True
        self._places: set[str] = set()
        self._visits: Counter[str] = Counter()
        self._done: set[str] = set()

    @abstractmethod
    def hooks(self) -> Iterator[Removable]:
        """Puts its hooks on the denoiser."""

    @abstractmethod
    def rows_of(self, now: Now) -> tuple[int, ...]:
        """The rows of a call that are changed; none at other steps."""

    def watch(self, here: Callable[[], bool]) -> Iterator[Removable]:
        """Puts its hooks on the denoiser; they change calls of the run alone.

        Args:
            here: Whether what calls is the run itself.
        """
        self._here = here
        yield from self.hooks()

    def begin(self, now: Now) -> None:
        """A call of the denoiser begins."""
        self.now, self.rows = now, self.rows_of(now)
        self._visits.clear()
        self._done.clear()

    def end(self) -> None:
        """A call of the denoiser is over.

        Raises:
            RunError: It did not come by a place where it should have been changed.
        """
        left_out = () if self.now is None else self.now.skipped
        missed = (one for one in sorted(self.expected() - self._done) if not _lies_in(one, left_out))
        if self.rows and (first := next(missed, None)) is not None:
            raise RunError(
                f"run: {self.change!r} was not applied at {first!r}: that was not called, or computes past its "
                "parts. Name other modules, or switch off what skips it"
            )
        self.now, self.rows = None, ()

    @contextmanager
    def again(self, now: Now) -> Iterator[None]:
        """The denoiser, called once more between two calls of the run, is changed as there; that counts for nothing."""
        here, applied = self._here, self.applied
        self._here = lambda: True
        self.begin(now)
        try:
            yield
        finally:
            self._here, self.applied = here, applied
            self.now, self.rows = None, ()

    def expected(self) -> set[str]:
        """The places that a call must come by in which the change is active."""
        return self._places

    def stepped(self, latents: torch.Tensor) -> torch.Tensor:
        """The latents after a step of the scheduler, changed or not."""
        return latents

    def mixed(self, layer: str, row: int, probs: torch.Tensor, of_row: OfRow) -> torch.Tensor:  # noqa: ARG002
        """The probabilities by which a row of a layer attends, where its query and key alone do not tell them.

        Args:
            probs: (…, pixel, key), as query and key tell them.
            of_row: The same of another row.
        """
        return probs

    def facts(self) -> ChangedFacts:
        """What provenance says of it, as JSON."""
        return {"change": repr(self.change), "applied": self.applied}

    def at(self, place: str, work: Work, time: int | None = None) -> Work:
        """`work`, done in calls in which the change is active; such a call must come by this place.

        Args:
            time: Which time in a call, from 0, where the place is come by several times; None: every time.
        """
        place = place if time is None else f"{place}{TIME}{time}"
        self._places.add(place)
        return _Guarded(self, place, time, work)

    def at_kernel(self, place: str, work: KernelWork) -> KernelWork:
        """`work` on what the kernel gives in a layer, as `at` has it.

        Raises:
            RunError: The layer attends several times in one call.
        """
        self._places.add(place)
        return _GuardedKernel(self, place, work)

    def do_once(self, place: str, work: Work, x: torch.Tensor) -> torch.Tensor:
        """`do`, at a place that is come by once in a call."""
        if self.rows and place in self._done and self._here():
            raise RunError(
                f"run: {self.change!r}: {place!r} attends several times in one call of the denoiser, to more than "
                "words and picture: which is meant cannot be told"
            )
        return self.do(place, None, work, x)

    def do(self, place: str, time: int | None, work: Work, x: torch.Tensor) -> torch.Tensor:
        """`work` on what a place gives, where the change is active."""
        if not self.rows or self.now is None or not self._here():
            return x
        self._visits[place] += 1
        if time is not None and self._visits[place] != time + 1:
            return x
        if len(x) != len(self.now.roles):
            raise RunError(
                f"run: {self.change!r}: {place!r} gives {len(x)} rows, and the denoiser's batch has "
                f"{len(self.now.roles)}: which belongs to which cannot be told"
            )
        self._done.add(place)
        made = work(x)
        self.applied += made is not x
        return made


def _lies_in(place: str, modules: Sequence[str]) -> bool:
    return lies_in(place.rpartition(" of ")[2].partition(TIME)[0], *modules)


class _Guarded:
    """Work at one place; an object, so that the deep copy of a model has a copy of its own."""

    def __init__(self, edit: Edit, place: str, time: int | None, work: Work) -> None:
        self._edit, self._place, self._time, self._work = edit, place, time, work

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._edit.do(self._place, self._time, self._work, x)


class _GuardedKernel:
    """The same, on what the kernel gives."""

    def __init__(self, edit: Edit, place: str, work: KernelWork) -> None:
        self._edit, self._place, self._work = edit, place, work

    def __call__(self, call: KernelCall) -> torch.Tensor:
        return self._edit.do_once(self._place, lambda _: self._work(call), call.out)
