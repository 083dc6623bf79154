"""The controls of a run: prompt, seed, steps, guidance, scheduler, size; Run and Stop."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..base.known_names import SCHEDULERS
from ..strings.wording import wording
from ..trace.trace import Trace
from .board import Board
from .controls import bind, button, column, control, labelled, row
from .state import MOST_SEED

_SIDES = ("height", "width")


class RunControls:
    """The arguments of a run. A control is hidden if the pipeline's call does not name its argument."""

    def __init__(self, board: Board, run: Callable[[], object], stop: Callable[[], object]) -> None:
        self._board = board
        text = widgets.Textarea
        known = board.known
        self._usual, self._unit = _sizes(board.pipe)
        own = type(board.pipe.scheduler).__name__.removesuffix("Scheduler")
        made: dict[str, Any] = {
            "prompt": control(text, *labelled("dashboard.run.prompt"), rows=3, continuous_update=True),
            "negative_prompt": control(text, *labelled("dashboard.run.negative"), rows=1),
            "seed": control(widgets.BoundedIntText, *labelled("dashboard.run.seed"), min=0, max=MOST_SEED),
            "num_inference_steps": control(
                widgets.IntSlider,
                *labelled("dashboard.run.steps"),
                min=1,
                max=max(100, board.state.num_inference_steps),
                continuous_update=False,
            ),
            "guidance_scale": control(
                widgets.FloatSlider,
                *labelled("dashboard.run.guidance"),
                min=0.0,
                max=max(20.0, board.state.guidance_scale),
                step=0.5,
                continuous_update=False,
            ),
            "scheduler": control(
                widgets.Dropdown,
                *labelled("dashboard.run.scheduler"),
                options=[
                    (wording("dashboard.run.scheduler.own", name=own), ""),
                    *((name, name) for name in SCHEDULERS),
                ],
            ),
            "height": self._side("height"),
            "width": self._side("width"),
        }
        for name, widget in made.items():
            bind(board.state, name, widget, **(self._sided(name) if name in _SIDES else {}))
            if name not in known and name not in ("seed", "scheduler"):
                widget.layout.display = "none"
        self._run = button(*labelled("dashboard.run.run"), run, icon="play")
        self._run.button_style = "primary"
        self._stop = button(*labelled("dashboard.run.stop"), stop, icon="stop", disabled=True)
        self._sides = {name: made.pop(name) for name in _SIDES}
        size = row(list(self._sides.values()))
        for one in size.children:
            one.layout.width, one.layout.flex = "auto", "1 1 40%"
        self.widget: Any = column([*made.values(), size, row([self._run, self._stop])], width="auto")

    def busy(self, running: bool) -> None:  # noqa: FBT001  (the new state)
        """Enables Stop while a run is under way or waits, and disables it otherwise."""
        self._stop.disabled = not running

    def _side(self, name: str) -> Any:  # noqa: ANN401  (widgets have no types)
        unit = self._unit
        return control(
            widgets.BoundedIntText,
            wording(f"dashboard.run.{name}"),
            wording("dashboard.run.side.tip", unit=unit),
            min=0,
            max=4096,
            step=unit,
            value=self._usual[name],
            continuous_update=False,
        )

    def _sided(self, name: str) -> dict[str, Callable[[Any], Any]]:
        """How the value of the state and the number in the control follow from each other: both are what is drawn."""

        def meant(typed: int) -> int | None:
            fits = max(typed - typed % self._unit, self._unit)
            return None if typed == 0 or fits == self._usual[name] else fits

        return {"shown": lambda value: self._usual[name] if value is None else value, "meant": meant}

    def settle(self, trace: Trace) -> None:
        """Shows the size that a run was drawn at, where it is another one than was asked for, or than was known."""
        used, asked = trace.provenance.get("used", {}), trace.call.get("arguments", {})
        for name, control_ in self._sides.items():
            drawn, value = used.get(name), getattr(self._board.state, name)
            if not isinstance(drawn, int) or asked.get(name) == drawn:
                continue
            if name not in asked:
                self._usual[name] = drawn
                if value is None:
                    control_.value = drawn
            elif asked[name] == value:
                setattr(self._board.state, name, drawn)


def _sizes(pipe: Any) -> tuple[dict[str, int], int]:  # noqa: ANN401  (any diffusers pipeline)
    """Name of each side -> what the pipeline draws by itself, 0 where it does not tell; and the unit of sizes."""
    from ..model.inspection.situation import size_unit, usual_size

    return dict(zip(_SIDES, usual_size(pipe) or (0, 0), strict=True)), size_unit(pipe)
