"""The runs of a dashboard: started off the main thread, previewed step by step, handed over when they end."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ..base.display import clip
from ..base.errors import Stopped, TraceError
from ..strings.wording import counted, why_of, worded, wording
from ..trace.collections import Traces
from ..trace.trace import Trace
from .board import Board
from .latest_picture import LatestPicture
from .progress import Status
from .worker import Cancelled

_BETWEEN_WORDS = 0.1  # seconds
_AS_LONG = 10  # times as long as a preview takes goes by before the next: a little decoder may be slow


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
            board.status.start(wording("dashboard.starting"))
            self._picture.begin(seed, prompt, getattr(board.little_decoder(), "name", ""))

        def job(cancelled: Cancelled) -> None:
            from ..model.series.queued_runs import run_unless

            try:
                result = run_unless(
                    cancelled,
                    board.pipe,
                    prompt,
                    seed=seed,
                    record=board.record,
                    scheduler=scheduler,
                    on_step=followed(board, board.status, self._picture.grow),
                    begun=begun,
                    told=board.status.say,
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
            traces = _each(result)
            outcome.append(traces[0])
            self._hand_over(traces)
            seconds = traces[0].provenance.get("seconds", 0.0)
            steps = counted(traces[0].num_steps, "step")
            board.status.end(wording("dashboard.done", seconds=seconds, steps=steps, seed=seed))

        board.work(job, board.status)
        return outcome

    def _hand_over(self, traces: Sequence[Trace]) -> None:
        """Shows the picture at once, and hands the traces over to the main thread."""
        board = self._board
        if board.closed:
            return
        if traces:
            self._picture.end(traces[0])
        board.in_main(lambda: self._arrived(traces))


def followed(
    board: Board, status: Status, grow: Callable[[UInt8[np.ndarray, "y x 3"]], object]
) -> Callable[[Any], None]:
    """What a run calls after each step, with the model's Progress: it moves the status, and `grow` gets a preview."""
    decodes, little = getattr(board.pipe, "vae", None) is not None, board.little_decoder()
    words_again = preview_again = 0.0
    failed = ""  # why the little decoder made no preview

    def on_step(progress: Any) -> None:  # noqa: ANN401  (of the model's room)
        nonlocal words_again, preview_again, failed
        now, ends = time.monotonic(), progress.step + 1 == progress.total
        if now >= words_again or ends:
            words_again = now + _BETWEEN_WORDS
            status.reach(progress.step + 1, progress.total, run=progress.cell, runs=progress.cells, no_preview=failed)
        if decodes and not failed and (now >= preview_again or ends):
            try:
                grow(progress.preview() if little is None else little(progress.latents()))
            except TraceError as error:  # a preview costs no run
                failed = clip(worded(why_of(error)), 120) or type(error).__name__
            took = time.monotonic() - now  # the first one fits the preview to the VAE, once
            preview_again = now + (max(_BETWEEN_WORDS, took * _AS_LONG) if progress.step else _BETWEEN_WORDS)
        if ends:
            status.go_on(wording("dashboard.decoding_picture" if decodes else "dashboard.finishing"))

    return on_step


def _each(result: Trace | Traces | None) -> list[Trace]:
    return [] if result is None else [result] if isinstance(result, Trace) else list(result)
