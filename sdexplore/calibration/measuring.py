"""`calibrate`: how well a pipeline's attention maps, and its noise predictions, localise in known scenes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import mini
from ..analysis.attention import METHODS, word_map
from ..base.errors import RunError, TraceError, did_you_mean
from ..model.components.source_name import model_name
from ..model.experiments.look_and_invert import timesteps_of
from ..records.calibration import ALL_LAYERS, CAUSAL, Calibration
from ..text.words import without
from ..trace.record import Record
from ..trace.trace import Trace
from .scenes import CalibrationScene, draw_scenes, other_span, positions_in
from .scoring import by_chance, in_the_centre, inside, mask_on, scored, top
from .statistics import Observation, Observations
from .word_effect import BARE, change, look_at

Positions = tuple[int, ...]

_NEEDS_HEADS = ("daam",)


@dataclass(frozen=True)
class _Named:
    """A word of a scene with its positions in the caption, and those of another word."""

    name: str
    positions: Positions
    other: Positions

    @property
    def kind(self) -> str:
        return "background" if self.name == mini.GROUND else "object"


def calibrate(
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    *,
    method: str = "mean",
    scenes: int = 60,
    seed: int = 777,
    timesteps: Sequence[int] = (200, 400, 600),
    causal: bool = True,
) -> Calibration:
    """How well `word_map` localises words of this pipeline, in scenes of the emoji world whose masks are known.

    Each scene is drawn, noised to each timestep and given to `look` once with its caption. Each thing that the caption
    names is scored: its `word_map` over all layers, over the layers of each size, and of each layer alone, against
    the thing's mask on the map's grid (pixels that show more than 0.3 of it). Each score is compared with that of
    chance, of the picture's centre, and of the map of another word of the same caption. Methods that do not apply to
    a single layer have no row for it.

    With `causal`, each word is also left out of the caption once, with the same noise. The change of the noise
    prediction (root mean square over channels) does not depend on attention maps. It is scored as a map of its own.

    No training used these scenes, see `calibration.scenes`. Any pipeline that `look` takes can be measured; pictures
    are resized to its size. The scenes are unusual pictures for other models than the embedded one.

    Args:
        method: As `word_map` takes it.
        scenes: How many; 60 take about two minutes with the embedded model on two CPU cores.
        seed: Of scenes, noise and bootstrap.
        timesteps: Noise levels, 0 to 999.
        causal: Whether to leave words out too, which takes about three times as long.

    Raises:
        RunError: There is no scene or no timestep, or a timestep is beyond the schedule; no word of the scenes can be
            seen; the pipeline cannot be observed.
        TraceError: There is no such method, or it does not apply to this pipeline.

    Source: pointing, cf. Zhang et al. 2018 (1608.00507); bootstrap, Efron 1979.
    """
    times = _times(pipe, timesteps)
    if method not in METHODS:
        raise TraceError(f"calibrate(method={method!r}): there is no such method; {did_you_mean(str(method), METHODS)}")
    if scenes < 1 or not times:
        raise RunError(f"calibrate(scenes={scenes}, timesteps={times}): give at least one scene and one timestep")
    record = Record(cross_attention="heads" if method in _NEEDS_HEADS else "mean", dtype="float32", decode=0)
    observations, left_out = Observations(scenes, seed), 0
    for scene in draw_scenes(scenes, seed):
        for timestep in times:
            full = look_at("calibrate", pipe, scene.picture, scene.caption, timestep, seed + scene.number, record)
            grid, words = full.recorded("noise_pred").shape[2:], list(_named(full, scene))
            seen = [word for word in words if mask_on(scene.masks[word.name], grid) is not None]
            left_out += (len(words) - len(seen)) * (timestep == times[0])
            for word in seen:
                for layers, observed in _mapped(scene, full, word, method):
                    observations.add((word.kind, method, layers, timestep), observed)
            for word, observed in _causally(pipe, scene, full, seen, method) if causal else ():
                observations.add((word.kind, CAUSAL, "", timestep), observed)
    if not observations.found:
        raise RunError(f"calibrate(scenes={scenes}, seed={seed}): no word of these scenes is to be seen; take more")
    return Calibration(
        model=model_name(pipe),
        method=method,
        scenes=scenes,
        seed=seed,
        timesteps=times,
        rows=observations.rows(),
        best=observations.best(),
        left_out=left_out,
    )


def _times(pipe: Any, timesteps: Any) -> tuple[int, ...]:  # noqa: ANN401  (any pipeline; what is refused)
    if isinstance(timesteps, str) or not isinstance(timesteps, Sequence | np.ndarray):
        raise RunError(f"calibrate(timesteps={timesteps!r}): give several training timesteps, as in [200, 400]")
    if any(not isinstance(one, int | np.integer) or isinstance(one, bool) for one in timesteps):
        raise RunError(f"calibrate(timesteps={timesteps!r}): a training timestep is a whole number")
    times = tuple(dict.fromkeys(map(int, timesteps)))
    return timesteps_of(pipe, times, f"calibrate(timesteps={timesteps!r})") if times else ()


def _named(trace: Trace, scene: CalibrationScene) -> Iterator[_Named]:
    """The words of the caption that have a mask."""
    tokens = next(iter(trace.tokens["cond"].values()))
    for name, span in scene.spans.items():
        other = other_span(scene, name, tokens)
        if found := positions_in(tokens, span):
            yield _Named(name, found, positions_in(tokens, other) if other else ())


def _mapped(scene: CalibrationScene, trace: Trace, word: _Named, method: str) -> Iterator[tuple[str, Observation]]:
    """(name of the layers, scores of the word's map over them)."""
    recorded = trace.attention()
    sides = sorted({max(map(int, attention.probs.shape[2:4])) for attention in recorded.values()}, reverse=True)
    settings: list[tuple[str, str | int | None]] = [(ALL_LAYERS, None)]
    settings += [(f"side {side}", side) for side in sides] + [(name, name) for name in recorded]
    for label, layers in settings:
        try:
            own = word_map(trace, word.positions, method=method, layers=layers)
        except TraceError:
            if layers is None:  # over all layers it must apply; to one layer it need not
                raise
            continue
        other = word_map(trace, word.other, method=method, layers=layers) if word.other else None
        if (mask := mask_on(scene.masks[word.name], own.shape)) is not None:
            yield label, _observation(scene.number, own, other, mask)


def _observation(scene: int, own: np.ndarray, other: np.ndarray | None, mask: np.ndarray) -> Observation:
    return Observation(
        scene=scene,
        own=scored(own, mask),
        chance=by_chance(mask),
        centre=in_the_centre(mask),
        other=None if other is None else scored(other, mask),
    )


def _causally(
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    scene: CalibrationScene,
    full: Trace,
    words: Sequence[_Named],
    method: str,
) -> Iterator[tuple[_Named, Observation]]:
    """Each word with the scores of the change that it makes, against its mask and the top of its map."""
    t, seed = int(full.timesteps[0]), int(full.call["seed"])
    changes = {}
    for word in words:
        shorter = without(scene.caption, scene.spans[word.name])
        changes[word.name] = change(full, look_at("calibrate", pipe, scene.picture, shorter, t, seed, BARE))
    for word in words:
        own, other = changes[word.name], next((changes[name] for name in changes if name != word.name), None)
        attention = word_map(full, word.positions, method=method)
        mask, near = (mask_on(scene.masks[word.name], pixels.shape) for pixels in (own, attention))
        highest = None if near is None else mask_on(top(attention, int(near.sum())).astype(np.float32), own.shape)
        if mask is None or highest is None:
            continue  # too small for one of the two grids
        observed = _observation(scene.number, own, other, mask)
        against = None if other is None else {**scored(other, mask), "in_map": inside(other, highest)}
        yield (
            word,
            replace(
                observed,
                own={**observed.own, "in_map": inside(own, highest)},
                chance={**observed.chance, "in_map": float(highest.mean())},
                centre={**observed.centre, "in_map": float("nan")},
                other=against,
            ),
        )
