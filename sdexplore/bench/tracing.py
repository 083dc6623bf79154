"""Traced against untraced: each way of recording, timed in turn with diffusers' own run."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..base.errors import SdexploreError
from ..records.benchmark import BenchmarkRow
from ..trace.record import Record
from ..trace.trace import Trace
from .subjects import Subject

UNTRACED: Final = "untraced"
PICTURE: Final = "untraced, to a picture"
COMPILED: Final = "compiled by diffusers, untraced"
_MAPS_WITHIN = 1e-3


@dataclass(frozen=True)
class Way:
    """One way of recording a run.

    Attributes:
        key: Its name for `--only`.
        name: Its name in the table.
        record: What the run keeps.
        preview: Whether `on_step` makes a preview at every step.
        picture: Whether the run decodes a picture, and is compared with an untraced run that does the same.
    """

    key: str
    name: str
    record: Record
    preview: bool = False
    picture: bool = False


WAYS: Final = (
    Way("mean", "traced: head mean, noise predictions, latents, x0", Record(decode=0)),
    Way("heads", "traced: all heads", Record(cross_attention="heads", decode=0)),
    Way("self", "traced: and self-attention of layers of 16", Record(self_attention=(16,), decode=0)),
    Way("queries", "traced: and queries, for open_word_map", Record(queries=True, decode=0)),
    Way("preview", "traced: and a preview at every step", Record(decode=0), preview=True),
    Way("previews", "traced: to a picture, and a preview at every step", Record(), preview=True, picture=True),
)
KEYS: Final = (*(way.key for way in WAYS), "compiled")


def traced_rows(subject: Subject, pairs: int, only: Collection[str] = KEYS) -> Iterator[BenchmarkRow]:
    """The rows of a subject, each as soon as it is measured.

    Raises:
        SdexploreError: Tracing changed the latents, or did not capture every layer and call.
    """
    from ..model.runs.timing import peak_memory, timed, waits

    reference = subject.reference()
    memory, waited = peak_memory(subject.untraced, subject.device), waits(subject.untraced, subject.device)
    for way in (way for way in WAYS if way.key in only):
        traced = _run(subject, way)
        image, captured = subject.checked(traced(), reference) if not way.picture else _of_picture(subject, traced())
        runs: dict[str, Callable[[], object]] = {UNTRACED: subject.untraced}
        if way.picture:
            runs[PICTURE] = lambda: subject.untraced(output_type="np")
        times = timed(runs | {way.name: traced}, pairs, subject.device)
        if way is WAYS[0]:
            yield BenchmarkRow(subject=subject.name, name=UNTRACED, seconds=times.of(UNTRACED))
        yield BenchmarkRow(
            subject=subject.name,
            name=way.name,
            seconds=times.of(way.name),
            share=times.ratio(way.name, UNTRACED),
            against=PICTURE if way.picture else "",
            ratio=times.ratio(way.name, PICTURE) if way.picture else None,
            image=image,
            captured=captured,
            memory=beyond(peak_memory(traced, subject.device), memory),
            synchronisations=beyond(waits(traced, subject.device), waited),
        )
    if "compiled" in only:
        yield from _compiled_rows(subject, pairs, reference)


def _run(subject: Subject, way: Way) -> Callable[[], Trace]:
    on_step: Callable[[Any], object] | None = (lambda progress: progress.preview()) if way.preview else None
    more = {"output_type": "np"} if way.picture else {}
    return lambda: subject.traced(way.record, on_step, **more)


def _of_picture(subject: Subject, trace: Trace) -> tuple[str, str]:
    """As `Subject.checked`, for a run that decodes a picture: here the pictures must be equal."""
    plain = subject.untraced(output_type="np")[0]
    if (np.round(plain * 255).astype(np.uint8) != trace.recorded("image")).any():
        raise SdexploreError("tracing changed the picture")
    captured = f"{len(trace.attention('cond'))} layers, {len(trace.decoded)} steps decoded"
    return "to the bit", captured


def beyond(amount: int | None, base: int | None) -> int | None:
    """`amount` minus that of the untraced run; None if either is unknown."""
    return None if amount is None or base is None else amount - base


def _compiled_rows(subject: Subject, pairs: int, reference: np.ndarray) -> Iterator[BenchmarkRow]:
    """A row for diffusers' compiled untraced run and one for our compiled traced run, beside the eager untraced run."""
    from ..model.compiled.denoiser import compile_denoiser
    from ..model.runs.timing import compiled_by_diffusers, plain_latents, timed
    from .subjects import PROMPT, SEED

    name = "compiled and traced: head mean, noise predictions, latents, x0"
    runs: dict[str, Callable[[], object]] = {UNTRACED: subject.untraced}
    missing: dict[str, str] = {}
    beside = compiled_by_diffusers(subject.pipe)

    def untraced() -> object:
        return plain_latents(beside, PROMPT, SEED, num_inference_steps=subject.steps, **subject.arguments)

    found: tuple[str, str] | None = None
    eager = subject.traced(WAYS[0].record)
    try:
        untraced()
        runs[COMPILED] = untraced
    except Exception as error:  # noqa: BLE001  (no compiler, or an operation unknown to it: the row says so)
        missing[COMPILED] = first_line(error)
    compile_denoiser(subject.pipe)
    trace = subject.traced(WAYS[0].record)
    used = trace.provenance["compiled"]
    if "eager" in used:
        missing[name] = f"fell back to eager: {used['eager']}"
    else:
        image, captured = subject.checked(trace, reference, exact=False)
        found = image, f"{captured}; backend {', '.join(used)}; maps within {_maps_apart(trace, eager):.1e}"
        runs[name] = lambda: subject.traced(WAYS[0].record)
    try:
        times = timed(runs, pairs, subject.device) if len(runs) > 1 else None
    finally:
        compile_denoiser(subject.pipe, None)
    for way in (COMPILED, name):
        if times is None or way not in runs:
            yield BenchmarkRow(subject=subject.name, name=way, note=f"not measured: {missing[way]}")
            continue
        against = COMPILED if way == name and COMPILED in runs else ""
        yield BenchmarkRow(
            subject=subject.name,
            name=way,
            seconds=times.of(way),
            share=times.ratio(way, UNTRACED),
            against=against,
            ratio=times.ratio(way, against) if against else None,
            image=found[0] if found and way == name else "",
            captured=found[1] if found and way == name else "",
        )


def _maps_apart(trace: Trace, eager: Trace) -> float:
    """The largest difference of any probability, divided by the largest probability of its layer.

    Raises:
        SdexploreError: The difference is too large for the maps to count as the same.
    """
    others: Mapping[str, Any] = eager.attention("cond")
    apart = 0.0
    for layer, one in trace.attention("cond").items():
        a, b = (found.probs.astype(np.float32) for found in (one, others[layer]))
        apart = max(apart, float(np.abs(a - b).max() / b.max()))
    if apart > _MAPS_WITHIN:
        raise SdexploreError(f"compiled maps differ from eager ones by {apart:.2e} of their largest")
    return apart


def first_line(error: Exception) -> str:
    """An error on one short line."""
    from ..base.error_lines import named_line

    return named_line(error)[:160]
