"""Which text each role was given: the tokens of a call's prompts, and prompts that change during a run."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ...base.errors import InspectionError, RunError, TokenError, did_you_mean
from ...base.parameters import parameters_of
from ...text.tokenization import Tokenizations
from ...text.words import occurrences, without, word_spans
from ..components.fed_tokens import fed_tokenization
from ..components.prompt_doubts import refuse_unknown_ids
from ..components.tokens import tokens as tokens_of
from ..components.tokens import tokens_in_call
from ..families import family_of
from ..families.family import Family

TEXT_OF = {"perturbed": "cond", "skipped": "cond", "image": "uncond"}  # roles that see the prompt of another
_HOW = ("clip_skip", "max_sequence_length")  # arguments that say how a prompt is encoded
_IN_ITS_PLACE = ("class_labels", "image_embeds", "image")


def image_count(prompt: Any, arguments: Mapping[str, Any]) -> int:
    """How many images or videos a call makes: its prompts (or what is in their place) times those of each prompt.

    In their place are embeddings, or batch_size, or class labels; without any of them the pictures that are given.
    """
    embeds = arguments.get("prompt_embeds")
    if isinstance(prompt, list):
        prompts = len(prompt)
    elif prompt is not None or arguments.get("batch_size") is not None:
        prompts = int(arguments.get("batch_size") or 1)
    elif isinstance(embeds, torch.Tensor):
        prompts = embeds.shape[0]
    else:
        several = (_several(arguments.get(name)) for name in _IN_ITS_PLACE)
        prompts = next((one for one in several if one is not None), 1)
    return int(prompts) * _per_prompt(arguments)


def _per_prompt(arguments: Mapping[str, Any]) -> int:
    named = (arguments.get(name) for name in ("num_images_per_prompt", "num_videos_per_prompt"))
    return int(next((one for one in named if one), 1))


def _several(given: Any) -> int | None:
    """How many pictures, embeddings or labels a list or a batch holds; None where it holds one or is not there."""
    if isinstance(given, list | tuple):
        return len(given) or None
    batch = isinstance(given, torch.Tensor | np.ndarray) and given.ndim in (2, 4)
    return len(given) or None if batch else None


def prompts_of(
    pipe: Any, prompt: Any, arguments: Mapping[str, Any], images: int, swapped: Mapping[str, str] = MappingProxyType({})
) -> Callable[[str, int], Tokenizations | None]:
    """A function (role, image) -> tokens of the text that this role's embeddings were made of; None without text.

    Args:
        swapped: Role -> prompt that a run takes up at a later step.
    """
    per_prompt = max(1, _per_prompt(arguments))
    texts = {"cond": (prompt, "prompt"), "uncond": (arguments.get("negative_prompt"), "negative_prompt")}
    edits = arguments.get("editing_prompt")  # of semantic guidance: texts that each of the images is edited by
    for number, edit in enumerate([edits] if isinstance(edits, str) else edits or ()):
        texts[f"edit_{number}"] = (edit, "editing_prompt")
    found: dict[tuple[str, int], Tokenizations | None] = {}
    given = _with_defaults(pipe, arguments)

    def text_of(value: Any, number: int) -> str | None:
        text = value[number] if isinstance(value, list | tuple) else value
        return text if isinstance(text, str) else None  # the pipeline refuses the rest, in its words

    def tokens(role: str, image: int) -> Tokenizations | None:
        role, number = TEXT_OF.get(role, role), image // per_prompt
        key = (role, number)
        if role in swapped:
            return found.setdefault((role, 0), _tokenized(pipe, swapped[role], {}, given))
        if role not in texts or image >= images:
            return None
        if key not in found:
            value, argument = texts[role]
            first = text_of(value, number)
            if first is None and (role == "cond" or arguments.get(f"{argument}_embeds") is not None):
                found[key] = None
                return None
            others = {  # the pipeline's `prompt_2 or prompt`: an empty text is the prompt, and a list [""] is empty
                f"tokenizer_{n}": text_of(arguments[f"{argument}_{n}"], number)
                for n in (2, 3)
                if arguments.get(f"{argument}_{n}")
            }
            found[key] = _tokenized(pipe, first or "", others, given, negative=role == "uncond")
        return found[key]

    return tokens


def tokens_of_text(pipe: Any, arguments: Mapping[str, Any], text: str) -> Tokenizations | None:
    """The tokens of a prompt as a call with these arguments writes and cuts it; None without a tokenizer."""
    return _tokenized(pipe, text, {}, _with_defaults(pipe, arguments))


def refuse_unknown_tokens(
    pipe: Any, tokens: Callable[[str, int], Tokenizations | None], images: int, function: str
) -> None:
    """RunError where a prompt of the call has a token for which the text encoder has no embedding."""
    for role in ("cond", "uncond"):
        for image in range(images):
            refuse_unknown_ids(pipe, tokens(role, image) or {}, function)


def _with_defaults(pipe: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, completed with the defaults of the pipeline's call."""
    known = parameters_of(type(pipe).__call__).values()
    return {one.name: one.default for one in known if one.default is not one.empty} | dict(arguments)


