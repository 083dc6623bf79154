"""`run`: one call of a pipeline, observed. The picture is the one that the pipeline makes without us."""

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from ..errors import InspectionError, RunError, Stopped, did_you_mean
from ..record import USUAL, Record
from ..theory import linear_preview, variance_preserving
from ..tokenization import Tokenizations
from ..trace import Trace
from ..traces import Traces
from . import decoding, noise_levels
from .architecture import denoiser as denoiser_of
from .assembling import Assembly
from .locking import lock_of
from .obstacles import refuse
from .probes import attention_modules
from .provenance import call_of, provenance_of
from .recording import Recorder, plan_layers
from .roles import Roles, order_of
from .tokenizing import tokens as tokens_of

_TEXT_OF = {"perturbed": "cond", "image": "uncond"}  # roles that see another's prompt
_SWALLOWED = ("callback", "callback_steps")  # read from **kwargs, for old callers


@dataclass
class Progress:
    """Where a run stands, for `on_step`; valid during the callback.

    Attributes:
        step: The step just finished, from 0.
        total: How many steps the scheduler will make.
        timestep: Training time of that step.
    """

    step: int
    total: int
    timestep: float
    _latents: Callable[[int], Float32[np.ndarray, "channel y x"]]
    _matrix: Callable[[], Float32[np.ndarray, "features 3"]]
    _stop: bool = False

    def latents(self, image: int = 0) -> Float32[np.ndarray, "channel y x"]:
        """The latents after this step, on the variance-preserving scale; asking makes the device wait."""
        return self._latents(image)

    def preview(self, image: int = 0) -> UInt8[np.ndarray, "y x 3"]:
        """A linear preview of the latents, one pixel a latent pixel; no VAE call after the first."""
        return linear_preview(self.latents(image), self._matrix())

    def stop(self) -> None:
        """Ends the run after this step: `run` raises Stopped with what was recorded."""
        self._stop = True


class _StopRun(BaseException):
    """Leaves the pipeline's loop; BaseException so that no handler in between swallows it."""


