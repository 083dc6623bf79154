"""The section "Export": the last figure into an article, the trace into a file or into a page."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets

from ...base.atomic_files import named
from ...base.errors import TraceError
from ...publish.sites.registry import SITES
from ..board import Board
from ..controls import button, column, control, row
from .section import Section


class ExportSection(Section):
    """Writes files under the chosen folder, and says which.

    The figure is the one that was drawn last, in any section.
    """

    title: ClassVar[str] = "Export"
    needs_trace: ClassVar[bool] = False
    always_drawn: ClassVar[bool] = True

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._slug = control(
            widgets.Text,
            "slug",
            "The article's name in its address: 12 to 50 of a-z, 0-9, - and _",
            value="inside-stable-diffusion",
        )
        self._key = control(
            widgets.Text,
            "key",
            "The figure's name; the same name replaces the figure; empty: the name of the view",
            value="",
        )
        self._caption = control(
            widgets.Text, "caption", "The text beneath the figure; empty: the last caption, or the figure's own words"
        )
        self._flavor = control(
            widgets.Dropdown,
            "flavor",
            "The site for which the Markdown is written",
            options=tuple(SITES),
            width="240px",
        )
        self._root = control(widgets.Text, "root", "The folder that holds images/ and articles/", value=".")
        self._file = control(widgets.Text, "file", "The name of the trace's file, or of the page", value="trace")
        actions = row(
            [
                button("Into the article", "Writes the last figure and the Markdown", self.export, icon="picture-o"),
                button("Trace", "Writes the whole record; sdx.Trace.load opens it", self.save, icon="save"),
                button("Page", "Writes one HTML file in which readers explore the trace", self.page, icon="globe"),
            ]
        )
        fields = (self._slug, self._key, self._caption, self._flavor, self._root, self._file)
        self.widget = column(
            [column([*fields, actions], max_width="680px"), self.message.widget, self.box.widget], padding="6px 0"
        )

    def _draw(self) -> None:
        picture = self.board.picture
        self.message.say("Nothing is drawn yet: open another section first." if picture is None else "To be exported:")
        if picture is not None:
            self.box.show_as_it_is(picture, self.board.page)
            self._boxes[self.box] = None

    def export(self) -> None:
        """Writes the last figure, and the Markdown of its article."""

        def write() -> str:
            from ...publish.article import Article

            picture = self.board.picture
            if picture is None:
                raise TraceError("there is no figure yet: open Denoising, Guidance or Attention first")
            article = Article(self._slug.value, flavor=self._flavor.value, root=self._root.value)
            article.add(picture, key=self._key.value.strip() or None, caption=self._caption.value or None)
            return f"Written: {article.save()}"

        self._write(write)

    def save(self) -> None:
        """Writes the trace."""

        def write() -> str:
            path, how = self._path(".safetensors")
            return f"{how}: {self._trace().save(path)}"

        self._write(write)

    def page(self) -> None:
        """Writes the page in which readers explore the trace."""

        def write() -> str:
            from ...publish.pages import page

            path, how = self._path(".html")
            return f"{how}: {page(self._trace(), path)}"

        self._write(write)

    def _path(self, ending: str) -> tuple[Path, str]:
        """The path of the file in the chosen folder, and "Written" or "Replaced" for what will happen to it."""
        name = self._file.value.strip().removesuffix(ending)
        if not name or name.startswith(".") or set(name) & set("/\\:"):
            raise TraceError(
                f"{self._file.value!r} is no name for a file in {self._root.value!r}; write for example trace"
            )
        path = named(self._root.value) / f"{name}{ending}"
        return path, "Replaced" if path.exists() else "Written"

    def _write(self, write: Callable[[], str]) -> None:
        """Calls `write`, and shows its words and its warnings."""
        self.message.say("Writing …")

        def act() -> None:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                said = write()
            self.message.say(". ".join([said, *dict.fromkeys(str(note.message) for note in notes)]))

        self._attempt(act)
