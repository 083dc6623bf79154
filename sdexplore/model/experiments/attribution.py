"""`attribution`: what each word of a prompt has to do with a region of the picture, by one of four methods."""

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch
from jaxtyping import Float32

from ...analysis.attention import word_map, word_maps
from ...analysis.region import Region, region_weights
from ...analysis.selection import Selection, Whole, Word, label, words_of
from ...base.errors import RunError, did_you_mean, errors_named
from ...base.parameters import parameters_of
from ...records.attribution import METHODS, Attribution, Method
from ...text.shared_keys import SharedKeys
from ...trace.facts import facts_of
from ...trace.trace import Trace
from ..components.differentiating import differentiating
from ..components.pipeline_parts import denoiser
from ..families import family_of
from ..families.attention_modules import Layer
from ..interventions.removals import Removal, removed
from ..runs.check_video import refuse_video
from ..runs.differentiated_memory import ensure_room
from .asked_again import (
    AT_ONCE,
    SeenCall,
    asking,
    check_one_prompt,
    check_one_trace,
    conditional_of,
    prompt_of,
)
from .differentiated_run import arguments_again, latents_through
from .occlusion import occlusion

Scores = tuple[Float32[np.ndarray, " word"], float, float]
"""(score of each word, of all other columns, deviation)."""


def attribution(
    pipe: Any,
    trace: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    region: Region | None = None,
    step: Whole | None = None,
    last: SupportsIndex = 1,
    method: str = "gradient",
    **pipeline_arguments: Any,
) -> Attribution:
    """Scores that say what each word of the prompt has to do with a region of the picture, at one step of a run.

    The pipeline's denoiser is asked again at the trace's own latents. Four definitions of "has to do with" are there,
    and they do not agree in all they say:

    - "gradient": ‖g ⊙ e‖₂ over the word's columns e of the embeddings, with g = ∂/∂e of Σ (ε − ε∅)² over the region's
      pixels and all channels; ε∅ is the prediction for an empty prompt. One backward pass serves all words.
      diffusers-interpret takes Σ of output pixels; we take what guidance acts with. A norm, since signed sums g·e do
      little better than chance at naming an object's word (0.43 where norms reach 0.87 and chance is 0.20; 20 scenes
      of the embedded model).
    - "knock-out": root mean square over the region and the channels of ε − ε', where ε' reads nothing from the word's
      columns, in any layer; where words attend too, the picture alone reads nothing of them. It says what the columns
      do, and not what leaving the word out would do: the text encoder has put the word into the columns behind it.
    - "occlusion": the same of ε − ε(prompt without the word), as `occlusion` makes it. The rest is encoded again.
    - "attention": mean probability that the region pays the word, as `region_words` reads it from the trace; nothing is
      computed.

    Through several calls: with last=n the last n calls of the run up to `step` are made again, with gradients through
    the sampler's own steps, so that "gradient" counts what the word did to the latents too. Each call is checkpointed:
    memory is that of one differentiated call, and time some three times that of the n calls. The run begins again
    from its seed. `sdx.cost(pipe, differentiated=n)` says what it takes.

    Pooled text (SDXL, SD 3, FLUX) is a constant for "gradient" and "knock-out": they are about columns.

    Args:
        pipe: The pipeline that made the trace.
        words: Words or phrases of the prompt, or positions in the padded prompt (not for "occlusion"); None: every
            different word.
        region: A box (left, top, right, bottom) in pixels of the picture, or a boolean mask (Y, X); None: all of it.
        step: Which step's call is asked; None: the one in the middle of the run.
        last: Of "gradient" alone: through how many calls the gradient goes back.
        method: "gradient", "knock-out", "occlusion" or "attention".
        pipeline_arguments: Arguments of the run that its trace holds as a summary only, as `occlusion` takes them.

    Raises:
        TraceError: The trace lacks a prompt, latents, predictions or (for "attention") maps; the region is none.
        TokenError: The prompt has no such word.
        RunError: There is no such method; `last` goes back beyond the first step; the prediction made again is not the
            trace's; the run was changed or guided; the family's attention cannot be changed ("knock-out"), or its
            words are not in one tensor ("gradient"); memory does not suffice.
    """
    if method not in METHODS:
        raise RunError(f"attribution(method={method!r}): {did_you_mean(str(method), METHODS)}")
    count = _calls(last, method)
    if method == "gradient" and torch.is_inference_mode_enabled():
        raise RunError(
            "attribution(method='gradient'): inside torch.inference_mode() nothing has a gradient; call it outside, "
            "or under torch.no_grad()"
        )
    refuse_video(pipe, "attribution")
    check_one_trace(trace, "attribution")
    check_one_prompt(trace, "attribution", pipeline_arguments)
    if method == "attention":
        _check_taken(pipe, pipeline_arguments)
    tokens = prompt_of(trace, "attribution")
    with errors_named("attribution"):
        at = trace.num_steps // 2 if step is None else trace.check_step(step)
        chosen = words_of(trace, "cond", words)
        keys = _keys(pipe, trace, chosen)
    if count > at + 1:
        raise RunError(f"attribution(last={count}): up to step {at} the run has {at + 1} calls of the denoiser")
    if count > 1:
        arguments_again(trace, pipeline_arguments)
    recorded = conditional_of(trace, "attribution")
    shape = recorded.shape[-2:]
    with errors_named("attribution"):
        weights = np.ones(shape, np.float32) if region is None else region_weights(trace, region, shape)
    if method == "gradient":
        rows = 2 if float(trace.provenance.get("used", {}).get("guidance_scale") or 1.0) > 1 else 1
        ensure_room(pipe, (int(shape[0]), int(shape[1])), count, rows, "attribution(method='gradient')")
    kind: Method = METHODS[METHODS.index(method)]
    found = _Question(pipe, trace, chosen, keys, at, weights, pipeline_arguments).scores(kind, count)
    return Attribution(
        prompt=tokens.typed,
        words=tuple(map(label, chosen)),
        scores=found[0],
        others=found[1],
        method=kind,
        region=_kept(region),
        weights=weights,
        step=at,
        timestep=float(trace.timesteps[at]),
        last=count,
        deviation=found[2],
        prediction_type=str(trace.provenance.get("scheduler", {}).get("prediction_type")),
        fingerprint=trace.fingerprint,
        image=trace.image,
        asked=None if words is None else chosen,
        run=facts_of(trace),
    )


