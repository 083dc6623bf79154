"""What changes have in common: JSON and back, a line of code, and the steps and roles that some of them take."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, SupportsIndex

from ..strings.wording import listed, wording
from . import checked


@dataclass(frozen=True, repr=False)
class Change(ABC):
    """One thing that a run does otherwise: a frozen value, which says itself as JSON and as a line of code.

    Attributes:
        order: Of several changes of one run, the lower is made first.
    """

    order: ClassVar[int]

    def _set(self, **values: object) -> None:
        """Sets fields while the change is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by name, in their order."""
        shared = {one.name for one in fields(ChangeAtSteps)}  # dataclasses list a base's fields first
        ordered = sorted(fields(self), key=lambda one: one.name in shared)
        values = {one.name: getattr(self, one.name) for one in ordered}
        return {one.name: values[one.name] for one in ordered if values[one.name] != one.default}

    def __repr__(self) -> str:
        leading = {one.name for one in fields(self) if one.default is MISSING}
        shown = [repr(value) if name in leading else f"{name}={value!r}" for name, value in self.given.items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def to_json(self) -> dict[str, Any]:
        """The change as JSON: its name, and the fields that differ from their defaults."""
        return {"change": type(self).__name__, **{name: _plain(value) for name, value in self.given.items()}}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Change":
        """The change that `to_json` wrote."""
        return cls(**{name: _read(value) for name, value in told.items() if name != "change"})

    @abstractmethod
    def in_words(self) -> str:
        """The change as captions say it, a part of a sentence, in the language of the options."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ChangeAtSteps(Change):
    """A change of some steps, in rows of some roles.

    Attributes:
        steps: A slice, or step numbers, negative ones from the end; None: all.
        roles: Whose rows of the denoiser's batch are changed, for example ("cond", "uncond").
    """

    steps: slice | SupportsIndex | Sequence[SupportsIndex] | None = None
    roles: str | Sequence[str] = ("cond",)

    def __post_init__(self) -> None:
        name = type(self).__name__
        self._set(steps=checked.steps(name, self.steps), roles=checked.names(name, "roles", self.roles))

    def steps_of(self, total: int) -> frozenset[int]:
        """The steps at which a run of `total` steps is changed.

        Raises:
            RunError: A step lies beyond the run, or the run has none of them.
        """
        given = self.steps
        return checked.steps_of_run(self, given if given is None or isinstance(given, slice) else several(given), total)

    def is_of(self, role: str) -> bool:
        """Whether rows of this role are changed."""
        return role in several(self.roles)

    def _limited(self, change: str, *limits: str) -> str:
        """The change with what it is limited to: these limits, its steps and its roles, less what is as usual."""
        if isinstance(self.steps, slice):
            ends = (self.steps.start, self.steps.stop, self.steps.step)
            steps = ":".join("" if one is None else str(one) for one in ends).removesuffix(":")
        else:
            steps = "" if self.steps is None else listed(map(str, several(self.steps)))
        at = wording("change.steps", steps=steps) if steps else ""
        roles = "" if self.roles == ("cond",) else wording("change.roles", roles=listed(several(self.roles)))
        where = listed(limit for limit in (*limits, at, roles) if limit)
        return wording("change.where", change=change, where=where) if where else change

    def _heads(self, heads: Any) -> str:  # noqa: ANN401  (one or several)
        return "" if heads is None else wording("change.heads", heads=listed(map(str, several(heads))))


def several(given: Any) -> tuple[Any, ...]:  # noqa: ANN401  (names or numbers)
    """One name or number, or several, as a tuple."""
    return tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def _plain(value: Any) -> Any:  # noqa: ANN401  (a field)
    match value:
        case slice():
            return {"slice": [value.start, value.stop, value.step]}
        case tuple():
            return [_plain(one) for one in value]
    return value.to_json() if hasattr(value, "to_json") else value


def _read(value: Any) -> Any:  # noqa: ANN401  (JSON)
    match value:
        case {"slice": [start, stop, step]}:
            return slice(start, stop, step)
        case list():
            return tuple(map(_read, value))
    return value
