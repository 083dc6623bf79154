"""One call of a pipeline, observed from its first step to its traces; the pipeline draws what it draws by itself."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import isfunction
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...base.errors import RunError, Stopped
from ...base.user_warnings import warn_user
from ...changes.several import changes_of
from ...theory import variance_preserving
from ...trace.collections import Traces
from ...trace.provenance import Provenance
from ...trace.trace import Trace
from ..capture.file_sink import keeping
from ..capture.last_latents import last_latents
from ..capture.memory_sink import Keeper
from ..capture.module_names import named_modules
from ..capture.obstacles import refuse
from ..capture.plans import LayerPlan, plan_layers
from ..capture.prompts import Swaps, image_count, prompts_of, refuse_unknown_tokens, swaps_of, tokens_of_text
from ..capture.recorder import Recorder, StepRecord
from ..capture.roles import Roles
from ..capture.trace_builder import Assembly
from ..compiled.denoiser import compiled_denoiser
from ..components import decoding
from ..components.pipeline_parts import autoencoder, in_pixel_space, vae_scale_factor
from ..components.pipeline_parts import denoiser as denoiser_of
from ..components.step_decoder import decoder_for
from ..families import family_of
from ..families.family import Family, unwrapped
from ..families.modules import changing
from ..families.video import VideoFamily
from ..interventions.plan import changing_of
from ..schedulers import noise_levels
from .call import Call
from .check_call import SWALLOWED, refused
from .check_record import tell_if_nothing_was_kept
from .classifier_guidance import Guide, guide_of
from .conditions import conditions_of, machine_used
from .memory_budget import ensure_affordable
from .not_finite import tell_if_not_finite
from .out_of_memory import told_if_memory_runs_out
from .progress import Progress
from .provenance import provenance_of
from .riding_along import changed_facts, with_riders
from .settled_arguments import given_or_default, used

_SCALES = ("guidance_scale", "guidance_rescale", "image_guidance_scale", "true_cfg_scale")


class _StopRun(BaseException):
    """Leaves the pipeline's loop. It is a BaseException, so that no handler in between swallows it."""


def observed(pipe: Any, call: Call, function: str) -> Trace | Traces:
    """The record of a call, for a session: the call was checked, the pipeline's lock is held, others restore.

    Args:
        function: The public function that the user called.
    """
    call = settled(pipe, call, function)
    guide = guide_of(pipe, call.guide, call.guide_scale, function)
    layers = plan_layers(family_of(pipe).attention_layers(denoiser_of(pipe)), call.record)
    refuse(pipe, layers)
    ensure_affordable(pipe, [call], function, call.to, spilled=call.to is not None)
    images, steps = image_count(call.prompt, call.arguments), list[StepRecord]()
    with (
        told_if_memory_runs_out(pipe, call, function, lambda: (len(steps), _total(pipe))),
        keeping(call.to, images, len(layers)) as keeper,
    ):
        swaps = swaps_of(pipe, call.prompt, call.prompt_at, call.arguments, images, function)
        recorder = _recorder(pipe, call, images, steps, layers, keeper, guide, swaps)
        if changes := changes_of(call.change, function):
            recorder.changing = changing_of(
                changes, pipe, recorder.tokens, partial(tokens_of_text, pipe, call.arguments)
            )
            recorder.roles.images *= 1 + len(recorder.changing.sources)
        refuse_unknown_tokens(pipe, recorder.tokens, images, function)
        if call.record.concepts:
            with torch.no_grad():
                recorder.concepts = recorder.family.concept_embeds(pipe, call.record.concepts, call.arguments)
        given = _given(call, images, swaps)
        if recorder.changing is not None and recorder.changing.sources:
            given = with_riders(call, given, recorder.changing.sources, images)
        stopped = _watched(pipe, recorder, call, given, function)
    result = keeper.result()
    if stopped:
        raise Stopped(f"stopped after {len(steps)} of {_total(pipe)} steps; .trace holds what was recorded", result)
    tell_if_nothing_was_kept(call.record, recorder)
    tell_if_not_finite(function, recorder, result)
    return result


def settled(pipe: Any, call: Call, function: str) -> Call:
    """The call as this pipeline is asked: an unconditional one has one role, and takes no prompt."""
    if not family_of(pipe).unconditional(pipe):
        return call
    if call.prompt is not None:
        raise RunError(
            f"{function}: {type(pipe).__name__} is unconditional: it takes no prompt, here {call.prompt!r:.80}"
        )
    return replace(call, record=replace(call.record, roles=("uncond",)))


