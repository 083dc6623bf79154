"""Which rows of a study are shown: a condition a column, chosen by hand, as `StudyTable.table(where=…)` takes it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import ipywidgets as widgets

from ..base.display import clip
from ..base.errors import RunError
from ..strings.wording import counted, wording
from ..studies.reading import StudyTable
from ..studies.rows import values_of, values_with
from ..studies.values import Kind
from .controls import button, close, column, control, follow, labelled, row

ANY, NONE = "has a value", "has no value"
RANGE, TEXT = "is from … to …", "is or contains"
_SAID: Final = {  # way to ask for a value -> key of what the list says
    ANY: "dashboard.filter.any",
    NONE: "dashboard.filter.none",
    RANGE: "dashboard.filter.range",
    TEXT: "dashboard.filter.text",
}
_OFFERED: Final = 200  # texts that a box offers while one types
_SHOWN: Final = 60  # characters of a condition


class RowFilter:
    """Conditions on columns, all of which hold for the rows that are shown.

    Args:
        study: Whose values are offered.
        changed: Called when the conditions have changed.
        failed: Gets an error of what was typed.

    Attributes:
        where: Column -> condition, as `StudyTable.table` takes it.
        widget: The controls.
    """

    def __init__(self, study: StudyTable, changed: Callable[[], object], failed: Callable[[Exception], object]) -> None:
        self.where: dict[str, Any] = {}
        self._study, self._changed, self._failed = study, changed, failed
        self._kinds: Mapping[str, Kind] = {}
        self._column = control(widgets.Dropdown, *labelled("dashboard.filter.column"), width="340px", options=["seed"])
        self._how = control(
            widgets.Dropdown, *labelled("dashboard.filter.how"), width="260px", options=_ways(ANY, NONE)
        )
        self._low, self._high = (
            control(widgets.Text, *labelled(key), width="200px", placeholder=wording("dashboard.filter.unlimited"))
            for key in ("dashboard.filter.from", "dashboard.filter.to")
        )
        self._text = control(
            widgets.Combobox,
            *labelled("dashboard.filter.words"),
            width="340px",
            placeholder=wording("dashboard.filter.unlimited"),
        )
        add = button(*labelled("dashboard.filter.add"), self.add, icon="filter")
        self._chips = row([])
        self.widget: Any = column(
            [row([self._column, self._how]), row([self._low, self._high, self._text, add]), self._chips]
        )
        follow(self._column, self._column_chosen)
        follow(self._how, self._how_chosen)

    def offer(self, kinds: Mapping[str, Kind]) -> None:
        """Offers these columns; a chosen one that is still there stays chosen, a condition on a lost one goes."""
        for gone in self.where.keys() - kinds.keys():
            del self.where[gone]
            self._show_chips()
        self._kinds = kinds
        names = [name for name in kinds if name != "call"]
        if list(self._column.options) != names:
            kept = self._column.value
            self._column.options = names
            self._column.value = kept if kept in names else names[0]
            self._column_chosen()

    def _column_chosen(self) -> None:
        kind = self._kinds.get(self._column.value)
        own = {"number": [RANGE], "whole": [RANGE], "text": [TEXT]}.get(kind or "", [])
        self._how.options = ways = _ways(*own, ANY, NONE)
        self._how.value = ways[0][1]
        self._how_chosen()

    def _how_chosen(self) -> None:
        for made, way in ((self._low, RANGE), (self._high, RANGE), (self._text, TEXT)):
            made.layout.display = "" if self._how.value == way else "none"
        try:
            self._offer_values()
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self._failed(error)

    def _offer_values(self) -> None:
        """Offers the texts of the column; of numbers it says the lowest and the highest."""
        name, how = self._column.value, self._how.value
        self._text.value = self._low.value = self._high.value = ""
        if how == TEXT:
            self._text.options = values_of(self._study, name, _OFFERED)[0]
        elif how == RANGE:
            found, _ = values_of(self._study, name, 1 << 30)
            ends = (found[0], found[-1]) if found else (wording("dashboard.filter.unlimited"),) * 2
            for made, end in zip((self._low, self._high), ends, strict=True):
                made.placeholder = f"{end:.6g}" if isinstance(end, float) else str(end)

    def add(self) -> None:
        """Takes the condition that the controls say."""
        try:
            self.where[self._column.value] = self._said()
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self._failed(error)
            return
        self._show_chips()
        self._changed()

    def _said(self) -> Any:  # noqa: ANN401  (a condition)
        name, how = self._column.value, self._how.value
        if how == TEXT and self._text.value:
            return values_with(self._study, name, self._text.value)
        if how == RANGE and (self._low.value.strip() or self._high.value.strip()):
            low, high = (_number(made, f"{name} {end}") for made, end in ((self._low, "from"), (self._high, "to")))
            if low is not None and high is not None and low > high:
                raise RunError(f"{name} from {low} to {high}: the first is the lower one")
            return slice(low, high)
        return None if how == NONE else ...

    def drop(self, name: str) -> None:
        """Takes the condition on a column away."""
        self.where.pop(name, None)
        self._show_chips()
        self._changed()

    def _show_chips(self) -> None:
        before = self._chips.children
        self._chips.children = [
            button(
                f"{clip(in_words(name, value), _SHOWN)} ✕",
                wording("dashboard.filter.drop.tip"),
                partial(self.drop, name),
            )
            for name, value in self.where.items()
        ]
        close(*before)


def _ways(*ways: str) -> list[tuple[str, str]]:
    return [(wording(_SAID[way]), way) for way in ways]


def _number(made: Any, name: str) -> int | float | None:  # noqa: ANN401  (widgets have no types)
    text = made.value.strip()
    if not text:
        return None
    for kind in (int, float):
        with suppress(ValueError):
            number = kind(text)
            if number == number:  # noqa: PLR0124  (else it is NaN)
                return number
    raise RunError(f"{name} {clip(text, 40)!r}: a number is expected, as in 0.5")


def in_words(name: str, value: Any) -> str:  # noqa: ANN401  (a condition)
    """A condition on a column."""
    if value is None or value is ...:
        return wording("dashboard.filter.said.none" if value is None else "dashboard.filter.said.any", name=name)
    if isinstance(value, slice):
        low, high = ("…" if one is None else str(one) for one in (value.start, value.stop))
        return wording("dashboard.filter.said.range", name=name, low=low, high=high)
    if len(value) == 1:
        return f"{name} = {value[0]}"
    return wording("dashboard.filter.said.values", name=name, values=counted(len(value), "value"))