def run(
    pipe: Any,
    prompt: str | list[str] | None = None,
    *,
    seed: int = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """The record of one call of `pipe`: a Trace for one image, Traces for several.

    The pipeline gets exactly what is given here, and for image i a CPU generator with seed + i; its picture is
    the same without sdexplore, to the bit. Runs of one pipeline queue. Steps chosen by the Record are decoded
    afterwards.

    Args:
        pipe: Any diffusers pipeline with a UNet.
        prompt: As the pipeline takes it; left out when None.
        seed: Of the first image; the next has seed + 1.
        record: What to keep.
        on_step: Called with a Progress after each step; may call its `stop()`.
        pipeline_arguments: Anything the pipeline's own call takes: guidance_scale, num_inference_steps …

    Raises:
        RunError: `generator` is given beside the seed; the UNet cannot be observed (`doctor` tells beforehand why).
        InspectionError: The pipeline has no UNet.
        Stopped: `on_step` asked to stop; carries the partial Trace.
    """
    check(pipe, {"seed": seed, **pipeline_arguments})
    with lock_of(pipe):
        return run_locked(pipe, prompt, seed=seed, record=record, on_step=on_step, **pipeline_arguments)


def check(pipe: Any, arguments: Mapping[str, Any]) -> None:
    """Refuses, before anything is computed, a call that cannot be observed; see `run`."""
    if "generator" in arguments:
        raise RunError("run(generator=…): image i draws its noise from seed + i; give seed= instead of a generator")
    if not isinstance(arguments["seed"], int) or isinstance(arguments["seed"], bool):
        raise RunError(f"run(seed={arguments['seed']!r}): seed is a whole number")
    denoiser_of(pipe)
    known = inspect.signature(type(pipe).__call__).parameters
    for name in arguments.keys() - known.keys() - {"seed", *_SWALLOWED}:
        # Pipelines with **kwargs ignore what they do not know: the record would tell of a call that never was.
        hint = did_you_mean(name, known.keys() - {"self", "kwargs"})
        raise RunError(f"{type(pipe).__name__} takes no {name!r}; {hint}")


def run_locked(
    pipe: Any,
    prompt: Any = None,
    *,
    seed: int,
    record: Record,
    on_step: Callable[[Progress], object] | None,
    **arguments: Any,
) -> Trace | Traces:
    """`run` for a caller that has checked the call and holds the pipeline's lock."""
    denoiser = denoiser_of(pipe)
    layers = plan_layers(attention_modules(denoiser), record)
    refuse(pipe, layers)
    images = image_count(prompt, arguments)
    roles = Roles(images, order=order_of(pipe))

    def after_step(step: int, timestep: Any, latents: torch.Tensor) -> None:
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

    recorder = Recorder(
        record=record,
        roles=roles,
        tokens=prompts_of(pipe, prompt, arguments, images),
        layers=layers,
        after_step=after_step,
        total=lambda: total_steps(pipe),
    )
    generators = [torch.Generator("cpu").manual_seed(seed + image) for image in range(images)]
    given = dict(arguments) if prompt is None else {"prompt": prompt, **arguments}
    given["generator"] = generators[0] if images == 1 else generators
    started = time.perf_counter()
    output, stopped = None, False
    with restored(pipe, denoiser):
        try:
            with recorder.watching(pipe, denoiser):
                output = pipe(**given)
        except _StopRun:
            stopped = True
        recorder.finish()
        drawn = not stopped and getattr(pipe, "vae", None) is not None
        assembly = Assembly(
            recorder=recorder,
            scheduler=pipe.scheduler,
            call=call_of("run", prompt, seed, record, arguments),
            provenance=provenance_of(pipe, denoiser, time.perf_counter() - started, roles.zeroed),
            decode=(lambda z: decoding.decode(pipe, z)) if drawn else None,
            latent_rgb=(lambda: decoding.latent_rgb(pipe)) if drawn or decoding.fitted(pipe) else None,
        )
        traces = assembly.traces(output)
    result = traces[0] if len(traces) == 1 else Traces(traces)
    if stopped:
        raise Stopped(f"stopped after step {len(recorder.steps)} of {total_steps(pipe)}; .trace holds them", result)
    return result


def image_count(prompt: Any, arguments: Mapping[str, Any]) -> int:
    """How many images a call makes: prompts (or embeddings, or batch_size) times num_images_per_prompt."""
    embeds = arguments.get("prompt_embeds")
    if isinstance(prompt, list):
        prompts = len(prompt)
    elif prompt is None and isinstance(embeds, torch.Tensor):
        prompts = embeds.shape[0]
    else:
        prompts = arguments.get("batch_size", 1)
    return int(prompts) * int(arguments.get("num_images_per_prompt") or 1)


def total_steps(pipe: Any) -> int:
    """How often the scheduler will step in the call that is under way."""
    return int(getattr(pipe, "_num_timesteps", 0) or len(pipe.scheduler.timesteps))


def prompts_of(
    pipe: Any, prompt: Any, arguments: Mapping[str, Any], images: int
) -> Callable[[str, int], Tokenizations | None]:
    """A function (role, image) -> tokens of the text that this role's embeddings were made of; None without text."""
    per_prompt = max(1, int(arguments.get("num_images_per_prompt") or 1))
    texts = {"cond": (prompt, "prompt"), "uncond": (arguments.get("negative_prompt"), "negative_prompt")}
    found: dict[tuple[str, int], Tokenizations | None] = {}

    def text_of(value: Any, number: int) -> str | None:
        text: str | None = value[number] if isinstance(value, list | tuple) else value
        return text

    def tokens(role: str, image: int) -> Tokenizations | None:
        role, number = _TEXT_OF.get(role, role), image // per_prompt
        key = (role, number)
        if role not in texts or image >= images:
            return None
        if key not in found:
            value, argument = texts[role]
            first = text_of(value, number)
            if first is None and (role == "cond" or arguments.get(f"{argument}_embeds") is not None):
                found[key] = None
                return None
            others = {
                f"tokenizer_{n}": text_of(arguments.get(f"{argument}_{n}"), number)
                for n in (2, 3)
                if arguments.get(f"{argument}_{n}") is not None
            }
            found[key] = _tokenized(pipe, first or "", others)
        return found[key]

    return tokens


def _tokenized(pipe: Any, text: str, others: Mapping[str, str | None]) -> Tokenizations | None:
    try:
        found = dict(tokens_of(pipe, text))
    except InspectionError:  # a pipeline without tokenizer
        return None
    for name, other in others.items():
        if name in found and other is not None:
            found[name] = tokens_of(pipe, other)[name]
    return Tokenizations(found)


def _preserving(pipe: Any, recorder: Recorder, latents: torch.Tensor) -> Float32[np.ndarray, "channel y x"]:
    sample = latents.detach().float().cpu().numpy()
    space, sigma = noise_levels.space(pipe.scheduler), noise_levels.after_step(pipe.scheduler, recorder.steps[-1].mark)
    if space is None or sigma is None:
        return np.asarray(sample)
    return variance_preserving(sample, sigma, space).astype(np.float32)


@contextmanager
def restored(pipe: Any, denoiser: torch.nn.Module) -> Iterator[None]:
    """Whatever ends the block, attention processors and VAE precision are as they were; offloaded parts go back."""
    processors = dict(getattr(denoiser, "attn_processors", {}))
    reset: Any = getattr(denoiser, "set_attn_processor", None)
    vae = getattr(pipe, "vae", None)
    dtype = next(vae.parameters()).dtype if isinstance(vae, torch.nn.Module) else None
    try:
        yield
    finally:
        # Pipelines tidy up in their last lines, which an exception skips; decoding wakes an offloaded VAE.
        now = getattr(denoiser, "attn_processors", {})
        if any(now.get(name) is not processor for name, processor in processors.items()):
            reset(dict(processors))  # set_attn_processor empties the dict that it gets
        if vae is not None and dtype is not None and next(vae.parameters()).dtype != dtype:
            vae.to(dtype=dtype)
        if hasattr(pipe, "maybe_free_model_hooks"):
            pipe.maybe_free_model_hooks()
