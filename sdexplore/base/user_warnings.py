"""Warnings that point at the user's own line, however deep in sdexplore they arise."""

import sys
import warnings
from types import FrameType

# Code that stands between the user's line and ours: wrappers around our functions, and libraries that call us back.
_WRAPPERS = ("jaxtyping", "beartype", "contextlib", "functools", "IPython", "threading", "concurrent")
_NOT_THE_USERS = frozenset({"sdexplore", "torch", "diffusers", "transformers", *_WRAPPERS})


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning at the innermost line of the call stack that the user wrote.

    In a thread of ours there is no such line, and the warning names none.
    """
    frame = _line_of_the_user(sys._getframe(1))  # noqa: SLF001  (CPython's own way to the stack)
    if frame is None:
        warnings.warn_explicit(message, category, "sys", 0, "sys")
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})  # where Python notes what was shown already
    name = str(frame.f_globals.get("__name__", "<unknown>"))
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, name, registry)


def _line_of_the_user(frame: FrameType | None) -> FrameType | None:
    while frame is not None and _package(frame) in _NOT_THE_USERS:
        frame = frame.f_back
    return frame


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
