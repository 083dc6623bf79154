"""The runs of a dashboard: started off the main thread, previewed step by step, handed over when they end."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..base.errors import Stopped
from ..trace.collections import Traces
from ..trace.trace import Trace
from .board import Board
from .latest_picture import LatestPicture
from .worker import Cancelled

_PREVIEWS_A_SECOND = 10


class Runs:
    """Starts runs with the state as it is at that moment.

    Args:
        picture: Where the picture of a run grows.
        arrived: Takes the traces of a run that ended, in the main thread; an empty list if nothing was recorded.
    """

    def __init__(self, board: Board, picture: LatestPicture, arrived: Callable[[Sequence[Trace]], object]) -> None:
        self._board, self._picture, self._arrived = board, picture, arrived

    def start(self) -> list[Trace | Exception]:
        """Starts a run; the newest request wins.

        Returns a list that is filled when the run ends: with its first trace, of a stopped run with what it recorded,
        or with its error. It stays empty if nothing was recorded.
        """
        board, state = self._board, self._board.state
        arguments, prompt, seed = board.arguments(), board.prompt, state.seed
        scheduler = state.scheduler or None
        outcome: list[Trace | Exception] = []

        def begun() -> None:
            board.begin()
            self._picture.begin(seed, prompt)

        def job(cancelled: Cancelled) -> None:
            from ..model.series.queued_runs import run_unless

            board.bar.start()
            try:
                result = run_unless(
                    cancelled,
                    board.pipe,
                    prompt,
                    seed=seed,
                    record=board.record,
                    scheduler=scheduler,
                    on_step=self._live(),
                    begun=begun,
                    told=board.bar.say,
                    **arguments,
                )
            except Stopped as stopped:
                traces = _each(stopped.trace)
                outcome.extend(traces[:1])
                self._hand_over([] if board.worker.waiting else traces)
                raise
            except Exception as error:
                outcome.append(error)
                self._hand_over([])
                raise
            board.bar.end()
            traces = _each(result)
            seconds = traces[0].provenance.get("seconds", 0.0)
            board.message.say(f"Done in {seconds:.1f} s, {traces[0].num_steps} steps, seed {seed}.")
            outcome.append(traces[0])
            self._hand_over(traces)

        board.work("Running.", job)
        return outcome

    def _live(self) -> Callable[[Any], None]:
        """What a run calls after each step, with the model's Progress."""
        board, last = self._board, 0.0

        def on_step(progress: Any) -> None:  # noqa: ANN401  (of the model's room)
            nonlocal last
            now = time.monotonic()
            if progress.step and now - last < 1 / _PREVIEWS_A_SECOND:
                return
            last = now
            board.bar.reach(progress.step + 1, progress.total, "step ")
            if getattr(board.pipe, "vae", None) is not None:
                self._picture.grow(progress.preview())

        return on_step

    def _hand_over(self, traces: Sequence[Trace]) -> None:
        """Hands the traces over to the main thread; the final picture is shown at once."""
        board = self._board
        if board.closed:
            return
        if traces and traces[0].image is not None:
            self._picture.grow(traces[0].image)
        board.main.call(lambda: None if board.closed else self._arrived(traces))


def _each(result: Trace | Traces | None) -> list[Trace]:
    return [] if result is None else [result] if isinstance(result, Trace) else list(result)
