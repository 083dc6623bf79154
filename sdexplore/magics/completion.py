"""Completion of `%sdexplore`: commands, options and what fits each, components, words of the current prompt."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ..base.known_names import SCHEDULERS
from ..base.parameters import parameters_of
from ..changes.several import KINDS
from ..trace.trace import Trace
from .command import Command
from .commands import COMMANDS
from .parsing import Option
from .values import HAVE_OPTIONS

_HEADS = ("%sdexplore", "%%sdexplore")
_OF_WORDS = ("attention", "attribution", "head_effects")  # commands whose text is words of the prompt


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
        return [f'"{value}"' if " " in value else value for value in _values(option, word, variables)]
    if word.startswith("-"):
        return [*flags, "--help"]
    return _texts(done[0], variables) or [*flags, "--help"]


def _of(flag: str, command: Command) -> Option | None:
    return next((option for option in command.options if flag in option.flags), None)


def _values(option: Option, word: str, variables: Mapping[str, Any]) -> Sequence[str]:
    """What fits an option: of the current pipeline and trace, else what it always takes."""
    pipe, trace = variables.get("pipe"), variables.get("trace")
    if option.name in ("pipe", "trace"):
        wanted = Trace if option.name == "trace" else None
        return [
            name
            for name, value in variables.items()
            if not name.startswith("_") and (isinstance(value, wanted) if wanted else hasattr(value, "components"))
        ]
    if option.name in ("over", "set"):
        return _arguments(option.name, word, pipe)
    if option.name == "change":
        return _changes(word, trace if isinstance(trace, Trace) else None)
    if isinstance(trace, Trace) and (found := _of_trace(option.name, trace)):
        return found
    return option.values


def _of_trace(name: str, trace: Trace) -> list[str]:
    """The values of an option that this trace holds."""
    recorded = [layer for layers in trace.cross_attention.values() for layer in layers.items()]
    if name == "layer":
        layers = dict.fromkeys(layer for layer, _ in recorded)
        sides = sorted({max(one.probs.shape[2:4]) for _, one in recorded}, reverse=True)
        return [*dict.fromkeys(layer.split(".")[0] for layer in layers), *map(str, sides), *layers]
    if name == "head":
        heads = [0 if one.head_mean else one.probs.shape[1] for _, one in recorded]
        return list(map(str, range(min(heads, default=0))))
    if name == "role":
        return list(trace.cross_attention)
    if name == "step":
        return [*map(str, range(trace.num_steps)), f"0:{trace.num_steps}"]
    return []


def _changes(word: str, trace: Trace | None) -> list[str]:
    """Kinds of changes; once a quote stands behind one, what its first argument names in this trace."""
    kind, quote, _ = word.lstrip("\"'").partition("('")
    if not quote:
        return [f"{one}('" for one in KINDS]
    if trace is None:
        return []
    if kind == "Reweight":
        return [f"Reweight('{one}',2)" for one in _words(trace)]
    return [f"{kind}('{one}')" for one in _of_trace("layer", trace) if not one.isdecimal()] if kind == "Ablate" else []


def _words(trace: Trace) -> list[str]:
    tokens = next(iter(trace.tokens.get("cond", {}).values()), None)
    return [] if tokens is None else list(dict.fromkeys(word.text for word in tokens.words))


def _arguments(option: str, word: str, pipe: Any) -> list[str]:  # noqa: ANN401  (any diffusers pipeline)
    """Arguments with a "=" behind them, and once it stands there, the values that are known by name."""
    name, sign, _ = word.lstrip("\"'").partition("=")
    if sign:
        return [f"{name}={value}" for value in SCHEDULERS] if (option, name) == ("over", "scheduler") else []
    known = [] if pipe is None else [one for one in parameters_of(type(pipe).__call__) if one != "self"]
    if option == "over":
        return [f"{one}=" for one in dict.fromkeys((*known, "seed", "scheduler", "without", "guide_scale"))]
    return [f"{one}=" for one in known if one not in HAVE_OPTIONS]


def _texts(command: str, variables: Mapping[str, Any]) -> list[str]:
    pipe, trace = variables.get("pipe"), variables.get("trace")
    if command in ("config", "tree"):
        return [name for name, part in getattr(pipe, "components", {}).items() if part is not None]
    if command in _OF_WORDS and isinstance(trace, Trace):
        return _words(trace)
    if command == "explore":
        return sorted(str(file) for file in Path().glob("*.safetensors"))
    return ["mini", *_models_here()] if command == "load" else []


def _models_here() -> list[str]:
    """Files and folders of the working folder that can be loaded."""
    files = sorted(str(file) for file in Path().glob("*.safetensors"))
    return [*files, *sorted(str(index.parent) for index in Path().glob("*/model_index.json"))]
