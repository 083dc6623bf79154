"""Calls of video pipelines: what of them is no trajectory of one video from text, refused by name before the run."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ...base.display import clip
from ...base.errors import RunError
from ...base.parameters import parameters_of
from ...trace.record import Record
from ..capture.prompts import image_count
from ..components.pipeline_parts import vae_scale_factor
from ..families import family_of
from ..families.video import MOST_FRAMES, VideoFamily
from .call import Call

_USUAL = Record()
_OF_WORDS = ("cross_attention", "columns", "roles", "steps", "layers", "dtype")  # asked for with cross_attention alone
_ALWAYS = ("queries", "self_attention", "word_attention", "concepts")
_OF_MODULES = ("features", "statistics")
_NO_ATTENTION = (
    "no attention of a video is recorded: its layers attend over frames, which have no grid (y, x). Leave it out; "
    "latents, predictions, x0 and frames are recorded without it"
)
_NO_FEATURES = (
    "features and statistics are those of pictures: a video's blocks have frames, too. Leave it out; latents, "
    "predictions, x0 and frames are recorded without it"
)
_AXES = 5


def check_video(pipe: Any, call: Call, function: str) -> None:
    """RunError where a video pipeline's call would be recorded wrongly; nothing where the pipeline draws pictures.

    A Record's `cross_attention="mean"` is what every Record has by default. It asks for nothing here: the trace has no
    attention.

    Args:
        function: The public function that the user called.
    """
    family = family_of(pipe)
    if not isinstance(family, VideoFamily):
        return
    if (reason := not_kept(call.record)) is not None:
        raise RunError(f"{function}({reason}")
    name, given = type(pipe).__name__, _with_defaults(pipe, call.arguments)
    if (reason := next(video_obstacles(pipe), None)) is not None:
        raise RunError(f"{function}: cannot observe this {name}: {reason}")
    for argument, value in (("change", call.change), ("guide", call.guide)):
        if value is not None:
            raise RunError(
                f"{function}({argument}={clip(repr(value), 60)}): changes and guides work on pictures, and {name} "
                f"draws a video; leave {argument} out"
            )
    if isinstance(call.prompt, Mapping):
        raise RunError(f"{function}(prompt={clip(repr(call.prompt), 60)}): the prompt is a text, or a list of texts")
    for problem in (*_frames(pipe, family, call.arguments), *_sides(pipe, family, given)):
        raise RunError(f"{function}({problem}")
    _check_latents(pipe, family, call, given, function)


def video_obstacles(pipe: Any) -> Iterator[str]:
    """Why calls of a video pipeline are no trajectory of one video from text, each with the way out."""
    family = family_of(pipe)
    if not isinstance(family, VideoFamily):
        return
    if not any(base.__name__ in family.pipelines for base in type(pipe).__mro__):
        known = " or ".join(family.pipelines)
        yield f"of the {family.title}, videos of {known} are recorded, from text alone. Call the pipeline itself"
    elif (reason := family.state(pipe)) is not None:
        yield reason


def refuse_video(pipe: Any, function: str) -> None:
    """RunError where a pipeline draws videos, for functions that ask about a picture."""
    if family_of(pipe).video:
        raise RunError(
            f"{function} asks about one picture, and {type(pipe).__name__} draws videos; run, compare, schedule, "
            "reconstruction and text_encoding work with it"
        )


def not_kept(record: Record) -> str | None:
    """What of a Record no run of a video keeps, beyond what every Record asks for by default, and why."""
    names = (*(_OF_WORDS if record.cross_attention else ()), *_ALWAYS)
    for several, reason in ((names, _NO_ATTENTION), (_OF_MODULES, _NO_FEATURES)):
        if asked := [name for name in several if getattr(record, name) != getattr(_USUAL, name)]:
            shown = ", ".join(f"{name}={getattr(record, name)!r}" for name in asked)
            return f"record=Record({shown})): {reason}"
    return None


def _with_defaults(pipe: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    named = parameters_of(type(pipe).__call__).values()
    return {one.name: one.default for one in named if one.default is not one.empty} | dict(arguments)


def _frames(pipe: Any, family: VideoFamily, arguments: Mapping[str, Any]) -> Iterator[str]:
    asked, name = arguments.get("num_frames"), type(pipe).__name__
    if asked is not None:
        whole = isinstance(asked, int | np.integer) and not isinstance(asked, bool)
        if not whole or not 1 <= asked <= MOST_FRAMES:
            yield f"num_frames={asked!r}): the number of frames is a whole number from 1 to {MOST_FRAMES:,}"
            return
        every = family.compression(pipe)
        if family.rounds_frames and (int(asked) - 1) % every:
            below = (int(asked) - 1) // every * every + 1
            yield (
                f"num_frames={asked}): {name} draws 1 + {every} k frames, and another number than this; give "
                f"{below} or {below + every}"
            )
    several = arguments.get("num_videos_per_prompt")
    if several not in (None, 1) and not family.several:
        yield f"num_videos_per_prompt={several!r}): {name} ignores it, and draws one; give a list of prompts"
    if several is not None and not (isinstance(several, int) and several >= 1):
        yield f"num_videos_per_prompt={several!r}): the number of videos is a whole number, and at least 1"


def _sides(pipe: Any, family: VideoFamily, given: Mapping[str, Any]) -> Iterator[str]:
    multiple = family.side_multiple(pipe)
    for side in ("height", "width"):
        asked = given.get(side)
        if asked is not None and int(asked) % multiple:
            below = int(asked) // multiple * multiple
            near = f"{below} or {below + multiple}" if below else str(multiple)
            yield f"{side}={asked}): {type(pipe).__name__} draws multiples of {multiple} pixels; give {near}"


def _check_latents(pipe: Any, family: VideoFamily, call: Call, given: Mapping[str, Any], function: str) -> None:
    """Pipelines take the latents that they are given as they are, whatever their shape."""
    latents = given.get("latents")
    if latents is None:
        return
    frames = family.frames(pipe, given)[0] + family.padding(pipe, given)
    shape = tuple(getattr(latents, "shape", ()))
    right = (image_count(call.prompt, call.arguments), family.latent_channels(pipe), frames)
    if isinstance(latents, torch.Tensor) and len(shape) == _AXES and 0 not in shape:
        own = tuple(family.unpacked(latents, (0, 0)).shape)
        drawn = tuple(side * vae_scale_factor(pipe) for side in own[3:])
        asked = tuple(int(given.get(name) or side) for name, side in zip(("height", "width"), drawn, strict=True))
        if own[:3] == right and drawn == asked:
            return
    order = "(video, frame, channel, y, x)" if right != _ordered(family, right) else "(video, channel, frame, y, x)"
    raise RunError(
        f"{function}(latents=…): they are {' × '.join(map(str, shape)) or clip(repr(latents), 60)}; this call needs "
        f"{order} with {right[0]} × {' × '.join(map(str, _ordered(family, right)[1:]))} in front of y and x, of the "
        "size that height and width ask for"
    )


def _ordered(family: VideoFamily, sizes: tuple[int, int, int]) -> tuple[int, ...]:
    """Video, channel and frame in the order in which the pipeline has them."""
    return tuple(family.packed(torch.empty(*sizes, 1, 1), (1, 1)).shape[:3])
