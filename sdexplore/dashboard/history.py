"""The last runs: a thumbnail, a number, the seed, the prompt, and a button that shows the run again."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..analysis.trajectory import step_picture
from ..base.display import clip, escape, harmless, size
from ..base.errors import TraceError
from ..base.png import png
from ..strings.wording import counted, wording
from ..trace.trace import Trace
from .controls import button, close
from .picture_boxes import blank, enlarged_png, picture_box

MOST = 6
_SIDE = 54


class History:
    """The last runs of a dashboard, newest first. Older runs are dropped, since a trace takes memory.

    Attributes:
        traces: The runs, newest first, at most `most`.
        most: How many are kept.
        count: How many runs there have been.
        widget: Their thumbnails and buttons.
    """

    def __init__(self, chosen: Callable[[Trace], object], most: int = MOST) -> None:
        self.traces: list[Trace] = []
        self.most = most
        self.count = 0
        self._chosen = chosen
        self.widget: Any = widgets.HBox([], layout=widgets.Layout(flex_flow="row wrap", flex="1 1 200px"))

    def add(self, trace: Trace, label: str = "") -> None:
        """Puts `trace` in front, named by `label` or by its number and seed; a known one moves to the front."""
        self.traces = [trace, *(other for other in self.traces if other is not trace)][: self.most]
        entries = {id(trace): entry for trace, entry in zip(self._shown(), self.widget.children, strict=True)}
        self.widget.children = [entries.get(id(one)) or self._entry(one, label) for one in self.traces]
        for gone in set(entries) - {id(one) for one in self.traces}:
            entries[gone].trace = None
            close(entries[gone])

    @property
    def named(self) -> list[tuple[str, Trace]]:
        """(name, trace) of each run, newest first; no two names are equal.

        A name says besides in what these runs differ.
        """
        entries = self.widget.children
        differing = [len(set(values)) > 1 for values in zip(*(entry.facts for entry in entries), strict=True)]
        return [(_named(entry.called, entry.facts, differing), entry.trace) for entry in entries]

    def name_of(self, trace: Trace) -> str:
        """The name of a run; "" if the run is not kept."""
        return next((entry.called for entry in self.widget.children if entry.trace is trace), "")

    def _shown(self) -> list[Trace]:
        return [entry.trace for entry in self.widget.children]

    @property
    def note(self) -> str:
        """How many runs are kept, and their memory, in words."""
        kept = len(self.traces)
        held = size(sum(one.nbytes for one in self.traces))
        return wording("dashboard.header.kept", runs=counted(kept, "run"), size=held)

    def forget(self) -> None:
        """Drops all runs."""
        self.traces, entries = [], self.widget.children
        self.widget.children = []
        for entry in entries:
            entry.trace = None
        close(*entries)

    def _entry(self, trace: Trace, label: str) -> Any:  # noqa: ANN401  (widgets have no types)
        self.count += 1
        prompt, name = trace.prompt or wording("run.no_prompt"), label or _usual_name(self.count, trace)
        facts = (*_made_with(trace), clip(prompt, 200))
        picture = picture_box(_SIDE, wording("dashboard.history.picture", run=name))
        picture.value = thumbnail(trace)
        shown = button(
            clip(name, 80), wording("dashboard.history.again", run=_named(name, facts)), lambda: self._chosen(trace)
        )
        entry = widgets.GridBox(
            [picture, shown, widgets.HTML(f'<div title="{harmless(prompt)}">{escape(clip(prompt, 80))}</div>')],
            layout=widgets.Layout(
                grid_template_columns=f"{_SIDE}px minmax(0, 1fr)",
                grid_gap="0 8px",  # style.css places them: the picture beside name and prompt
                flex="1 1 200px",
                max_width="330px",
                margin="1px 0",
            ),
        )
        entry.trace, entry.called, entry.facts = trace, name, facts
        return entry


def _usual_name(number: int, trace: Trace) -> str:
    return wording("dashboard.history.name", number=number, seed=trace.call.get("seed"))


def _named(name: str, facts: Sequence[str], told: Sequence[bool] = ()) -> str:
    """A run's name, and those of its facts that are to be told and are not in it; none says to tell all."""
    chosen = [fact for fact, tell in zip(facts, told, strict=True) if tell] if told else facts
    return " · ".join([name, *(fact for fact in chosen if fact and fact not in name)])


def _made_with(trace: Trace) -> list[str]:
    """The arguments of a run besides seed and prompt, in words; "" for one that it was not given."""
    given = trace.call.get("arguments", {})
    shape = (given.get("height"), given.get("width")) if trace.image is None else trace.image.shape[:2]
    steps = counted(trace.num_steps, "step")
    scheduler = str(trace.provenance.get("scheduler", {}).get("class", "")).removesuffix("Scheduler")
    return [
        wording("dashboard.history.stopped", steps=steps) if trace.call.get("stopped") else steps,
        f"guidance_scale {given['guidance_scale']:g}" if "guidance_scale" in given else "",
        scheduler,
        "{} × {}".format(*shape) if all(shape) else "",
        f"negative_prompt {clip(str(given['negative_prompt']), 40)!r}" if given.get("negative_prompt") else "",
    ]


def thumbnail(trace: Trace) -> bytes:
    """A small picture of the trace, as a PNG file."""
    pixels = _last(trace)
    if pixels is None:
        return blank()
    picture = Image.fromarray(np.asarray(pixels))
    picture.thumbnail((2 * _SIDE, 2 * _SIDE))
    return png(np.asarray(picture))


def last_picture(trace: Trace, least: int = 320) -> bytes:
    """The trace's picture as a PNG file; of a stopped run, the x0 that its last step predicted."""
    pixels = _last(trace)
    return blank() if pixels is None else enlarged_png(pixels, least)


def _last(trace: Trace) -> UInt8[np.ndarray, "Y X 3"] | None:
    if trace.image is not None:
        return trace.image
    try:
        return step_picture(trace, trace.num_steps - 1, x0=True, decode=False).pixels
    except TraceError:
        return None
