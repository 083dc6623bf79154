"""What each view's line of code is made from, so that `sdx.reproduce` can read the line again.

A view says it with a decorator; `MADE_FROM` holds what all of them say.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Final, Literal, TypeVar, cast

import numpy as np

from ..base.options import pinned
from ..figures.code_lines import in_language
from ..figures.not_numbers import told
from ..figures.picture import Picture, style
from ..figures.wrapping import wrap_title
from .wanted_records import WantedRecords

Source = Literal["trace", "comparison", "pipeline", "image", "images", "mask", "scheduler", "study"]
View = TypeVar("View", bound=Callable[..., Picture])

_IN_THE_SIDECAR: Final = ("trace", "comparison", "pipeline")


@dataclass(frozen=True)
class MadeFrom:
    """How the line of code of one view is read again.

    Attributes:
        sources: What the names in the line stand for. Traces, comparisons and the pipeline are made again from the
            sidecar; an image, a mask or a scheduler is the user's, who gives it to `reproduce` by that name.
        calls: The functions of `sdx` that the line calls to make the view's record: ("text_encoding",).
        part: An attribute of that record which the view takes in its place; "" for the record itself.
        refusal: Why the picture cannot be made again; "" where it can.
    """

    sources: tuple[Source, ...] = ()
    calls: tuple[str, ...] = ()
    part: str = ""
    refusal: str = ""

    def given(self, name: str) -> bool:
        """Whether `name` in the line ("mask", or "scheduler_1" of several) stands for something that the user gives."""
        kind = re.sub(r"_\d+$", "", name)
        return kind in self.sources and kind not in _IN_THE_SIDECAR


MADE_FROM: Final[dict[str, MadeFrom]] = {}
"""The name of a view → what its line of code is made from."""


def made_from(*sources: Source, calls: Sequence[str] = (), part: str = "", refusal: str = "") -> Callable[[View], View]:
    """Notes for a view what its line of code is made from; arguments are those of `MadeFrom`.

    The view's Picture names NaN and Inf in what the view was given. It is drawn under the options of `set_options`
    that hold when the view is called, and its line of code names a language other than English. A record of another
    kind than the view's own is a TraceError.
    """

    def note(view: View) -> View:
        MADE_FROM[view.__name__] = MadeFrom(sources, tuple(calls), part, refusal)

        records = WantedRecords(view, calls, part)

        @wraps(view)
        def drawn(*given: Any, **options: Any) -> Picture:  # noqa: ANN401  (the view's own)
            records.check(given, options)
            with np.errstate(invalid="ignore", over="ignore"), pinned():  # NaN and Inf are told in words
                picture = told(view(*given, **options), (*given, *options.values()))
                with style():
                    wrap_title(picture.figure)
                return replace(picture, call=in_language(picture.call, picture.lang))

        return cast("View", drawn)

    return note
