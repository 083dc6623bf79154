"""Modules whose outputs a Record asks for, by name, and which time in a call of the denoiser they run."""

from collections.abc import Mapping, Sequence
from typing import Final

from torch import nn

from ...base.errors import RunError, did_you_mean
from ..families.modules import modules_of, only_holds

TIME: Final = "#"
"""Behind a module's name, and before which time it runs in one call of the denoiser: "nonlinearity#1"."""
Times = frozenset[int] | None
"""Which times in a call, from 0; None for every time."""


def filed(name: str, time: int) -> str:
    """Under which name a trace holds what a module gave at that time of a call: the first has the module's own."""
    return name if time == 0 else f"{name}{TIME}{time}"


def named_modules(names: Sequence[str], denoiser: nn.Module) -> dict[str, Times]:
    """Module -> at which times of a call it is read.

    Raises:
        RunError: There is no such module, or it only holds others and is never called.
    """
    known = modules_of(denoiser)
    found: dict[str, Times] = {}
    for asked in names:
        name, sign, number = asked.partition(TIME)
        if sign and not number.isdecimal():
            raise RunError(
                f"Record(features={names!r}): behind {TIME} stands which time the module runs in a call, from 0, as in "
                f"{name}{TIME}1; here {asked!r}"
            )
        if not name or name not in known:
            hint = did_you_mean(name, [one for one in known if one], most=6)
            raise RunError(f"Record(features={names!r}): the denoiser has no module {name!r}; {hint}")
        if only_holds(known[name]):
            inner = next((one for one in known if one.startswith(f"{name}.")), f"{name}.0")
            raise RunError(
                f"Record(features={names!r}): {name!r} only holds modules and is not called itself; name one in it, "
                f"as in {inner!r}"
            )
        earlier = found.get(name, frozenset())
        found[name] = None if not sign or earlier is None else earlier | {int(number)}
    return found


def wanted(times: Times, time: int) -> bool:
    """Whether a module is read at that time of a call."""
    return times is None or time in times


def missed(asked: Mapping[str, Times], seen: Mapping[str, int]) -> list[str]:
    """Those that a call did not come by, as they are filed; `seen` says how often each module ran."""
    lacking = []
    for name, times in asked.items():
        ran = seen.get(name, 0)
        lacking += [filed(name, time) for time in sorted({0} if times is None else times) if time >= ran]
    return lacking
