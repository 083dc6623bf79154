"""From what is typed after an option to its value. The name of each function stands in the error for a wrong value."""

import ast
import builtins
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from functools import wraps
from keyword import iskeyword
from math import isfinite
from typing import Any

from ..base.errors import SdexploreError
from ..changes.several import KINDS

_NAMES = {"steps": "num_inference_steps", "guidance": "guidance_scale", "negative": "negative_prompt"}
"""Option of a run -> argument of the pipeline."""

HAVE_OPTIONS = ("prompt", "change", "record", "scheduler", "to", "seed", "width", "height", *_NAMES.values())
"""Arguments that --set does not take, since they have options of their own."""


_TAKEN = frozenset({*vars(builtins), "In", "Out", "get_ipython", "exit", "quit", "open"})
_HISTORY = re.compile(r"_+|_i+|_i?\d+|_[iod]h|_exit_code")  # IPython's: _, _i, _i3, _3, _oh
_WAYS = {
    "change": "write --change \"Reweight('cat', 2)\"",
    "record": "write --heads to keep each head; other records are for sdx.run(…, record=sdx.Record(…))",
    "width": "write --size WIDTHxHEIGHT",
    "height": "write --size WIDTHxHEIGHT",
}


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


def number(typed: str) -> float:
    """A finite number."""
    try:
        value = float(typed)
    except ValueError as error:
        raise ArgumentTypeError(f"invalid float value: {typed!r}; it is a number, as 7.5") from error
    if not isfinite(value):
        raise ArgumentTypeError(f"invalid float value: {typed!r}; it is a finite number, as 7.5")
    return value


def whole(typed: str) -> int:
    """A whole number."""
    try:
        return int(typed)
    except ValueError as error:
        raise ArgumentTypeError(f"invalid int value: {typed!r}; it is a whole number, as 3") from error


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
    sides = (wide, high or wide)
    if not all(side.isdecimal() and int(side) for side in sides):
        raise ArgumentTypeError(f"invalid size value: {typed!r}; write 512, or 640x512 for width and height")
    return int(sides[0]), int(sides[1])


def steps(typed: str) -> Any:  # noqa: ANN401  (what the views take)
    """A step from "3", several from "0,5,-1", or a slice from "2:10"."""
    try:
        if ":" in typed:
            found = slice(*(int(part) if part else None for part in typed.split(":")))
            if found.step == 0:
                raise ValueError  # noqa: TRY301  (said below)
            return found
        numbers = [int(part) for part in typed.split(",")]
    except (ValueError, TypeError) as error:  # no number; a stride of 0; more than three parts
        raise ArgumentTypeError(
            f"invalid steps value: {typed!r}; write a step 3, several 0,5,-1, or a range 2:10"
        ) from error
    return numbers[0] if len(numbers) == 1 else numbers


def layer(typed: str) -> str | int:
    """A layer's name, or a number: the longer side of a grid."""
    return int(typed) if typed.isdigit() else typed


def setting(typed: str) -> tuple[str, Any]:
    """(name, value) from "name=value"; a value that is no Python literal is text."""
    name, sign, value = typed.partition("=")
    if not sign or not name.isidentifier():
        raise ArgumentTypeError(f"invalid setting value: {typed!r}; write NAME=VALUE, as in --set eta=1")
    if name in HAVE_OPTIONS:
        flag = next((short for short, full in _NAMES.items() if full == name), name)
        way = "write the prompt as text" if name == "prompt" else _WAYS.get(name, f"write --{flag} {value}")
        raise ArgumentTypeError(f"invalid setting value: {typed!r}; {way}")
    return name, _literal(value)


def change(typed: str) -> Any:  # noqa: ANN401  (a change)
    """A change from the line of code that makes it: "Reweight('cat', 2)". Nothing but that is called."""
    try:
        tree = ast.parse(typed, mode="eval").body
        name = ast.unparse(tree.func).removeprefix("sdx.") if isinstance(tree, ast.Call) else ""
        given = [_constant(one) for one in tree.args] if isinstance(tree, ast.Call) else []
        named = {str(one.arg): _constant(one.value) for one in tree.keywords} if isinstance(tree, ast.Call) else {}
        return KINDS[name](*given, **named)
    except SdexploreError as error:
        raise ArgumentTypeError(str(error)) from error
    except (SyntaxError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise ArgumentTypeError(
            f"invalid change value: {typed!r}; write one of {', '.join(KINDS)} as in Python, as in "
            "--change \"Reweight('cat', 2)\""
        ) from error


def _constant(node: ast.expr) -> Any:  # noqa: ANN401  (any literal, or a slice of numbers)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "slice" and not node.keywords:
        return slice(*map(ast.literal_eval, node.args))
    return ast.literal_eval(node)


def axis(typed: str) -> tuple[str, list[Any]]:
    """(name, values) from "guidance_scale=1,3,7.5" or "prompt=a cat;a dog"."""
    name, sign, values = typed.partition("=")
    parts = [part.strip() for part in values.split(";" if ";" in values else ",") if part.strip()]
    if not sign or not parts or not name.isidentifier():
        raise ArgumentTypeError(
            f"invalid axis value: {typed!r}; write NAME=VALUES, as in --over guidance_scale=1,3,7.5 or "
            '--over "prompt=a cat;a dog"'
        )
    return _NAMES.get(name, name), [_literal(part) for part in parts]


def _literal(typed: str) -> Any:  # noqa: ANN401  (any literal)
    try:
        return ast.literal_eval(typed)
    except (ValueError, SyntaxError):
        return typed
