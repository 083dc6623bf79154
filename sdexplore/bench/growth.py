"""The cost of tracing against the amount of work: more steps, larger pictures, more layers."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ..records.benchmark import AXES, Axis, CostPoint
from ..trace.record import Record
from .subjects import Subject

STEPS: Final = (2, 4, 8, 16)
LAYERS: Final = (1, 4, 8, 16, 35, 70)
SIDES: Final[Mapping[int, tuple[int, ...]]] = {
    256: (128, 192, 256, 320),
    512: (256, 384, 512, 768),
    1024: (512, 768, 1024, 1280),
}
_USUAL_STEPS = 4


def cost_points(
    subject: Subject, pairs: int, axes: Collection[Axis] = tuple(AXES), most_steps: int = STEPS[-1]
) -> Iterator[CostPoint]:
    """The ratio of traced to untraced at each amount; the rest is four steps, the model's own size, all layers."""
    short = replace(subject, steps=min(_USUAL_STEPS, most_steps))
    if "steps" in axes:
        for steps in [steps for steps in STEPS if steps <= most_steps] or [most_steps]:
            yield _point(replace(subject, steps=steps), "steps", steps, Record(decode=0), pairs)
    if "side" in axes:
        for side in _sides(subject):
            sized = replace(short, arguments={**subject.arguments, "height": side, "width": side})
            yield _point(sized, "side", side, Record(decode=0), pairs)
    if "layers" in axes:
        names = subject.layers
        for count in sorted({min(count, len(names)) for count in LAYERS}):
            spread = [names[place * len(names) // count] for place in range(count)]
            yield _point(short, "layers", count, Record(decode=0, layers=spread), pairs)


def _sides(subject: Subject) -> Sequence[int]:
    from ..model.inspection.situation import situation

    own = situation(subject.pipe).side
    return SIDES.get(own, (own, 2 * own)) if own else ()


def _point(subject: Subject, axis: Axis, amount: int, record: Record, pairs: int) -> CostPoint:
    from ..model.runs.timing import timed

    runs: dict[str, Callable[[], object]] = {"untraced": subject.untraced, "traced": lambda: subject.traced(record)}
    times = timed(runs, pairs, subject.device)
    return CostPoint(
        subject=subject.name.partition(",")[0],
        axis=axis,
        amount=amount,
        share=times.ratio("traced", "untraced"),
        seconds=times.of("untraced"),
    )
