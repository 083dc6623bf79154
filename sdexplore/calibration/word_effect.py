"""`word_effect`: where a word changes the noise prediction, compared with where the model looked at the word."""

from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Float, Float32

from ..analysis.attention import word_map
from ..analysis.ranks import rank_correlation
from ..analysis.resizing import resized
from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import RunError, TokenError
from ..model.components.pictures import Picture
from ..model.experiments.look_and_invert import looked
from ..text.tokenization import Tokenization
from ..text.words import Span
from ..trace.record import Record
from ..trace.trace import Trace
from .scoring import inside, top

BARE = Record(cross_attention=False, decode=0)
_TENTH = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class WordEffect(Shown):
    """What changes without a word, and whether attention to the word lies at the same place.

    Attributes:
        word, prompt, without: The word, the prompt, and the prompt without it.
        timestep: Training timestep of the noise on the picture.
        change: Root mean square, over channels, of the change of the noise prediction at each latent pixel.
        attention: The word's map at the same pixels.
        share: Share of the change that lies in the tenth of the pixels that look at the word most; 0.1 by chance.
        other: The mean of that share for the maps of the prompt's other words; NaN where there is no other word.
        correlation: Of the ranks of `change` and `attention` over pixels (Spearman's), −1 to 1; NaN where one of the
            two is the same everywhere.
    """

    word: str
    prompt: str
    without: str
    timestep: int
    change: Float32[np.ndarray, "y x"]
    attention: Float32[np.ndarray, "y x"]
    share: float
    other: float
    correlation: float

    def blocks(self) -> list[Block]:
        """What the repr shows: the figures with those of chance and of other words, and their limits."""
        other = "–" if np.isnan(self.other) else f"{self.other:.2f}"
        headers = ("what", "this word", "other words' maps", "chance")
        rows = [
            ("share of the change in the map's highest tenth", f"{self.share:.2f}", other, f"{_TENTH:.2f}"),
            ("rank correlation of change and map", f"{self.correlation:+.2f}", "", "0.00"),
        ]
        return [
            Line(
                f"Effect of {clip(self.word)!r} at t = {self.timestep}: without it, {clip(self.without)!r}", strong=True
            ),
            Table(headers, rows, frozenset(headers[1:])),
            Line("The change owes nothing to attention maps. One picture, one noise: repeat before you conclude."),
        ]


def word_effect(
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    image: Picture,
    prompt: str,
    word: str,
    *,
    t: SupportsIndex,
    seed: int = 0,
    occurrence: int | None = None,
    **pipeline_arguments: Any,  # noqa: ANN401  (whatever the pipeline takes)
) -> WordEffect:
    """Where the noise prediction changes without a word: a check of its heat map that needs no masks.

    The picture is noised to timestep `t` and given to `look` twice with the same noise: with the prompt, and with the
    prompt without the word. The two predictions differ where the word matters to the model, whether or not attention
    shows it. The figures tell whether the word's own map (method "mean", all layers) points there. It works on any
    picture. `occlusion` does the same at a run's own latents, for every word of its prompt.

    Args:
        image: A PIL image or uint8 array (Y, X, 3); a run's own picture is `trace.image`.
        word: A word or phrase of the prompt.
        t: Training timestep, 0 to 999.
        seed: Of the noise.
        occurrence: Which of several equal words to leave out, from 0; None leaves out all of them.
        pipeline_arguments: As `look` takes them.

    Raises:
        TokenError: The prompt has no such word.
        RunError: As `look`.
    """
    if not isinstance(t, int | np.integer) or isinstance(t, bool):
        raise RunError(f"word_effect(t={t!r}): t is one training timestep, a whole number")
    t = int(t)
    bare = Record(dtype="float32", decode=0)
    full = look_at("word_effect", pipe, image, prompt, t, seed, bare, **pipeline_arguments)
    tokens = next(iter(full.tokens["cond"].values()))
    spans = _spans(tokens, word, occurrence)
    shorter = tokens.typed_without(*spans)
    lacking = look_at("word_effect", pipe, image, shorter, t, seed, BARE, **pipeline_arguments)
    differing = change(full, lacking)
    attention = resized(word_map(full, word, occurrence=occurrence), differing.shape)
    number = max(1, round(_TENTH * differing.size))
    others = [
        inside(differing, top(resized(word_map(full, one.text), differing.shape), number))
        for one in tokens.words
        if one.positions and one.occurrence == 0 and not any(_meet(one.span, span) for span in spans)
    ]
    return WordEffect(
        word=word,
        prompt=prompt,
        without=shorter,
        timestep=t,
        change=np.asarray(differing, np.float32),
        attention=attention,
        share=inside(differing, top(attention, number)),
        other=float(np.mean(others)) if others else float("nan"),
        correlation=rank_correlation(differing, attention),
    )


def look_at(
    function: str,
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    image: Picture,
    prompt: str,
    t: int,
    seed: int,
    record: Record,
    **pipeline_arguments: Any,  # noqa: ANN401  (whatever the pipeline takes)
) -> Trace:
    """`look` at one picture and timestep; errors name `function`. RunError where the pipeline has no tokenizer."""
    trace = looked(function, pipe, image, prompt, t=t, seed=seed, record=record, **pipeline_arguments)
    if not isinstance(trace, Trace) or not trace.tokens.get("cond"):
        raise RunError(
            f"{function}: {type(pipe).__name__} has no tokenizer, so that there are no tokens to find words by"
        )
    return trace


def change(full: Trace, lacking: Trace) -> Float[np.ndarray, "y x"]:
    """How much two noise predictions differ at each latent pixel: root mean square over channels."""
    one, other = (trace.recorded("noise_pred")[0].astype(np.float64) for trace in (full, lacking))
    return np.asarray(np.sqrt(np.square(one - other).mean(axis=0)))


def _spans(tokens: Tokenization, word: str, occurrence: int | None) -> list[Span]:
    if not isinstance(word, str):
        raise TokenError(f"word_effect leaves a word of the prompt out; {word!r} is none")
    tokens.positions(word, occurrence)  # raises where the prompt has no such word, or it was cut off
    return tokens.places(word, occurrence)


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
