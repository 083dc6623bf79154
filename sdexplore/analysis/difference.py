"""Two runs against each other: the step at which they part, how far, and which word's map changed most."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError
from ..text.words import fold
from ..trace.trace import Trace
from .attention import word_map

_MOST_WORDS = 40


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Difference(Shown):
    """What is different between run b and run a.

    Attributes:
        parted: The first step whose result differs by more than was asked for; None where none does.
        distances: Root mean square of x_t of b − x_t of a, on the variance-preserving scale, before each step and
            after the last; noise has 1 there. Of videos over all frames.
        x0: Map of each step, of videos of each frame too: root mean square over channels of predicted x0 of b − a;
            empty where one has none.
        image: Root mean square of the pictures' difference, on 0..255; None where one has no picture.
        words: Word that both prompts hold -> mean |difference| of its maps over their mean, largest first. Maps are
            `word_map`'s, over the steps from `parted` on at which both runs had the word in their prompt (before, they
            are the same); a word that both have only before is left out, and of runs that never part every step counts.
    """

    parted: int | None
    distances: Float64[np.ndarray, " point"]
    x0: Float32[np.ndarray, "step *frame y x"]
    image: float | None
    words: dict[str, float]
    sources: tuple[str, str]

    def blocks(self) -> list[Block]:
        """What the repr shows: where they part, how far at the end, and the words."""
        a, b = self.sources
        steps = len(self.distances) - 1
        parted = "they never part" if self.parted is None else f"they part at step {self.parted} of {steps}"
        end = f"x_t differs by {self.distances[-1]:.3g} in the end"
        pictures = "" if self.image is None else f", the pictures by {self.image:.3g} of 255 (root mean square)"
        lines: list[Block] = [
            Line(f"Difference of traces {a} and {b}: {parted}", strong=True),
            Line(f"{end}{pictures}."),
        ]
        rows = [(clip(word, 40), f"{change:.3g}") for word, change in self.words.items()]
        return [*lines, Table(("word", "change of its map"), rows, frozenset({"change of its map"}))] if rows else lines


def difference(a: Trace, b: Trace, *, beyond: float = 0.0) -> Difference:
    """Where run b leaves run a, and by how much.

    Args:
        a, b: Two traces whose steps lie at the same timesteps, with latents of one shape.
        beyond: They part when x_t differs by more than this (root mean square on the variance-preserving scale).
            0: by a single bit.

    Raises:
        TraceError: Latents were not recorded, or steps or shapes are not the same.
    """
    for trace in (a, b):
        trace.recorded("latents")
    if not np.array_equal(a.timesteps, b.timesteps):
        raise TraceError(
            f"difference: a makes {a.num_steps} steps and b {b.num_steps}, at other timesteps; step is compared "
            "with step, so run both with one scheduler and the same num_inference_steps"
        )
    first, second = (_scaled(trace) for trace in (a, b))
    if first.shape != second.shape:
        raise TraceError(f"difference: latents of a are {first.shape[1:]}, of b {second.shape[1:]}")
    distances = np.sqrt(np.square(second.astype(np.float64) - first).mean(axis=tuple(range(1, first.ndim))))
    later = [row for row in range(1, len(distances)) if distances[row] > beyond]
    parted = later[0] - 1 if later else None
    return Difference(
        parted=parted,
        distances=distances,
        x0=_original_samples(a, b),
        image=_pictures(a, b),
        words=_words(a, b, parted or 0),
        sources=(a.fingerprint, b.fingerprint),
    )


def _scaled(trace: Trace) -> Float32[np.ndarray, "point channel *frame y x"]:
    """The last row is what the last step returned, at σ = 0 for nearly every scheduler: on any scale the same."""
    rows = [trace.scaled_latents(step) for step in range(trace.num_steps)]
    return np.stack([*rows, trace.recorded("latents")[-1]])


def _original_samples(a: Trace, b: Trace) -> Float32[np.ndarray, "step *frame y x"]:
    first, second = a.pred_original_sample, b.pred_original_sample
    if first is None or second is None:
        return np.zeros((0, *a.recorded("latents").shape[2:]), np.float32)
    return np.asarray(np.sqrt(np.square(second - first).mean(axis=1)))


def _pictures(a: Trace, b: Trace) -> float | None:
    if a.image is None or b.image is None or a.image.shape != b.image.shape:
        return None
    return float(np.sqrt(np.square(b.image.astype(np.float64) - a.image).mean()))


def _words(a: Trace, b: Trace, start: int) -> dict[str, float]:
    """Over the steps from `start` on at which both have the word; a run without attention has none."""
    found: dict[str, float] = {}
    shared = {fold(word): word for word in _prompt_words(a)}
    for folded in list(dict.fromkeys(map(fold, _prompt_words(b))))[:_MOST_WORDS]:
        if (word := shared.get(folded)) is None:
            continue
        places = [_places(trace, word) for trace in (a, b)]
        common = [step for step in places[0] if step in places[1] and step >= start]
        if common:
            one, other = (
                np.mean([word_map(trace, word, role=its[step], steps=step) for step in common], axis=0)
                for trace, its in zip((a, b), places, strict=True)
            )
            found[word] = float(np.abs(other - one).mean() / max(float((one.mean() + other.mean()) / 2), 1e-12))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _places(trace: Trace, word: str) -> dict[int, str]:
    """Step -> the role whose prompt held the word there, and was attended to."""
    found: dict[int, str] = {}
    for role, layers in trace.cross_attention.items():
        if role.partition("@")[0] == "cond" and _holds(trace, role, word):
            found |= dict.fromkeys(next(iter(layers.values())).steps, role)
    return found


def _holds(trace: Trace, role: str, word: str) -> bool:
    tokens = next(iter(trace.tokens.get(role, {}).values()), None)
    return tokens is not None and any(fold(one.text) == fold(word) for one in tokens.words if one.positions)


def _prompt_words(trace: Trace) -> list[str]:
    """The words of every prompt that the run was given, first to last."""
    prompts = [by for role, by in trace.tokens.items() if role.partition("@")[0] == "cond"]
    return [word.text for by in prompts for word in next(iter(by.values())).words if word.positions]
