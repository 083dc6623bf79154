"""Where attention goes as a whole: shares of start, words, end and padding; and how spread it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float32, Float64

from ..base.display import Block, Line, Shown, Table
from ..base.errors import TraceError
from ..trace.trace import Attention, Steps, Trace
from .resizing import as_float32
from .selection import Heads, Layers, Selection, keys_of, zeroed

KINDS = ("start", "words", "end", "padding")
REST = "rest"  # of a softmax over words and picture together: the picture, and padding that has no column of its own
_UNIFORM = "Its embeddings are all zeros: attention is uniform, so this only says how long the prompt is."


@dataclass(frozen=True, eq=False, repr=False)
class AttentionMass(Shown):
    """Shares of all attention, by layer and step.

    Attributes:
        layers: Dotted names.
        steps: Which steps.
        shares: Mean over pixels and heads; the kinds add up to 1. NaN where a layer was not recorded at a step.
        kinds: Of the last axis: start, words, end, padding. Where words and picture share one softmax (SD 3, FLUX),
            "rest" is all that is no token of the prompt: the picture's own tokens, and padding where it has no columns.
        zeroed: Whether the role's embeddings were all zeros (SDXL's without a negative prompt): attention is uniform.
    """

    role: str
    layers: tuple[str, ...]
    steps: tuple[int, ...]
    shares: Float32[np.ndarray, "layer step kind"]
    zeroed: bool = False
    kinds: tuple[str, ...] = KINDS

    @property
    def mean(self) -> dict[str, float]:
        """Share of each kind, mean over layers and steps."""
        return dict(zip(self.kinds, np.nanmean(self.shares, axis=(0, 1)).tolist(), strict=True))

    def blocks(self) -> list[Block]:
        """What the repr shows: the means, then a row a layer."""
        means = self.mean
        most = max(means, key=lambda kind: means[kind])
        head = Line(f"Attention of {self.role}: {means[most]:.0%} goes to {most}", strong=True)
        by_layer = np.nanmean(self.shares, axis=1)
        rows = [(n, *(f"{s:.3f}" for s in row)) for n, row in zip(self.layers, by_layer, strict=True)]
        rows.append(("mean", *(f"{share:.3f}" for share in means.values())))
        return [head, *[Line(_UNIFORM)] * self.zeroed, Table(("layer", *self.kinds), rows, frozenset(self.kinds))]


def attention_mass(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> AttentionMass:
    """Where all of the attention went: start of text, the prompt's tokens, first end, padding; joint layers: the rest.

    UNets of Stable Diffusion get no mask, so the padding is really looked at.

    Raises:
        TraceError: What was asked for was not recorded; or there is no prompt to tell the kinds by.
    """
    return mass_of(trace, Selection(role, steps, layers, heads))


def mass_of(trace: Trace, selection: Selection) -> AttentionMass:
    """`attention_mass` of what is selected."""
    chosen, role = selection.of(trace), selection.role
    by_layer = {name: kinds_of(trace, role, name, attention) for name, attention in chosen.layers.items()}
    there = {str(kind) for kinds in by_layer.values() for kind in kinds}
    known = KINDS if REST not in there else tuple(kind for kind in (*KINDS, REST) if kind in there)
    shares = np.full((len(chosen.layers), len(chosen.steps), len(known)), np.nan, np.float32)
    for row, (name, attention) in enumerate(chosen.layers.items()):
        kinds = by_layer[name]
        by_call = _by_call(attention, chosen.head_slice)
        for column, calls in _calls(attention, chosen.steps):
            by_position = by_call[calls].mean(axis=0)
            shares[row, column] = [by_position[kinds == kind].sum() for kind in known]
    return AttentionMass(role, tuple(chosen.layers), chosen.steps, shares, zeroed(trace, role), known)


@dataclass(frozen=True, eq=False, repr=False)
class AttentionEntropy(Shown):
    """How spread attention is, by layer and step.

    Attributes:
        layers: Dotted names.
        steps: Which steps.
        columns: How many columns each layer's attention was spread over: log2 of it is the most there could be.
        bits: Mean over pixels and heads. NaN where a layer was not recorded at a step.
    """

    role: str
    layers: tuple[str, ...]
    steps: tuple[int, ...]
    columns: tuple[int, ...]
    bits: Float32[np.ndarray, "layer step"]

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a layer, with its first and last step."""
        rows = [
            (name, f"{np.nanmean(row):.3f}", f"{row[0]:.3f}", f"{row[-1]:.3f}", f"{np.log2(columns):.3f}")
            for name, row, columns in zip(self.layers, self.bits, self.columns, strict=True)
        ]
        headers = ("layer", "bits", f"step {self.steps[0]}", f"step {self.steps[-1]} ", "at most")
        mean = f"{np.nanmean(self.bits):.2f} bits on average"
        head = Line(f"Entropy of the attention of {self.role}: {mean}", strong=True)
        return [head, Table(headers, rows, frozenset(headers[1:]))]


