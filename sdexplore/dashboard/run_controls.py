"""The controls of a run: prompt, seed, steps, guidance, scheduler, size; Run and Stop."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ..base.known_names import SCHEDULERS
from .board import Board
from .controls import bind, button, column, control, row
from .state import MOST_SEED


class RunControls:
    """The arguments of a run. A control is hidden if the pipeline's call does not name its argument."""

    def __init__(self, board: Board, run: Callable[[], object], stop: Callable[[], object]) -> None:
        self._board = board
        text = widgets.Textarea
        known, side = board.known, _side(board.pipe)
        own = type(board.pipe.scheduler).__name__.removesuffix("Scheduler")
        made: dict[str, Any] = {
            "prompt": control(text, "prompt", "What the picture shows", rows=3, continuous_update=True),
            "negative_prompt": control(
                text, "negative", "negative_prompt: what the picture should not show; empty: not passed", rows=1
            ),
            "seed": control(
                widgets.BoundedIntText, "seed", "The seed of the first image's noise", min=0, max=MOST_SEED
            ),
            "num_inference_steps": control(
                widgets.IntSlider,
                "steps",
                "num_inference_steps: how many denoising steps",
                min=1,
                max=max(100, board.state.num_inference_steps),
                continuous_update=False,
            ),
            "guidance_scale": control(
                widgets.FloatSlider,
                "guidance",
                "guidance_scale: 1 is off; a larger value follows the prompt more closely",
                min=0.0,
                max=max(20.0, board.state.guidance_scale),
                step=0.5,
                continuous_update=False,
            ),
            "scheduler": control(
                widgets.Dropdown,
                "scheduler",
                "For the runs of this dashboard; the pipeline keeps its own",
                options=[(f"{own} (its own)", ""), *((name, name) for name in SCHEDULERS)],
            ),
            "height": control(_Pixels, "height", "In pixels", side=side, continuous_update=False),
            "width": control(_Pixels, "width", "In pixels", side=side, continuous_update=False),
        }
        for name, widget in made.items():
            if name in ("height", "width"):
                bind(
                    board.state,
                    name,
                    widget,
                    shown=lambda value: side or 512 if value is None else value,
                    meant=lambda value: None if value == side else value,
                )
            else:
                bind(board.state, name, widget)
            if name not in known and name not in ("seed", "scheduler"):
                widget.layout.display = "none"
        self._run = button("Run", "Runs the pipeline; a run under way is stopped", run, icon="play")
        self._run.button_style = "primary"
        self._stop = button(
            "Stop", "Stops after this step; the steps so far are kept", stop, icon="stop", disabled=True
        )
        size = row([made.pop("height"), made.pop("width")])
        for one in size.children:
            one.layout.width, one.layout.flex = "auto", "1 1 40%"
        self.widget: Any = column([*made.values(), size, row([self._run, self._stop])], width="auto")

    def busy(self, running: bool) -> None:  # noqa: FBT001  (the new state)
        """Enables Stop while a run is under way or waits, and disables it otherwise."""
        self._stop.disabled = not running


def _Pixels(*, side: int | None, **options: Any) -> Any:  # noqa: ANN401, N802  (stands for a class)
    return widgets.BoundedIntText(min=8, max=4096, step=8, value=side or 512, **options)


def _side(pipe: Any) -> int | None:  # noqa: ANN401  (any diffusers pipeline)
    from ..model.inspection.situation import situation

    return situation(pipe).side
