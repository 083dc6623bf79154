"""Two runs side by side in a notebook: on one step slider and one hover, with their difference beside them."""

from typing import Any

import anywidget
import traitlets

from ..base.options import pinned
from ..browser.explorer_strings import explorer_strings
from ..browser.front_end import PAIR, front_end
from ..browser.packing import BUDGET, pack
from ..trace.trace import Trace
from .controls import close, column


class LinkedPair(anywidget.AnyWidget):
    """Two traces in the browser: what is pointed at or chosen in one is shown in the other.

    Both word maps have one scale. Beside them stand the difference of the maps, b − a, from blue over white to red, and
    the absolute difference of the pictures, black where they are the same. All data is in the browser;
    steps that were not decoded yet are linear previews.

    Args:
        names: What the runs are called above their pictures.

    Raises:
        TraceError: A trace does not fit the budget of bytes.
    """

    _esm = front_end(PAIR)
    name_a = traitlets.Unicode().tag(sync=True)
    name_b = traitlets.Unicode().tag(sync=True)
    facts_a = traitlets.Dict().tag(sync=True)
    facts_b = traitlets.Dict().tag(sync=True)
    data_a = traitlets.Bytes().tag(sync=True)
    data_b = traitlets.Bytes().tag(sync=True)
    strings = traitlets.Dict().tag(sync=True)

    def __init__(self, a: Trace, b: Trace, names: tuple[str, str] = ("", "")) -> None:
        with pinned():
            packed = [pack(trace, BUDGET, decode=False) for trace in (a, b)]
            held: dict[str, Any] = {"strings": explorer_strings()}
        for one, name, found in zip("ab", names, packed, strict=True):
            held |= {f"name_{one}": name, f"facts_{one}": dict(found.facts), f"data_{one}": found.data}
        super().__init__(layout={"width": "100%"}, **held)


class PairPlace:
    """A place for one linked pair; the next replaces it.

    Attributes:
        widget: The place.
    """

    def __init__(self) -> None:
        self.widget: Any = column([])

    def show(self, a: Trace, b: Trace, names: tuple[str, str]) -> None:
        """Shows two traces under these names.

        Raises:
            TraceError: A trace does not fit the budget of bytes.
        """
        self.clear()
        self.widget.children = [LinkedPair(a, b, names)]

    def clear(self) -> None:
        """Removes the pair."""
        before, self.widget.children = self.widget.children, []
        close(*before)
