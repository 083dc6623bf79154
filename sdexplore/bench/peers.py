"""Other tools' runs beside untraced ones, where they are installed: `--peers`."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from ..benchmarks import BenchmarkRow
from .subjects import PROMPT, Subject
from .tracing import UNTRACED, first_line

Call = Callable[[Subject], Any]


def _daam(subject: Subject) -> Any:  # noqa: ANN401  (tensors)
    from daam import trace  # type: ignore[import-not-found,unused-ignore]

    with trace(subject.pipe) as traced:
        made = subject.untraced()
        traced.compute_global_heat_map(prompt=PROMPT)  # one without decoding has no last_prompt of its own
    return made


def _amd(mode: str) -> Call:
    def call(subject: Subject) -> Any:  # noqa: ANN401  (tensors)
        from attention_map_diffusers import (  # type: ignore[import-not-found,unused-ignore]
            AttentionCapture,
        )

        with AttentionCapture(subject.pipe, relations="image->text", timesteps="all", heads="mean", mode=mode) as kept:
            made = subject.untraced()
        kept.compute()
        return made

    return call


# How each is called is its own README's; all of them to maps of every step, or to their sum where that is all there is.
PEERS: Final[Mapping[str, Call]] = {
    "DAAM 0.2: trace, compute_global_heat_map (its sum over steps)": _daam,
    "attention-map-diffusers 1.0: all timesteps, head mean, fast": _amd("fast"),
    "attention-map-diffusers 1.0: all timesteps, head mean, exact": _amd("exact"),
}


def peer_rows(subject: Subject, pairs: int) -> Iterator[BenchmarkRow]:
    """A row a peer; one that is not installed, or fails on this pipeline, says so."""
    from ..model.timing import as_numbers, timed

    reference = subject.reference()
    for name, call in PEERS.items():
        try:
            apart = float(np.abs(as_numbers(call(subject)) - reference).max())
            runs: dict[str, Callable[[], object]] = {UNTRACED: subject.untraced, name: partial(call, subject)}
            times = timed(runs, pairs, subject.device)
        except ImportError as error:
            yield BenchmarkRow(subject=subject.name, name=name, note=f"not installed: {error}")
            continue
        except Exception as error:  # noqa: BLE001  (another's code: said in its row)
            yield BenchmarkRow(subject=subject.name, name=name, note=f"failed here: {first_line(error)}")
            continue
        yield BenchmarkRow(
            subject=subject.name,
            name=name,
            seconds=times.of(name),
            share=times.ratio(name, UNTRACED),
            image="to the bit" if apart == 0 else f"changed, by up to {apart:.1e}",
        )
