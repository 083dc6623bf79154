"""Where words looked: maps from a trace's cross-attention."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float32

from ..base.errors import TraceError, did_you_mean
from ..trace.trace import Attention, Steps, Trace
from . import published_methods
from .resizing import as_float32, resized
from .selection import Asking, Chosen, Heads, Layers, Selection, Whole, Word, columns_of

METHODS = ("mean", *published_methods.METHODS)


def word_map(  # noqa: PLR0913  (each says another part of what is asked for)
    trace: Trace,
    word: Word,
    *,
    method: str = "mean",
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    occurrence: Whole | None = None,
    tokenizer: str | None = None,
    queries: Asking = "picture",
) -> Float32[np.ndarray, "y x"]:
    """How much each latent pixel attends to a word, or the word to it: probability 0..1 on the latent grid (y, x).

    "mean": the probability is summed over the word's tokens (all its occurrences, unless one is chosen), averaged
    over the steps, layers and heads asked for, each layer having one vote; smaller layers are first resized
    to the latent grid, bilinear. Nothing is normalised: maps of one trace can be compared, and over all words,
    start, end and padding they add up to 1. Where two tokenizers have different words at one position (SDXL's, with
    `prompt_2` or behind an exclamation mark), it counts for each of them, and the sum may be more.

    With queries="words" the word looks at the picture, where both share one softmax and Record(word_attention=True)
    kept it: the probability that it gives to a pixel of the layer's own grid, the *mean* over its tokens, each of which
    is a query. Over the pixels of that grid it adds up to what the word gives the picture; the rest goes to the text.

    "daam", "p2p" and "amd" are the published formulas, each on its own grid and with its own scale; see
    `analysis.published_methods`. No method is better founded than the others; "mean" is the plainest, and so the
    default.

    Args:
        word: A word or phrase of the prompt, or positions in the padded prompt.
        method: "mean", "daam" (needs Record(cross_attention="heads")), "p2p" or "amd".
        role: Whose prompt: "cond", or "uncond" for the negative prompt.
        steps, layers, heads, occurrence, tokenizer, queries: As `analysis.selection.Selection` explains them.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.
    """
    selection = Selection(role, steps, layers, heads, occurrence, tokenizer, queries)
    return word_maps(trace, (word,), selection, method)[0]


def word_maps(
    trace: Trace, words: Sequence[Word], selection: Selection, method: str = "mean"
) -> list[Float32[np.ndarray, "_y _x"]]:
    """`word_map` of several words; each layer is read once."""
    if method not in METHODS:
        raise TraceError(f"no method {method!r}; {did_you_mean(str(method), METHODS)}")
    if method != "mean" and selection.queries == "words":
        raise TraceError(f"method={method!r} reads the picture's queries; with queries='words' there is 'mean'")
    chosen = selection.of(trace)
    first = next(iter(chosen.layers.values()))
    wanted = [selection.positions(trace, first, word) for word in words]
    if method in published_methods.METHODS:
        with trace.reading():
            return [published_methods.METHODS[method](trace, chosen, one) for one in wanted]
    shape = latent_grid(trace, chosen.layers.values())
    sums: list[dict[tuple[int, ...], np.ndarray]] = [{} for _ in words]
    with trace.reading():
        for attention in chosen.layers.values():
            for by_grid, one in zip(sums, _by_head(chosen, attention, wanted), strict=True):
                grid = one.mean(axis=0)
                by_grid[grid.shape] = by_grid.get(grid.shape, 0) + grid
    totals = [np.sum([resized(grid, shape) for grid in by_grid.values()], axis=0) for by_grid in sums]
    return [np.asarray(total / len(chosen.layers), np.float32) for total in totals]


def most_striking(trace: Trace, words: Sequence[str], *, role: str = "cond") -> str:
    """The word to show first: of `words` the one whose map, by "mean" over all steps and layers, has the highest peak.

    The explorer of pixels shows it first too.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.
    """
    peaks = [float(found.max()) for found in word_maps(trace, words, Selection(role))]
    return words[int(np.argmax(peaks))]


def layer_maps(trace: Trace, word: Word, selection: Selection) -> dict[str, Float32[np.ndarray, "head y x"]]:
    """Layer -> how much each pixel of its own grid attends to a word, head by head: probability 0..1.

    The probability is summed over the word's tokens and averaged over the steps; one "head", their mean, where only
    that was recorded.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.
    """
    chosen = selection.of(trace)
    wanted = selection.positions(trace, next(iter(chosen.layers.values())), word)
    return {name: _by_head(chosen, attention, [wanted])[0] for name, attention in chosen.layers.items()}


def _by_head(
    chosen: Chosen, attention: Attention, words: Sequence[tuple[int, ...]]
) -> list[Float32[np.ndarray, "head y x"]]:
    """One layer's map of each word, given as positions, head by head: the mean over calls.

    The picture's probabilities for the word's tokens add up; each token that looks itself is one of several queries.
    """
    columns = [columns_of(attention, word) for word in words]
    union = sorted({column for one in columns for column in one})
    planes = attention.planes(union, chosen.calls(attention), chosen.head_slice)
    none = np.zeros((1, len(chosen.heads or range(attention.shape[1])), *attention.grid), np.float32)
    made = [np.asarray(_summed([planes[union.index(c)] for c in one] or [none]).mean(axis=0)) for one in columns]
    if chosen.queries == "words":
        return [one / np.float32(len(several) or 1) for one, several in zip(made, columns, strict=True)]
    return made


def _summed(planes: Sequence[np.ndarray]) -> Float32[np.ndarray, "call head y x"]:
    total = as_float32(planes[0])
    for plane in planes[1:]:
        total += as_float32(plane)
    return total


def latent_grid(trace: Trace, layers: Iterable[Attention]) -> tuple[int, int]:
    """(y, x) of the latents; of the finest of `layers` where latents were not recorded, and (1, 1) without any."""
    if (latents := trace.shape_of("latents")) is not None:
        return (latents[-2], latents[-1])
    grids = (attention.grid for attention in layers)
    y, x = max(grids, key=lambda grid: grid[0] * grid[1], default=(1, 1))
    return (y, x)
