"""What a call is given, checked before anything is computed. Each refusal repeats it and says what would be right."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base.display import clip, counted
from ...base.error_lines import first_line
from ...base.errors import RunError, did_you_mean
from ...base.parameters import parameters_of
from ..capture.prompts import image_count
from ..components.pipeline_parts import denoiser
from ..components.weights_present import without_weights
from ..families.pipelines import picture_is_optional, refusal
from ..schedulers.names import scheduler_from_name
from .call import Call
from .check_changes import check_changes
from .check_record import check_record
from .check_sizes import check_sizes
from .check_video import check_video
from .seeds import tell_same_noise

SWALLOWED = ("callback", "callback_steps")  # read from **kwargs, for old callers
_OF_RUN = ("generator", "callback_on_step_end", "callback_on_step_end_tensor_inputs")  # set by `run`, not by the user
_SEEDS = (-(2**63), 2**64 - 1)
_PICTURES = {"image": "Image2Image", "strength": "Image2Image", "mask_image": "Inpainting"}
_SCALES = ("guidance_scale", "guidance_rescale", "image_guidance_scale", "pag_scale", "strength", "eta")
_COUNTS = {"num_inference_steps": "steps", "num_images_per_prompt": "images"}
_MOST = {"num_inference_steps": 10_000, "num_images_per_prompt": 10_000}  # ten times a schedule of 1000 times


def check(pipe: Any, call: Call, function: str, *, one_image: bool = False) -> None:
    """Refuses a call that cannot be observed, before anything is computed.

    Args:
        function: The public function that the user called; errors name it.
        one_image: Whether the call must make one image.

    Raises:
        RunError: As `run`; or the call makes several images where it must make one.
        LoadError: No scheduler has the name that is given.
        InspectionError: The pipeline has no UNet.
        TokenError: A change names a word that the prompt does not have.
    """
    denoiser(pipe)
    if "generator" in call.arguments:
        raise RunError(
            f"{function}(generator=…): image i draws its noise from seed + i; give seed= instead of a generator"
        )
    check_seed(call.seed, function)
    tell_same_noise(int(call.seed), function)
    known = parameters_of(type(pipe).__call__)
    for name in call.arguments.keys() - known.keys() - {*SWALLOWED}:
        # Pipelines with **kwargs ignore what they do not know: the record would tell of a call that never was.
        raise RunError(f"{function}({name}=…): {type(pipe).__name__} takes no {name!r}; {_instead_of(name, known)}")
    check_counts(call.arguments, function)
    check_video(pipe, call, function)
    check_sizes(pipe, call.prompt, call.arguments, int(call.seed), function)
    if (reason := refusal(type(pipe), call.arguments, image_count(call.prompt, call.arguments))) is not None:
        raise RunError(f"{function}: cannot observe this {type(pipe).__name__}: {reason}")
    if (lacking := without_weights(pipe)) is not None:
        raise RunError(f"{function}: {lacking}")
    _check_clip_skip(pipe, call.arguments.get("clip_skip"), function)
    if one_image and (images := image_count(call.prompt, call.arguments)) != 1:
        raise RunError(several_images(function, images))
    if isinstance(call.scheduler, str):
        scheduler_from_name(pipe, call.scheduler)  # says which schedulers there are, before the first run
    check_record(pipe, call.record, call.arguments)
    check_changes(pipe, call, function)


def _check_clip_skip(pipe: Any, given: Any, function: str) -> None:
    """RunError where more layers are to be skipped than an encoder has, or no number of layers is given."""
    both = [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
    known = (getattr(getattr(one, "config", None), "num_hidden_layers", None) for one in both)
    layers = [int(count) for count in known if count is not None]
    if given is None or not layers:
        return
    most = min(layers) - (len(layers) > 1)  # SDXL skips one layer of its own accord
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
        raise RunError(f"{function}(clip_skip={given!r}): 0 to {most} layers of this text encoder can be skipped")


def check_seed(seed: Any, function: str) -> None:
    """RunError where torch takes no such seed."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
        raise RunError(f"{function}(seed={seed!r}): seed is a whole number")
    if not _SEEDS[0] <= seed <= _SEEDS[1]:
        raise RunError(f"{function}(seed={seed!r}): seed is a whole number from −2⁶³ to 2⁶⁴ − 1, which torch takes")


def several_images(function: str, images: int) -> str:
    """What is said where a call makes several images and must make one."""
    return (
        f"{function}: each run makes one image, and this call makes {counted(images, 'image')}: give one prompt, and "
        "leave num_images_per_prompt out"
    )


def _instead_of(name: str, known: Mapping[str, Any]) -> str:
    if name in _PICTURES and "prompt" in known and "image" not in known:
        made = f"diffusers.AutoPipelineFor{_PICTURES[name]}.from_pipe(pipe)"
        return f"it begins with noise. {made} makes one of the same parts that begins with a picture"
    return did_you_mean(name, [one for one in known if one not in ("self", "kwargs")])


def check_counts(arguments: Mapping[str, Any], function: str) -> None:
    """RunError where a number of steps or images is no whole number from 1 or beyond all use, or a scale is text.

    None leaves it to the pipeline.
    """
    for name, what in _COUNTS.items():
        given = arguments.get(name)
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        if given is not None and not (whole and given >= 1):
            raise RunError(f"{function}({name}={given!r}): the number of {what} is a whole number, and at least 1")
        if given is not None and given > _MOST[name]:
            raise RunError(f"{function}({name}={given!r}): the number of {what} is at most {_MOST[name]:,}")
    for name in _SCALES:
        if isinstance(given := arguments.get(name), str):
            raise RunError(f"{function}({name}={given!r}): it is a number, here a text")


def refused(pipe: Any, given: Mapping[str, Any], error: Exception, function: str) -> RunError:
    """The error for a call that the pipeline itself refused before its first step: its words, and what it was given."""
    name, skipped = type(pipe).__name__, given.get("clip_skip")
    if skipped is not None and "text_model" in str(error):
        return RunError(
            f"{function}(clip_skip={skipped!r}): this diffusers looks for a part of the text encoder that this "
            f"transformers no longer has ({error}). sdx.clip_skip_ladder(pipe, prompt, [{skipped!r}]) leaves layers "
            "out without it"
        )
    shown = ", ".join(f"{key}={clip(repr(value), 60)}" for key, value in given.items() if key not in _OF_RUN)
    known = parameters_of(type(pipe).__call__)
    lacks = "image" in known and given.get("image") is None and not picture_is_optional(type(pipe))
    picture = "; it begins with a picture: give image=…" if lacks else ""
    return RunError(f"{function}: {name} refuses this call ({shown or 'no arguments'}): {first_line(error)}{picture}")
