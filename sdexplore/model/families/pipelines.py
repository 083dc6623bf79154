"""What classes of pipelines do besides one trajectory of one denoiser, by their names, sources and arguments."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

_BOTH_OR_NONE = re.compile(r"if (?:not height or not width|height is None or width is None)\b")
_SEVERAL = "makes several trajectories in one call, and a trace is one"
_CROP = (
    "padding_mask_crop: the model draws a crop around the mask, which no map of the whole picture fits. Crop picture "
    "and mask before the run, and leave padding_mask_crop out"
)
# By a word in the class: the reason why a call of it is no record of one picture's way, and the way out.
_BY_NAME: Final[Mapping[str, str]] = {
    "Panorama": f"it draws overlapping views and {_SEVERAL}. Run StableDiffusionPipeline of the same parts",
    "Marigold": (
        f"it draws an ensemble (ensemble_size) and {_SEVERAL}; its prediction is no picture. Call the pipeline itself"
    ),
    "CycleDiffusion": f"it draws source and target side by side and {_SEVERAL}. Call the pipeline itself",
    "LEdits": "it edits an inversion of its own (pipe.invert) with its own steps. Call the pipeline itself",
    "DiffEdit": "it edits latents of an inversion of its own (pipe.invert). Call the pipeline itself",
    "Pix2PixZero": f"it draws the picture once for its attention and once to edit it: it {_SEVERAL}. Call it itself",
    "Paradigms": "it denoises many steps in parallel, and a step is no call of the scheduler. Call the pipeline itself",
    "RePaint": "it goes back and forth between steps, so that its steps are no one way. Call the pipeline itself",
    "ScoreSdeVe": "it corrects each step with further calls of its network. Call the pipeline itself",
    "KarrasVe": "it corrects each step with a further call of its network. Call the pipeline itself",
    "LatentUpscale": (
        "it preconditions its network's prediction itself, so that the halves of guidance are not what the network "
        "predicts. Call the pipeline itself"
    ),
    "UniDiffuser": "it draws picture and text together, in latents that hold both. Call the pipeline itself",
    "AudioLDM": "it draws sound, and only pictures are observed. Call the pipeline itself",
    "MusicLDM": "it draws sound, and only pictures are observed. Call the pipeline itself",
    "BlipDiffusion": (
        "it puts a picture's tokens between the words, so that no word has the column of its token. Call the pipeline "
        "itself"
    ),
    "Kandinsky3": "it masks the text's padding, which its attention would be read without. Call the pipeline itself",
    "DreamLite": "it masks the text's padding, which its attention would be read without. Call the pipeline itself",
    "DanceDiffusion": "it draws sound, and only pictures are observed. Call the pipeline itself",
}
_VIDEO = ("PIAPipeline", "I2VGen", "VideoDiffusion", "TextToVideo", "VideoToVideo")
_FRAMES = (
    "it draws frames, and of videos only those of CogVideoXPipeline, WanPipeline and AnimateDiffPipeline are observed, "
    "from text. Call the pipeline itself"
)


def refusal(cls: Any, arguments: Mapping[str, Any], images: int) -> str | None:
    """Why a call of this class of pipeline would be recorded wrongly, with the way out; None where it would not.

    Args:
        arguments: Of the pipeline's call, as given.
        images: How many the call makes.
    """
    name = cls.__name__
    if "unet" in inspect.signature(cls.__init__).parameters and (reason := _named_reason(name)) is not None:
        return reason
    if arguments.get("padding_mask_crop") is not None:
        return _CROP
    if "Semantic" in name and arguments.get("editing_prompt_embeddings") is not None and images > 1:
        return "it lays the edits' embeddings over the images in an order of its own. Give editing_prompt as texts"
    if "AttendAndExcite" in name and images > 1:
        return "it excites one picture after the other, with calls for each alone. Make one image in each run"
    return None


def _named_reason(name: str) -> str | None:
    """Why pipelines of a UNet whose class has this name are refused; None where they are not."""
    if any(word in name for word in _VIDEO):
        return _FRAMES
    return next((text for word, text in _BY_NAME.items() if word in name), None)


def edits_of(arguments: Mapping[str, Any]) -> int:
    """How many edits a call of semantic guidance has; none without guidance."""
    if float(arguments.get("guidance_scale", 7.5) or 0) <= 1:
        return 0
    edits = arguments.get("editing_prompt")
    if edits:
        return 1 if isinstance(edits, str) else len(edits)
    embeds = arguments.get("editing_prompt_embeddings")
    return 0 if embeds is None else len(embeds)


def takes_both_sizes_or_none(cls: Any) -> bool:
    """Whether the class's call drops `height` where `width` is missing, and the other way round."""
    return _both_or_none(cls)


@cache
def _both_or_none(cls: Any) -> bool:
    return _in_source(cls, lambda source: _BOTH_OR_NONE.search(source) is not None)


def picture_is_optional(cls: Any) -> bool:
    """Whether the class's call takes a picture and begins with noise all the same, as FLUX.2's and Kontext's do."""
    known = inspect.signature(cls.__call__).parameters
    return {"image", "latents", "height"} <= known.keys() and "Edit" not in cls.__name__ and _goes_without_picture(cls)


@cache
def _goes_without_picture(cls: Any) -> bool:
    return _in_source(cls, lambda source: "if image is not None" in source)


def _in_source(cls: type, holds: Callable[[str], bool]) -> bool:
    for base in cls.__mro__:
        if (call := vars(base).get("__call__")) is None:
            continue
        try:
            if holds(inspect.getsource(inspect.unwrap(call))):
                return True
        except (OSError, TypeError):  # made in a cell that is gone, or in C
            continue
    return False