def _tokenized(
    pipe: Any, text: str, others: Mapping[str, str | None], given: Mapping[str, Any], *, negative: bool = False
) -> Tokenizations | None:
    family = family_of(pipe)
    lengths = family.lengths(pipe, given)
    try:
        if family.fed:
            keep = partial(_kept_of_fed, family, pipe, given)
            apart = negative and family.negative_apart
            read = {name: fed_tokenization(pipe, name, text, given, keep, negative=apart) for name in family.fed}
            return Tokenizations(read)
        found = dict(tokens_in_call(pipe, text, lengths))
    except InspectionError:  # a pipeline without tokenizer
        return None
    for name, other in others.items():
        if name in found and other is not None:
            found[name] = tokens_in_call(pipe, other, lengths)[name]
    return Tokenizations(found)


def _kept_of_fed(
    family: Family, pipe: Any, given: Mapping[str, Any], ids: Sequence[int], seen: Sequence[int]
) -> Sequence[int]:
    return family.kept_of_fed(pipe, ids, seen, given)


def prompt_role(swaps: Iterable[int], step: int) -> str:
    """The role that attention to the prompt has at a step, given the steps at which another prompt takes over."""
    reached = [one for one in swaps if one <= step]
    return f"cond@{max(reached)}" if reached else "cond"


@dataclass
class Swaps:
    """Prompts that replace the first one at later steps, through diffusers' own `callback_on_step_end`.

    Attributes:
        images: How many the call makes.
        first: Embeddings of the first prompt, (image, position, width), and its pooled ones.
        embeds: Step -> the same of the prompt from that step on.
        prompts: Role of the step's attention -> prompt.
        pooled: Under which name a callback changes the pooled ones.
    """

    images: int
    first: tuple[torch.Tensor, torch.Tensor | None]
    embeds: dict[int, tuple[torch.Tensor, torch.Tensor | None]]
    prompts: dict[str, str]
    pooled: str
    _now: tuple[torch.Tensor, torch.Tensor | None] = field(init=False)

    def __post_init__(self) -> None:
        self._now = self.first

    def role_at(self, step: int) -> str:
        """The role that attention to the prompt has at a step."""
        return prompt_role(self.embeds, step)

    def callback_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The call's `callback_on_step_end`, which calls the user's own first."""
        own = arguments.get("callback_on_step_end")
        wanted = (
            getattr(own, "tensor_inputs", None) or arguments.get("callback_on_step_end_tensor_inputs") or ["latents"]
        )
        pooled = [self.pooled] if self.first[1] is not None else []

        def exchange(pipe: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            changed = dict(values if own is None else own(pipe, step, timestep, values))
            if (new := self.embeds.get(step + 1)) is not None:
                for name, before, after in zip(("prompt_embeds", self.pooled), self._now, new, strict=True):
                    if before is not None and after is not None:
                        changed[name] = self._exchanged(changed.get(name, values[name]), before, after, name)
                self._now = new
            return changed

        return {
            "callback_on_step_end": exchange,
            "callback_on_step_end_tensor_inputs": list(dict.fromkeys([*wanted, "prompt_embeds", *pooled])),
        }

    def _exchanged(self, rows: torch.Tensor, before: torch.Tensor, after: torch.Tensor, name: str) -> torch.Tensor:
        """Replaces the rows of the prompt by the next prompt's, whatever roles the other rows have."""
        chunks = torch.split(rows, self.images)
        known, new = (one.to(rows.device, rows.dtype) for one in (before, after))
        hits = [chunk.shape == known.shape and torch.equal(chunk, known) for chunk in chunks]
        if not any(hits):
            raise RunError(f"run(prompt_at=…): the pipeline's {name} do not hold the prompt that is to be replaced")
        return torch.cat([new if hit else chunk for hit, chunk in zip(hits, chunks, strict=True)])


