"""Pictures of steps, decoded one at a time while somebody looks at linear previews of them."""

from collections.abc import Callable, Sequence
from typing import Any

from ..base.errors import Stopped
from ..strings.wording import why_of, worded, wording
from ..trace.trace import Trace
from .worker import Cancelled, Worker


class BackgroundDecoding:
    """Decodes the steps of the trace that is shown, in a thread of its own. A picture is one turn at the pipeline.

    Args:
        in_main: Calls a function in the main thread.
        preview: A little decoder, which makes the pictures first; None without.
        free: Whether no run is under way or waits: a run goes first.
    """

    def __init__(
        self, in_main: Callable[[Callable[[], object]], object], preview: object, free: Callable[[], bool]
    ) -> None:
        self._in_main, self._preview, self._free = in_main, preview, free
        self._worker = Worker("sdexplore decoding")
        self._followers: list[Callable[[], object]] = []
        self._trace: Trace | None = None
        self._said, self._turn = "", 0

    def follow(self, decoded: Callable[[], object]) -> None:
        """Calls `decoded` in the main thread after each picture, and when there is nothing more to say."""
        self._followers.append(decoded)

    def said_of(self, trace: Trace) -> str:
        """How the decoding of this trace stands, in words; "" where nothing is to be said."""
        return self._said if trace is self._trace else ""

    def want(self, trace: Trace, first: int) -> None:
        """Begins to decode the steps of `trace` that are linear previews, `first` before the others.

        Nothing begins while a run is under way, nor a second time for the same trace.
        """
        if trace is self._trace or not self._free():
            return
        own = trace.undecoded if trace.undecodable is None else ()
        little = [one for one in trace.shown_steps if trace.picture_of_step(one, decode=False) is None]
        if not own and (self._preview is None or not little):
            return
        self._trace, self._said = trace, wording("dashboard.background.linear")
        self._turn += 1
        turn = self._turn

        def tell(said: str) -> None:
            if turn == self._turn:
                self._said = said
                self._in_main(self._told)

        def job(cancelled: Cancelled) -> None:
            failed = []
            ways: list[tuple[Sequence[int], dict[str, Any]]] = [(own, {})]
            if self._preview is not None:
                ways.insert(0, (little, {"with_": self._preview}))
            for steps, by in ways:  # where one decoder fails, the other may not
                try:
                    self._decode(trace, _from(first, steps), cancelled, tell, **by)
                except Stopped:
                    break
                except Exception as error:  # noqa: BLE001  (shown to the user)
                    failed.append(worded(why_of(error)))
            tell(wording("dashboard.background.failed", why=wording("list.semicolon").join(failed)) if failed else "")

        self._worker.submit(job)

    @staticmethod
    def _decode(
        trace: Trace,
        steps: Sequence[int],
        cancelled: Cancelled,
        tell: Callable[[str], object],
        **options: Any,  # noqa: ANN401  (as `decode`)
    ) -> None:
        if not steps:
            return

        def on_step(progress: Any) -> None:  # noqa: ANN401  (of the trace's room)
            if cancelled():
                progress.stop()
            elif progress.done < progress.total:
                tell(wording("dashboard.background.decoding", now=progress.done + 1, total=progress.total))

        trace.decode(steps, on_step=on_step, **options)

    def _told(self) -> None:
        for decoded in self._followers:
            decoded()

    def stop(self) -> None:
        """Stops after the picture that is being made. The rest is decoded when it is wanted again."""
        self._worker.stop()
        self._trace, self._said = None, ""
        self._turn += 1

    def wait(self, seconds: float | None = None) -> bool:
        """Returns when nothing is being decoded; False if that took longer than `seconds`."""
        return self._worker.wait(seconds)

    def close(self) -> None:
        """Stops for good."""
        self._worker.close()
        self._trace = None
        self._followers.clear()


def _from(first: int, steps: Sequence[int]) -> tuple[int, ...]:
    """The steps, `first` before the others if it is one of them."""
    return tuple(sorted(steps, key=lambda step: (step != first, step)))
