"""What each word of a prompt does to the noise prediction: found by leaving it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from ..base.display import Block, Line, Shown, Table, clip
from ..base.errors import TraceError, did_you_mean
from ..text.words import fold


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Occlusion(Shown):
    """How the conditional prediction changes, at a run's own latents, with each word left out of the prompt.

    Attributes:
        prompt: The whole prompt.
        words: As they stand in the prompt; a repeated word with its number: "a (2)".
        steps: Steps of the trace at whose latents the denoiser was called again.
        timesteps: Their training times.
        changes: Root mean square over channels of ε(x_t, prompt) − ε(x_t, prompt without the word), at each latent
            pixel. ε is what the model predicts: noise, or velocity where it is trained for that.
        of_prompt: Root mean square over pixels and channels of ε(x_t, prompt) − ε(x_t, ""): what the whole prompt does.
        deviation: Largest difference, at each step, between the prediction made again here for the whole prompt and
            the one in the trace. It is rounding alone if pipeline and arguments are those of the run.
        prediction_type: What the model predicts.
        fingerprint: Of the trace.
        asked: The words that the user named; None for each word of the prompt by itself.
        run: How the trace was made, as `trace.facts.facts_of` says it; empty if it is not known.
    """

    prompt: str
    words: tuple[str, ...]
    steps: tuple[int, ...]
    timesteps: Float64[np.ndarray, " step"]
    changes: Float32[np.ndarray, "word step y x"]
    of_prompt: Float32[np.ndarray, " step"]
    deviation: Float32[np.ndarray, " step"]
    prediction_type: str
    fingerprint: str
    asked: tuple[str, ...] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def effects(self) -> Float32[np.ndarray, "word step"]:
        """Each word's change, root mean square over the picture, as a share of what the whole prompt does.

        The shares need not add up to 1: words act together, and leaving a word out changes the text encoder's output
        for every word behind it. NaN where the prompt as a whole changes nothing.
        """
        size = np.sqrt(np.square(self.changes.astype(np.float64)).mean(axis=(2, 3)))
        whole = self.of_prompt.astype(np.float64)
        found = np.divide(size, whole, out=np.full_like(size, np.nan), where=whole > 0)
        return np.asarray(found, np.float32)

    @property
    def ranking(self) -> tuple[int, ...]:
        """The words by their mean effect over the steps, the strongest first, as indices of `words`."""
        return tuple(int(i) for i in np.argsort(-self.effects.mean(axis=1), kind="stable"))

    def change(self, word: str, step: int | None = None) -> Float32[np.ndarray, "y x"]:
        """Where leaving out `word` changes the prediction, at one step of the trace, or as the mean over `steps`.

        Raises:
            TraceError: No such word was left out, or the denoiser was not called at that step.
        """
        names = {fold(name): number for number, name in enumerate(self.words)}
        if fold(word) not in names:
            raise TraceError(f"the word {word!r} was not left out; {did_you_mean(word, self.words)}")
        found: np.ndarray = self.changes[names[fold(word)]]
        if step is None:
            return np.asarray(found.mean(axis=0))
        if step not in self.steps:
            raise TraceError(f"step {step} is not among the steps of this occlusion, {list(self.steps)}")
        return np.asarray(found[self.steps.index(step)])

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a word, the strongest first."""
        effects = self.effects
        headers = (
            "word left out",
            *(f"step {step} (t {t:.0f})" for step, t in zip(self.steps, self.timesteps, strict=True)),
            "mean",
        )
        rows = [
            (clip(self.words[i], 40), *(f"{share:.2f}" for share in effects[i]), f"{effects[i].mean():.2f}")
            for i in self.ranking
        ]
        return [
            Line(
                f"Occlusion: what each word of “{clip(self.prompt)}” does to the {self.prediction_type} prediction",
                strong=True,
            ),
            Line(
                "change with the word left out, root mean square, as a share of the whole prompt's; at the latents "
                f"of trace {self.fingerprint}, whose own predictions came out again to {self.deviation.max():.1g}"
            ),
            Table(headers, rows, frozenset(headers[1:])),
        ]
