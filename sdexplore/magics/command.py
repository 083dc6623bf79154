"""What a command of `%sdexplore` is, what it reads from the notebook, and the options that several commands share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError

from ..figures.picture import Picture
from ..trace.trace import Trace
from .parsing import Asked, Option
from .values import steps, variable


@dataclass(frozen=True)
class Notebook:
    """The variables of the notebook, as commands read them."""

    variables: Mapping[str, Any]

    def pipe(self, asked: Asked) -> Any:  # noqa: ANN401  (any diffusers pipeline)
        """The current pipeline.

        Raises:
            UsageError: There is none.
        """
        name = asked.options.get("pipe", "pipe")
        if name not in self.variables:
            raise UsageError(f"there is no pipeline in {name!r}: %sdexplore load makes one, or name another by --pipe")
        return self.variables[name]

    def trace(self, asked: Asked) -> Trace:
        """The current trace.

        Raises:
            UsageError: There is none.
        """
        name = asked.options.get("trace", "trace")
        found = self.variables.get(name)
        if not isinstance(found, Trace):
            what = f"{name!r} is a {type(found).__name__}" if name in self.variables else f"there is no {name!r}"
            raise UsageError(f"{what}: %sdexplore run makes a trace, or name another by --trace")
        return found

    def picture(self) -> Any:  # noqa: ANN401  (a Picture, or an Animation)
        """The Picture or Animation that a cell showed last.

        Raises:
            UsageError: There is none.
        """
        from ..publish.animations import Animation

        shown: Mapping[int, Any] = self.variables.get("_oh", {})
        for value in (self.variables.get("_"), *reversed(list(shown.values()))):
            if isinstance(value, Picture | Animation):
                return value
        raise UsageError("no picture has been shown yet: %sdexplore attention makes one, for example")


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: What it gives, in a line.
        text: What the free text is; "" if it takes none.
        options: Its options.
        call: Calls the public function.
        output: The variable that gets the result if -o names none; "" for none.
    """

    summary: str
    text: str
    options: tuple[Option, ...]
    call: Callable[[Notebook, Asked], Any]
    output: str = ""


OUTPUT = Option(("-o", "--output"), "output", variable, "the variable that gets the result")
PIPE = Option(("--pipe",), "pipe", str, "the variable that holds the pipeline (pipe)")
TRACE = Option(("--trace",), "trace", str, "the variable that holds the trace (trace)")
STEP = Option(("--step",), "step", steps, "a step 3, several 0,5,-1, or a range 2:10")
