"""`open_word_map`: where the pixels of a recorded run would have looked with another prompt."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...base.errors import RunError, TokenError, TraceError, did_you_mean
from ...text.shared_keys import SharedKeys, tokenizers_of
from ...trace.trace import Queries, Steps, Trace
from ..capture.prompts import TEXT_OF
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import denoiser
from ..components.prompt_doubts import refuse_unknown_ids
from ..components.tokens import tokens as tokens_of
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.family import Family
from .prompt_embeddings import embeds_without_layers

_ENCODE = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}


def open_word_map(
    pipe: Any,
    trace: Trace,
    text: str,
    *,
    word: str | None = None,
    role: str = "cond",
    steps: Steps = None,
) -> Float32[np.ndarray, "y x"]:
    """How much each latent pixel *would* attend to a word of `text`: probability 0..1 on the latent grid (y, x).

    The recorded queries of the run are multiplied with the keys that the pipeline makes of `text`. Softmax over all
    positions, the padding too, as in a UNet, which gets no mask; a padding that a call did mask out would count here,
    so that such a word's map is lower than the run's own would be. Mean over steps, layers and heads, sum over the
    word's tokens, as in `word_map`. Only the text encoder and each layer's to_k run. `text` is encoded as the run's
    prompt was, with its clip_skip. With the run's own prompt the result is `word_map`.

    Padding takes part: the softmax is over every position that the encoder fills, the start token and the padding
    behind `text` too, as in the model itself. A mask that a pipeline gives its encoder changes the embeddings, and
    hides no position from the UNet. In OVAM, which sums logits without a softmax, padding has no part in a word's map.

    Args:
        text: Another prompt, for example "a dog"; its words need not be in the run's prompt.
        word: Which word or phrase of `text`; None takes all of it.
        role: Whose queries.
        steps: A step, a slice, or several; None takes every recorded one.

    Raises:
        TraceError: The trace holds no queries, or none of this role or step.
        TokenError: `text` has no such word.
        RunError: The denoiser is no UNet, whose layers alone make keys of other words by themselves; the text encoder
            has no embedding for a token; the pipeline has other layers than the one that made the trace; or the run
            was given embeddings, so that it is not known how to encode a text in the same way.

    Source: cf. Marcos-Manchón et al., CVPR 2024 (OVAM), which sums logits without a softmax, so that padding has no
    part in its maps.
    """
    family = family_of(pipe)
    layers = family.attention_layers(denoiser(pipe))
    if type(family).text_keys is Family.text_keys and layers:
        family.text_keys(next(iter(layers.values())), torch.empty(0))  # says why there are none
    if role not in trace.queries:
        hint = did_you_mean(role, trace.queries) if trace.queries else "run with Record(queries=True)"
        raise TraceError(f"open_word_map(role={role!r}): this trace holds no queries of role {role!r}: {hint}")
    read = tokens_of(pipe, text)
    refuse_unknown_ids(pipe, read, "open_word_map")
    keys = SharedKeys.of(read, tokenizers_of(read, family.text_columns(read)))
    places = keys.positions(word) if word is not None else _all_of(keys, text)
    if strange := trace.queries[role].keys() - layers.keys():
        raise RunError(
            f"open_word_map: this pipeline has no layer {min(strange)!r}: the trace was made by another model"
        )
    wanted = trace.check_steps(steps)
    latents = trace.recorded("latents")
    total = torch.zeros(latents.shape[2:])
    clip_skip = _clip_skip(trace, role)
    embeds = embeds_without_layers(pipe, text, clip_skip, "open_word_map")["prompt_embeds"] if clip_skip else None
    with lock_of(pipe), torch.inference_mode():
        if embeds is None:
            embeds = pipe.encode_prompt(text, **_ENCODE, device=getattr(pipe, "_execution_device", None))[0]
        for name, queries in trace.queries[role].items():
            total += _resized(_layer(family, layers[name], embeds, queries, places, wanted), latents.shape[2:])
    return np.asarray((total / len(trace.queries[role])).numpy(), np.float32)


def _clip_skip(trace: Trace, role: str) -> int:
    """How many of the text encoder's last layers the run skipped for the text of this role."""
    if TEXT_OF.get(role, role) == "uncond":
        return 0  # diffusers never skips for the negative prompt
    arguments, made = trace.call.get("arguments", {}), trace.call.get("conditioning", {})
    if "clip_skip" in made:
        return int(made["clip_skip"])
    if made or arguments.get("prompt_embeds") is not None:
        how = f"mixed of {made['prompt']!r} and {made['other']!r}" if "other" in made else "given as prompt_embeds"
        raise RunError(f"open_word_map: this run's text was {how}, and {role!r} of a plain prompt is no answer for it")
    return int(arguments.get("clip_skip") or 0)


def _all_of(keys: SharedKeys, text: str) -> tuple[int, ...]:
    places = tuple(sorted(key for key, kind in keys.kinds.items() if kind == "text"))
    if not places:
        raise TokenError(f"open_word_map(text={text!r}): there is no token in it to look at")
    return places


def _layer(
    family: Family,
    layer: Layer,
    embeds: torch.Tensor,
    queries: Queries,
    places: tuple[int, ...],
    steps: tuple[int, ...],
) -> torch.Tensor:
    """The word's probability on the layer's grid, mean over calls and heads."""
    calls = [call for call, at in enumerate(queries.steps) if at in steps]
    if not calls:
        raise TraceError(
            f"open_word_map: queries of steps {list(steps)} were not recorded; there are {list(queries.steps)}"
        )
    key = family.text_keys(layer, embeds)
    grid = queries.grid
    total = torch.zeros(grid)
    for call in calls:  # one at a time: all heads of all steps at once would not fit
        q = torch.from_numpy(queries.rows([call])[0]).to(key.device, torch.float32).flatten(1, 2)
        probs = torch.softmax(q @ key[0].transpose(-1, -2), dim=-1)
        total += probs[..., list(places)].sum(-1).mean(0).reshape(grid).cpu()
    return total / len(calls)


def _resized(pixels: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    larger = torch.nn.functional.interpolate(pixels[None, None], size=shape, mode="bilinear", align_corners=False)
    return larger[0, 0]
