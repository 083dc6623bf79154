"""The measures that have a name: every analysis of the library that gives numbers of one run.

Each is a function of a trace, and of the pipeline where it asks that again. What needs more than the trace is imported
when it is first computed, so that this list is read without torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ..analysis.attention import word_map as map_of
from ..analysis.attention_mass import attention_mass as mass_of
from ..analysis.attention_mass import entropy as entropy_of
from ..analysis.difference import difference as difference_of
from ..analysis.guidance import guidance_steps as guidance_of
from ..analysis.region import Region
from ..analysis.region import region_words as words_of
from ..analysis.segmentation import segmentation as segmented
from ..analysis.selection import Heads, Layers, Word
from ..base.errors import RunError
from ..trace.trace import Steps, Trace

_HIGH: Final = 0.4  # of a map's range, as the scores of `calibrate` have it
_GUIDANCE: Final = ("difference_rms", "ratio", "cosine", "overshoot", "spread", "spread_after", "residual")


@dataclass(frozen=True)
class KnownMeasure:
    """A measure that has a name.

    Attributes:
        function: Trace -> numbers.
        says: What its columns are.
        needs_pipeline: Whether it asks the pipeline again, which a kept trace does not spare.
    """

    function: Callable[..., Any]
    says: str
    needs_pipeline: bool = False


def attention_mass(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> dict[str, float]:
    """Shares of all attention: start, words, end, padding; of joint layers rest. Mean over layers and steps."""
    return mass_of(trace, role=role, steps=steps, layers=layers, heads=heads).mean


def entropy(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> dict[str, float]:
    """How spread attention is, in bits: mean over layers and steps."""
    found = entropy_of(trace, role=role, steps=steps, layers=layers, heads=heads)
    return {"bits": float(np.nanmean(found.bits))}


def word_map(  # noqa: PLR0913  (those of sdx.word_map)
    trace: Trace,
    word: Word,
    *,
    method: str = "mean",
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    occurrence: int | None = None,
    tokenizer: str | None = None,
) -> dict[str, float]:
    """A word's map: peak, its place (y, x in 0..1), mean (its attention mass), area (share above 0.4 of its range)."""
    found = map_of(
        trace,
        word,
        method=method,
        role=role,
        steps=steps,
        layers=layers,
        heads=heads,
        occurrence=occurrence,
        tokenizer=tokenizer,
    )
    low, high = float(found.min()), float(found.max())
    y, x = np.unravel_index(int(found.argmax()), found.shape)
    return {
        "peak": high,
        "mean": float(found.mean(dtype=np.float64)),
        "area": float((found > low + _HIGH * (high - low)).mean()),
        "y": (float(y) + 0.5) / found.shape[0],
        "x": (float(x) + 0.5) / found.shape[1],
    }


def guidance_steps(trace: Trace) -> dict[str, float]:
    """Guidance: root mean square of ε_c − ε_u, its share of ε_c, cosine, overshoot, spread. Mean over steps."""
    found = guidance_of(trace)
    return {name: float(np.mean(getattr(found, name))) for name in _GUIDANCE}


def region_words(
    trace: Trace,
    region: Region,
    words: Word | list[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
) -> dict[str, float]:
    """How much a region of the picture looks at each word: mean probability inside."""
    found = words_of(trace, region, words, role=role, steps=steps, layers=layers)
    return dict(zip(found.words, map(float, found.inside), strict=True))


def segmentation(
    trace: Trace, words: Word | list[Word] | None = None, *, role: str = "cond", steps: Steps = None
) -> dict[str, float]:
    """Share of the picture where each word's map is the highest."""
    found = segmented(trace, words, role=role, steps=steps)
    return {word: float((found.winner == place).mean()) for place, word in enumerate(found.words)}


def difference(
    trace: Trace,
    against: Mapping[str, Any],
    *,
    run: Mapping[str, Any],
    pipe: Any,  # noqa: ANN401  (a pipeline)
    beyond: float = 0.0,
) -> dict[str, float | None]:
    """This run less the same run with other arguments, which is made too: the step at which they part, and how far."""
    from .making import made

    other = made(pipe, {**run, **against}, trace)
    found = difference_of(other, trace, beyond=beyond)
    return {
        "parted": None if found.parted is None else float(found.parted),
        "end": float(found.distances[-1]),
        "image": found.image,
    }


def calibrate(
    trace: Trace,
    *,
    run: Mapping[str, Any],
    pipe: Any,  # noqa: ANN401  (a pipeline)
    scenes: int = 4,
    timesteps: tuple[int, ...] = (200, 400, 600),
    method: str = "mean",
) -> dict[str, dict[str, float]]:
    """Scores of `sdx.calibrate` over all layers, on scenes of the run's seed: object and background, at each t."""
    from ..calibration.measuring import calibrate as calibrated

    del trace  # scenes of their own are looked at
    found = calibrated(
        pipe, method=method, scenes=scenes, seed=int(run.get("seed", 0)), timesteps=tuple(timesteps), causal=False
    )
    return {
        f"{row.kind}.t{row.timestep}": {name: float(score.value) for name, score in row.scores.items()}
        for row in found.main_rows
    }


def presence(trace: Trace, thing: str | list[str] | None = None) -> dict[str, float]:
    """The embedded world's classifier: how surely the picture shows each thing, 0 to 1. Found from 0.45 on."""
    from ..mini.evaluation.classifier import THINGS, thing_of
    from ..mini.evaluation.classifier import presence as presence_in

    scores = dict(zip(THINGS, map(float, presence_in(np.asarray(trace.recorded("image"))[None])[0]), strict=True))
    if thing is None:
        return scores
    if isinstance(thing, str):
        return {"score": scores[thing_of(thing)]}
    return {one: scores[thing_of(one)] for one in thing}


def occlusion(trace: Trace, words: str | list[str], *, pipe: Any, steps: int = -1) -> dict[str, float]:  # noqa: ANN401  (a pipeline)
    """What the noise prediction loses without each word: root mean square of its change, at one step."""
    from ..model.experiments.occlusion import occlusion as occluded

    wanted = [words] if isinstance(words, str) else list(words)
    if not wanted:
        raise RunError("the measure 'occlusion' has no word to leave out: give words=")
    found = occluded(pipe, trace, wanted, steps=steps)
    return {word: float(np.sqrt(np.mean(np.square(found.changes[place])))) for place, word in enumerate(wanted)}


def attribution(
    trace: Trace,
    words: Word | list[Word] | None = None,
    *,
    pipe: Any,  # noqa: ANN401  (a pipeline)
    region: Region | None = None,
    step: int | None = None,
    last: int = 1,
    method: str = "gradient",
) -> dict[str, float]:
    """What each word has to do with a region of the picture, by one of the four methods of `sdx.attribution`."""
    from ..model.experiments.attribution import attribution as attributed

    found = attributed(pipe, trace, words, region=region, step=step, last=last, method=method)
    return dict(zip(found.words, map(float, found.scores), strict=True))


def _said(function: Callable[..., Any], *, needs_pipeline: bool = False) -> KnownMeasure:
    return KnownMeasure(function, (function.__doc__ or "").strip(), needs_pipeline)


MEASURES: Final[Mapping[str, KnownMeasure]] = MappingProxyType(
    {
        **{
            one.__name__: _said(one)
            for one in (attention_mass, entropy, word_map, guidance_steps, region_words, segmentation, presence)
        },
        **{one.__name__: _said(one, needs_pipeline=True) for one in (difference, calibrate, occlusion, attribution)},
    }
)
"""Name -> measure. Those that need the pipeline cannot be added later without making the runs again."""
