"""What a call will do, by its arguments and the pipeline's configuration: steps, rows, sizes. Nothing is run."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...base.parameters import parameters_of
from ...text.tokenization import Tokenizations
from ...trace.record import Record
from ..capture.plans import kept_of
from ..capture.prompts import image_count, prompt_role, prompts_of
from ..components.pipeline_parts import autoencoder, in_pixel_space, latent_grid, vae_scale_factor
from ..families import family_of
from ..families.pipelines import takes_both_sizes_or_none
from ..families.video import VideoFamily
from ..schedulers import noise_levels

_COLOURS = 3
# Upscalers, whose latents' size follows from the small picture's: class -> latents for each of its pixels.
_OF_LATENTS = {
    "StableDiffusionUpscalePipeline": 1.0,
    "LDMSuperResolutionPipeline": 1.0,
    "StableDiffusionLatentUpscalePipeline": 0.25,
}
_LONGEST = 1 << 16  # tokenizers that know no length say 1e30


@dataclass(frozen=True)
class Outline:
    """What one call of a pipeline will do.

    Attributes:
        grid: Latent (y, x).
        channels: Of the latents.
        factor: Pixels along the side of a latent.
        roles: Roles that predict noise at every step.
        swaps: Step -> role under which attention to the prompt is recorded from that step on, in place of "cond".
        x0: Whether the scheduler's noise levels are known, so that there is x0 and a picture of a step.
        decodes: Whether latents can be decoded.
        draws: Whether the pipeline gives a picture.
        video: Whether it draws a video.
        frames: How many frames its latents have, and the video; 1 of each of a picture.
        guide: Whether a guide changes what the scheduler gets.
        positions: Of the prompt; None where neither a tokenizer nor embeddings tell them.
        identity: Patterns of layers whose "perturbed" rows attend to themselves alone, and are not recorded.
        text_columns: Tokenizer -> the key that its first token has.
        tokens: (role, image) -> tokens of its prompt; None without text.
    """

    images: int
    steps: int
    grid: tuple[int, int]
    channels: int
    factor: int
    roles: tuple[str, ...]
    swaps: Mapping[int, str]
    x0: bool
    decodes: bool
    draws: bool
    video: bool
    frames: tuple[int, int]
    guide: bool
    positions: int | None
    identity: tuple[str, ...]
    text_columns: Mapping[str, int]
    tokens: Callable[[str, int], Tokenizations | None] = field(repr=False)

    def filed(self, step: int) -> str:
        """The role under which attention to the prompt is recorded at a step."""
        return prompt_role(self.swaps, step)

    def columns(self, record: Record, role: str, image: int, *, rest: bool) -> tuple[int, int]:
        """(columns that are kept, positions of the prompt) of a role's attention to words.

        Args:
            rest: Whether one column is for all that is no word.
        """
        found = self.tokens(role, image)
        known = {name: first for name, first in self.text_columns.items() if found and name in found}
        ids = max((first + len(found[name].ids) for name, first in known.items()), default=0) if found else 0
        positions = ids or self.positions or 0
        kept = kept_of(found, positions, known) if found and record.columns == "prompt" else None
        if kept is None:
            return positions + rest, positions
        return (len(kept) + 1 if rest else min(len(kept) + 1, positions)), positions


def outline_of(pipe: Any, prompt: Any, arguments: Mapping[str, Any], scheduler: Any = None) -> Outline:
    """The outline of `run(pipe, prompt, **arguments)`, with another scheduler if one is given.

    Raises:
        InspectionError: The pipeline has no denoiser of a known family.
    """
    given, scheduler = _with_defaults(pipe, arguments), scheduler or pipe.scheduler
    family = family_of(pipe)
    images, swaps = image_count(prompt, arguments), arguments.get("prompt_at") or {}
    columns = family.text_columns([name for name in pipe.components if name.startswith("tokenizer")])
    names = {int(step): f"cond@{int(step)}" for step in swaps}
    texts = {names[int(step)]: text for step, text in swaps.items()}
    return Outline(
        images=images,
        steps=_steps(pipe, given, scheduler),
        grid=_grid(pipe, given),
        channels=family.latent_channels(pipe),
        factor=vae_scale_factor(pipe),
        roles=family.roles(pipe, given),
        swaps=names,
        x0=noise_levels.refusal(scheduler) is None,
        decodes=autoencoder(pipe) is not None or in_pixel_space(pipe),
        draws=given.get("output_type") != "latent",
        video=family.video,
        frames=family.frames(pipe, given) if isinstance(family, VideoFamily) else (1, 1),
        guide=arguments.get("guide") is not None,
        positions=_positions(pipe, arguments, columns),
        identity=tuple(getattr(pipe, "pag_applied_layers", None) or ()),
        text_columns=columns,
        tokens=prompts_of(pipe, prompt, arguments, images, texts),
    )


def _with_defaults(pipe: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, completed with the defaults of the pipeline's call."""
    named = parameters_of(type(pipe).__call__).values()
    return {one.name: one.default for one in named if one.default is not one.empty} | dict(arguments)


