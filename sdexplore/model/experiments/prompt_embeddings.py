"""Prompt embeddings that the pipeline itself does not make: with layers skipped, or between two prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from ...base.errors import InspectionError, RunError
from ...text.shared_keys import readers_of
from ...text.tokenization import Tokenizations
from ...theory.embeddings import slerp
from ...trace.collections import Comparison
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..components.pipeline_lock import lock_of
from ..components.tokens import tokens
from ..runs.call import Call
from ..runs.check_call import check
from ..runs.memory_budget import ensure_affordable
from ..runs.progress import Progress
from ..runs.session import session
from .text_encoding import encode, encoders_of, penultimate

Method = Literal["slerp", "lerp"]


def clip_skip_embeds(pipe: Any, prompt: str, clip_skip: int = 0) -> dict[str, torch.Tensor]:
    """The arguments of the pipeline's call that replace `prompt`, with the last `clip_skip` layers left out.

    `run(pipe, **clip_skip_embeds(pipe, prompt, 1))` draws what `run(pipe, prompt, clip_skip=1)` should draw. Stable
    Diffusion 1.x and 2.x: hidden_states[−(n + 1)], then the encoder's final layer norm; SDXL: hidden_states[−(n + 2)]
    of both encoders, without norm, and the usual pooled vector. 0 skips nothing; diffusers' 1 is called "Clip skip: 2"
    by web interfaces. As in diffusers only the prompt is skipped, never the negative prompt.

    sdexplore computes it because diffusers' own `clip_skip` raises AttributeError for SD 1.x with transformers from 5.6
    (it looks for `text_encoder.text_model`, which is gone: diffusers issue 14124). SDXL's own argument works.

    Args:
        clip_skip: How many layers, from 0.

    Returns:
        `prompt_embeds` (1, position, width), and `pooled_prompt_embeds` (1, width) where the pipeline takes them.

    Raises:
        RunError: The encoder has fewer layers.
        InspectionError: The pipeline has no text encoder, or it has no final layer norm.
    """
    return embeds_without_layers(pipe, prompt, clip_skip, "clip_skip_embeds")


def embeds_without_layers(pipe: Any, prompt: str, clip_skip: int, function: str) -> dict[str, torch.Tensor]:
    """`clip_skip_embeds` for another public function; errors name `function`, which the user called."""
    skipped = penultimate(pipe)
    with lock_of(pipe), torch.no_grad():
        found = list(encoders_of(pipe, prompt))
        for name, module, _ in found:
            if not _of_clip(module):
                does = "embeddings are mixed" if function == "interpolation" else "layers are left out"
                raise InspectionError(
                    f"{function}: {name}, a {type(module).__name__}, has no final_layer_norm as CLIP's encoders have; "
                    f"{does} of those alone. Embeddings that you make yourself go to run(pipe, prompt_embeds=…)"
                )
        encoded = [encode(*one) for one in found]
        most = min(len(one.hidden_states) for one in encoded) - 1 - skipped
        if isinstance(clip_skip, bool) or not isinstance(clip_skip, int) or not 0 <= clip_skip <= most:
            layers = " and ".join(f"{one.name} has {len(one.hidden_states) - 1} layers" for one in encoded)
            raise RunError(f"{function}(clip_skip={clip_skip!r}): {layers}; 0 to {most} can be skipped")
        if skipped:
            embeds = torch.cat([one.hidden_states[-(clip_skip + 2)] for one in encoded], dim=-1)
        else:
            (one,) = encoded
            embeds = one.normed(one.hidden_states[-(clip_skip + 1)])
        dtype, pooled = encoded[-1].module.dtype, encoded[-1].first
    device = getattr(pipe, "_execution_device", embeds.device)
    arguments = {"prompt_embeds": embeds}
    if skipped and pooled.ndim == 2:  # noqa: PLR2004  (one vector a prompt)
        arguments["pooled_prompt_embeds"] = pooled
    return {name: tensor.to(device, dtype) for name, tensor in arguments.items()}


def _of_clip(module: Any) -> bool:
    """Whether an encoder ends in CLIP's layer norm; T5's and language models' do not."""
    return hasattr(getattr(module, "text_model", module), "final_layer_norm")


