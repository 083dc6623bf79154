"""The tabs of a dashboard: which section is open, and which sections must be drawn again."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import ipywidgets as widgets

from ..base.errors import TraceError, did_you_mean
from ..strings.wording import wording
from .board import Board
from .language import as_now
from .sections.attention import AttentionSection
from .sections.change import ChangeSection
from .sections.compare import CompareSection
from .sections.components import ComponentsSection
from .sections.denoising import DenoisingSection
from .sections.export import ExportSection
from .sections.guidance import GuidanceSection
from .sections.pixels import PixelsSection
from .sections.section import Section
from .sections.study import StudySection
from .sections.tokens import TokensSection

SECTIONS: Final[tuple[type[Section], ...]] = (
    PixelsSection,
    AttentionSection,
    DenoisingSection,
    GuidanceSection,
    TokensSection,
    ComponentsSection,
    ChangeSection,
    CompareSection,
    ExportSection,
)
"""The sections in the order of their tabs. A new section is a file in sections/ and a line here.

A dashboard of a study has its table before them.
"""


_PAGE: Final = ["theme", "wide", "density"]


class Tabs:
    """One tab for each section. A section is drawn when its tab is open and its content has changed.

    Attributes:
        sections: Title -> section, in order.
        widget: The tabs.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        of_study = [] if board.study is None else [StudySection(board, board.study)]
        self.sections: dict[str, Section] = {one.title: one for one in [*of_study, *(kind(board) for kind in SECTIONS)]}
        self._outdated = set(self.sections)
        self.widget: Any = widgets.Tab([section.widget for section in self.sections.values()])
        self.widget.titles = [section.label for section in self.sections.values()]
        self._page_changed = as_now(self._followed)

    def follow(self) -> list[Callable[[], None]]:
        """Follows the state from now on, and the state follows the tabs; returns the functions that end this."""
        state, page = self._board.state, self._board.page
        self.widget.observe(self._turned, "selected_index")
        page.observe(self._page_changed, _PAGE)
        return [
            lambda: page.unobserve(self._page_changed, _PAGE),
            state.follow(("section",), self._open),
            *(
                state.follow(section.uses, lambda title=title: self._changed(title))  # type: ignore[misc]  # bound now
                for title, section in self.sections.items()
                if section.uses
            ),
        ]

    def open_first(self) -> None:
        """Opens the section that the state names, or else the first one."""
        if self._board.state.section:
            self._open()
        else:
            self._board.state.section = next(iter(self.sections))

    @property
    def open(self) -> Section:
        """The section whose tab is open."""
        return self.sections[self._board.state.section]

    def redraw(self) -> None:
        """Draws the open section now, and each other section when its tab is opened."""
        self._outdated = set(self.sections)
        self._draw_and_say()

    def say_what_is_missing(self) -> None:
        """Says in each section that needs a trace why it shows nothing yet."""
        for section in self.sections.values():
            if section.needs_trace:
                section.say_that_nothing_is_there()

    def close(self) -> None:
        """Closes all sections."""
        for section in self.sections.values():
            section.close()

    def _followed(self, _: object) -> None:
        """The page is another one: the open section is drawn for it now, each other one when its tab is opened."""
        self.open.follow_page()

    def _turned(self, change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            self._board.state.section = list(self.sections)[change["new"]]

    def _open(self) -> None:
        titles = list(self.sections)
        wanted = self._board.state.section
        if wanted not in titles:
            self._board.status.fail(TraceError(f"no section {wanted!r}; {did_you_mean(wanted, titles)}"))
            self._board.state.section = titles[self.widget.selected_index or 0]
            return
        self.widget.selected_index = titles.index(wanted)
        self._draw_and_say()

    def _changed(self, title: str) -> None:
        self._outdated.add(title)
        self._draw()

    def _draw_and_say(self) -> None:
        with self._board.status.also(wording("dashboard.drawing", section=self.open.label)):
            self._draw()

    def _draw(self) -> None:
        section = self.open
        if section.title in self._outdated or section.always_drawn:
            self._outdated.discard(section.title)
            section.draw()
        section.follow_page()
