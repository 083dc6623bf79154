"""`run`: one call of a pipeline, observed. The picture is the one that the pipeline makes without us.

To the bit; within rounding where runs are compiled (`compile_denoiser`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...base.errors import RunError, Stopped
from ...theory import variance_preserving
from ...trace.collections import Traces
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..capture.file_sink import keeping
from ..capture.obstacles import refuse
from ..capture.plans import plan_layers
from ..capture.prompts import image_count, prompts_of, swaps_of
from ..capture.recorder import Recorder
from ..capture.roles import Roles
from ..capture.trace_builder import Assembly
from ..compiled.denoiser import compiled_denoiser
from ..components import decoding
from ..components.patching import restored
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import autoencoder, in_pixel_space
from ..components.pipeline_parts import denoiser as denoiser_of
from ..families import family_of
from ..schedulers import noise_levels
from .check_call import SWALLOWED, check, refused
from .check_record import tell_if_nothing_was_kept
from .classifier_guidance import GuideFunction, guide_of
from .memory_budget import Call, ensure_affordable
from .out_of_memory import told_if_memory_runs_out
from .progress import Progress
from .provenance import call_of, provenance_of


class _StopRun(BaseException):
    """Leaves the pipeline's loop; BaseException so that no handler in between swallows it."""


def run(  # noqa: PLR0913  (its own; the pipeline's come behind them)
    pipe: Any,
    prompt: str | list[str] | None = None,
    *,
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    guide: GuideFunction | None = None,
    guide_scale: float = 1.0,
    prompt_at: Mapping[int, str] | None = None,
    to: str | Path | None = None,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """The record of one call of `pipe`: a Trace for one image, Traces for several.

    The pipeline gets exactly what is given here, and for image i a CPU generator with seed + i; its picture is
    the same without sdexplore, to the bit (within rounding after `compile_denoiser`). Runs of one pipeline queue.
    Steps chosen by the Record are decoded afterwards; if memory does not suffice for that, the trace says which are
    missing, and a warning.

    Args:
        pipe: Any diffusers pipeline with a denoiser of a known family (`model/families/`).
        prompt: As the pipeline takes it; left out when None.
        seed: Of the first image; the next has seed + 1.
        record: What to keep.
        on_step: Called with a Progress after each step; may call its `stop()`.
        guide: Classifier guidance: a function that is given a GuideStep (x_t, predicted x_0, its picture) at every call
            and returns log p, one number an image, or the gradient of log p with respect to x_t. ε becomes
            ε − √(1−ᾱ) s ∇ log p (Dhariwal & Nichol 2021, Algorithm 2), after classifier-free guidance; the trace keeps
            both. What a guide changes is meant: this is no observation. `runs.classifier_guidance` has the contract.
        guide_scale: Dhariwal & Nichol's s.
        prompt_at: Step -> the prompt from that step on, in place of the first. Attention to it is recorded
            under the role "cond@10" for step 10, with its own tokens.
        to: The file that the trace is written to while it is made, or the folder for several images: memory then
            does not grow with the steps, and what is returned reads from there. As `save` and `load` would have it,
            but without a time when all is in memory. It is there once the run has ended or was stopped; until then,
            and after an error, what was there before stays as it was.
        pipeline_arguments: Anything the pipeline's own call takes: guidance_scale, num_inference_steps …

    Raises:
        RunError: `generator` is given beside the seed; the denoiser cannot be observed (`doctor` tells beforehand why);
            the guide returns neither log p nor a gradient; the prompt cannot be changed in this pipeline; the number of
            steps or images is below 1; roles, layers or self_attention of the Record fit nothing of this run; what is
            to be kept needs more memory or disk than is free (`cost` tells beforehand how much), or memory ran out on
            the way; `to` is no name for it, or cannot be written to.
        InspectionError: The pipeline has no denoiser of a known family.
        Stopped: `on_step` asked to stop; carries the partial Trace.
    """
    check(pipe, {"seed": seed, **pipeline_arguments}, record)
    with lock_of(pipe):
        return run_locked(
            pipe,
            prompt,
            seed=seed,
            record=record,
            on_step=on_step,
            guide=guide,
            guide_scale=guide_scale,
            prompt_at=prompt_at,
            to=to,
            **pipeline_arguments,
        )


def run_locked(  # noqa: PLR0913  (as `run`)
    pipe: Any,
    prompt: Any = None,
    *,
    seed: int,
    record: Record,
    on_step: Callable[[Progress], object] | None,
    guide: GuideFunction | None = None,
    guide_scale: float = 1.0,
    prompt_at: Mapping[Any, str] | None = None,
    to: str | Path | None = None,
    **arguments: Any,
) -> Trace | Traces:
    """`run` for a caller that has checked the call and holds the pipeline's lock."""
    guides = guide_of(pipe, guide, guide_scale)
    denoiser, family = denoiser_of(pipe), family_of(pipe)
    if family.unconditional(pipe):
        if prompt is not None:
            raise RunError(f"{type(pipe).__name__} is unconditional: it takes no prompt, here {prompt!r:.80}")
        record = replace(record, roles=("uncond",))  # the only one there is
    layers = plan_layers(family.attention_layers(denoiser), record)
    refuse(pipe, layers)
    images = image_count(prompt, arguments)

    made = 0

    def after_step(step: int, timestep: Any, latents: torch.Tensor) -> None:
        nonlocal made
        made = step + 1
        if on_step is None:
            return
        progress = Progress(
            step=step,
            total=total_steps(pipe),
            timestep=float(timestep),
            _latents=lambda image: _preserving(pipe, recorder, latents[image]),
            _matrix=lambda: decoding.latent_rgb(pipe),
        )
        on_step(progress)
        if progress._stop:  # noqa: SLF001  (its own module's)
            raise _StopRun

    asked = Call(prompt, {**arguments, "guide": guide, "prompt_at": prompt_at})
    ensure_affordable(pipe, [asked], record, to, spilled=to is not None)
    with (
        told_if_memory_runs_out(pipe, asked, record, to, lambda: (made, total_steps(pipe))),
        keeping(to, images, len(layers)) as keeper,
    ):
        swaps = swaps_of(pipe, prompt, prompt_at, arguments, images)
        recorder = Recorder(
            record=record,
            family=family,
            keeper=keeper,
            roles=Roles(images, order=family.order(pipe)),
            tokens=prompts_of(pipe, prompt, arguments, images, swaps.prompts if swaps else {}),
            layers=layers,
            after_step=after_step,
            total=lambda: total_steps(pipe),
            guidance=lambda timestep: scales_of(pipe, timestep),
            guide=guides,
            swapped=swaps.role_at if swaps else lambda _: "cond",
        )
        generators = [torch.Generator("cpu").manual_seed(seed + image) for image in range(images)]
        given = dict(arguments) if prompt is None else {"prompt": prompt, **arguments}
        given |= swaps.callback_arguments(arguments) if swaps else {}
        given["generator"] = generators[0] if images == 1 else generators
        call = call_of("run", prompt, seed, record, as_given(arguments, guide, guide_scale, prompt_at))
        called = (guide, on_step, *(arguments.get(name) for name in ("callback_on_step_end", *SWALLOWED)))
        foreign = any(one is not None for one in called)  # code that may change the model between two calls
        stopped = _watched(pipe, recorder, given, call, look_again=foreign)
    result = keeper.result()
    if stopped:
        raise Stopped(
            f"stopped after {len(recorder.steps)} of {total_steps(pipe)} steps; .trace holds what was recorded", result
        )
    tell_if_nothing_was_kept(record, recorder)
    return result


def _watched(
    pipe: Any, recorder: Recorder, given: Mapping[str, Any], call: Mapping[str, Any], *, look_again: bool
) -> bool:
    """Calls the pipeline and has the traces made of what was seen; whether it was stopped."""
    denoiser, output, stopped = denoiser_of(pipe), None, False
    graphs = compiled_denoiser(denoiser)
    stand_in = None if graphs is None else graphs.stand_in(denoiser, look_again=look_again)
    started = time.perf_counter()
    with restored(pipe, denoiser):
        try:
            with recorder.watching(pipe, denoiser, stand_in):
                output = pipe(**given)
        except _StopRun:
            stopped = True
        except (TypeError, ValueError, AttributeError) as error:
            if recorder.begun:
                raise
            raise refused(pipe, given, error) from error
        recorder.finish()
        drawn = not stopped and (autoencoder(pipe) is not None or in_pixel_space(pipe))
        Assembly(
            recorder=recorder,
            scheduler=pipe.scheduler,
            call=call,
            provenance=provenance_of(pipe, denoiser, time.perf_counter() - started, recorder.roles.zeroed)
            | ({} if graphs is None else {"compiled": graphs.used}),
            decode=(lambda z: decoding.decode(pipe, z)) if drawn else None,
            latent_rgb=(lambda: decoding.latent_rgb(pipe)) if drawn or decoding.fitted(pipe) else None,
        ).seal(output)
    return stopped


def as_given(
    arguments: Mapping[str, Any], guide: Any = None, guide_scale: float = 1.0, prompt_at: Any = None
) -> dict[str, Any]:
    """The arguments that a trace's `call` names: the pipeline's, and of `run`'s own those that were given."""
    own = {"guide": guide, "guide_scale": guide_scale if guide else None, "prompt_at": prompt_at}
    return {**arguments, **{name: value for name, value in own.items() if value is not None}}


def total_steps(pipe: Any) -> int:
    """How often the scheduler will step in the call that is under way."""
    return int(getattr(pipe, "_num_timesteps", 0) or len(pipe.scheduler.timesteps))


def scales_of(pipe: Any, timestep: Any) -> dict[str, float]:
    """By how much the pipeline guides at this timestep, as it says itself: its own names, and PAG's scale."""
    found = {name: getattr(pipe, name, None) for name in ("guidance_scale", "guidance_rescale")}
    if getattr(pipe, "do_perturbed_attention_guidance", False):
        found["pag_scale"] = pipe._get_pag_scale(timestep)  # noqa: SLF001  (it has no public name)
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float | torch.Tensor)}


def _preserving(pipe: Any, recorder: Recorder, latents: torch.Tensor) -> Float32[np.ndarray, "channel y x"]:
    sample = latents.detach().float().cpu().numpy()
    space, sigma = noise_levels.space(pipe.scheduler), noise_levels.after_step(pipe.scheduler, recorder.steps[-1].mark)
    if space is None or sigma is None:
        return np.asarray(sample)
    return variance_preserving(sample, sigma, space).astype(np.float32)


def one_image(trace: Any) -> Trace:
    """The trace of a run that must make one image; RunError where it made several."""
    if isinstance(trace, Trace):
        return trace
    raise RunError(
        f"compare: each run must make one image; this one made {len(trace)}. Compare over 'seed' or 'prompt'"
    )
