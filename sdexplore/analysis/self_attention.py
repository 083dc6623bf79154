"""Where pixels looked at other pixels: maps from a trace's self-attention."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from ..base.errors import TraceError, did_you_mean
from ..trace.non_finite import in_words, non_finite
from ..trace.trace import Attention, Steps, Trace
from .selection import Selection, steps_of

_COMPONENTS = 10


def self_attention_mean(
    trace: Trace, side: int, *, role: str = "cond", steps: Steps = None
) -> Float32[np.ndarray, "y x Y X"]:
    """The mean self-attention of all recorded layers whose longer side is `side`: [y, x] is where that pixel looked.

    Each layer's mean over heads and over the steps asked for (as `word_map` takes them) has one vote; each [y, x] adds
    up to 1.

    Raises:
        TraceError: No such layer was recorded, or not at that step.
    """
    return mean_of(trace, side, Selection(role, steps))


def mean_of(trace: Trace, side: int, selection: Selection) -> Float32[np.ndarray, "y x Y X"]:
    """`self_attention_mean` of what is selected."""
    recorded = _recorded(trace, selection.role).values()
    layers = [a for a in recorded if max(a.grid) == side]
    if not layers:
        sides = sorted({max(a.grid) for a in recorded})
        raise TraceError(f"no recorded self-attention of side {side}; there are {', '.join(map(str, sides))}")
    known = sorted({seen for a in layers for seen in a.steps})
    wanted = steps_of(trace, selection.steps, known, "self-attention")
    calls = [[call for call, seen in enumerate(a.steps) if seen in wanted] for a in layers]
    means = [a.rows(c).mean(axis=(0, 1), dtype=np.float32) for a, c in zip(layers, calls, strict=True) if c]
    y, x = means[0].shape[:2]
    return np.asarray(np.mean(means, axis=0).reshape(y, x, y, x))


def pixel_map(
    trace: Trace, pixel: tuple[int, int], side: int, *, role: str = "cond", steps: Steps = None
) -> Float32[np.ndarray, "y x"]:
    """Where one pixel looked: `self_attention_mean` at `pixel` (row, column) of the layer's own grid.

    Raises:
        TraceError: The pixel is not on the grid; or as `self_attention_mean`.
    """
    return map_of_pixel(trace, pixel, side, Selection(role, steps))


def map_of_pixel(trace: Trace, pixel: tuple[int, int], side: int, selection: Selection) -> Float32[np.ndarray, "y x"]:
    """`pixel_map` of what is selected."""
    maps = mean_of(trace, side, selection)
    row, column = pixel
    if not (0 <= row < maps.shape[0] and 0 <= column < maps.shape[1]):
        raise TraceError(f"there is no pixel {pixel!r} on a grid of {maps.shape[0]} × {maps.shape[1]} (row, column)")
    return np.asarray(maps[row, column])


def self_attention_components(
    trace: Trace, side: int, *, components: int = _COMPONENTS, role: str = "cond", steps: Steps = None
) -> Float32[np.ndarray, "component y x"]:
    """The leading right singular vectors of the mean self-attention, less each row's mean, as pictures.

    Their sign is arbitrary and set here so that the largest entry is positive; parts of the picture that are
    looked at alike come out alike.

    Raises:
        TraceError: components is below 1; the attention holds NaN or Inf; or as `self_attention_mean`.

    Source: prompt-to-prompt's `show_self_attention_comp` (Hertz et al. 2022).
    """
    return components_of(trace, side, Selection(role, steps), components)


def components_of(
    trace: Trace, side: int, selection: Selection, components: int
) -> Float32[np.ndarray, "component y x"]:
    """`self_attention_components` of what is selected."""
    if components < 1:
        raise TraceError(f"components={components}: ask for one at least")
    maps = mean_of(trace, side, selection)
    if not np.isfinite(maps).all():
        lost = in_words(non_finite(trace), trace.num_steps)
        raise TraceError(f"components of what is no number: {lost}; name other steps, steps=…, or run again")
    y, x = maps.shape[:2]
    matrix = maps.reshape(y * x, y * x).astype(np.float64)
    _, _, vectors = np.linalg.svd(matrix - matrix.mean(axis=1, keepdims=True))
    vectors = vectors[:components]
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])
    return np.asarray((vectors * signs[:, None]).reshape(-1, y, x), np.float32)


def _recorded(trace: Trace, role: str) -> Mapping[str, Attention]:
    if not trace.self_attention:
        raise TraceError("this trace holds no self-attention: run with Record(self_attention=(16,)) or by layer")
    if role not in trace.self_attention:
        raise TraceError(f"no self-attention of role {role!r}; {did_you_mean(role, trace.self_attention)}")
    return trace.self_attention[role]