def _steps(pipe: Any, given: Mapping[str, Any], own: Any) -> int:
    """How many steps a copy of this scheduler makes."""
    scheduler = copy.deepcopy(own)
    lists = {name: given[name] for name in ("timesteps", "sigmas") if given.get(name) is not None}
    count = len(next(iter(lists.values()))) if lists else int(given.get("num_inference_steps", 50))
    leaps = given.get("original_inference_steps")
    more = {"original_inference_steps": leaps} if leaps is not None else {}
    if scheduler.config.get("use_dynamic_shifting"):
        more["mu"] = 1.0  # how far the noise levels are shifted changes no number of steps
    if lists:
        scheduler.set_timesteps(**lists, **more)
    else:
        scheduler.set_timesteps(count, **more)
    times = scheduler.timesteps
    trained = scheduler.config.get("num_train_timesteps", 1000)
    begin, end = given.get("denoising_start"), given.get("denoising_end")
    if isinstance(begin, float) and 0 < begin < 1:
        times = times[times < round(trained - begin * trained)]
    elif given.get("strength") is not None and "LatentConsistency" not in type(pipe).__name__:
        skipped = max(count - min(int(count * float(given["strength"])), count), 0)
        times = times[skipped * int(getattr(scheduler, "order", 1)) :]
    if isinstance(end, float) and 0 < end < 1:
        times = times[times >= round(trained - end * trained)]
    return max(1, len(times))


def _grid(pipe: Any, given: Mapping[str, Any]) -> tuple[int, int]:
    """Latent (y, x): of the size that is given, else of the input picture, else of the model."""
    height, width = given.get("height"), given.get("width")
    if (factor := _OF_LATENTS.get(type(pipe).__name__)) and (small := size_of(given.get("image"))) is not None:
        y, x = (round(side * factor) for side in small)
        if _in_latents(pipe, given["image"]):
            y, x = small[0] * 2, small[1] * 2
        return y, x
    if "height" not in given or ("ControlNet" in type(pipe).__name__ and not (height and width)):
        found = size_of(given.get("image"))
        if found is not None:
            height, width = height or found[0], width or found[1]
    elif not (height and width) and takes_both_sizes_or_none(type(pipe)):
        height = width = None
    y, x = latent_grid(pipe, height, width)
    family, side = family_of(pipe), vae_scale_factor(pipe)
    asked = (height or y * side, width or x * side)
    drawn = family.drawn_size(pipe, asked, given)
    return (y, x) if drawn == asked else latent_grid(pipe, *drawn)


def _in_latents(pipe: Any, picture: Any) -> bool:
    """Whether the latent upscaler is given latents rather than a picture."""
    return isinstance(picture, torch.Tensor) and picture.shape[-3] == family_of(pipe).latent_channels(pipe) > _COLOURS


def size_of(picture: Any) -> tuple[int, int] | None:
    """(height, width) of a picture in any form that pipelines take; None where it is no picture."""
    while isinstance(picture, list | tuple) and picture:
        picture = picture[0]
    match picture:
        case Image.Image():
            return picture.height, picture.width
        case torch.Tensor():
            return int(picture.shape[-2]), int(picture.shape[-1])
        case np.ndarray():
            return int(picture.shape[-3]), int(picture.shape[-2])
    return None


def _positions(pipe: Any, arguments: Mapping[str, Any], columns: Mapping[str, int]) -> int | None:
    if (embeds := arguments.get("prompt_embeds")) is not None:
        return int(embeds.shape[1])
    tokenizers = {name: one for name in columns if (one := getattr(pipe, name, None)) is not None}
    longest = max((columns[name] + int(one.model_max_length) for name, one in tokenizers.items()), default=0)
    return longest if 0 < longest < _LONGEST else None
