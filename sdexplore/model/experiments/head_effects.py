"""`head_effects`: what each head does by what it reads of a word, and as a whole, beside the attention that it pays."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...analysis.ranks import rank_correlation
from ...analysis.selection import Whole, Word, label, words_of
from ...base.errors import RunError, did_you_mean, errors_named
from ...base.known_names import beginnings, lies_in
from ...records.head_effects import HeadEffects
from ...text.shared_keys import SharedKeys
from ...trace.facts import facts_of
from ...trace.trace import Trace
from ..capture.probabilities import probabilities
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.ways_in import Attended
from ..interventions.removals import Removal
from ..runs.check_video import refuse_video
from .asked_again import (
    AT_ONCE,
    SeenCall,
    asking,
    check_one_prompt,
    check_one_trace,
    conditional_of,
    prompt_of,
)
from .attribution import ablated, layers_to_words

_FUNCTION = "head_effects"


def head_effects(
    pipe: Any,
    trace: Trace,
    word: Word,
    *,
    step: Whole | None = None,
    layers: str | Sequence[str] | None = None,
    **pipeline_arguments: Any,
) -> HeadEffects:
    """What changes in the noise prediction without each head's reading of a word, and without each head.

    At one step of the trace the pipeline's denoiser predicts again from the run's own latents, with one thing missing
    in each row of the batch: the word's values in one head (the head's reading of the word), or all values in one head
    (the whole head: `out − z_h W_oᵀ`, its layer's bias stays). Where words attend too, the reading is the picture's.
    So it costs 2 rows of a denoiser call for each head, and 2 for each layer. The attention that the head pays the word
    is read beside, since the two rankings differ: attention tells where a head looks, and an effect what follows
    from it.

    Args:
        pipe: The pipeline that made the trace.
        word: A word or phrase of the prompt, all occurrences together, or positions in the padded prompt.
        step: Which step's latents; None: the step in the middle of the run.
        layers: Layers that attend to words, by name, or the beginning of one ("up_blocks.1"); None: all.
        pipeline_arguments: Arguments of the run that its trace holds as a summary only, as `occlusion` takes them.

    Raises:
        TraceError: The trace holds no prompt, latents or predictions.
        TokenError: The prompt has no such word.
        RunError: There is no such layer; the family's attention cannot be changed; the prediction made again is not the
            trace's; the run was changed.
    """
    refuse_video(pipe, _FUNCTION)
    check_one_trace(trace, _FUNCTION)
    check_one_prompt(trace, _FUNCTION, pipeline_arguments)
    tokens = prompt_of(trace, _FUNCTION)
    conditional_of(trace, _FUNCTION)
    with errors_named(_FUNCTION):
        (given,) = words_of(trace, "cond", [word] if not isinstance(word, str) else word)
        columns = family_of(pipe).text_columns(trace.tokens["cond"])
        keys = SharedKeys.of(trace.tokens["cond"], columns.items()).positions(given)
        at = trace.num_steps // 2 if step is None else trace.check_step(step)
    there = _chosen(layers_to_words(pipe, _FUNCTION), layers)
    places = [(row, head) for row, layer in enumerate(there) for head in range(layer.heads)]
    removals = [Removal(keys, there[row].name, head) for row, head in places]
    removals += [Removal(None, there[row].name, head) for row, head in places]
    removals += [Removal(one, layer.name) for one in (keys, None) for layer in there]
    with asking(pipe, trace, _FUNCTION, pipeline_arguments) as asked:
        call, (made, *_) = asked.seen(at, [asked.call.prompt] * AT_ONCE)
        deviation = asked.checked(made, at)
        (empty,) = asked.predictions(at, [""])
        sizes = [_size(one) for one in ablated(call, there, removals, _FUNCTION)]
        paid = _attention(call, there, keys)
    count = len(places)
    reading, whole, by_layer, whole_by_layer = (
        np.array(some, np.float32)
        for some in (sizes[:count], sizes[count : 2 * count], *np.reshape(sizes[2 * count :], (2, -1)))
    )
    attention, mean = np.concatenate(paid), np.array([one.mean() for one in paid], np.float32)
    return HeadEffects(
        prompt=tokens.typed,
        word=label(given),
        layers=tuple(layer.name for layer in there),
        heads=tuple(layer.heads for layer in there),
        reading=reading,
        whole=whole,
        layer_reading=by_layer,
        layer_whole=whole_by_layer,
        attention=attention,
        correlations={
            "head: reading ~ attention": rank_correlation(reading, attention),
            "head: whole ~ attention": rank_correlation(whole, attention),
            "head: whole ~ reading": rank_correlation(whole, reading),
            "layer: reading ~ attention": rank_correlation(by_layer, mean),
            "layer: whole ~ attention": rank_correlation(whole_by_layer, mean),
        },
        of_prompt=_size(made - empty),
        step=at,
        timestep=float(trace.timesteps[at]),
        deviation=deviation,
        prediction_type=str(trace.provenance.get("scheduler", {}).get("prediction_type")),
        fingerprint=trace.fingerprint,
        asked=given,
        chosen=None if layers is None else (layers,) if isinstance(layers, str) else tuple(layers),
        run=facts_of(trace),
    )


def _chosen(there: Sequence[Layer], layers: str | Sequence[str] | None) -> list[Layer]:
    names = [layer.name for layer in there]
    if not isinstance(layers, str | Sequence | None) or not all(isinstance(one, str) for one in layers or ()):
        raise RunError(f"head_effects(layers={layers!r}): layers are named: 'up_blocks.1', or several such names")
    wanted = names if layers is None else [layers] if isinstance(layers, str) else list(layers)
    for one in wanted:
        if not any(lies_in(name, one) for name in names):
            raise RunError(
                f"head_effects(layers={layers!r}): no layer that attends to words is called {one!r}, or begins so; "
                f"{did_you_mean(one, beginnings(names), most=6)}"
            )
    if not wanted:
        raise RunError("head_effects(layers=()): name at least one layer, or leave layers out")
    return [layer for layer in there if lies_in(layer.name, *wanted)]


def _size(change: np.ndarray) -> float:
    return float(np.sqrt(np.square(change.astype(np.float64)).mean()))


def _attention(call: SeenCall, layers: Sequence[Layer], keys: Sequence[int]) -> list[Float32[np.ndarray, " head"]]:
    """The mean over the picture of the probability that each head of each layer pays these keys."""
    found: dict[str, np.ndarray] = {}

    def heard(layer: Layer, attended: Attended) -> None:
        probs = probabilities(call.family.by_head(layer, attended.of_rows((0,))), head_mean=False)[0]
        if call.standing is not None:
            places = call.standing(layer, 0)
            probs = probs[:, places.picture, places.words]
        found[layer.name] = probs[..., list(keys)].sum(-1).mean(-1).float().cpu().numpy()

    with ExitStack() as stack, torch.no_grad():
        for layer in layers:
            for hook in call.family.listen(layer, partial(heard, layer)):
                stack.callback(hook.remove)
        call.predict()
    return [found[layer.name] for layer in layers]
