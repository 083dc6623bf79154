"""`occlusion`: the denoiser asked again at a run's own latents, with one word left out of the prompt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base.errors import TraceError
from ...records.occlusion import Occlusion
from ...text.tokenization import Tokenization
from ...trace.facts import facts_of
from ...trace.trace import Steps, Trace
from ..runs.check_video import refuse_video
from .asked_again import asking, check_one_prompt, check_one_trace, conditional_of, prompt_of

_STEPS = 4  # asked by default


def occlusion(
    pipe: Any,
    trace: Trace,
    words: Sequence[str] | None = None,
    *,
    steps: Steps = None,
    **pipeline_arguments: Any,
) -> Occlusion:
    """What each word does: the change of the conditional noise prediction with that word left out of the prompt.

    At chosen steps of the trace, the pipeline's denoiser predicts again from the run's own latents, once with the whole
    prompt and once without each word (its characters are deleted, and the rest is tokenized again, so that later words
    move forward). No attention map takes part, so that attention maps can be compared with the result. It costs one
    row of a denoiser call a word and step. Guidance of any kind, a `guide` too, does not change that prediction and
    is left out.

    `word_effect` measures the same for any picture, noised to one timestep.

    Args:
        pipe: The pipeline that made the trace.
        words: Words or phrases of the prompt; all occurrences of one are left out together. By default each word by
            itself.
        steps: A step of the trace, or several; by default four, evenly spread.
        pipeline_arguments: Arguments of the run that its trace holds as a summary only, for example
            ip_adapter_image_embeds. Plain values are taken from the trace.

    Raises:
        TraceError: The trace holds no prompt, latents or noise levels; its prompt has no word to leave out.
        TokenError: The prompt has no such word.
        RunError: The prediction for the whole prompt is not the trace's: another pipeline, or other arguments. The
            run had more than one prompt (prompt_at, prompt_2), or embeddings that were not made of the prompt alone.
    """
    refuse_video(pipe, "occlusion")
    check_one_trace(trace, "occlusion")
    check_one_prompt(trace, "occlusion", pipeline_arguments)
    tokens = prompt_of(trace, "occlusion")
    conditional_of(trace, "occlusion")
    named = _left_out(tokens, words)
    count = trace.num_steps
    usual = tuple(round(i * (count - 1) / (_STEPS - 1)) for i in range(_STEPS))
    chosen = trace.check_steps(usual if steps is None else steps)
    if not chosen:
        raise TraceError("occlusion(steps=()): name at least one step, or leave steps out")
    prompts = [tokens.typed, "", *named.values()]
    changes, of_prompt, deviation = [], [], []
    with asking(pipe, trace, "occlusion", pipeline_arguments) as asked:
        for step in chosen:
            full, empty, *rest = asked.predictions(step, prompts)
            deviation.append(asked.checked(full, step))
            of_prompt.append(np.sqrt(np.square(full - empty).mean()))
            changes.append([np.sqrt(np.square(full - one).mean(axis=0)) for one in rest])
    return Occlusion(
        prompt=tokens.typed,
        words=tuple(named),
        asked=None if words is None else tuple(named),
        steps=chosen,
        timesteps=trace.timesteps[list(chosen)],
        changes=np.array(changes, np.float32).swapaxes(0, 1),
        of_prompt=np.array(of_prompt, np.float32),
        deviation=np.array(deviation, np.float32),
        prediction_type=str(trace.provenance.get("scheduler", {}).get("prediction_type")),
        fingerprint=trace.fingerprint,
        run=facts_of(trace),
    )


def _left_out(tokens: Tokenization, words: Sequence[str] | None) -> dict[str, str]:
    """Name of each word -> the prompt without it."""
    if isinstance(words, str):
        words = (words,)
    if not tokens.words:
        raise TraceError(f"occlusion: the prompt {tokens.typed!r} has no word to leave out")
    if words is None:
        names = (f"{word.text} ({word.occurrence + 1})" if word.occurrence else word.text for word in tokens.words)
        return dict(zip(names, (tokens.typed_without(word.span) for word in tokens.words), strict=True))
    found = {}
    for word in words:
        tokens.positions(word)  # raises where the prompt has no such word, or it was cut off
        found[word] = tokens.typed_without(*tokens.places(word))
    if not found:
        raise TraceError("occlusion(words=()): name at least one word of the prompt, or leave words out")
    return found