def _kept(region: Region | None) -> tuple[int | float, ...] | np.ndarray | None:
    if isinstance(region, np.ndarray):
        region = region.copy()
        region.flags.writeable = False
        return region
    return None if region is None else tuple(region)


def _calls(last: SupportsIndex, method: str) -> int:
    if isinstance(last, bool) or not isinstance(last, SupportsIndex) or (count := last.__index__()) < 1:
        raise RunError(f"attribution(last={last!r}): through how many calls the gradient goes, a whole number from 1")
    if count > 1 and method != "gradient":
        raise RunError(f"attribution(last={count}, method={method!r}): only a gradient goes through several calls")
    return count


def _check_taken(pipe: Any, given: Mapping[str, Any]) -> None:
    """RunError where the pipeline takes no such argument: nothing is asked by this method, so that nobody else says."""
    known = parameters_of(type(pipe).__call__)
    if strange := [name for name in given if name not in known]:
        raise RunError(
            f"attribution({strange[0]}=…): {type(pipe).__name__} takes no {strange[0]!r}; "
            f"{did_you_mean(strange[0], [name for name in known if name != 'self'])}"
        )


def _keys(pipe: Any, trace: Trace, words: Sequence[Word]) -> list[tuple[int, ...]]:
    """The columns of each word among the prompt's embeddings."""
    tokens = trace.tokens["cond"]
    keys = SharedKeys.of(tokens, family_of(pipe).text_columns(tokens).items())
    return [keys.positions(word) for word in words]


