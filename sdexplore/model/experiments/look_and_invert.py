"""`look`, `invert`, `redraw`: what the model sees in a picture that it did not draw.

Each of them runs the pipeline's own call with a scheduler of ours in the place of its own, so that conditioning (SDXL's
sizes, adapters, guidance) is the pipeline's. The pipeline's own scheduler is restored afterwards.
"""

import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, SupportsIndex

import numpy as np
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, FlowMatchEulerDiscreteScheduler

from ...base.errors import RunError
from ...base.parameters import parameters_of
from ...trace.collections import Traces
from ...trace.provenance import Provenance, ReconstructionFacts
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from ..components import decoding
from ..components.pictures import Picture
from ..components.pipeline_parts import denoiser, vae_scale_factor
from ..components.weights_present import without_weights
from ..families import family_of
from ..families.pipelines import picture_is_optional
from ..runs.call import Call
from ..runs.check_sizes import check_own_sizes
from ..runs.check_video import refuse_video
from ..runs.provenance import described
from ..runs.session import session
from ..schedulers import noise_levels
from ..schedulers.one_step import OneStepFlowScheduler, OneStepScheduler
from .autoencoder import pixels_of, psnr

_BY_DDIM = ("invert", "redraw")
_OURS = ("latents", "timesteps", "sigmas", "num_inference_steps", "output_type", "image")


