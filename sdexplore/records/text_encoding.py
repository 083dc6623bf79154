"""What the text encoders of a pipeline made of a prompt: hidden states layer by layer, and their own attention."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TokenError, did_you_mean
from ..text.tokenization import Token, Tokenization
from ..theory.embeddings import cosine_similarity


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TextEncoding(Shown):
    """One prompt in one text encoder.

    Attributes:
        encoder: Name of the component: "text_encoder".
        class_name: Its class.
        tokens: Its input; position i of every array is token i of the padded sequence.
        hidden_states: Row 0 is token plus position embedding, row i the output of layer i, before any final norm.
        last_hidden_state: What the encoder returns: the last row after its final layer norm.
        pooled: One vector for the whole prompt, projected where the encoder has a projection (`text_embeds`),
            else its `pooler_output`; None where it has neither.
        attention: Probabilities of its self-attention, float32; they add up to 1 over keys. None where they were
            not requested, or cannot be read from this encoder (relative positions, as in T5).
        causal: Whether a token sees only those before it. This is measured: the last token of the prompt was exchanged,
            and nothing before it changed.
        to_unet: Which hidden state the pipeline's denoiser gets, in words.
        denoiser: How messages call it.
    """

    encoder: str
    class_name: str
    tokens: Tokenization
    hidden_states: Float32[np.ndarray, "state position width"]
    last_hidden_state: Float32[np.ndarray, "position width"]
    pooled: Float32[np.ndarray, " pooled"] | None
    attention: Float32[np.ndarray, "layer head position position"] | None
    causal: bool
    to_unet: str
    denoiser: str = "UNet"

    @property
    def num_layers(self) -> int:
        """How many layers the encoder has."""
        return len(self.hidden_states) - 1

    def layer(self, number: int) -> int:
        """`number` as an index of `hidden_states`, negative ones counted from the end; TokenError beyond."""
        if not -len(self.hidden_states) <= number <= self.num_layers:
            raise TokenError(
                f"{self.encoder} has no hidden state {number}: there are 0 (embeddings) to {self.num_layers} (last)"
            )
        return number % len(self.hidden_states)

    def similarity(self, layer: int) -> Float32[np.ndarray, "position position"]:
        """Cosine similarity of every two tokens' hidden states after `layer`, −1 to 1; 0 is the embeddings."""
        return cosine_similarity(self.hidden_states[self.layer(layer)])

    @property
    def norms(self) -> Float32[np.ndarray, "state position"]:
        """Euclidean length of every hidden state."""
        return np.asarray(np.linalg.norm(self.hidden_states, axis=-1), np.float32)

    def shown_positions(self, padding: int = 2) -> tuple[int, ...]:
        """The positions that figures show: up to the first end, and the first `padding` of the padding."""
        end = self.tokens.first_end
        last = len(self.tokens.ids) if end is None else end + 1 + padding
        return tuple(range(min(last, len(self.tokens.ids))))

    def label(self, position: int) -> str:
        """How figures name a position: the token's text, or its kind in brackets."""
        token: Token = self.tokens.tokens[position]
        return token.text if token.kind == "text" else f"⟨{token.kind}⟩"

    def blocks(self) -> list[Block]:
        """What the repr shows: the facts, then a row a hidden state."""
        width = self.hidden_states.shape[-1]
        sees = "only tokens before it (causal)" if self.causal else "all tokens"
        heads = "" if self.attention is None else f", {self.attention.shape[1]} heads"
        pooled = "no pooled vector" if self.pooled is None else f"pooled to {len(self.pooled)} numbers"
        shown, norms = self.shown_positions(0), self.norms
        text = [p for p in shown if self.tokens.tokens[p].kind == "text"]
        rest = [p for p in range(norms.shape[1]) if self.tokens.tokens[p].kind == "padding"]
        rows = [
            (
                "embeddings" if number == 0 else f"layer {number}",
                f"{row[0]:.2f}",
                _mean(row[text]),
                _mean(row[rest]),
                _mean(_off_diagonal(self.similarity(number)[np.ix_(text, text)])),
            )
            for number, row in enumerate(norms)
        ]
        headers = ("hidden state", "norm: first token", "words", "padding", "mean cosine of words")
        return [
            Line(f"{self.encoder}: {self.class_name} of “{clip(self.tokens.text)}”", strong=True),
            Line(f"{self.num_layers} layers of width {width}{heads}; a token sees {sees}; {pooled}"),
            Line(f"the {self.denoiser} is given {self.to_unet}"),
            Table(headers, rows, frozenset(headers[1:])),
        ]


class TextEncodings(Shown, Mapping[str, TextEncoding]):
    """One prompt in every text encoder of a pipeline: component name → TextEncoding."""

    def __init__(self, encodings: Mapping[str, TextEncoding]) -> None:
        self._encodings = dict(encodings)

    def __getitem__(self, encoder: str) -> TextEncoding:
        try:
            return self._encodings[encoder]
        except KeyError:
            known = did_you_mean(encoder, self._encodings)
            raise _NoEncoderError(f"no text encoder {encoder!r}; {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._encodings)

    def __len__(self) -> int:
        return len(self._encodings)

    def blocks(self) -> Sequence[Block]:
        """What each encoding shows, one after the other."""
        return [block for one in self.values() for block in one.blocks()] or [Line("no text encoder")]


class _NoEncoderError(TokenError, KeyError):
    """A TokenError that is a KeyError too, which Mapping's own `get` and `in` need."""

    __str__ = Exception.__str__


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.2f}" if values.size else "—"


def _off_diagonal(matrix: np.ndarray) -> np.ndarray:
    return matrix[~np.eye(len(matrix), dtype=bool)]
