"""A measure of a study: what is read from each run's trace, by name, with arguments, or by a function of the user's."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..base.errors import RunError, did_you_mean
from .identity import canonical, name_of, plain
from .library import MEASURES

FIXED: Final = (
    *("identity", "seed", "seconds", "error", "missing", "fingerprint", "trace", "thumbnail", "call", "batch"),
    *("run", "about"),
)
"""Columns of every study, and beginnings of columns; no measure has such a name."""
_GIVEN: Final = ("run", "pipe")  # what a function may ask for, beside the trace


@dataclass(frozen=True)
class OfRun:
    """An argument of a measure that each run has for itself: its argument, or what `about` says, of this name.

    `("word_map", {"word": sdx.studies.OfRun("second")})` maps the word that run["about"]["second"] names.
    """

    name: str

    def to_json(self) -> dict[str, str]:
        """The argument as plain JSON."""
        return {"of_run": self.name}

    def value(self, run: Mapping[str, Any]) -> Any:  # noqa: ANN401  (whatever the user gave)
        """Its value in a run.

        Raises:
            RunError: The run says nothing of this name.
        """
        about = run.get("about", {})
        if self.name in about:
            return about[self.name]
        if self.name in run and self.name != "about":
            return run[self.name]
        raise RunError(f"OfRun({self.name!r}): {did_you_mean(self.name, [*about, *(n for n in run if n != 'about')])}")


@dataclass(frozen=True, eq=False)
class Measure:
    """A function of the user's as a measure, with a name of its own.

    Attributes:
        function: Trace -> a number, a text, a list of numbers, or a dictionary or dataclass of these; nested ones
            become columns `name.part`. With a parameter `run` it is given the run's dictionary too, with a parameter
            `pipe` the pipeline.
        name: Of its columns.
        version: Another version is another measure: raise it when the function computes something else, so that runs
            are measured again.
        arguments: Further arguments of the function; an `OfRun` has another value in each run.

    Raises:
        RunError: The name is one that the table has already.
    """

    function: Callable[..., Any]
    name: str
    version: str | int = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or self.name.partition(".")[0] in FIXED:
            raise RunError(f"Measure(name={self.name!r}): the table has such columns already; choose another name")
        if not callable(self.function):
            raise RunError(f"Measure({self.function!r:.80}): a measure is a function of a trace")

    @property
    def key(self) -> str:
        """What tells it from every other measure: name, version and arguments, as canonical JSON."""
        return canonical([self.name, str(self.version), plain(dict(self.arguments))])

    @property
    def needs_pipeline(self) -> bool:
        """Whether it asks the pipeline, so that a kept trace is not enough."""
        return "pipe" in _asked(self.function)

    def of(self, trace: Any, run: Mapping[str, Any], pipe: Any) -> Any:  # noqa: ANN401  (a Trace; whatever it returns)
        """What it finds in a trace."""
        arguments = {
            name: value.value(run) if isinstance(value, OfRun) else value for name, value in self.arguments.items()
        }
        more = {"run": run, "pipe": pipe}
        return self.function(trace, **arguments, **{name: more[name] for name in _asked(self.function)})


def _asked(function: Callable[..., Any]) -> list[str]:
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):  # one that is written in C
        return []
    return [name for name in _GIVEN if name in known]


def measures_of(given: Any) -> tuple[Measure, ...]:  # noqa: ANN401  (whatever the user gave)
    """The measures that `Study(measure=…)` names.

    Raises:
        RunError: There is no such measure; it takes no such argument; two are the same; a function has no name that
            other processes know.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) and not _is_pair(given) else (given,)
    found = tuple(map(_one, several))
    keys = [one.key for one in found]
    if twice := next((one for one in found if keys.count(one.key) > 1), None):
        raise RunError(f"Study(measure=…): {twice.name!r} is named twice with the same arguments")
    return found


def _is_pair(given: Sequence[Any]) -> bool:
    pair = 2
    return len(given) == pair and isinstance(given[0], str) and isinstance(given[1], Mapping)


def _one(given: Any) -> Measure:  # noqa: ANN401
    if isinstance(given, Measure):
        return given
    if callable(given):
        try:
            name_of(given)
        except RunError as error:
            raise RunError(f"Study(measure=…): {error}") from None
        return Measure(given, given.__name__)
    name, arguments = given if isinstance(given, tuple | list) and _is_pair(given) else (given, {})
    if not isinstance(name, str):
        raise RunError(f"Study(measure={given!r:.80}): a measure is a name, (name, {{arguments}}) or a function")
    if name not in MEASURES:
        raise RunError(f"Study(measure={name!r}): there is no such measure; {did_you_mean(name, MEASURES)}")
    function = MEASURES[name].function
    known = [key for key in inspect.signature(function).parameters if key not in ("trace", *_GIVEN)]
    for argument in arguments:
        if argument not in known:
            raise RunError(f"Study(measure=({name!r}, …)): it takes no {argument!r}; {did_you_mean(argument, known)}")
    return Measure(function, name, arguments=arguments)


def prefixes_of(measures: Sequence[Measure], known: Mapping[str, str]) -> dict[str, str]:
    """Key of each measure -> what its columns begin with: its name, or with its arguments where two share the name.

    Args:
        known: Those that the study's folder has already, which stay.
    """
    found: dict[str, str] = {}
    names = [one.name for one in measures]
    for one in measures:
        taken = {*found.values(), *(prefix for key, prefix in known.items() if key != one.key)}
        alone = names.count(one.name) == 1 and one.name not in taken
        found[one.key] = known.get(one.key) or (one.name if alone else _in_brackets(one, taken))
    return found


def _in_brackets(measure: Measure, taken: set[str]) -> str:
    given = {**measure.arguments, **({"version": measure.version} if measure.version else {})}
    told = ",".join(f"{name}={_in_a_name(value)}" for name, value in given.items())
    if not told and measure.name not in taken:
        return measure.name
    return f"{measure.name}[{told}]"


def _in_a_name(value: Any) -> str:  # noqa: ANN401  (an argument)
    if isinstance(value, OfRun):
        return f"{{{value.name}}}"
    return value if isinstance(value, str) else canonical(plain(value))
