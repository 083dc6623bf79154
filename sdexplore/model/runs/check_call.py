"""What a call is given, looked at before anything is computed: each refusal repeats it and says what would be right."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base.display import clip
from ...base.error_lines import first_line
from ...base.errors import RunError, did_you_mean
from ...trace.record import USUAL, Record
from ..components.pipeline_parts import denoiser
from .check_record import check_record

OURS = ("guide", "guide_scale", "prompt_at")  # arguments of `run` that the pipeline never sees
SWALLOWED = ("callback", "callback_steps")  # read from **kwargs, for old callers
_OF_RUN = ("generator", "callback_on_step_end", "callback_on_step_end_tensor_inputs")  # set there, not by the user
_SEEDS = (-(2**63), 2**64 - 1)
_PICTURES = {"image": "Image2Image", "strength": "Image2Image", "mask_image": "Inpainting"}
_SCALES = ("guidance_scale", "guidance_rescale", "image_guidance_scale", "pag_scale", "strength", "eta")
_COUNTS = {"num_inference_steps": "steps", "num_images_per_prompt": "images"}


def check(pipe: Any, arguments: Mapping[str, Any], record: Record = USUAL) -> None:
    """Refuses, before anything is computed, a call that cannot be observed; see `run`."""
    denoiser(pipe)
    if "generator" in arguments:
        raise RunError("run(generator=…): image i draws its noise from seed + i; give seed= instead of a generator")
    seed = arguments["seed"]
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise RunError(f"run(seed={seed!r}): seed is a whole number")
    if not _SEEDS[0] <= seed <= _SEEDS[1]:
        raise RunError(f"run(seed={seed!r}): seed is a whole number from −2⁶³ to 2⁶⁴ − 1, which is what torch takes")
    known = inspect.signature(type(pipe).__call__).parameters
    for name in arguments.keys() - known.keys() - {"seed", *OURS, *SWALLOWED}:
        # Pipelines with **kwargs ignore what they do not know: the record would tell of a call that never was.
        raise RunError(f"{type(pipe).__name__} takes no {name!r}; {_instead_of(name, known)}")
    check_counts(arguments)
    check_record(pipe, record, arguments)


def _instead_of(name: str, known: Mapping[str, Any]) -> str:
    if name in _PICTURES and "prompt" in known and "image" not in known:
        made = f"diffusers.AutoPipelineFor{_PICTURES[name]}.from_pipe(pipe)"
        return f"it begins with noise. {made} makes one of the same parts that begins with a picture"
    return did_you_mean(name, [one for one in known if one not in ("self", "kwargs")])


def check_counts(arguments: Mapping[str, Any]) -> None:
    """Refuses a number of steps or of images that is no whole number from 1, and a scale that is text.

    None leaves it to the pipeline.
    """
    for name, what in _COUNTS.items():
        given = arguments.get(name)
        whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
        if given is not None and not (whole and given >= 1):
            raise RunError(f"{name}={given!r}: the number of {what} is a whole number, and at least 1")
    for name in _SCALES:
        if isinstance(given := arguments.get(name), str):
            raise RunError(f"{name}={given!r}: it is a number")


def refused(pipe: Any, given: Mapping[str, Any], error: Exception) -> RunError:
    """What a pipeline said against a call that it did not begin, with what it was given."""
    name, skipped = type(pipe).__name__, given.get("clip_skip")
    if skipped is not None and "text_model" in str(error):
        return RunError(
            f"clip_skip={skipped!r}: this diffusers looks for a part of the text encoder that this transformers no "
            f"longer has ({error}). sdx.clip_skip_ladder(pipe, prompt, [{skipped!r}]) leaves layers out without it"
        )
    shown = ", ".join(f"{key}={clip(repr(value), 60)}" for key, value in given.items() if key not in _OF_RUN)
    known = inspect.signature(type(pipe).__call__).parameters
    picture = "; it begins with a picture: give image=…" if "image" in known and given.get("image") is None else ""
    return RunError(f"{name} refuses this call ({shown or 'no arguments'}): {first_line(error)}{picture}")
