"""Where the axes of a figure stand: matplotlib's constrained layout, computed once for all figures of one layout.

The layout takes longer than drawing. Its result depends on little: where the axes are at first, and how large the
texts around them are. A dashboard draws the same figure again and again with other numbers in it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.text import Text

_MOST: Final = 64
_UPRIGHT: Final = 90.0  # degrees
_PLACES: Final = 6  # of pixels: a box is found where its text stands, and rounded there


@dataclass(frozen=True)
class _Placement:
    """What a layout changes.

    Attributes:
        axes: Of each its place, anchor, box aspect and aspect.
        titles: Of each text of the figure its place and vertical alignment.
    """

    axes: tuple[tuple[Any, ...], ...]
    titles: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, figure: "Figure") -> "_Placement":
        return cls(
            tuple(
                (ax.get_position(original=True).frozen(), ax.get_anchor(), ax.get_box_aspect(), ax.get_aspect())
                for ax in figure.axes
            ),
            tuple((text.get_position(), text.get_verticalalignment()) for text in figure.texts),
        )

    def apply(self, figure: "Figure") -> None:
        """Puts the axes and titles of `figure` there."""
        for ax, (place, anchor, box_aspect, aspect) in zip(figure.axes, self.axes, strict=True):
            ax.set_position(place)
            ax.set_in_layout(True)  # which the line before ends
            ax.set_anchor(anchor)
            ax.set_box_aspect(box_aspect)
            ax.set_aspect(aspect)
        self.apply_to_titles(figure)

    def apply_to_titles(self, figure: "Figure") -> None:
        """Puts the titles there; further texts of the figure stay where they are."""
        for text, (place, alignment) in zip(figure.texts, self.titles, strict=False):
            text.set_position(place)
            text.set_verticalalignment(alignment)


@dataclass
class _LaidOut:
    """A figure that has been laid out: its state before, the engine, its state after, and the texts around its axes."""

    before: _Placement
    engine: Any
    after: _Placement
    standing: Any = None


_done: "WeakKeyDictionary[Figure, _LaidOut]" = WeakKeyDictionary()
_outdated: "WeakSet[Figure]" = WeakSet()
_known: dict[Any, tuple[_Placement, Any]] = {}  # with what stands around the axes where they stand in the end


def lay_out(figure: "Figure") -> None:
    """Lays a figure out, once.

    matplotlib's layout starts from the last one, and a file must not depend on how often it was shown.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if figure in _outdated and _fits(figure):
        return
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return
    place(figure)
    before = _Placement.of(figure)
    key = _key(figure, engine)
    if key is None or not _as_before(figure, _known.get(key)):
        engine.execute(figure)
        if key is not None:
            if len(_known) >= _MOST:
                _known.pop(next(iter(_known)), None)
            _known[key] = _Placement.of(figure), _around(figure)
    _done[figure] = _LaidOut(before, engine, _Placement.of(figure))
    figure.set_layout_engine("none")


def outdate(figure: "Figure") -> None:
    """Says that a figure is about to get other texts in the same axes; it is laid out again if they need other room."""
    done = _done.get(figure)
    if done is not None:
        done.standing = done.standing or _standing(figure)
        _outdated.add(figure)


def _fits(figure: "Figure") -> bool:
    """Whether an outdated figure may keep its layout; if not, the state before the layout is restored."""
    _outdated.discard(figure)
    done = _done[figure]
    done.after.apply_to_titles(figure)
    place(figure)
    if _standing(figure) == done.standing:
        return True
    del _done[figure]
    done.before.apply(figure)
    figure.set_layout_engine(done.engine)
    return False


def place(figure: "Figure") -> None:
    """Puts every axes where it will be drawn, its aspect applied, as a draw does first of all."""
    for ax in figure.axes:
        locator = ax.get_axes_locator()
        ax.apply_aspect(None if locator is None else locator(ax, None))  # type: ignore[arg-type]


def _as_before(figure: "Figure", known: tuple[_Placement, Any] | None) -> bool:
    """Gives `figure` the layout of an earlier one, if that fits, and says so; if not, leaves it unchanged."""
    if known is None:
        return False
    first = _Placement.of(figure)
    then, around = known
    then.apply(figure)
    place(figure)
    if _around(figure) == around:
        return True
    first.apply(figure)
    place(figure)
    return False


def _key(figure: "Figure", engine: Any) -> Any:  # noqa: ANN401  (matplotlib's; a tuple)
    """All that the layout depends on; None where that is not known.

    Of a title, and of a label of panels, it is how much it takes off their height or width, so the same number of
    lines of one writing are the same.
    """
    if figure.subfigs or figure.lines or figure.patches:
        return None
    axes = []
    for ax in figure.axes:
        if ax.child_axes:
            return None
        first = (ax.get_position(original=True).bounds, ax.get_position().bounds, ax.get_box_aspect(), ax.get_anchor())
        axes.append((type(ax), len(ax.get_children()), ax.get_visible(), first))
    size = (*figure.get_size_inches(), figure.dpi)
    return size, type(engine), repr(engine.get()), tuple(axes), _standing(figure)


def _standing(figure: "Figure") -> tuple[Any, ...]:
    """How much room all that is written takes, in pixels."""
    return tuple(map(_deep, figure.texts)), tuple(map(_side, figure.legends)), _around(figure)


def _around(figure: "Figure") -> tuple[tuple[Any, ...], ...]:
    """How much room what is written around each axes takes, in pixels; of panels, that of each label."""
    found: list[tuple[Any, ...]] = []
    for ax in figure.axes:
        if not (_ticked(ax) or ax.texts or ax.get_legend()):
            left = ax.yaxis.label
            beside = _deep(left) if left.get_rotation() == _UPRIGHT else _large(left)
            found.append((_deep(ax.title), _deep(ax.xaxis.label), beside, ax.xaxis.labelpad, ax.yaxis.labelpad))
            continue
        outer = ax.get_tightbbox(for_layout_only=True)
        edges = np.subtract((ax.bbox if outer is None else outer).extents, ax.bbox.extents)
        found.append(tuple(edges.round(_PLACES).tolist()))
    return tuple(found)


def _side(legend: "Legend") -> tuple[Any, ...]:
    """On which side of the axes a legend of the figure stands, and how much room it takes there."""
    side, box = getattr(legend, "_outside_loc", None), legend.get_window_extent()
    return side, round(box.height, _PLACES), 0.0 if side in ("lower", "upper") else round(box.width, _PLACES)


def _deep(text: "Text") -> tuple[float, float, bool]:
    """How much room a text takes across its lines, in pixels; in which direction; whether it is there."""
    there, turned = text.get_visible() and bool(text.get_text()), text.get_rotation()
    if not there:
        return 0.0, turned, there
    box = text.get_window_extent()
    return round(box.width if turned == _UPRIGHT else box.height, _PLACES), turned, there


def _large(text: "Text") -> tuple[float, float]:
    """How wide and high a text is, in pixels: one that lies beside an axes takes room both ways."""
    box = text.get_window_extent()
    return round(box.width, _PLACES), round(box.height, _PLACES)


def _ticked(ax: "Axes") -> bool:
    from matplotlib.ticker import NullLocator

    return any(not isinstance(axis.get_major_locator(), NullLocator) for axis in (ax.xaxis, ax.yaxis))
