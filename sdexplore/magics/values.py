"""From what is typed after an option to its value. The name of each function stands in the error for a wrong value."""

import ast
import builtins
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from functools import wraps
from keyword import iskeyword
from typing import Any

_NAMES = {"steps": "num_inference_steps", "guidance": "guidance_scale", "negative": "negative_prompt"}
"""Option of a run -> argument of the pipeline."""

_HAVE_OPTIONS = ("prompt", "record", "scheduler", "to", "seed", "width", "height", *_NAMES.values())
"""Arguments that --set does not take, since they have options of their own."""


_TAKEN = frozenset({*vars(builtins), "In", "Out", "get_ipython", "exit", "quit", "open"})
_HISTORY = re.compile(r"_+|_i+|_i?\d+|_[iod]h|_exit_code")  # IPython's: _, _i, _i3, _3, _oh


def count(typed: str) -> int:
    """A number from 1 on."""
    if not typed.isdecimal() or int(typed) < 1:
        raise ArgumentTypeError(f"invalid count value: {typed!r}; it is a whole number, and at least 1")
    return int(typed)


def single(kind: Callable[[str], Any], name: str) -> Callable[[str], Any]:
    """`kind`, but several values raise an error that names `%sdexplore compare` for the option `name`."""

    @wraps(kind)
    def one(typed: str) -> Any:  # noqa: ANN401  (as `kind`)
        if "," in typed:
            again = f"%sdexplore compare --over {name}={typed}"
            raise ArgumentTypeError(f"{typed!r} is several values; {again} runs once for each")
        return kind(typed)

    return one


def variable(typed: str) -> str:
    """The name of a variable that is the user's to give."""
    if not typed.isidentifier() or iskeyword(typed):
        raise ValueError
    if typed in _TAKEN or typed.startswith("__") or _HISTORY.fullmatch(typed):
        raise ArgumentTypeError(
            f"{typed!r} is a name that Python or IPython needs; name a variable of your own, such as -o trace"
        )
    return typed


def size(typed: str) -> tuple[int, int]:
    """(width, height) from "512" or "640x512"."""
    wide, _, high = typed.lower().partition("x")
    return int(wide), int(high or wide)


def steps(typed: str) -> Any:  # noqa: ANN401  (what the views take)
    """A step from "3", several from "0,5,-1", or a slice from "2:10"."""
    if ":" in typed:
        return slice(*(int(part) if part else None for part in typed.split(":")))
    numbers = [int(part) for part in typed.split(",")]
    return numbers[0] if len(numbers) == 1 else numbers


def layer(typed: str) -> str | int:
    """A layer's name, or a number: the longer side of a grid."""
    return int(typed) if typed.isdigit() else typed


def setting(typed: str) -> tuple[str, Any]:
    """(name, value) from "name=value"; a value that is no Python literal is text."""
    name, sign, value = typed.partition("=")
    if not sign or name in _HAVE_OPTIONS:
        raise ValueError
    return name, _literal(value)


def axis(typed: str) -> tuple[str, list[Any]]:
    """(name, values) from "guidance_scale=1,3,7.5" or "prompt=a cat;a dog"."""
    name, sign, values = typed.partition("=")
    parts = [part.strip() for part in values.split(";" if ";" in values else ",") if part.strip()]
    if not sign or not parts:
        raise ValueError
    return _NAMES.get(name, name), [_literal(part) for part in parts]


def _literal(typed: str) -> Any:  # noqa: ANN401  (any literal)
    try:
        return ast.literal_eval(typed)
    except (ValueError, SyntaxError):
        return typed
