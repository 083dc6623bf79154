"""Completion of `%sdexplore`: commands, options, their values, components, words of the current prompt."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ..trace.trace import Trace
from .command import Command
from .commands import COMMANDS
from .parsing import Option

_HEADS = ("%sdexplore", "%%sdexplore")


def matcher_of(variables: Mapping[str, Any]) -> Callable[[CompletionContext], Any]:
    """A matcher for IPython's completer; on the lines of our magic it offers what can stand at the cursor."""

    @context_matcher(identifier="sdexplore", priority=100.0)  # type: ignore[untyped-decorator]
    def sdexplore_matcher(context: CompletionContext) -> Any:  # noqa: ANN401  (IPython's TypedDict)
        line = context.line_with_cursor[: context.cursor_position]
        head, *typed = line.split(" ")
        if head.strip() not in _HEADS or not typed:
            return {"completions": [], "suppress": False}
        word = typed[-1]
        begun = word.lstrip("\"'")
        offered = [one for one in candidates(typed[:-1], word, variables) if one.lstrip('"').startswith(begun)]
        token = context.token
        kept = token[: len(token) - len(word)] if token.endswith(word) else ""
        made = [
            SimpleCompletion(text=kept + one if kept or token == word else token + one[len(word) :], type="magic")
            for one in offered
        ]
        return {"completions": made, "suppress": bool(made), "matched_fragment": token}

    return sdexplore_matcher  # type: ignore[no-any-return]


def candidates(before: Sequence[str], word: str, variables: Mapping[str, Any]) -> list[str]:
    """What can stand at the cursor.

    Args:
        before: The words between the magic's name and the word at the cursor.
        word: The typed part of the word at the cursor.
        variables: The variables of the notebook; `pipe` and `trace` give names.
    """
    done = [one for one in before if one]
    if not done:
        return list(COMMANDS)
    command = COMMANDS.get(done[0])
    if command is None:
        return []
    flags = [flag for option in command.options for flag in option.flags]
    option = _of(done[-1], command)
    if option is not None and option.kind is not None:
        return [f'"{value}"' if " " in value else value for value in option.values] or _values(option, variables)
    if word.startswith("-"):
        return [*flags, "--help"]
    return _texts(done[0], variables) or [*flags, "--help"]


def _of(flag: str, command: Command) -> Option | None:
    return next((option for option in command.options if flag in option.flags), None)


def _values(option: Option, variables: Mapping[str, Any]) -> list[str]:
    if option.name in ("pipe", "trace"):
        wanted = Trace if option.name == "trace" else None
        return [
            name
            for name, value in variables.items()
            if not name.startswith("_") and (isinstance(value, wanted) if wanted else hasattr(value, "components"))
        ]
    trace = variables.get("trace")
    if option.name == "layer" and isinstance(trace, Trace):
        layers = dict.fromkeys(name for roles in trace.cross_attention.values() for name in roles)
        return [*dict.fromkeys(name.split(".")[0] for name in layers), *layers]
    return []


def _texts(command: str, variables: Mapping[str, Any]) -> list[str]:
    pipe, trace = variables.get("pipe"), variables.get("trace")
    if command in ("config", "tree"):
        return [name for name, part in getattr(pipe, "components", {}).items() if part is not None]
    if command == "attention" and isinstance(trace, Trace):
        tokens = next(iter(trace.tokens.get("cond", {}).values()), None)
        return [] if tokens is None else list(dict.fromkeys(word.text for word in tokens.words))
    return ["mini"] if command == "load" else []