def clip_skip_ladder(
    pipe: Any,
    prompt: str,
    clip_skip: Sequence[int] = (0, 1, 2, 3),
    *,
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    **pipeline_arguments: Any,
) -> Comparison:
    """A run for each value of `clip_skip`, from the same noise: a Comparison over it; see `clip_skip_embeds`.

    Raises:
        RunError: No value is given, or one beyond the encoder's layers.
    """
    steps = tuple(clip_skip)
    embeds = [embeds_without_layers(pipe, prompt, one, "clip_skip_ladder") for one in steps]
    known = tokens(pipe, prompt)
    made = {"prompt": prompt}
    given = Call.of(None, pipeline_arguments, seed=seed, record=record, on_step=on_step)
    traces = _runs(pipe, embeds, given, "clip_skip_ladder", "clip_skip")
    named = [_named(trace, {**made, "clip_skip": one}, known) for one, trace in zip(steps, traces, strict=True)]
    return Comparison(over={"clip_skip": steps}, traces=tuple(named))


def interpolation(
    pipe: Any,
    prompt: str,
    other: str,
    weights: Sequence[int | float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    *,
    method: Method = "slerp",
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    **pipeline_arguments: Any,
) -> Comparison:
    """A run for each weight on the way from the embeddings of `prompt` (0) to those of `other` (1), same noise.

    The two sequences are mixed position by position: each token with the one at the same position of the other prompt,
    whatever it means. Pooled vectors (SDXL) are mixed in the same way.

    Args:
        weights: Of `other`; numbers below 0 and above 1 lie beyond the prompts.
        method: "slerp" moves each vector on the arc between the two, so that its length stays between theirs; "lerp"
            is the weighted mean, which is shorter where the two disagree.

    Raises:
        RunError: There is no weight, one is no number, or the method is unknown.
    """
    if method not in ("slerp", "lerp"):
        raise RunError(f"interpolation(method={method!r}): it is 'slerp' or 'lerp'")
    if wrong := [one for one in weights if not isinstance(one, int | float | np.number)]:
        raise RunError(
            f"interpolation(weights={weights!r:.80}): {wrong[0]!r} is no number; 0 is {prompt!r:.40}, 1 the other"
        )
    ends = [embeds_without_layers(pipe, text, 0, "interpolation") for text in (prompt, other)]
    steps = tuple(float(weight) for weight in weights)
    embeds = [{name: _between(ends[0][name], ends[1][name], w, method) for name in ends[0]} for w in steps]
    given = Call.of(None, pipeline_arguments, seed=seed, record=record, on_step=on_step)
    traces = _runs(pipe, embeds, given, "interpolation", "weights")
    made = {"prompt": prompt, "other": other, "method": method}
    named = [_named(trace, {**made, "weight": one}, None) for one, trace in zip(steps, traces, strict=True)]
    return Comparison(over={"weight": steps}, traces=tuple(named))


def _between(a: torch.Tensor, b: torch.Tensor, weight: float, method: Method) -> torch.Tensor:
    if weight in (0.0, 1.0):
        return b if weight else a  # a prompt itself, to the bit
    if method == "lerp":
        return torch.lerp(a, b, weight)
    x, y = (one.float().cpu().numpy() for one in (a, b))
    return torch.from_numpy(np.ascontiguousarray(slerp(x, y, weight))).to(a.device, a.dtype)


def _runs(
    pipe: Any, embeds: Sequence[Mapping[str, torch.Tensor]], given: Call, function: str, over: str
) -> list[Trace]:
    """A run for each of the embeddings, each with a turn at the pipeline of its own."""
    if not embeds:
        raise RunError(f"{function}({over}=()): there is nothing to run; give at least one value")
    if clash := sorted(embeds[0].keys() & given.arguments.keys()):
        raise RunError(f"{function}({clash[0]}=…): {clash[0]!r} is what it makes itself; leave it out")
    calls = [replace(given, arguments={**given.arguments, **one}) for one in embeds]
    for call in calls:
        check(pipe, call, function, one_image=True)
    ensure_affordable(pipe, calls, function)
    traces = []
    for call in calls:
        with session(pipe, function=function) as running:
            traces.append(running.run_one(call))
    return traces


def _named(trace: Trace, made: Mapping[str, Any], known: Tokenizations | None) -> Trace:
    """The trace of a run from embeddings, whose call says under "conditioning" what they were made of."""
    call = {**trace.call, "conditioning": dict(made)}
    if known is None:
        return trace.altered(call=call)
    named = readers_of(known, dict.fromkeys(known, 0))
    attention = {
        role: {layer: replace(one, **named) if role == "cond" else one for layer, one in layers.items()}
        for role, layers in trace.cross_attention.items()
    }
    return replace(
        trace,
        call=call,
        tokens={**trace.tokens, "cond": known},
        cross_attention=attention,
    )
