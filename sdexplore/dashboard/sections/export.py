"""The section "Export": the article and what it holds, the trace as a file or as a page."""

import base64
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import ipywidgets as widgets
from PIL import Image

from ...base.atomic_files import named
from ...base.display import clip, escape
from ...base.errors import SdexploreError, TraceError
from ...publish.sites.registry import SITES
from ...strings.wording import wording
from ...trace.trace import Trace
from ..board import Board
from ..controls import button, column, control, follow, labelled, row
from ..messages import FAINT
from ..progress import Status
from ..worker import Cancelled
from .section import Section

_SIDE = 120


class ExportSection(Section):
    """Writes files under the chosen folder, and says which.

    Figures go into the article by the form beneath each of them; here stands what the article holds.
    """

    title: ClassVar[str] = "Export"
    needs_trace: ClassVar[bool] = False
    always_drawn: ClassVar[bool] = True

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        place = board.article
        self._fields = {
            "slug": control(
                widgets.Text,
                *labelled("dashboard.export.slug"),
                value=place.slug,
                continuous_update=False,
            ),
            "flavor": control(
                widgets.Dropdown,
                *labelled("dashboard.export.flavor"),
                options=tuple(SITES),
                width="240px",
            ),
            "root": control(
                widgets.Text,
                *labelled("dashboard.export.root"),
                value=place.root,
                continuous_update=False,
            ),
        }
        for one in self._fields.values():
            follow(one, self._moved)
        self._title = control(
            widgets.Text,
            *labelled("dashboard.export.title"),
            value=place.title,
            continuous_update=False,
        )
        follow(self._title, self._titled)
        self._held = widgets.HTML(layout=widgets.Layout(width="100%"))
        self._file = control(widgets.Text, *labelled("dashboard.export.file"), value="trace")
        actions = row(
            [
                button(*labelled("dashboard.export.trace"), self.save, icon="save"),
                button(*labelled("dashboard.export.page"), self.page, icon="globe"),
            ]
        )
        self._status = Status()
        self._status.widget.layout.display = "none"
        self.widget = column(
            [
                *self._fields.values(),
                self._title,
                self.message.widget,
                self._held,
                self._file,
                actions,
                self._status.widget,
            ],
            padding="6px 0",
        )

    def _moved(self) -> None:
        """Takes over the article that is named now, and shows what it holds."""
        for name, one in self._fields.items():
            setattr(self.board.article, name, one.value)
        if self._title.value and self._has_figures():
            self._title.value = ""  # it was typed for another article, and this one has its own
        self.draw()

    def _titled(self) -> None:
        """Takes over the title; an article that holds figures is written with it."""
        place = self.board.article
        place.title = self._title.value
        self.draw()
        if place.title.strip() and self._has_figures():
            self._attempt(lambda: self.message.say(wording("dashboard.article.written", path=place.opened().save())))

    def _has_figures(self) -> bool:
        """Whether there is such an article; of one that the site would refuse, False."""
        try:
            return bool(self.board.article.opened().pictures)
        except SdexploreError:
            return False

    def _draw(self) -> None:
        self._held.value = ""
        article = self.board.article.opened()
        self._title.placeholder = self.board.article.title_for()
        held = article.pictures
        self._held.value = "".join(_row(key, entry, article.file_of(key)) for key, entry in held.items())
        self.message.say(wording("dashboard.export.holds" if held else "dashboard.export.empty"))

    def clear(self) -> None:
        """Removes what is shown of the article."""
        super().clear()
        self._held.value = ""

    def save(self) -> None:
        """Writes the trace, with the pictures of steps that its Record names."""
        self._write(".safetensors", lambda trace, path: trace.save(path))

    def page(self) -> None:
        """Writes the page in which readers explore the trace."""
        from ...publish.pages import page

        self._write(".html", page)

    def _path(self, ending: str) -> Path:
        """The path of the file in the chosen folder."""
        name, root = self._file.value.strip().removesuffix(ending), self.board.article.root
        if not name or name.startswith(".") or set(name) & set("/\\:"):
            raise TraceError(f"{self._file.value!r} is no name for a file in {root!r}; write for example trace")
        return named(root) / f"{name}{ending}"

    def _write(self, ending: str, write: Callable[[Trace, Path], Path]) -> None:
        """Decodes what the Record names, off the main thread; then writes the file, and says which and how."""
        status = self._status
        status.widget.layout.display = ""
        try:
            trace, path = self._trace(), self._path(ending)
        except SdexploreError as error:
            status.fail(error)
            return

        def job(cancelled: Cancelled) -> None:
            how = "dashboard.export.replaced" if path.exists() else "dashboard.export.written"
            waiting = trace.undecoded
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                status.go_on(wording("dashboard.decoding"))
                if waiting and trace.undecodable is None:
                    trace.decode(waiting, on_step=lambda progress: self._decoded(progress, cancelled))
                status.go_on(wording("dashboard.writing"))
                said = wording(how, path=write(trace, path))
            status.end(". ".join([said, *dict.fromkeys(str(note.message) for note in notes)]))

        self.board.work(job, status)

    def _decoded(self, progress: Any, cancelled: Cancelled) -> None:  # noqa: ANN401  (of the trace's room)
        self._status.reach(progress.done, progress.total, "decoded")
        if cancelled():
            progress.stop()


def _row(key: str, entry: Any, content: bytes | None) -> str:  # noqa: ANN401  (of the article's room)
    """A picture of the article: as it is, small, with its number, key, caption and alt text."""
    caption = clip(entry.caption or wording("dashboard.export.no_caption"), 300)
    words = f"<b>{escape(entry.file)}</b> · {escape(key)}<br>{escape(caption)}"
    alt = f'<div style="color:{FAINT}">{escape(clip(entry.alt, 300))}</div>'
    return (
        '<div style="display:flex;gap:12px;align-items:flex-start;margin:6px 0;line-height:1.4">'
        f'<div style="flex:0 0 {_SIDE}px">{_small(content, entry.alt)}</div>'
        f'<div style="min-width:0">{words}{alt}</div></div>'
    )


def _small(content: bytes | None, alt: str) -> str:
    if content is None:
        return wording("dashboard.export.gone")
    try:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return wording("dashboard.export.unreadable")
    picture.thumbnail((2 * _SIDE, 2 * _SIDE))
    small = io.BytesIO()
    picture.save(small, "WEBP", quality=80)
    source = base64.b64encode(small.getvalue()).decode("ascii")
    place = f'alt="{escape(clip(alt, 300))}" style="width:{_SIDE}px;height:auto"'
    return f'<img src="data:image/webp;base64,{source}" {place}>'