def _given(call: Call, images: int, swaps: Swaps | None) -> dict[str, Any]:
    """What the pipeline is called with."""
    given = dict(call.arguments) if call.prompt is None else {"prompt": call.prompt, **call.arguments}
    # Copies: Z-Image's pipeline writes its template into the list that it is given.
    given = {name: list(value) if isinstance(value, list) else value for name, value in given.items()}
    given |= swaps.callback_arguments(call.arguments) if swaps else {}
    generators = [torch.Generator("cpu").manual_seed(call.seed + image) for image in range(images)]
    return {**given, "generator": generators[0] if images == 1 else generators}


def _recorder(
    pipe: Any,
    call: Call,
    images: int,
    steps: list[StepRecord],
    layers: dict[str, LayerPlan],
    keeper: Keeper,
    guide: Guide | None,
    swaps: Swaps | None,
) -> Recorder:
    on_step, family = call.on_step, family_of(pipe)
    video = family if isinstance(family, VideoFamily) else None
    return Recorder(
        beside=() if video is None else tuple(map(unwrapped, video.further(pipe).values())),
        padding=0 if video is None else video.padding(pipe, call.arguments),
        record=call.record,
        keeper=keeper,
        family=family,
        roles=Roles(images, order=family.order(pipe, call.arguments)),
        channels=family.latent_channels(pipe),
        tokens=prompts_of(pipe, call.prompt, call.arguments, images, swaps.prompts if swaps else {}),
        layers=layers,
        features=named_modules(call.record.features, denoiser_of(pipe)),
        after_step=(lambda *_: None) if on_step is None else partial(_tell, pipe, on_step, steps),
        total=lambda: _total(pipe),
        guidance=partial(_scales, pipe, family, _given_scales(pipe, call.arguments)),
        guide=guide,
        swapped=swaps.role_at if swaps else lambda _: "cond",
        steps=steps,
    )


def _tell(
    pipe: Any,
    on_step: Callable[[Progress], object],
    steps: list[StepRecord],
    step: int,
    timestep: Any,
    latents: torch.Tensor,
) -> None:
    """Calls `on_step`, and leaves the pipeline's loop where it asks to stop."""
    progress = Progress(
        step,
        _total(pipe),
        float(timestep),
        lambda image: _preserving(pipe, steps[-1].mark, latents[image]),
        lambda: decoding.latent_rgb(pipe),
    )
    on_step(progress)
    if progress.stopped:
        raise _StopRun


def _watched(pipe: Any, recorder: Recorder, call: Call, given: Mapping[str, Any], function: str) -> bool:
    """Calls the pipeline, and makes traces of what was seen. Returns whether the run was stopped."""
    denoiser, output, stopped = denoiser_of(pipe), None, False
    foreign = (call.guide, call.on_step, *(call.arguments.get(name) for name in ("callback_on_step_end", *SWALLOWED)))
    look_again = any(one is not None for one in foreign)  # code that may change the model between two calls
    graphs = compiled_denoiser(denoiser)
    reason = _without_graph(recorder)
    if graphs is not None and reason:
        graphs.go_without(reason)
    stand_in = graphs.stand_in(denoiser, look_again=look_again) if graphs is not None and not reason else None
    conditions = conditions_of(pipe)  # before our own hooks are there
    started = time.perf_counter()
    try:
        with recorder.watching(pipe, denoiser, stand_in), changing():
            output = pipe(**_told_apart(given, recorder))
    except _StopRun:
        stopped = True
    except Exception as error:
        if recorder.own.disturbance is not None and not isinstance(error, RunError):
            raise RunError(recorder.own.disturbance) from error
        if recorder.begun or not isinstance(error, TypeError | ValueError | AttributeError):
            raise
        raise refused(pipe, given, error, function) from error
    recorder.own.check()
    interrupted = _interrupted(pipe, len(recorder.steps))
    if recorder.changing is not None and not (stopped or interrupted):
        recorder.changing.check()
    if recorder.last is not None and not stopped:
        seen = torch.cat(recorder.decoded) if recorder.decoded else None
        recorder.finish(last_latents(pipe, recorder.last, seen, output))
    else:
        recorder.finish()
    decodes = autoencoder(pipe) is not None or in_pixel_space(pipe)
    drawn = decodes and not stopped
    settled = used(pipe, call, recorder)
    if ignored := settled["ignored"]:
        warn_user(
            f"{function}: {type(pipe).__name__} ignored {', '.join(ignored)} in this call; "
            "provenance['used'] says what it drew with"
        )
    Assembly(
        recorder=recorder,
        scheduler=pipe.scheduler,
        call=call.facts(),
        provenance=provenance_of(pipe, denoiser, time.perf_counter() - started, recorder.roles.zeroed)
        | {"used": {**machine_used(pipe), **settled}}
        | conditions
        | ({"guided_by": recorder.family.guided_by} if recorder.family.guided_by else {})
        | interrupted
        | (Provenance() if recorder.changing is None else Provenance(changed=changed_facts(recorder)))
        | ({} if graphs is None else {"compiled": graphs.used}),
        factor=vae_scale_factor(pipe),
        decode=(lambda z: decoding.decode(pipe, z)) if drawn else None,
        decoder=(lambda: decoder_for(pipe)) if decodes else None,
        latent_rgb=(lambda: decoding.latent_rgb(pipe)) if drawn or decoding.fitted(pipe) else None,
    ).seal(output)
    return stopped


