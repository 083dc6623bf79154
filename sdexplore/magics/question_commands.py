"""Commands that ask the pipeline again at a trace's latents: which word mattered, and which head."""

from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from ..figures.picture import Picture
from ..records.attribution import METHODS
from .command import OUTPUT, PIPE, TRACE, Command, Notebook
from .parsing import Asked, Option
from .values import count, whole

_CORNERS = 4
_STEP = Option(("--step",), "step", whole, "at which step's latents (the one in the middle of the run)")


def box(typed: str) -> tuple[int, ...]:
    """(left, top, right, bottom) in pixels from "0,0,128,256"."""
    parts = typed.split(",")
    if len(parts) != _CORNERS or not all(part.strip().isdecimal() for part in parts):
        raise ArgumentTypeError(f"invalid box value: {typed!r}; write LEFT,TOP,RIGHT,BOTTOM in pixels, as 0,0,128,256")
    return tuple(map(int, parts))


def _attribution(notebook: Notebook, asked: Asked) -> Picture:
    from ..model.experiments.attribution import attribution
    from ..views import attribution as drawn

    names = ("region", "step", "last")
    given: dict[str, Any] = {name: asked.options[name] for name in names if name in asked.options}
    methods = asked.options.get("method") or METHODS[:1]
    pipe, trace = notebook.pipe(asked), notebook.trace(asked)
    return drawn(*(attribution(pipe, trace, asked.words or None, method=one, **given) for one in methods))


def _head_effects(notebook: Notebook, asked: Asked) -> Picture:
    from ..model.experiments.head_effects import head_effects
    from ..views import head_effects as drawn

    if not asked.text:
        raise UsageError("there is no word: write it after the command, as in %sdexplore head_effects cat")
    names = {"step": "step", "layer": "layers"}
    given = {names[name]: value for name, value in asked.options.items() if name in names}
    return drawn(head_effects(notebook.pipe(asked), notebook.trace(asked), asked.text, **given))


QUESTION_COMMANDS: Mapping[str, Command] = {
    "attribution": Command(
        "what each word has to do with a region of the picture",
        "words, a phrase in quotes (default: all words)",
        (
            Option(("--region",), "region", box, "LEFT,TOP,RIGHT,BOTTOM in pixels (the whole picture)"),
            _STEP,
            Option(("--method",), "method", str, "a definition, or several (gradient)", METHODS, many=True),
            Option(("--last",), "last", count, "through how many calls the gradient goes (1)"),
            PIPE,
            TRACE,
            OUTPUT,
        ),
        _attribution,
    ),
    "head_effects": Command(
        "what each head does by what it reads of a word, and as a whole",
        "a word or phrase of the prompt",
        (
            _STEP,
            Option(("--layer",), "layer", str, "a layer's name or its beginning; every layer takes long"),
            PIPE,
            TRACE,
            OUTPUT,
        ),
        _head_effects,
    ),
}
