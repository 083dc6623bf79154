"""The section "Study": a study's table, filtered and sorted, a figure of its measures, and any row's run opened."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import ipywidgets as widgets

from ...base.display import count
from ...base.errors import TraceError
from ...figures.picture import Picture
from ...strings.wording import counted, wording
from ...studies.kept_table import KeptTable
from ...studies.reading import StudyTable
from ...studies.rows import Page, measured, page_of, usual_columns
from ...studies.values import Kind
from ..board import Board
from ..controls import UNCHOSEN, button, column, control, follow, labelled, row
from ..messages import CodeLine, Message
from ..names import notebook
from ..opened_rows import OpenedRows
from ..row_filter import RowFilter
from ..rows_table import RowsTable, name_of
from .section import Section

ROWS: Final = 12
"""Rows of a page."""
_COLUMNS: Final = 10  # more would be too narrow to be read


class StudySection(Section):
    """A page of rows, which a press on a heading sorts; conditions on columns; a measure over a factor.

    Whenever the tab is opened or a control is moved, the study may have grown: the table is read anew if its files have
    changed, and only then.
    """

    title: ClassVar[str] = "Study"
    needs_trace: ClassVar[bool] = False
    always_drawn: ClassVar[bool] = True

    def __init__(self, board: Board, study: StudyTable) -> None:
        super().__init__(board)
        self._study, self._kept = study, KeptTable(study)
        self._first, self._sort, self._descending = 0, None, False  # type: tuple[int, str | None, bool]
        self._kinds: Mapping[str, Kind] = {}
        self._page = Page((), 0, 0)
        self._open: str | None = None
        self._settled = True
        self._says = Message()
        self._says.widget.layout.width = "auto"
        refresh = button(*labelled("dashboard.study.refresh"), self.draw, icon="refresh")
        self._filter = RowFilter(self._kept, self._from_the_first, self.message.fail)
        self._columns = control(
            widgets.SelectMultiple,
            wording("dashboard.study.columns"),
            wording("dashboard.study.columns.tip", most=_COLUMNS),
            width="440px",
            rows=6,
        )
        follow(self._columns, self._moved)
        self._table = RowsTable(self._sorted_by, self.open)
        self._before = button(*labelled("dashboard.study.previous"), lambda: self._turn(-ROWS), icon="chevron-left")
        self._after = button(*labelled("dashboard.study.next"), lambda: self._turn(ROWS), icon="chevron-right")
        self._place = Message()
        self._place.widget.layout.width = "auto"
        self._opening = OpenedRows(board, study, self._opened)
        self._code = CodeLine(board.written)
        self._what, self._over = (
            control(widgets.Dropdown, *labelled(key), width="380px", options=[_nothing()])
            for key in ("dashboard.study.what", "dashboard.study.over")
        )
        for made in (self._what, self._over):
            follow(made, self._moved)
        choices = row([self._filter.widget, self._columns], align_items="flex-start")
        self._filter.widget.layout.width, self._filter.widget.layout.flex = "auto", "1 1 520px"
        self.widget = column(
            [
                row([self._says.widget, refresh]),
                choices,
                self.message.widget,
                self._opening.widget,
                self._table,
                row([self._before, self._after, self._place.widget]),
                self._code.widget,
                row([self._what, self._over]),
                self.box.widget,
            ],
            padding="6px 0",
        )

    def _draw(self) -> None:
        self._offer(self._kept.kinds)
        self._show_rows()
        self.message.say(wording("dashboard.study.no_row_left") if self._filter.where and not self._page.found else "")
        if not self._attempt(self._show_figure):
            self.box.clear()

    def _offer(self, kinds: Mapping[str, Kind]) -> None:
        """Offers the columns that there are now; what is chosen stays chosen."""
        if list(kinds) == list(self._kinds):
            return
        added = [name for name in measured(kinds) if name not in self._kinds] if self._kinds else []
        self._settled = False
        usual = usual_columns(self._kept)
        chosen = [name for name in self._columns.value if name in kinds] or usual
        self._kinds = kinds
        self._columns.options = [*usual, *(name for name in kinds if name not in (*usual, "call"))]
        self._columns.value = [*chosen, *added][:_COLUMNS]
        self._filter.offer(kinds)
        numbers = [name for name in measured(kinds) if kinds[name] == "number"]
        factors = [name for name in kinds if name == "seed" or name.startswith(("run.", "about."))]
        for made, names in ((self._what, [*numbers, "seconds"]), (self._over, factors)):
            kept, made.options = made.value, [_nothing(), *((name, name) for name in names)]
            made.value = kept if kept in names else UNCHOSEN
        self._over.value = self._over.value or "seed"
        self._sort = self._sort if self._sort in kinds else None
        self._settled = True

    def _show_rows(self) -> None:
        columns, where = self._shown_columns(), self._filter.where
        named = [name for name in ("run.prompt", "seed") if name in self._kinds]
        self._page = page_of(
            self._kept,
            [*columns, *named],
            where=where or None,
            sort=self._sort,
            descending=self._descending,
            first=self._first,
            most=ROWS,
        )
        self._first = page = self._page.first
        how = self._kept.progress()
        said = wording("dashboard.study.says", study=how.study, rows=counted(how.rows, "row"))
        if how.planned is not None:
            planned = counted(how.planned, "planned_run")
            said = wording("dashboard.study.says.planned", said=said, planned=planned)
        if how.errors:
            said = wording("dashboard.study.says.failed", said=said, errors=count(how.errors))
        for file in self._kept.damaged:
            said = wording("dashboard.study.says.lost", said=said, file=file)
        self._says.say(said)
        last = page + len(self._page.rows)
        place = wording("dashboard.study.place.none")
        if self._page.rows:
            place = wording("dashboard.study.place", first=page + 1, last=last, all=count(self._page.found))
        self._place.say(place)
        self._before.disabled, self._after.disabled = page == 0, last >= self._page.found
        caption = "dashboard.study.caption.sorted" if self._sort else "dashboard.study.caption"
        self._table.show(
            self._page,
            columns,
            self._kinds,
            sort=self._sort,
            descending=self._descending,
            opened=self._open,
            caption=wording(caption, place=place, study=how.study, column=self._sort),
        )
        self._code.show(*self._lines(columns))

    def _shown_columns(self) -> list[str]:
        columns = [name for name in self._columns.options if name in self._columns.value]
        if not columns:
            raise TraceError("no column is chosen: press one in the list of columns, Ctrl for several")
        if len(columns) > _COLUMNS:
            raise TraceError(f"{len(columns)} columns are chosen, and {_COLUMNS} have room: choose fewer")
        return columns

    def _lines(self, columns: Sequence[str]) -> list[str]:
        """The code that gives this table, and the run that was opened."""
        lines = []
        if not any(value is self._study for value in notebook().values()):
            lines.append(f"study = sdx.studies.read({str(self._study.folder)!r})")
        where = f", where={self._filter.where!r}" if self._filter.where else ""
        way = ", ascending=False" if self._descending else ""
        by = f".sort_values({self._sort!r}{way})" if self._sort else ""
        lines.append(f"table = study.table({list(columns)!r}{where}){by}")
        if self._open is not None:
            lines.append(f"trace = study.open({self._open!r})")
        return lines

    def _show_figure(self) -> None:
        from ...views import study_distribution

        what, over, where = self._what.value, self._over.value, dict(self._filter.where)
        if UNCHOSEN in (what, over):
            self.box.clear()
            return
        clusters = {} if "run.prompt" in self._kinds else {"clusters": "identity"}
        self._show(lambda: study_distribution(self._kept, what, over=over, where=where or None, **clusters))

    def _moved(self) -> None:
        if self._settled:
            self.draw()

    def _from_the_first(self) -> None:
        self._first = 0
        self.draw()

    def _turn(self, by: int) -> None:
        self._first = max(0, self._first + by)
        self.draw()

    def _sorted_by(self, name: str) -> None:
        if name not in self._kinds:
            return
        self._descending = name == self._sort and not self._descending
        self._sort = name
        self._from_the_first()

    def open(self, identity: str) -> None:
        """Opens the run of a row in the dashboard."""
        found: Any = next((one for one in self._page.rows if one["identity"] == identity), {"identity": identity})
        self._opening.open(identity, name_of(found))

    def _opened(self, identity: str) -> None:
        self._open = identity
        self._attempt(self._show_rows)

    def figure(self) -> Picture:
        """The figure of the measure that is chosen."""
        if UNCHOSEN in (self._what.value, self._over.value):
            raise TraceError("the section 'Study' draws no figure yet: choose a measure at 'figure of'")
        return super().figure()

    def clear(self) -> None:
        """Removes the table and the figure."""
        super().clear()
        self._kept.forget()
        self._table.clear()
        self._code.show()
        self._place.say("")
        self._says.say("")


def _nothing() -> tuple[str, str]:
    return wording("dashboard.study.nothing"), UNCHOSEN
