"""The dashboard against diffusers' own call, in turn: how long after the last step it is done, and shows a section."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..base.errors import SdexploreError
from ..records.benchmark import BenchmarkRow, Spread
from .subjects import PROMPT, SEED, Subject

KEY: Final = "dashboard"
SECTION: Final = "Attention"  # without pictures of steps
_PLAIN: Final = "diffusers' own call, to a picture"
_TAILS: Final = {
    "done": "dashboard: from the last step to “Done”",
    "section": f"dashboard: from the last step to the section {SECTION}",
}
_WARM_UP: Final = 2  # the first run of a pipeline fits its linear preview


@dataclass(frozen=True)
class Moments:
    """Seconds of one run.

    Attributes:
        whole: From the start to the picture.
        done: From the last step to the picture; in a dashboard, to "Done".
        section: From the last step to the drawn section; None without a dashboard.
        preview: After which step the first preview was shown, from 1; 0 for none.
    """

    whole: float
    done: float
    section: float | None = None
    preview: int = 0


def dashboard_rows(subject: Subject, pairs: int) -> Iterator[BenchmarkRow]:
    """Rows for a dashboard of the subject's pipeline. Times are beyond those of the pipeline's own decoding.

    Raises:
        SdexploreError: The run in the dashboard failed.
    """
    from ..dashboard.open_dashboard import explore

    explorer = explore(subject.pipe, prompt=PROMPT, seed=SEED, num_inference_steps=subject.steps, section=SECTION)
    both = []
    for number in range(-_WARM_UP, pairs):
        plain, ours = _plain(subject), _in_dashboard(explorer)
        if number >= 0:
            both.append((plain, ours))
    explorer.close()
    yield BenchmarkRow(subject=subject.name, name=_PLAIN, seconds=Spread.of([plain.whole for plain, _ in both]))
    previews = sorted({ours.preview for _, ours in both})
    yield BenchmarkRow(
        subject=subject.name,
        name="dashboard: a run, to its picture",
        seconds=Spread.of([ours.whole for _, ours in both]),
        share=Spread.of([ours.whole / plain.whole for plain, ours in both]),
        note=f"first preview after step {', '.join(map(str, previews))}",
    )
    for which, name in _TAILS.items():
        beyond = [(getattr(ours, which) - plain.done, plain.whole) for plain, ours in both]
        yield BenchmarkRow(
            subject=subject.name,
            name=name,
            seconds=Spread.of([more for more, _ in beyond]),
            share=Spread.of([more / whole for more, whole in beyond]),
            note="beyond the pipeline's own decoding; share of its run",
        )


def _plain(subject: Subject) -> Moments:
    last = started = time.perf_counter()

    def on_step_end(pipe: object, step: int, timestep: object, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  (diffusers' own)
        nonlocal last
        last = time.perf_counter()
        return values

    subject.untraced(output_type="pil", callback_on_step_end=on_step_end)
    ended = time.perf_counter()
    return Moments(ended - started, ended - last)


def _in_dashboard(explorer: Any) -> Moments:  # noqa: ANN401  (an Explorer)
    """One run in the dashboard, whose main thread waits here as a notebook's does for its next call."""
    board, seen = explorer.board, list[tuple[float, str]]()
    words, picture = board.status.widget.children[-1], explorer.picture.picture
    previews = list[str]()

    def said(_: object) -> None:
        seen.append((time.perf_counter(), board.status.plain))

    def shown(_: object) -> None:
        previews.append(board.status.plain)

    words.observe(said, "value")
    picture.observe(shown, "value")
    before, started = explorer.trace, time.perf_counter()
    explorer.run()
    while not (board.worker.wait(0.001) and explorer.trace is not before):
        board.main.flush()
        if board.status.plain.startswith("⚠") or (not board.worker.busy and explorer.trace is before):
            board.main.flush()
            if explorer.trace is before:
                raise SdexploreError(f"the run in the dashboard failed: {board.status.plain}")
    drawn = time.perf_counter()
    words.unobserve(said, "value")
    picture.unobserve(shown, "value")
    explorer.wait()
    last = next(at for at, text in seen if text.startswith("decoding"))
    done = next(at for at, text in seen if text.startswith("Done"))
    step = previews[0].removeprefix("step ").partition(" ")[0] if previews else ""
    return Moments(done - started, done - last, drawn - last, int(step) if step.isdecimal() else 0)