class _Question:
    """Words, a region and a step, asked of a pipeline by one method or another."""

    def __init__(
        self,
        pipe: Any,
        trace: Trace,
        words: Sequence[Word],
        keys: Sequence[tuple[int, ...]],
        step: int,
        weights: Float32[np.ndarray, "y x"],
        given: Mapping[str, Any],
    ) -> None:
        self._pipe, self._trace, self._words, self._keys = pipe, trace, words, keys
        self._step, self._weights, self._given = step, weights, given

    def scores(self, method: Method, last: int) -> Scores:
        """The scores by one method."""
        match method:
            case "attention":
                return self._attention()
            case "occlusion":
                return self._occlusion()
            case "knock-out":
                return self._knocked_out()
        return self._gradient(last)

    def _attention(self) -> Scores:
        selection = Selection(steps=self._step)
        maps = word_maps(self._trace, self._words, selection)
        several = sorted({key for keys in self._keys for key in keys})
        every = self._inside(word_map(self._trace, several, steps=self._step))
        scores = [self._inside(one) for one in maps]
        return np.array(scores, np.float32), 1.0 - every, float("nan")

    def _occlusion(self) -> Scores:
        texts = [word for word in self._words if isinstance(word, str)]
        if len(texts) < len(self._words):
            raise RunError("attribution(method='occlusion'): it leaves words out of the text; name words, no positions")
        found = occlusion(self._pipe, self._trace, texts, steps=self._step, **self._given)
        scores = [np.sqrt(self._inside(np.square(change[0].astype(np.float64)))) for change in found.changes]
        return np.array(scores, np.float32), float("nan"), float(found.deviation[0])

    def _knocked_out(self) -> Scores:
        layers = layers_to_words(self._pipe, "attribution(method='knock-out')")
        with self._asking() as asked:
            call, (made, *_) = asked.seen(self._step, [asked.call.prompt] * AT_ONCE)
            deviation = asked.checked(made, self._step)
            length = call.family.text_length(call.arguments)
            gone = [*self._keys, _all_but(self._keys, length)]
            changes = ablated(call, layers, [Removal(keys) for keys in gone], "attribution")
        scores = [float(np.sqrt(self._inside(np.square(one).mean(axis=0)))) for one in changes]
        return np.array(scores[:-1], np.float32), scores[-1], deviation

    def _gradient(self, last: int) -> Scores:
        with self._asking() as asked:
            call, (made,) = asked.seen(self._step, [asked.call.prompt])
            deviation = asked.checked(made, self._step)
            if (embeds := call.embeddings) is None:
                raise RunError(
                    f"attribution(method='gradient'): a {call.family.title} of the family {call.family.name!r} is "
                    "given its words as no single tensor, so that there is no gradient by columns; use "
                    "method='attention' or 'occlusion'"
                )
            if max(map(max, self._keys)) >= embeds.shape[1]:
                raise RunError(
                    f"attribution(method='gradient'): a {call.family.title} of the family {call.family.name!r} is "
                    "given its words as several tensors, so that there is no one gradient by columns; use "
                    "method='knock-out', 'occlusion' or 'attention'"
                )
            empty, (unprompted,) = asked.seen(self._step, [""])
            with differentiating(call.denoiser):
                leaf = embeds.detach().clone().requires_grad_()
                if last == 1:
                    without = torch.from_numpy(unprompted.copy()).to(embeds.device)
                    difference = call.predict(leaf)[0].float() - without
                else:
                    sample = latents_through(asked, self._step, last, leaf)
                    difference = (call.predict(leaf, sample)[0] - empty.predict(sample=sample)[0]).float()
                weights = torch.from_numpy(self._weights).to(difference.device)
                (gradient,) = torch.autograd.grad((weights * difference.square()).sum(), leaf)
            sizes = (gradient[0].float() * leaf[0].detach().float()).square().sum(-1).double().cpu().numpy()
        scores = [float(np.sqrt(sizes[list(keys)].sum())) for keys in self._keys]
        rest = float(np.sqrt(sizes[list(_all_but(self._keys, len(sizes)))].sum()))
        return np.array(scores, np.float32), rest, deviation

    def _asking(self) -> Any:
        return asking(self._pipe, self._trace, "attribution", self._given)

    def _inside(self, values: np.ndarray) -> float:
        """The mean over the region."""
        weights = self._weights.astype(np.float64)
        return float((values * weights).sum() / weights.sum())


def _all_but(several: Sequence[tuple[int, ...]], length: int) -> tuple[int, ...]:
    taken = {key for keys in several for key in keys}
    return tuple(key for key in range(length) if key not in taken)


def layers_to_words(pipe: Any, function: str) -> list[Layer]:
    """The layers that attend to words, of a denoiser whose attention can be changed.

    Raises:
        RunError: There is none, or one cannot be changed.
    """
    family = family_of(pipe)
    found = [layer for layer in family.attention_layers(denoiser(pipe)).values() if layer.to_words]
    if not found:
        raise RunError(f"{function}: this denoiser has no attention to words")
    for layer in found:
        if (reason := family.unchangeable(layer)) is not None:
            raise RunError(f"{function}: {reason}")
    return found


def ablated(
    call: SeenCall, layers: Sequence[Layer], removals: Sequence[Removal], function: str
) -> list[Float32[np.ndarray, "channel y x"]]:
    """How the prediction changes without each of these things: a row of a batch each, and one in each batch as it is.

    Args:
        call: Of AT_ONCE rows with the same prompt.
    """
    changes: list[np.ndarray] = []
    for first in range(0, len(removals), AT_ONCE - 1):
        some: list[Removal | None] = [None, *removals[first : first + AT_ONCE - 1]]
        padded = some + [None] * (AT_ONCE - len(some))
        with torch.no_grad(), removed(layers, padded, function, call.standing):
            made = call.predict().float().cpu().numpy()
        changes += list(made[1 : len(some)] - made[:1])
    return changes