def entropy(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> AttentionEntropy:
    """How spread attention is over the recorded columns: mean over pixels and heads of Shannon's entropy, in bits.

    0: every pixel looks at one column. With Record(columns="prompt") the padding counts as one column, so the
    figure is a lower bound of that over all positions. Where only the mean over heads was recorded, it is the mean's
    entropy, which is no smaller than the heads' own.

    Raises:
        TraceError: What was asked for was not recorded.
    """
    chosen = Selection(role, steps, layers, heads).of(trace)
    found = np.full((len(chosen.layers), len(chosen.steps)), np.nan, np.float32)
    for row, attention in enumerate(chosen.layers.values()):
        for column, calls in _calls(attention, chosen.steps):
            probs = as_float32(attention.rows(calls)[:, chosen.head_slice])
            bits = -(probs * np.log2(np.maximum(probs, np.finfo(np.float32).tiny))).sum(-1)
            found[row, column] = bits.mean()
    widths = tuple(attention.shape[-1] for attention in chosen.layers.values())
    return AttentionEntropy(role, tuple(chosen.layers), chosen.steps, widths, found)


_means: "WeakKeyDictionary[Attention, dict[str, np.ndarray]]" = WeakKeyDictionary()


def _by_call(attention: Attention, heads: slice | list[int]) -> Float64[np.ndarray, "call column"]:
    """How much each column gets at each call; kept while the attention is, for the next choice of steps."""
    known, key = _means.setdefault(attention, {}), repr(heads)
    if key not in known:
        calls = [probs[heads].mean(axis=(0, 1, 2), dtype=np.float64) for probs in attention.probs]
        known[key] = np.array(calls).reshape(-1, attention.shape[-1])
    return known[key]


def _calls(attention: Attention, steps: Sequence[int]) -> list[tuple[int, list[int]]]:
    """(place among `steps`, the layer's calls beneath that step), where there are any."""
    calls = [[call for call, seen in enumerate(attention.steps) if seen == step] for step in steps]
    return [(place, found) for place, found in enumerate(calls) if found]


def kinds_of(trace: Trace, role: str, layer: str, attention: Attention) -> np.ndarray:
    """For each column: start, words, end or padding; or the rest."""
    keys = keys_of(trace, role, attention)
    if not keys.read:
        raise TraceError(f"there is no prompt for {role!r} to tell start, words, end and padding of {layer} by")
    apart = [column[0] for column in attention.columns if len(column) == 1]
    if unknown := [position for position in apart if position not in keys.kinds]:
        raise TraceError(
            f"{layer} looked at position {unknown[0]}, and the prompt of {role!r} fills {len(keys.kinds)}: "
            "start, words, end and padding cannot be told apart"
        )
    several = {True: "padding", False: REST}
    kinds = [keys.kinds[one[0]] if len(one) == 1 else several[bool(one)] for one in attention.columns]
    return np.array(["words" if kind == "text" else kind for kind in kinds])
