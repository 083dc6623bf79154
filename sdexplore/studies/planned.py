"""The runs of a study, read one at a time from whatever the user gave: a grid, a DataFrame, any iterable."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from ..base.errors import RunError
from .identity import identity_of, plain

ABOUT: Final = "about"
"""The key of what is known of a run and is no argument of it."""
_REFUSED: Final = {
    "record": "it is the same for all runs of a study: Study(record=…)",
    "on_step": "no run of a study is watched: Study.run(on_row=…) is called after each",
    "to": "Study(keep='traces') keeps the traces, in the study's folder",
    "generator": "give seed=, as in run",
}


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One run that is to be made.

    Attributes:
        identity: Of what it is made with, within its study.
        arguments: Those of the pipeline's call and of `run`, without the seed.
        seed: As `run` takes it.
        about: What is known of it beside.
        told: All of that as JSON, from which it can be made again.
    """

    identity: str
    arguments: Mapping[str, Any]
    seed: int
    about: Mapping[str, Any]
    told: Mapping[str, Any]


def planned_run(given: Any, number: int, origin: Mapping[str, Any]) -> PlannedRun:  # noqa: ANN401  (the user's)
    """The run that a dictionary asks for.

    Args:
        number: Its place among the runs, for errors.
        origin: What all runs of the study have in common: source and load.

    Raises:
        RunError: It is no dictionary of arguments; a value has no identity; the seed is no whole number.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise RunError(f"Study: run {number} is {given!r:.80}: a run is a dictionary, as in {{'prompt': 'a cat'}}")
    arguments = dict(given)
    about, seed = arguments.pop(ABOUT, None) or {}, arguments.pop("seed", 0)
    for name, instead in _REFUSED.items():
        if name in arguments:
            raise RunError(f"Study: run {number} gives {name}=: {instead}")
    if not isinstance(about, Mapping) or not all(isinstance(name, str) for name in about):
        raise RunError(f"Study: run {number} has about={about!r:.80}: it is a dictionary, as in {{'second': 'rocket'}}")
    try:
        told = {"arguments": plain(arguments, folded=False), "seed": _seed(plain(seed), number)}
        told |= {ABOUT: plain(about, folded=False)} if about else {}
        identity = identity_of({**origin, **told})
    except RunError as error:
        raise RunError(f"Study: run {number}: {error}") from error
    return PlannedRun(identity, arguments, told["seed"], dict(about), told)


def _seed(seed: object, number: int) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool) or not -(2**63) <= seed < 2**63:
        raise RunError(f"run {number} has seed={seed!r}: a seed of a study is a whole number below 2⁶³")
    return seed


class Plan:
    """The runs as the user gave them: counted where that is possible, and read anew for each `Study.run`."""

    def __init__(self, given: Any) -> None:  # noqa: ANN401  (the user's)
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            raise RunError(
                f"Study(runs={given!r:.80}): runs are sdx.grid(…), a DataFrame, or dictionaries, one for each run"
            )
        self._given: Any = given
        self._used = False

    @property
    def count(self) -> int | None:
        """How many runs there are; None of an iterator, which does not say."""
        return len(self._given) if hasattr(self._given, "__len__") else None

    def __iter__(self) -> Iterator[Any]:
        if hasattr(self._given, "itertuples") and hasattr(self._given, "columns"):
            return _rows_of(self._given)
        found: Iterator[Any] = iter(self._given)
        if found is self._given:
            if self._used:
                raise RunError(
                    "Study(runs=…): these runs were an iterator and are used up: give sdx.grid(…), a list or a "
                    "DataFrame, or make the Study anew"
                )
            self._used = True
        return found


def _rows_of(frame: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  (a DataFrame)
    """A DataFrame's rows; a cell without a value (NaN, None) gives the run no such argument."""
    names = list(map(str, frame.columns))
    for row in frame.itertuples(index=False, name=None):
        yield {name: value for name, value in zip(names, row, strict=True) if not _missing(value)}


def _missing(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value))
