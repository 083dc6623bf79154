"""Where words looked: maps from a trace's cross-attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ..errors import TraceError, did_you_mean
from ..trace import Attention, Trace
from .grids import resized

Word = str | int | Sequence[int]
Steps = int | slice | Sequence[int] | None
Layers = str | int | Sequence[str | int] | None
Heads = int | Sequence[int] | None

METHODS = ("mean",)


@dataclass(frozen=True)
class Selection:
    """Which part of a trace's cross-attention is asked for, checked against what was recorded.

    Attributes:
        layers: Dotted name -> the layer's attention; each saw at least one of the steps.
        steps: The steps among those recorded, ascending.
        heads: Which heads; None for all (or for their recorded mean).
    """

    role: str
    layers: Mapping[str, Attention]
    steps: tuple[int, ...]
    heads: tuple[int, ...] | None

    def describe(self) -> str:
        """The selection in words, as figures say it beneath their panels."""
        steps = f"step {self.steps[0]}" if len(self.steps) == 1 else f"{len(self.steps)} steps"
        layers = next(iter(self.layers)) if len(self.layers) == 1 else f"{len(self.layers)} layers"
        heads = "all heads" if self.heads is None else f"heads {', '.join(map(str, self.heads))}"
        return f"{self.role}, mean over {steps}, {layers}, {heads}"


def select(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, heads: Heads = None
) -> Selection:
    """What `role`, `steps`, `layers` and `heads` mean in this trace.

    Args:
        steps: A step, a slice, or several; negative ones count from the end; None: every recorded one.
        layers: Dotted names or their beginnings ("up_blocks"), or the longer side of a layer's grid (16), one or
            several; None: every recorded one.
        heads: One or several; needs a trace of Record(cross_attention="heads").

    Raises:
        TraceError: A role, step, layer or head that the trace does not hold.
    """
    recorded = trace.attention(role)
    chosen = _layers(recorded, layers)
    known = sorted({step for attention in chosen.values() for step in attention.steps})
    wanted = _steps(trace, steps, known)
    seen = {name: attention for name, attention in chosen.items() if not set(wanted).isdisjoint(attention.steps)}
    return Selection(role, seen, wanted, _heads(seen, heads))


def word_map(
    trace: Trace,
    word: Word,
    *,
    method: str = "mean",
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    occurrence: int | None = None,
) -> Float32[np.ndarray, "y x"]:
    """How much each latent pixel attends to a word: probability 0..1 on the latent grid (y, x).

    "mean": the probability is summed over the word's tokens (all its occurrences, unless one is chosen), averaged
    over the steps, layers and heads asked for, each layer having one vote; smaller layers are first resized
    to the latent grid, bilinear. Nothing is normalised: maps of one trace compare, and over all words, start,
    end and padding they add up to 1.

    Args:
        word: A word or phrase of the prompt, or positions in the padded prompt.
        method: "mean".
        role: Whose prompt: "cond", or "uncond" for the negative prompt.
        steps, layers, heads: As `select` takes them.
        occurrence: Which of several equal words, from 0.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.

    Source: cf. Tang et al., ACL 2023 (DAAM), which sums over steps and resizes bicubically.
    """
    if method not in METHODS:
        raise TraceError(f"no method {method!r}; {did_you_mean(str(method), METHODS)}")
    chosen = select(trace, role=role, steps=steps, layers=layers, heads=heads)
    sums: dict[tuple[int, ...], np.ndarray] = {}
    for attention in chosen.layers.values():
        grid = _layer_map(trace, attention, chosen, word, occurrence)
        sums[grid.shape] = sums.get(grid.shape, 0) + grid
    shape = latent_grid(trace, chosen)
    total = np.sum([resized(grid, shape) for grid in sums.values()], axis=0)
    return np.asarray(total / len(chosen.layers), np.float32)


def latent_grid(trace: Trace, chosen: Selection) -> tuple[int, int]:
    """(y, x) of the latents; of the finest chosen layer where latents were not recorded."""
    if trace.latents is not None:
        return (trace.latents.shape[2], trace.latents.shape[3])
    y, x = max((attention.probs.shape[2:4] for attention in chosen.layers.values()), key=lambda grid: grid[0] * grid[1])
    return (y, x)


def positions(trace: Trace, attention: Attention, role: str, word: Word, occurrence: int | None) -> tuple[int, ...]:
    """The positions of `word` in the padded prompt that the layer looked at."""
    tokenizer = attention.tokenizer
    if tokenizer is not None and tokenizer in trace.tokens.get(role, ()):
        return trace.tokens[role][tokenizer].positions(word, occurrence)
    if isinstance(word, str):
        raise TraceError(
            f"cannot find {word!r}: this run was given embeddings without a prompt for {role!r}; give positions instead"
        )
    return (word,) if isinstance(word, int) else tuple(dict.fromkeys(word))


def _layer_map(
    trace: Trace, attention: Attention, chosen: Selection, word: Word, occurrence: int | None
) -> Float32[np.ndarray, "y x"]:
    columns = [attention.column(p) for p in positions(trace, attention, chosen.role, word, occurrence)]
    calls = [call for call, step in enumerate(attention.steps) if step in chosen.steps]
    probs = attention.probs if len(calls) == len(attention.steps) else attention.probs[calls]
    if chosen.heads is not None:
        probs = probs[:, list(chosen.heads)]
    return np.asarray(probs[..., columns].sum(axis=-1, dtype=np.float32).mean(axis=(0, 1)))


def _layers(recorded: Mapping[str, Attention], wanted: Layers) -> dict[str, Attention]:
    if wanted is None:
        return dict(recorded)
    chosen: dict[str, Attention] = {}
    for one in (wanted,) if isinstance(wanted, str | int) else tuple(wanted):
        hits = {name: a for name, a in recorded.items() if _is(one, name, a)}
        if not hits and isinstance(one, int):
            sides = sorted({max(a.probs.shape[2:4]) for a in recorded.values()})
            raise TraceError(f"no recorded layer of side {one}; there are {', '.join(map(str, sides))}")
        if not hits:
            raise TraceError(f"no recorded layer {one!r}; {did_you_mean(str(one), recorded)}")
        chosen |= hits
    if not chosen:
        raise TraceError("layers=() asks for no layer at all; leave it out to take every recorded one")
    return {name: recorded[name] for name in recorded if name in chosen}


def _is(wanted: str | int, name: str, attention: Attention) -> bool:
    if isinstance(wanted, int):
        return max(map(int, attention.probs.shape[2:4])) == wanted
    return name == wanted or name.startswith(wanted.rstrip(".") + ".")


def _steps(trace: Trace, wanted: Steps, known: Sequence[int]) -> tuple[int, ...]:
    if wanted is None:
        return tuple(known)
    if isinstance(wanted, slice):
        chosen = set(range(trace.num_steps)[wanted]) & set(known)
    else:
        chosen = {trace.check_step(step) for step in ((wanted,) if isinstance(wanted, int) else wanted)}
        if missing := chosen.difference(known):
            raise TraceError(f"attention of step {min(missing)} was not recorded; there are {list(known)}")
    if not chosen:
        raise TraceError(f"steps={wanted!r} is no step whose attention was recorded; there are {list(known)}")
    return tuple(sorted(chosen))


def _heads(layers: Mapping[str, Attention], wanted: Heads) -> tuple[int, ...] | None:
    if wanted is None:
        return None
    heads = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    for name, attention in layers.items():
        if attention.head_mean:
            raise TraceError(
                f"heads={wanted!r}: only their mean was recorded; run with Record(cross_attention='heads')"
            )
        if bad := [head for head in heads if not 0 <= head < attention.probs.shape[1]]:
            raise TraceError(f"there is no head {bad[0]} in {name}: it has {attention.probs.shape[1]}, from 0")
    if not heads:
        raise TraceError("heads=() asks for no head at all; leave it out to take all")
    return heads
