"""The section "Compare": one argument with several values, and two of the last runs side by side."""

import ast
import re
from typing import Any, ClassVar

import ipywidgets as widgets

from ...base.errors import RunError
from ...strings.wording import wording
from ...trace.collections import Comparison
from ...trace.trace import Trace
from ..board import Board
from ..compared_runs import ComparedRuns
from ..controls import UNCHOSEN, button, column, control, follow, labelled, row
from ..linked_pair import PairPlace
from ..picture_boxes import PictureBox
from .section import Section

OVER = (
    "guidance_scale",
    "seed",
    "num_inference_steps",
    "scheduler",
    "prompt",
    "negative_prompt",
    "guidance_rescale",
    "without",
)
"""The arguments to compare over, as far as the pipeline's call names them."""

_EXAMPLES = {
    "guidance_scale": "1, 3, 7.5",
    "seed": "0, 1, 2",
    "num_inference_steps": "5, 10, 25",
    "scheduler": "DDIM, Euler, DPM++ 2M",
    "prompt": "a cat in space; a dog in space",
    "negative_prompt": "blue; red",
    "guidance_rescale": "0, 0.7",
    "without": "none; cat",
}
_TEXT = ("scheduler", "prompt", "negative_prompt", "without")
_BETWEEN = dict.fromkeys(("prompt", "negative_prompt", "without"), ";")  # their values may hold commas


class CompareSection(Section):
    """A run for each value, from the same noise; below, the words of two of the last runs on one scale."""

    title: ClassVar[str] = "Compare"
    needs_trace: ClassVar[bool] = False
    always_drawn: ClassVar[bool] = True

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        offered = [name for name in OVER if name in (*board.known, "seed", "scheduler", "without")]
        self._over = control(widgets.Dropdown, *labelled("dashboard.compare.over"), width="240px", options=offered)
        self._values = control(
            widgets.Text,
            *labelled("dashboard.compare.values"),
            width="420px",
            value=_EXAMPLES["guidance_scale"],
            continuous_update=False,
        )
        self._between = widgets.HTML()
        follow(self._over, self._chosen)
        self._chosen()
        start = button(
            *labelled("dashboard.compare.start"),
            self.compare,
            icon="th",
            button_style="",
        )
        self._runs = ComparedRuns(board, start, self._compared, self.box.clear)
        picks = {
            name: control(
                widgets.Dropdown,
                name,
                wording("dashboard.compare.pick.tip", name=name),
                width="min(46%, 460px)",
                options=[_unchosen()],
            )
            for name in ("a", "b")
        }
        self._picks = picks
        for pick in picks.values():
            follow(pick, self._draw_pair)
        self._pair = PictureBox(board.article, board.written)
        self._beside = PairPlace()
        self._settled = True
        runs = column([row([self._over, self._values, self._between]), self._runs.widget])
        runs.layout.display = "" if board.pipe is not None else "none"
        self.widget = column(
            [
                runs,
                self.message.widget,
                self.box.widget,
                row(list(picks.values())),
                self._beside.widget,
                self._pair.widget,
            ],
            padding="6px 0",
        )

    def _chosen(self) -> None:
        """Writes an example for the chosen argument, and names the sign that separates its values."""
        name = self._over.value
        self._values.value = _EXAMPLES[name]
        self._between.value = wording("dashboard.compare.between", sign=_BETWEEN.get(name, ","))

    def _draw(self) -> None:
        options = [_unchosen(), *self.board.named_runs()]
        if [name for name, _ in options] != [option[0] for option in self._picks["a"].options]:
            self._offer(options)
        if self.box.picture is None:
            stored = self.board.pipe is None
            self.message.say(wording("dashboard.compare.choose" if stored else "dashboard.compare.nothing"))

    def _offer(self, options: list[tuple[str, Any]]) -> None:
        """Offers these runs; a chosen one that is still there stays chosen."""
        before = self._chosen_pair
        self._settled = False
        for pick in self._picks.values():
            kept, pick.options = pick.value, options
            pick.value = kept if any(kept is trace for _, trace in options) else UNCHOSEN
        self._settled = True
        if self._chosen_pair != before:
            self._draw_pair()

    @property
    def _chosen_pair(self) -> tuple[Any, ...]:
        return tuple(pick.value for pick in self._picks.values())

    def _draw_pair(self) -> None:
        if not self._settled:
            return
        a, b = self._chosen_pair
        self._close_pair()
        if isinstance(a, Trace) and isinstance(b, Trace) and not self._attempt(lambda: self._show_pair(a, b)):
            self._close_pair()

    def _show_pair(self, a: Trace, b: Trace) -> None:
        """Two explorers that move together, and the figure of the words that both prompts hold."""
        from ...views import attention_compare

        self._beside.show(a, b, (self._picks["a"].label, self._picks["b"].label))
        self._show(lambda: attention_compare(a, b), self._pair)

    def _close_pair(self) -> None:
        self._pair.clear()
        self._beside.clear()

    def compare(self) -> None:
        """Runs once for each of the written values."""
        name = self._over.value
        try:
            over = {name: values_of(name, self._values.value)}
        except RunError as error:
            self._runs.fail(error)
            return
        self._runs.start(over)

    def _compared(self, found: Comparison) -> None:
        from ...views import comparison

        self._draw()
        self._picks["b"].value = UNCHOSEN  # a pair that is half an older one is never drawn
        for pick, trace in zip(self._picks.values(), found.traces, strict=False):
            pick.value = trace
        if not self._attempt(lambda: self._show(lambda: comparison(found))):
            self.box.clear()

    def clear(self) -> None:
        """Removes the figures and the explorers."""
        super().clear()
        self._close_pair()

    def forget(self) -> None:
        """Drops the runs that could be picked, too."""
        super().forget()
        for pick in self._picks.values():
            pick.options = [_unchosen()]


def _unchosen() -> tuple[str, str]:
    return wording("dashboard.compare.pick.none"), UNCHOSEN


def values_of(name: str, text: str) -> list[Any]:
    """The values that `text` gives for the argument `name`.

    Raises:
        RunError: There is no value, only one, or one that is not valid; the message has an example.
    """
    parts = [part.strip() for part in re.split(_BETWEEN.get(name, "[,;]"), text)]
    parts = [part for part in parts if part]
    if not parts:
        raise RunError(f"no values of {name} in {text!r}; write for example {_EXAMPLES[name]}")
    if len(parts) == 1:
        between = _BETWEEN.get(name, ",")
        raise RunError(
            f"{parts[0]!r} is one value of {name}, and several are compared: "
            f"write {between} between them, for example {_EXAMPLES[name]}"
        )
    if name == "without":  # each value is a word that is left out
        return [None if part == "none" else part for part in parts]
    if name in _TEXT:
        return parts
    values: list[Any] = []
    for part in parts:
        try:
            value = ast.literal_eval(part)
        except (ValueError, SyntaxError):
            value = None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise RunError(f"{part!r} is no value of {name}; write for example {_EXAMPLES[name]}")
        values.append(value)
    return values
