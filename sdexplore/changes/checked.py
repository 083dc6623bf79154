"""Arguments of changes, checked when a change is made: each error repeats what was given and says what would be right.

Whole numbers become Python's, lists become tuples, so that equal changes are equal and have one JSON.
"""

from collections.abc import Iterable
from math import isfinite
from operator import index
from typing import Any, SupportsFloat, SupportsIndex

from ..base.errors import RunError

_EXAMPLES = {
    "modules": "'mid_block', or ('down_blocks.0', 'mid_block')",
    "layers": "'up_blocks', or ('mid_block', 'up_blocks.1')",
    "roles": "('cond', 'uncond')",
    "blend": "'dog', or ('cat', 'dog')",
}


def names(change: str, field: str, given: object) -> tuple[str, ...]:
    """One name or several, as a tuple.

    Raises:
        RunError: There is none, or one is no text, or empty.
    """
    several = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    if not several or not all(isinstance(one, str) and one for one in several):
        raise RunError(f"{change}({field}={given!r}): {field} are names, as in {_EXAMPLES[field]}")
    return several


def wholes(change: str, field: str, given: object, least: int | None = None) -> tuple[int, ...]:
    """One whole number or several, as a tuple; none below `least`.

    Raises:
        RunError: There is none, or one is no whole number, or too small.
    """
    several = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    good = all(isinstance(one, SupportsIndex) and not isinstance(one, bool) for one in several)
    if not several or not good or (least is not None and min(map(index, several)) < least):
        bound = "" if least is None else f" from {least}"
        raise RunError(f"{change}({field}={given!r}): give whole numbers{bound}, as in 3 or (0, 3)")
    return tuple(index(one) for one in several)


def number(change: str, field: str, given: object) -> float:
    """A finite number.

    Raises:
        RunError: It is none.
    """
    if isinstance(given, bool | str) or not isinstance(given, SupportsFloat) or not isfinite(float(given)):
        raise RunError(f"{change}({field}={given!r}): {field} is a finite number")
    return float(given)


def share(change: str, field: str, given: object) -> float:
    """A number from 0 to 1: a share of the steps.

    Raises:
        RunError: It is none.
    """
    found = number(change, field, given)
    if not 0 <= found <= 1:
        raise RunError(f"{change}({field}={given!r}): {field} is a share of the steps, from 0 to 1")
    return found


def steps(change: str, given: object) -> Any:  # noqa: ANN401  (a slice, a tuple, or None)
    """Steps as a change keeps them: a slice, a tuple of numbers, or None for all.

    Raises:
        RunError: They are none of these.
    """
    if given is None:
        return None
    if not isinstance(given, slice):
        return wholes(change, "steps", given)
    ends = (given.start, given.stop, given.step)
    if given.step == 0 or not all(one is None or isinstance(one, SupportsIndex) for one in ends):
        raise RunError(f"{change}(steps={given!r}): steps are a slice of whole numbers, or step numbers")
    return slice(*(None if one is None else index(one) for one in ends))


def steps_of_run(change: object, given: slice | tuple[int, ...] | None, total: int) -> frozenset[int]:
    """The steps of a run of `total` steps; negative ones count from the end.

    Raises:
        RunError: A step lies beyond the run, or the run has none of them.
    """
    every = range(total)
    if given is None:
        return frozenset(every)
    if isinstance(given, slice):
        found = frozenset(every[given])
    elif beyond := [one for one in given if not -total <= one < total]:
        raise RunError(f"{change!r}: there is no step {beyond[0]}; this run has {total}, 0 to {total - 1}")
    else:
        found = frozenset(one % total for one in given)
    if not found:
        raise RunError(f"{change!r}: steps={given!r} is no step of this run, which has {total}, 0 to {total - 1}")
    return found