def swaps_of(
    pipe: Any, prompt: Any, prompt_at: Any, arguments: Mapping[str, Any], images: int, function: str = "run"
) -> Swaps | None:
    """The prompts that a run takes up at later steps, encoded; None if it keeps its first.

    Raises:
        RunError: A step is not a number from 1, a prompt is not a text, or the pipeline does not let its embeddings be
            changed.
    """
    if not prompt_at:
        return None
    wrong = f"{function}(prompt_at={prompt_at!r}): name steps from 1 and their prompts, as in {{10: 'a dog'}}"
    if not isinstance(prompt_at, Mapping) or not all(isinstance(text, str) for text in prompt_at.values()):
        raise RunError(wrong)
    if not all(isinstance(step, int) or str(step).isdecimal() for step in prompt_at):
        raise RunError(wrong)
    prompts = {int(step): text for step, text in prompt_at.items()}  # in a call that is read from a file, keys are text
    if min(prompts) < 1:
        raise RunError(wrong)
    if prompt is None:
        raise RunError(
            f"{function}(prompt_at=…): give the first prompt as text, so that its embeddings can be recognised"
        )
    allowed, family = getattr(pipe, "_callback_tensor_inputs", ()), family_of(pipe)
    pooled = family.pooled
    if "prompt_embeds" not in allowed or not hasattr(pipe, "encode_prompt") or not pooled:
        why = "does not let its prompt be changed during a run"
        if "prompt_embeds" in allowed and not pooled:
            why = (
                f"lets a callback change prompt_embeds, and its {family.title} is given more of the prompt than that "
                "(a mask, its length, or pooled text), which would stay the first one's; run it with each prompt"
            )
        raise RunError(f"{function}(prompt_at=…): {type(pipe).__name__} {why}")
    return Swaps(
        images=images,
        first=_encoded(pipe, prompt, arguments, images, ("prompt_2", "prompt_3", *_HOW)),
        embeds={step: _encoded(pipe, text, arguments, images, _HOW) for step, text in prompts.items()},
        prompts={f"cond@{step}": text for step, text in prompts.items()},
        pooled=pooled,
    )


def _encoded(
    pipe: Any, text: str | list[str], arguments: Mapping[str, Any], images: int, names: tuple[str, ...]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Embeddings of every image as the pipeline makes them, and pooled ones if it lets them be changed."""
    takes, pooled = inspect.signature(pipe.encode_prompt).parameters, family_of(pipe).pooled
    more: dict[str, Any] = {name: None for name in ("prompt_2", "prompt_3") if name in takes}
    more |= {name: arguments[name] for name in names if arguments.get(name) is not None}
    with torch.no_grad():
        found = pipe.encode_prompt(
            prompt=text,
            device=pipe._execution_device,  # noqa: SLF001  (as the pipeline itself asks)
            num_images_per_prompt=images if isinstance(text, str) else images // len(text),
            do_classifier_free_guidance=False,
            **more,
        )
    changeable = len(found) > 2 and pooled in pipe._callback_tensor_inputs  # noqa: PLR2004, SLF001
    return found[0], found[2] if changeable else None


def without_word(pipe: Any, prompt: Any, word: str) -> str:
    """The prompt without every occurrence of a word or phrase; names of textual inversions stay whole.

    Raises:
        TokenError: The prompt has no such word.
    """
    if not isinstance(prompt, str):
        raise RunError(f"compare: a word can be left out of one prompt that is a text, and the prompt is {prompt!r}")
    with suppress(InspectionError):  # a pipeline without tokenizer
        read = next(iter(tokens_of(pipe, prompt).values()))
        if read.names:
            return read.typed_without(*read.places(word))
    spans = occurrences(prompt, word)
    if not spans:
        known = [prompt[slice(*span)] for span in word_spans(prompt)]
        raise TokenError(f"no word {word!r} in the prompt; {did_you_mean(word, known)}")
    return without(prompt, *spans)
