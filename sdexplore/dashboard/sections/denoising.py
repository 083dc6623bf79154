"""The section "Denoising": the steps one by one, from noise to picture."""

from contextlib import suppress
from typing import ClassVar

import ipywidgets as widgets
import numpy as np

from ...analysis.trajectory import LINEAR, step_picture
from ...base.display import Table, to_html
from ...base.errors import TraceError
from ...trace.trace import Trace
from ..board import Board
from ..controls import bind, column, control, row
from ..picture_boxes import enlarged_png, picture_box
from .section import Section

_SIDE = 300


class DenoisingSection(Section):
    """x_t and the predicted x0 at one step, with its timestep and noise; below, a figure of all steps.

    Both pictures are decoded by the VAE if the run decoded that step. Otherwise they are the linear preview, and the
    text beneath says so.
    """

    title: ClassVar[str] = "Denoising"
    uses: ClassVar[tuple[str, ...]] = ("step",)

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._step = bind(
            board.state,
            "step",
            control(widgets.IntSlider, "step", "The denoising step that is shown, from 0", min=0, max=0, width="420px"),
        )
        self._play = widgets.Play(min=0, max=0, interval=350, tooltip="Shows the steps one after the other")
        self._together = widgets.jslink((self._play, "value"), (self._step, "value"))
        self._noisy = picture_box(_SIDE)
        self._clean = picture_box(_SIDE)
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

    def _draw(self) -> None:
        trace = self._trace()
        last = trace.num_steps - 1
        self._step.max = self._play.max = last
        step = self._step.value = min(self.board.state.step, last)
        self._look_at(trace, step)
        if self._whole is not trace:
            from ...views import denoising

            with suppress(TraceError):  # the figure then has linear previews, and says why
                trace.decode(trace.undecoded, on_step=lambda _: None)  # without a bar among other cells' output
            self._show(lambda: denoising(trace))
            self._whole = trace
        self.message.say("")

    def _look_at(self, trace: Trace, step: int) -> None:
        for x0, picture, text in ((False, self._noisy, self._under[0]), (True, self._clean, self._under[1])):
            name = "predicted x0 (pred_original_sample)" if x0 else "x_t, before the step"
            try:
                drawn = step_picture(trace, step, x0=x0, decode=step in trace.decoded)
            except TraceError as error:
                text.value = to_html([Table((name,), [(str(error),)])])
                continue
            picture.value = enlarged_png(drawn.pixels, _SIDE)
            how = "linear preview, a square a latent pixel" if drawn.by == LINEAR else f"decoded by the {drawn.by}"
            text.value = f"<b>{name}</b><br>{how}"
        self._facts.value = to_html([Table(("fact", "value"), _facts(trace, step), frozenset({"value"}))])

    def forget(self) -> None:
        """Drops the trace."""
        super().forget()
        self._whole = None

    def close(self) -> None:
        """Drops everything."""
        super().close()
        self._together.close()


def _facts(trace: Trace, step: int) -> list[tuple[str, str]]:
    rows = [("step", f"{step} (of 0 to {trace.num_steps - 1})"), ("timestep", f"{trace.timesteps[step]:g}")]
    if trace.sigmas is not None:
        sigma = float(trace.sigmas[step])
        rows.append(("σ = √(1−ᾱ)/√ᾱ", f"{sigma:.4g}"))
        rows.append(("SNR = 1/σ²", f"{1 / sigma**2:.4g}" if sigma else "∞"))
    if trace.latents is not None:
        rows.append(("std of x_t (as held)", f"{float(trace.latents[step].std()):.4g}"))
    for role, prediction in trace.noise_preds.items():
        if not np.isnan(prediction[step]).any():
            rows.append((f"std of noise_pred, {role}", f"{float(prediction[step].std()):.4g}"))
    return rows