def _without_graph(recorder: Recorder) -> str:
    """Why a compiled denoiser runs without its graph; "" where it does not."""
    if recorder.changing is not None:
        return "run(change=…) changes the model by hooks, which a graph does not have"
    if recorder.concepts is not None:
        return "Record(concepts=…) goes beside the model by hooks, which a graph does not have"
    if recorder.features or recorder.record.statistics:
        return "Record(features=…, statistics=…) reads modules by hooks, which a graph does not have"
    return ""


def _told_apart(given: Mapping[str, Any], recorder: Recorder) -> dict[str, Any]:
    """The arguments; a callback that is a plain function says when it runs, since it may call the pipeline itself."""
    callbacks = ("callback_on_step_end", "callback")
    told = {name: recorder.own.besides(given[name]) for name in callbacks if isfunction(given.get(name))}
    return {**given, **told}


def _interrupted(pipe: Any, steps: int) -> Provenance:
    """How far the run came, where a callback set `pipe._interrupt`, which pipelines set to False as they begin."""
    ended = bool(getattr(pipe, "_interrupt", False)) and steps < _total(pipe)
    return {"interrupted": {"steps": steps, "of": _total(pipe)}} if ended else {}


def _total(pipe: Any) -> int:
    """How often the scheduler will step in the call that is under way."""
    return int(getattr(pipe, "_num_timesteps", 0) or len(pipe.scheduler.timesteps))


def _given_scales(pipe: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The scales of guidance that a call gives, or that the pipeline has by default, by its own names."""
    skipped = ("skip_layer_guidance_scale",) if arguments.get("skip_guidance_layers") else ()
    return {name: given_or_default(pipe, arguments, name) for name in (*_SCALES, *skipped)}


def _scales(pipe: Any, family: Family, given: Mapping[str, Any], timestep: Any) -> dict[str, float]:
    """The scales that the pipeline guides by at this timestep, by its own names, and PAG's.

    Where the pipeline does not tell one while it runs, or does not heed what a callback makes of it, it is the one that
    was `given`, or that its call has by default.
    """
    found = dict(given)
    if family.scale_may_change:
        found |= {name: getattr(pipe, name) for name in given if hasattr(pipe, name)}
    if isinstance(family, VideoFamily) and (scale := family.scale_at(pipe, timestep)) is not None:
        found["guidance_scale"] = scale
    if getattr(pipe, "do_perturbed_attention_guidance", False):
        found["pag_scale"] = pipe._get_pag_scale(timestep)  # noqa: SLF001  (it has no public name)
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float | torch.Tensor)}


def _preserving(
    pipe: Any, mark: noise_levels.StepMark, latents: torch.Tensor
) -> Float32[np.ndarray, "channel *frame y x"]:
    """Latents of one image on the variance-preserving scale; as they are where the scheduler's scale is not known."""
    sample = latents.detach().float().cpu().numpy()
    space, sigma = noise_levels.space(pipe.scheduler), noise_levels.after_step(pipe.scheduler, mark)
    if space is None or sigma is None:
        return np.asarray(sample)
    return variance_preserving(sample, sigma, space).astype(np.float32)
