"""The changes of one run: one, several or none, as a user gives them or as a trace's call holds them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..base.display import clip
from ..base.errors import RunError, did_you_mean
from ..strings.wording import wording
from .ablate import Ablate
from .change import Change
from .keep import Keep
from .patch import Patch
from .reweight import Reweight

KINDS: Final[Mapping[str, type[Change]]] = {kind.__name__: kind for kind in (Keep, Reweight, Ablate, Patch)}


def changes_of(given: object, function: str) -> tuple[Change, ...]:
    """The changes in what was given as `change=`, in the order in which they are made.

    Args:
        given: A change, several, or None; or their JSON.
        function: The public function that the user called.

    Raises:
        RunError: Something else is given.
    """
    if given is None:
        return ()
    several = given if isinstance(given, Iterable) and not isinstance(given, str | Mapping | Change) else (given,)
    return tuple(sorted((_one(one, function) for one in several), key=lambda one: one.order))


def in_words(given: object) -> str:
    """The changes in a trace's call, or in the axis of a comparison, as captions say them; "unchanged" for None."""
    try:
        said = wording("list.semicolon").join(one.in_words() for one in changes_of(given, "run"))
        return said or wording("change.none")
    except RunError:  # of a later sdexplore
        return clip(str(given), 200)


def as_code(given: object) -> str:
    """The changes in a trace's call, or in an argument, as code behind `import sdexplore as sdx`."""
    try:
        changes = changes_of(given, "run")
    except RunError:  # of a later sdexplore
        return repr(given)
    made = [f"sdx.{one!r}" if "Source(" not in repr(one) else repr(one.to_json()) for one in changes]
    return made[0] if len(made) == 1 else f"[{', '.join(made)}]"


def as_json(value: Any) -> Any:  # noqa: ANN401  (whatever an argument is)
    """A value in which changes, alone or in a list, are their JSON."""
    if isinstance(value, Change):
        return value.to_json()
    return [as_json(one) for one in value] if isinstance(value, list | tuple) else value


def _one(given: Any, function: str) -> Change:  # noqa: ANN401  (whatever was given)
    if isinstance(given, Change):
        return given
    if isinstance(given, Mapping) and isinstance(given.get("change"), str):
        name = given["change"]
        if name not in KINDS:
            raise RunError(f"{function}(change=…): there is no change {name!r}; {did_you_mean(name, KINDS)}")
        try:
            return KINDS[name].from_json(given)
        except TypeError as error:
            raise RunError(f"{function}(change={dict(given)!r}): {error}") from error
    known = ", ".join(f"sdx.{name}(…)" for name in KINDS)
    raise RunError(f"{function}(change={given!r:.120}): a change is one of {known}, or several of them in a list")