def look(
    pipe: Any,
    image: Picture,
    prompt: str | None = None,
    *,
    t: SupportsIndex | Sequence[SupportsIndex],
    seed: int | np.integer[Any] = 0,
    record: Record = USUAL,
    guidance_scale: float = 1.0,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """A Trace of one denoiser call on a given picture, noised to timestep `t`; Traces for several.

    The picture is resized to `height` × `width` (by default the pipeline's size), encoded by the VAE (the mode of
    its posterior) and noised with noise from `seed`: by DDPM's Eq. 4, and where the pipeline's scheduler is flow
    matching's, as x_t = (1 − τ) x0 + τ ε at τ = t / 1000. `latents` of the trace are x_t, then x0 as predicted from it;
    `image` is the picture that was given, as the VAE got it.

    Args:
        image: A PIL image or uint8 array (Y, X, 3). It is turned as EXIF says, and transparency lies on white.
        t: Training timestep, 0 to 999: at 0 there is almost no noise, at 999 almost no picture. Of flow matching to
            1000, at which there is noise alone.
        seed: Of the noise.
        guidance_scale: 1 by default: one call, of role "cond" (Z-Image's pipeline is guided by 1 too, and not by 0).
        pipeline_arguments: Further arguments of the pipeline's call, for example negative_prompt, and `change` as `run`
            takes it; the source of a `Keep` or `Patch` is asked about the same noised picture.

    Raises:
        RunError: `t` is no timestep, or one of noise alone from which ε says nothing of x0; the prompt is missing; an
            argument is given that `look` sets itself; the call makes several images; the pipeline takes pictures, is
            unconditional, or of flow matching with another scheduler than Euler's.
    """
    return looked(
        "look", pipe, image, prompt, t=t, seed=seed, record=record, guidance_scale=guidance_scale, **pipeline_arguments
    )


def looked(
    function: str,
    pipe: Any,
    image: Picture,
    prompt: str | None,
    *,
    t: Any,
    seed: int | np.integer[Any],
    record: Record,
    guidance_scale: float = 1.0,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """`look` for another public function; errors name `function`, which the user called."""
    _check_text_to_image(pipe, function, prompt, pipeline_arguments)
    times = timesteps_of(pipe, t, f"{function}(t={t!r})")
    asked = Call.of(prompt, {**pipeline_arguments, "guidance_scale": guidance_scale}, seed=seed, record=record)
    pixels = pixels_of(pipe, image, pipeline_arguments, function)
    _check_drawn_as_given(pipe, pixels, pipeline_arguments, function)
    traces = []
    with session(pipe, asked, function=function, one_image=True) as running:
        z = decoding.encode(pipe, pixels)
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(int(seed))).to(z.device)
        for one in times:
            scheduler = _one_step(pipe)
            scheduler.at = one
            trace = running.run_one(_from_latents(pipe, asked, scheduler.noised(z, noise), 1, scheduler))
            call = _call_of(trace, "look", image, {"t": one})
            traces.append(trace.altered(kind="look", call=call, image=decoding.uint8(pixels)))
    return Traces(traces) if _several(t) else traces[0]


def _one_step(pipe: Any) -> OneStepScheduler | OneStepFlowScheduler:
    """What makes one step to x0 in the place of the pipeline's scheduler, on the scale of its samples."""
    if _of_euler_flow(pipe):
        return OneStepFlowScheduler.instead_of(pipe.scheduler)
    made: OneStepScheduler = OneStepScheduler.from_config(
        pipe.scheduler.config, set_alpha_to_one=True, clip_sample=False
    )
    return made


def _of_euler_flow(pipe: Any) -> bool:
    """Whether it has flow matching's Euler steps; pipelines with UNets ask for a scaling that these do not have."""
    return isinstance(pipe.scheduler, FlowMatchEulerDiscreteScheduler) and family_of(pipe).component != "unet"


def _several(t: Any) -> bool:
    return t.ndim == 1 if isinstance(t, np.ndarray) else isinstance(t, Sequence) and not isinstance(t, str)


def timesteps_of(pipe: Any, t: Any, given: str) -> tuple[int, ...]:
    """One training timestep or several, as ints.

    Args:
        given: The argument as the user typed it, with the function; errors repeat it.

    Raises:
        RunError: One is no whole number, or beyond the schedule, or x_0 cannot be predicted from it.
        InspectionError: The pipeline has no UNet.
    """
    denoiser(pipe)
    flow = _of_euler_flow(pipe)
    last = int(pipe.scheduler.config.num_train_timesteps) - (not flow)
    times = tuple(t) if _several(t) else (t,)
    whole = all(isinstance(one, int | np.integer) and not isinstance(one, bool) for one in times)
    if not times or not whole or any(not 0 <= one <= last for one in times):
        raise RunError(f"{given}: t is a training timestep from 0 to {last}, a whole number, or several")
    scheduler = None if flow else OneStepScheduler.from_config(pipe.scheduler.config)
    for one in times:
        if scheduler is None:
            break
        if scheduler.config.prediction_type == "epsilon" and scheduler.alphas_cumprod[one] <= 0:
            raise RunError(f"{given}: at {one} this schedule has noise alone, from which ε says nothing of x0")
    return tuple(int(one) for one in times)


def invert(
    pipe: Any,
    image: Picture,
    prompt: str | None = None,
    *,
    num_inference_steps: SupportsIndex = 50,
    record: Record = USUAL,
    **pipeline_arguments: Any,
) -> Trace:
    """The way from a picture back to noise, by DDIM inversion without guidance: a Trace from x_0 to x_T.

    `latents[-1]` is the noise from which `redraw` draws the picture again. `invert` does that once, and the trace says
    how well it works (provenance["reconstruction"]): the peak signal-to-noise ratio in dB of the redrawn picture
    against the given one, and that of the VAE's own round trip, which bounds it. Attention is recorded on the way.

    Args:
        image: A PIL image or uint8 array (Y, X, 3); resized as `look` does.
        num_inference_steps: From 1; more steps invert better.
        pipeline_arguments: Further arguments of the pipeline's call, without those of guidance and the seed.

    Raises:
        RunError: An argument is given that `invert` sets itself, or the prompt is missing; the call makes several
            images; the pipeline takes pictures, is unconditional, of flow matching, or a consistency model's, whose
            steps cannot be inverted.

    Source: Song et al. 2021 (DDIM), section 4.3; Mokady et al. 2023 (2211.09794), section 3.
    """
    for name, why in (("guidance_scale", "inverts without guidance"), ("seed", "draws nothing by chance")):
        if name in pipeline_arguments:
            given = pipeline_arguments[name]
            raise RunError(f"invert({name}={given!r}): it {why}; leave {name} out, redraw takes guidance_scale")
    if "original_inference_steps" in _check_text_to_image(pipe, "invert", prompt, pipeline_arguments):
        raise RunError(f"invert: {type(pipe).__name__} draws by leaps that no DDIM step undoes; use its teacher model")
    most, steps = int(pipe.scheduler.config.num_train_timesteps), num_inference_steps
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or not 1 <= steps <= most:
        raise RunError(f"invert(num_inference_steps={steps!r}): a whole number from 1 to {most}")
    num_inference_steps = int(steps)
    pixels = pixels_of(pipe, image, pipeline_arguments, "invert")  # it takes the sizes out, and completes them
    _check_drawn_as_given(pipe, pixels, pipeline_arguments, "invert")
    asked = Call.of(prompt, {**pipeline_arguments, "guidance_scale": 1.0}, record=record)
    given = decoding.uint8(pixels)
    with session(pipe, asked, function="invert", one_image=True) as running:
        z = decoding.encode(pipe, pixels)
        inverse, forward = _ddim(DDIMInverseScheduler, pipe), _ddim(DDIMScheduler, pipe)
        trace = running.run_one(_from_latents(pipe, asked, z, num_inference_steps, inverse))
        bare = replace(asked, record=Record(cross_attention=False, noise_pred=False, decode=0))
        again = running.run_one(_from_latents(pipe, bare, _noise_of(trace), num_inference_steps, forward))
        redrawn, best = (
            decoding.decode(pipe, latents) for latents in (again.recorded("latents")[-1], z[0].cpu().numpy())
        )
    reconstruction: ReconstructionFacts = {"psnr_db": psnr(redrawn, given), "vae_psnr_db": psnr(best, given)}
    call = _call_of(trace, "invert", image, {"num_inference_steps": num_inference_steps})
    provenance: Provenance = {**trace.provenance, "reconstruction": reconstruction}
    return trace.altered(kind="invert", call=call, provenance=provenance, image=given)


def redraw(
    pipe: Any,
    inversion: Trace,
    prompt: str | None = None,
    *,
    record: Record = USUAL,
    guidance_scale: float = 1.0,
    **pipeline_arguments: Any,
) -> Trace:
    """A run from the noise that `invert` found, by DDIM over the same timesteps: the picture as the model draws it.

    With the same prompt and without guidance that is the given picture again, as well as the inversion worked. The
    trace holds what the model looked at on the way. Another prompt, or guidance, makes another picture.

    Args:
        inversion: What `invert` returned.
        prompt: None takes the inversion's own.
        guidance_scale: 1 by default, as in the inversion.
        pipeline_arguments: Further arguments of the pipeline's call, for example negative_prompt.

    Raises:
        RunError: The trace is no inversion, or an argument is given that `redraw` sets itself.
    """
    if inversion.kind != "invert":
        raise RunError(f"redraw takes what invert returned, and {inversion.fingerprint} is of kind {inversion.kind!r}")
    words = inversion.prompt if prompt is None and "prompt_embeds" not in pipeline_arguments else prompt
    _check_text_to_image(pipe, "redraw", words, pipeline_arguments)
    steps = int(inversion.call["arguments"]["num_inference_steps"])
    arguments = {**pipeline_arguments, "guidance_scale": guidance_scale, "output_type": "pil"}
    asked = Call.of(words, arguments, record=record)
    with session(pipe, asked, function="redraw", one_image=True) as running:
        forward = _ddim(DDIMScheduler, pipe)
        trace = running.run_one(_from_latents(pipe, asked, _noise_of(inversion), steps, forward))
    given = {name: value for name, value in trace.call["arguments"].items() if name not in _OURS}
    call = {**trace.call, "function": "redraw", "arguments": {"inversion": inversion.fingerprint, **given}}
    return trace.altered(call=call)


def _check_text_to_image(pipe: Any, function: str, prompt: Any, given: Mapping[str, Any]) -> Collection[str]:
    """The arguments of the pipeline's call by name; RunError where it is not text to image, or one is ours to set."""
    denoiser(pipe)
    refuse_video(pipe, function)
    if family_of(pipe).unconditional(pipe):
        raise RunError(f"{function} needs a pipeline of text to image, and {type(pipe).__name__} is unconditional")
    if (lacking := without_weights(pipe)) is not None:
        raise RunError(f"{function}: {lacking}")
    if clash := sorted(set(given) & set(_OURS)):
        raise RunError(f"{function}({clash[0]}=…): {clash[0]!r} is set by {function} itself; leave it out")
    scheduler, prediction = pipe.scheduler, str(pipe.scheduler.config.get("prediction_type"))
    flow = noise_levels.space(scheduler) == "flow matching" or prediction == "flow_prediction"
    if (flow or "Flow" in type(scheduler).__name__) and not (function not in _BY_DDIM and _of_euler_flow(pipe)):
        how = "goes DDIM's way" if function in _BY_DDIM else "knows FlowMatchEulerDiscreteScheduler's flow alone"
        raise RunError(f"{function} {how}, and this {type(scheduler).__name__} is of flow matching")
    known = parameters_of(type(pipe).__call__)
    if "latents" not in known or ("image" in known and not picture_is_optional(type(pipe))):
        family = family_of(pipe)
        usual = family.in_channels(pipe) == family.latent_channels(pipe)
        name = type(pipe).__name__
        plain = "StableDiffusionXLPipeline" if "XL" in name else "StableDiffusionPipeline"
        plain = plain if family.component == "unet" else "AutoPipelineForText2Image"
        out = f"diffusers.{plain}.from_pipe(pipe) makes one that starts from noise, of the same parts"
        none = f"its {family.title} of {family.in_channels(pipe)} channels cannot do without"
        raise RunError(f"{function} makes latents of its own, and {name} of a picture; {out if usual else none}")
    if prompt is None and given.get("prompt_embeds") is None:
        raise RunError(f"{function}: give a prompt; an empty one, '', is one too")
    return known.keys()


def _check_drawn_as_given(pipe: Any, pixels: torch.Tensor, given: Mapping[str, Any], function: str) -> None:
    """RunError where the pipeline would draw another size than the picture's."""
    height, width = pixels.shape[-2:]
    check_own_sizes(pipe, {**given, "height": height, "width": width, "latents": pixels}, function)


def _ddim(kind: Any, pipe: Any) -> Any:
    """A DDIM scheduler with the pipeline's noise levels, whose timesteps are the same in both directions."""
    names = set(inspect.signature(kind.__init__).parameters)
    known = {name: value for name, value in pipe.scheduler.config.items() if name in names}
    ours = {"clip_sample": False, "timestep_spacing": "leading", "steps_offset": 0, "set_alpha_to_one": False}
    if kind is DDIMInverseScheduler:
        del ours["set_alpha_to_one"]
    return kind(**{**known, **ours})


def _noise_of(inversion: Trace) -> torch.Tensor:
    return torch.from_numpy(np.array(inversion.recorded("latents")[-1:]))


def _from_latents(pipe: Any, call: Call, latents: torch.Tensor, steps: int, scheduler: Any) -> Call:
    """The call that starts from these latents (1, channel, y, x) and makes so many steps of another scheduler."""
    y, x = latents.shape[2:]
    factor = vae_scale_factor(pipe)
    arguments = {
        "output_type": "latent",
        **call.arguments,
        "height": y * factor,
        "width": x * factor,
        "latents": family_of(pipe)
        .given_latents(latents, (y, x))
        .to(getattr(pipe, "_execution_device", latents.device), next(denoiser(pipe).parameters()).dtype),
        "num_inference_steps": steps,
    }
    return replace(call, arguments=arguments, scheduler=scheduler)


def _call_of(trace: Trace, function: str, image: Picture, own: dict[str, Any]) -> dict[str, Any]:
    """The call as the user made it, with the picture in the place of the latents that were made of it."""
    arguments = {name: value for name, value in trace.call["arguments"].items() if name not in _OURS}
    return {**trace.call, "function": function, "arguments": {"image": described(image), **own, **arguments}}
