"""`occlusion`: the denoiser asked again at a run's own latents, with one word left out of the prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...base.errors import RunError, TraceError
from ...records.occlusion import Occlusion
from ...text.tokenization import Tokenization
from ...trace.collections import Traces
from ...trace.facts import facts_of
from ...trace.record import Record
from ...trace.trace import Steps, Trace
from ..components.pipeline_parts import denoiser, vae_scale_factor
from ..families import family_of
from ..runs.call import Call
from ..runs.check_video import refuse_video
from ..runs.provenance import given_again, is_summary
from ..runs.session import Session, session
from ..schedulers.one_step import StandingScheduler

_STEPS = 4  # asked by default
_AT_ONCE = 8  # prompts in a batch
_SAME = (
    0.05  # share of the prediction's root mean square; a larger difference means another pipeline, or other arguments
)
_BARE = Record(latents=False, cross_attention=False, decode=0)
# Arguments of the run that do not change one conditional prediction at given latents, or that are set here.
_OURS = frozenset(
    {"prompt", "negative_prompt", "negative_prompt_2", "negative_prompt_3", "true_cfg_scale"}
    | {"num_inference_steps", "timesteps", "sigmas", "latents", "skip_guidance_layers"}
    | {"num_images_per_prompt", "output_type", "return_dict", "guidance_scale", "guidance_rescale", "eta"}
    | {"height", "width", "callback_on_step_end", "callback_on_step_end_tensor_inputs", "guide", "guide_scale"}
)


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
    _check_one_prompt(trace, pipeline_arguments)
    tokens = next(iter(trace.tokens.get("cond", {}).values()), None)
    if tokens is None:
        raise TraceError("occlusion: this trace holds no prompt, and so no word to leave out")
    recorded = trace.recorded("noise_preds").get("cond")
    if recorded is None:
        raise TraceError(
            "occlusion: this trace holds no noise prediction of role 'cond': run with Record(noise_pred=True)"
        )
    named = _left_out(tokens, words)
    count = trace.num_steps
    usual = tuple(round(i * (count - 1) / (_STEPS - 1)) for i in range(_STEPS))
    chosen = trace.check_steps(usual if steps is None else steps)
    if not chosen:
        raise TraceError("occlusion(steps=()): name at least one step, or leave steps out")
    asked = Call.of(tokens.typed, _arguments(pipe, trace, pipeline_arguments), record=_BARE)
    prompts = [tokens.typed, "", *named.values()]
    changes, of_prompt, deviation = [], [], []
    with session(pipe, asked, function="occlusion") as running:
        for step in chosen:
            full, empty, *rest = _predictions(running, trace, step, prompts, asked)
            deviation.append(_checked(full, recorded[step], step))
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


def _check_one_prompt(trace: Trace, given: Mapping[str, Any]) -> None:
    """RunError where the denoiser was given other texts too, from which the words would not be left out."""
    told = {**trace.call.get("arguments", {}), **given}
    if told.get("change") is not None:
        raise RunError(
            f"occlusion: the run was changed, change={told['change']!r:.120}, and the denoiser that is asked again is "
            "not: ask a run without change="
        )
    if "prompt_at" in told:
        raise RunError(
            f"the run changed its prompt on the way, prompt_at={told['prompt_at']!r:.120}: occlusion leaves words out "
            "of one prompt; ask a run of each"
        )
    if (made := trace.call.get("conditioning")) is not None:
        raise RunError(
            f"this run's embeddings were made as {dict(made)!r:.160}, which occlusion cannot make again with a word "
            "left out; ask a run of the prompt itself"
        )
    if told.get("prompt_2") not in (None, trace.prompt):
        raise RunError(
            f"the run told its second text encoder another prompt, prompt_2={told['prompt_2']!r:.80}: words left out "
            "of the first would not be left out of that one; ask a run without prompt_2"
        )


def _arguments(pipe: Any, trace: Trace, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the run that its conditional prediction depends on."""
    ours = _OURS | ({"image", "t"} if trace.kind == "look" else set())
    told = {name: value for name, value in trace.call.get("arguments", {}).items() if name not in ours}
    for name in told.keys() - given.keys():
        if is_summary(told[name]):
            raise RunError(f"occlusion: the trace holds {name} of its run by name only; give it again: {name}=…")
    # Consistency models and FLUX.1-dev are given the scale itself; others would make an unconditional half of it.
    embedded = family_of(pipe).embeds_guidance(pipe)
    scale = trace.call.get("arguments", {}).get("guidance_scale")
    guidance = {} if embedded and scale is None else {"guidance_scale": scale if embedded else 1.0}
    again = {name: given_again(name, value) for name, value in told.items()}
    return {name: value for name, value in {**again, **guidance, **given}.items() if name != "prompt_2"}


def _predictions(
    running: Session, trace: Trace, step: int, prompts: Sequence[str], asked: Call
) -> list[Float32[np.ndarray, "channel y x"]]:
    """The model's prediction for each prompt at the latents before `step`."""
    pipe = running.pipe
    sample = torch.from_numpy(_model_input(trace, step)).to(next(denoiser(pipe).parameters()).dtype)
    factor, grid = vae_scale_factor(pipe), (int(sample.shape[1]), int(sample.shape[2]))
    scheduler = StandingScheduler.instead_of(pipe.scheduler)
    scheduler.at = trace.timesteps[step].item()
    found: list[np.ndarray] = []
    for first in range(0, len(prompts), _AT_ONCE):
        batch = list(prompts[first : first + _AT_ONCE])
        arguments = {
            **asked.arguments,
            "height": grid[0] * factor,
            "width": grid[1] * factor,
            "latents": family_of(pipe).given_latents(sample.expand(len(batch), *sample.shape), grid),
            "num_inference_steps": 1,
            "output_type": "latent",
        }
        made = running.run(replace(asked, prompt=batch, arguments=arguments, scheduler=scheduler))
        traces = list(made) if isinstance(made, Traces) else [made]
        found += [one.noise_preds["cond"][0] for one in traces]
    return found


def _model_input(trace: Trace, step: int) -> Float32[np.ndarray, "channel y x"]:
    """x_t as the denoiser was given it: flow models take x_t itself, EDM's scheduler divides it by its spread."""
    told = trace.provenance.get("scheduler", {})
    if trace.space == "flow matching":
        return np.array(trace.recorded("latents")[step])
    if trace.space == "variance exploding":
        spread = np.hypot(trace.recorded("sigmas")[step], told.get("sigma_data", 1.0))
        return np.asarray(trace.recorded("latents")[step] / spread, np.float32)
    return np.array(trace.scaled_latents(step))


def _checked(made: np.ndarray, recorded: np.ndarray, step: int) -> float:
    """The largest difference from the recorded prediction; RunError where it is another prediction."""
    if np.isnan(recorded).any():
        raise TraceError(f"occlusion(steps=…): step {step} of this trace has no conditional prediction; choose others")
    if np.sqrt(np.square(made - recorded).mean()) > _SAME * np.sqrt(np.square(recorded).mean()):
        raise RunError(
            f"occlusion: at step {step} this pipeline does not predict what the trace recorded: it is another, or it "
            "has changed, or the run had arguments that must be given again"
        )
    return float(np.abs(made - recorded).max())
