"""The tokens that a pipeline really gives its text encoder, template and all, read at the encoder's door.

The pipeline's own `encode_prompt` writes the text and tokenizes it; a hook takes the ids, and the encoder never runs.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import get_ident
from typing import Any

import torch

from ...base.errors import InspectionError
from ...text.tokenization import Kind, Tokenization
from ...text.words import Span
from .tokens import spelled

_OWN = (
    "prompt",
    "negative_prompt",
    "num_images_per_prompt",
    "num_videos_per_prompt",
    "device",
    "do_classifier_free_guidance",
)
Keep = Callable[[Sequence[int], Sequence[int]], Sequence[int]]


class _Enough(BaseException):
    """Leaves `encode_prompt`; a BaseException, so that nothing in between swallows it."""

    def __init__(self, ids: list[int], seen: list[int]) -> None:
        super().__init__()
        self.ids, self.seen = ids, seen


def fed_tokenization(
    pipe: Any, name: str, text: str, given: Mapping[str, Any], keep: Keep, *, negative: bool = False
) -> Tokenization:
    """The prompt among the tokens that stand in the denoiser's keys.

    What the pipeline puts before it is of kind "start", what it puts behind it "end".

    Args:
        name: Of the tokenizer.
        given: The pipeline's arguments, with the defaults of its call.
        keep: Given the ids and their attention mask, the places of those that come to the denoiser.
        negative: Whether the text is written as the pipeline writes negative prompts.

    Raises:
        InspectionError: There is no text encoder, or the pipeline gives it no ids.
    """
    tokenizer = getattr(pipe, name)
    tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # of a processor of texts and pictures
    ids, seen = _fed(pipe, name.replace("tokenizer", "text_encoder"), text, given, negative=negative)
    kept = [ids[place] for place in keep(ids, seen)]
    first, own, spans = _placed(tokenizer, text, kept)
    behind = first + len(own)
    pad = getattr(tokenizer, "pad_token_id", None)
    kinds: list[Kind] = ["padding" if one == pad else "start" for one in kept[:first]]
    kinds += ["text" for _ in own]
    kinds += ["padding" if one == pad else "end" for one in kept[behind:]]
    lost = spelled(tokenizer, text)[0][len(own) :]
    kinds += ["truncated" for _ in lost]
    places: list[Span | None] = [None] * first + [*spans[: len(own)]] + [None] * (len(kept) - behind)
    return Tokenization.of(
        tokenizer=name,
        text=text,
        max_length=len(kept),
        ids=[*kept, *lost],
        pieces=tokenizer.convert_ids_to_tokens([*kept, *lost]),
        kinds=kinds,
        spans=[*places, *spans[len(own) :]],
        names=[],
    )


def _fed(
    pipe: Any, encoder: str, text: str, given: Mapping[str, Any], *, negative: bool
) -> tuple[list[int], list[int]]:
    """Ids and attention mask of one text, as `encode_prompt` gives them to the encoder."""
    module, here = getattr(pipe, encoder, None), get_ident()
    if module is None:
        raise InspectionError(f"this {type(pipe).__name__} has no {encoder}")

    def enough(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if get_ident() != here:  # another thread encodes for itself
            return
        ids = kwargs.get("input_ids", args[0] if args else None)
        mask = kwargs.get("attention_mask", args[1] if len(args) > 1 else None)
        if ids is None:
            return
        row = ids[0].tolist()
        raise _Enough(row, [1] * len(row) if mask is None else mask[0].tolist())

    takes = inspect.signature(pipe.encode_prompt).parameters
    how = {
        name: given[name]
        for name in takes
        if name in given and name not in _OWN and not name.endswith(("embeds", "mask"))
    }
    texts: dict[str, Any] = {"prompt": text}
    if negative:  # embeddings are there for the prompt, so that the first text to be encoded is the negative one
        there = {"prompt_embeds": torch.zeros(1, 1, 1), "prompt_attention_mask": torch.ones(1, 1)}
        texts = {"prompt": None, "negative_prompt": text, "do_classifier_free_guidance": True, **there}
    hook = module.register_forward_pre_hook(enough, with_kwargs=True)
    try:
        pipe.encode_prompt(**texts, device=getattr(pipe, "_execution_device", None), **how)
    except _Enough as found:
        return found.ids, found.seen
    finally:
        hook.remove()
    raise InspectionError(f"this {type(pipe).__name__} gives its {encoder} no ids of a prompt")


def _placed(tokenizer: Any, text: str, fed: Sequence[int]) -> tuple[int, list[int], list[Span]]:
    """Where the prompt begins among what was fed, its ids there, and the characters of each id, cut ones too."""
    for written, moved in _forms(text):
        ids, spans = spelled(tokenizer, written)
        spans = [(max(0, start - moved), stop - moved) for start, stop in spans]
        for length in range(len(ids), 0, -1):
            first = next(
                (at for at in range(len(fed) - length, -1, -1) if list(fed[at : at + length]) == ids[:length]), None
            )
            if first is not None and (length == len(ids) or length > len(ids) // 2):
                return first, ids[:length], spans
    return 0, [], spelled(tokenizer, text)[1]


def _forms(text: str) -> Iterator[tuple[str, int]]:
    """The prompt as it may stand in a longer text, and by how many characters that moves it."""
    yield text, 0
    yield f" {text}", 1
    yield f"\n{text}", 1
    if len(text.lower().strip()) == len(text):
        yield text.lower(), 0
