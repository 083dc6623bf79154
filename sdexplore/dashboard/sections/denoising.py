"""The section "Denoising": the steps one by one, from noise to picture."""

import time
from typing import ClassVar

import ipywidgets as widgets
import numpy as np

from ...analysis.trajectory import LINEAR, step_picture
from ...base.display import Table, escape, to_html, with_infinity
from ...base.errors import TraceError
from ...strings.wording import wording
from ...trace.trace import Trace
from ..board import Board
from ..controls import bind, column, control, labelled, row
from ..picture_boxes import blank, enlarged_png, picture_box
from .section import Section

_SIDE = 300


class DenoisingSection(Section):
    """x_t and the predicted x0 at one step, with its timestep and noise; below, a figure of all steps.

    Linear previews are shown at once. The steps that the Record names are then decoded, one at a time, and take the
    place of their previews. The text beneath each picture says what made it.
    """

    title: ClassVar[str] = "Denoising"
    uses: ClassVar[tuple[str, ...]] = ("step",)
    always_drawn: ClassVar[bool] = True  # pictures may have been decoded while another tab was open

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._step = bind(
            board.state,
            "step",
            control(widgets.IntSlider, *labelled("dashboard.denoising.step"), min=0, max=0, width="420px"),
        )
        self._play = widgets.Play(min=0, max=0, interval=350, tooltip=wording("dashboard.denoising.play"))
        self._together = widgets.jslink((self._play, "value"), (self._step, "value"))
        self._noisy, self._clean = picture_box(_SIDE), picture_box(_SIDE)
        self._under = [widgets.HTML(layout=widgets.Layout(width=f"{_SIDE}px")) for _ in range(2)]
        self._facts = widgets.HTML(layout=widgets.Layout(min_width="220px"))
        pictures = [
            column([picture, text], width=f"{_SIDE + 8}px")
            for picture, text in zip((self._noisy, self._clean), self._under, strict=True)
        ]
        self.widget = column(
            [
                self.message.widget,
                row([self._play, self._step]),
                row([*pictures, self._facts], align_items="flex-start"),
                self.box.widget,
            ],
            padding="6px 0",
        )
        self._whole: Trace | None = None
        self._again = 0.0  # when the figure may be drawn again
        board.decoding.follow(self._decoded)

    def _draw(self) -> None:
        trace = self._trace()
        last = trace.num_steps - 1
        self._step.max = self._play.max = last
        step = self._step.value = min(self.board.state.step, last)
        self._look_at(trace, step)
        if self._whole is not trace:
            self._draw_all(trace)
            self._whole = trace
        self.board.decoding.want(trace, step)
        self.message.say(self.board.decoding.said_of(trace))
        if self.board.busy:
            self.waits()

    def rested(self) -> None:
        """Goes on to decode, if a run came between."""
        self.draw()

    def waits(self) -> None:
        """Says that a run came between."""
        trace = self.board.trace
        if trace is not None and trace is self._whole and trace.undecodable is None:
            self.message.say(wording("dashboard.denoising.later") if trace.undecoded else "")

    def _draw_all(self, trace: Trace) -> None:
        """Draws the figure of all steps as they are now. It takes a fifth of the time at most."""
        from ...views import denoising

        began = time.monotonic()
        self._redraw(lambda: denoising(trace, decode=not trace.undecoded))
        self._again = time.monotonic() + 4 * (time.monotonic() - began)

    def _decoded(self) -> None:
        """Shows a picture that was decoded just now."""
        trace = self.board.trace
        if trace is None or trace is not self._whole:
            return
        if self.board.state.section != self.title:
            self._whole = None  # it is drawn again when it is opened
            return
        said = self.board.decoding.said_of(trace)
        self._attempt(lambda: self._look_at(trace, min(self.board.state.step, trace.num_steps - 1)))
        if not said or time.monotonic() > self._again:
            self._attempt(lambda: self._draw_all(trace))
        self.message.say(said)

    def _look_at(self, trace: Trace, step: int) -> None:
        for x0, picture, text in ((False, self._noisy, self._under[0]), (True, self._clean, self._under[1])):
            name = wording("dashboard.denoising.x0" if x0 else "dashboard.denoising.x_t")
            try:
                drawn = step_picture(trace, step, x0=x0, decode=False)
            except TraceError as error:
                picture.put(blank(), wording("dashboard.denoising.no_picture", name=name))
                text.value = to_html([Table((name,), [(str(error),)])])
                continue
            way = "dashboard.denoising.linear" if drawn.by == LINEAR else "dashboard.denoising.decoded"
            how = wording(way, decoder=drawn.by)
            picture.put(
                enlarged_png(drawn.pixels, _SIDE), wording("dashboard.denoising.alt", name=name, step=step, how=how)
            )
            text.value = f"<b>{name}</b><br>{escape(how)}"
        fact, value = wording("dashboard.fact"), wording("dashboard.value")
        self._facts.value = to_html([Table((fact, value), _facts(trace, step), frozenset({value}))])

    def clear(self) -> None:
        """Removes pictures, facts and figure."""
        super().clear()
        self._whole = None
        for picture, text in zip((self._noisy, self._clean), self._under, strict=True):
            picture.put(blank(), wording("dashboard.place.none"))
            text.value = ""
        self._facts.value = ""

    def close(self) -> None:
        """Drops everything."""
        super().close()
        self._together.close()


def _facts(trace: Trace, step: int) -> list[tuple[str, str]]:
    at = wording("dashboard.denoising.fact.step.of", step=step, last=trace.num_steps - 1)
    rows = [
        (wording("dashboard.denoising.fact.step"), at),
        (wording("dashboard.denoising.fact.timestep"), f"{trace.timesteps[step]:g}"),
    ]
    if trace.sigmas is not None:
        sigma = float(trace.sigmas[step])
        rows.append(("σ = √(1−ᾱ)/√ᾱ", with_infinity(sigma, ".4g")))
        rows.append(("SNR = 1/σ²", f"{1 / sigma**2:.4g}" if sigma else "∞"))
    if trace.latents is not None:
        rows.append((wording("dashboard.denoising.fact.std"), f"{float(trace.latents[step].std()):.4g}"))
    for role, prediction in trace.noise_preds.items():
        if not np.isnan(prediction[step]).any():
            name = wording("dashboard.denoising.fact.std_noise", role=role)
            rows.append((name, f"{float(prediction[step].std()):.4g}"))
    return rows
