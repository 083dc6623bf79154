"""What a reader of a pipeline's tokens should know: vectors that are not used, tokenizers that part, templates."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.display import clip
from ...base.errors import InspectionError, RunError
from ...strings.wording import told
from ...text.shared_keys import SharedKeys
from ...text.tokenization import Tokenization
from ..families import family_of

_TEMPLATES = ("system_prompt", "complex_human_instruction")  # arguments of pipelines that put a text before the prompt


def vectors_of(tokenizer: Any) -> dict[str, list[int]]:
    """Name of each textual inversion that was loaded -> the ids of its vectors, in order."""
    special = set(getattr(tokenizer, "all_special_ids", ()))
    every: dict[str, int] = getattr(tokenizer, "get_added_vocab", dict)()
    added = {name: number for name, number in every.items() if number not in special}
    vectors = {name: [number] for name, number in added.items()}
    for name, numbers in vectors.items():
        while (later := f"{name}_{len(numbers)}") in added:
            numbers.append(added[later])
    owned = {number for numbers in vectors.values() for number in numbers[1:]}
    return {name: numbers for name, numbers in vectors.items() if numbers[0] not in owned}


def doubts_of_prompt(
    pipe: Any, found: Mapping[str, Tokenization], tokenizers: Mapping[str, Any], lengths: Mapping[str, int]
) -> Iterator[str]:
    """What to know of a prompt as these tokenizers read it, a sentence each.

    Args:
        lengths: Tokenizer -> the length that the call decides for its text.
    """
    for name, read in found.items():
        yield from _unused_vectors(read, tokenizers[name])
        yield from _other_sequence(pipe, read, tokenizers[name], lengths.get(name))
        if (beyond := _beyond(pipe, read)) is not None:
            yield beyond
    if (said := SharedKeys.of(found, [(name, 0) for name in found if _is_clip(tokenizers[name])]).parting) is not None:
        yield said


def doubts_of_tokenizers(tokenizers: Mapping[str, Any]) -> Iterator[str]:
    """What to know of the tokenizers, whatever the prompt is, a sentence each."""
    names = {key: vectors_of(tokenizer) for key, tokenizer in tokenizers.items()}
    for key, known in names.items():
        for name, numbers in known.items():
            if len(numbers) > 1 and name != name.lower() and _lowers(tokenizers[key]):
                yield (
                    f"{name!r} has {len(numbers)} vectors, and in a prompt it stands for its first alone: {key} "
                    f"lower-cases the prompt, and diffusers then does not find the name; load it with "
                    f"token={name.lower()!r}"
                )
        yield from _same_in_lower_case(key, known, tokenizers[key])
    clips = [key for key, tokenizer in tokenizers.items() if _is_clip(tokenizer)]
    for key in clips[1:]:
        for name in names[clips[0]].keys() ^ names[key].keys():
            has, lacks = (clips[0], key) if name in names[clips[0]] else (key, clips[0])
            yield (
                f"{name!r} is a textual inversion for {has} and not for {lacks}: behind it, the two encoders' words "
                "may stand at different positions; a word has the positions of both"
            )
    padding = [key for key in clips if (pad := tokenizers[key].pad_token) and len(pad) == 1]
    if padding and len(clips) > len(padding):
        pad = tokenizers[padding[0]].pad_token
        yield (
            f"{padding[0]} reads each typed {pad!r} as its padding, so that behind {3 * pad!r} the two encoders' words "
            "stand at different positions; a word has the positions of both"
        )


def refuse_unknown_ids(pipe: Any, found: Mapping[str, Tokenization], function: str) -> None:
    """RunError where a text encoder has no embedding for a token, which would end in an error of torch's or CUDA's."""
    for read in found.values():
        if (beyond := _beyond(pipe, read)) is not None:
            raise RunError(f"{function}: {beyond}")


def _unused_vectors(read: Tokenization, tokenizer: Any) -> Iterator[str]:
    known = vectors_of(tokenizer)
    first = {numbers[0]: name for name, numbers in known.items() if len(numbers) > 1}
    named = set()
    ids = [token.id for token in read.tokens]
    for place, token in enumerate(read.tokens):
        name = first.get(token.id)
        if name is None or token.span is None or name in named:
            continue
        numbers = known[name]
        if ids[place : place + len(numbers)] != numbers:
            named.add(name)
            yield told(
                f"tokens.doubt.vectors.{'typed' if name == name.lower() else 'loaded'}",
                text=repr(token.text),
                name=name,
                vectors=len(numbers),
                tokenizer=read.tokenizer,
                right=repr(name.lower()),
            )


def _same_in_lower_case(key: str, known: Mapping[str, list[int]], tokenizer: Any) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for name in known:
        alike.setdefault(name.lower(), []).append(name)
    for names in alike.values():
        if len(names) > 1 and _lowers(tokenizer):
            ids = {int(tokenizer(name, add_special_tokens=False).input_ids[0]) for name in names}
            used = [name for name in names if known[name][0] in ids]
            yield (
                f"{' and '.join(map(repr, names))} differ in case alone, which {key} does not see: both words stand "
                f"for {' or '.join(map(repr, used))}; load them with names that differ otherwise"
            )


def _lowers(tokenizer: Any) -> bool:
    """Whether a tokenizer reads capitals as small letters."""
    return list(tokenizer("A", add_special_tokens=False).input_ids) == list(
        tokenizer("a", add_special_tokens=False).input_ids
    )


def _is_clip(tokenizer: Any) -> bool:
    return "CLIP" in type(tokenizer).__name__


def lengths_of(pipe: object, arguments: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Tokenizer -> the length that a call with these arguments cuts and pads its text to, where the call decides it."""
    try:
        return family_of(pipe).lengths(pipe, arguments or {})
    except InspectionError:
        return {}


def _other_sequence(pipe: Any, read: Tokenization, tokenizer: Any, decided: int | None) -> Iterator[str]:
    """Where the pipeline feeds its encoder something else than the tokenizer's own sequence of the prompt."""
    if _is_clip(tokenizer) or not hasattr(pipe, "components"):
        return
    given = _parameters(pipe, "__call__") | _parameters(pipe, "encode_prompt")
    encoder = read.tokenizer.replace("tokenizer", "text_encoder")
    template = [name for name in _TEMPLATES if given.get(name) is not None] or [
        name for name in vars(pipe) if name.startswith("prompt_template")
    ]
    if template or getattr(tokenizer, "chat_template", None):
        facts = {"pipeline": type(pipe).__name__, "tokenizer": read.tokenizer, "encoder": encoder}
        if template:
            yield told("tokens.doubt.template.named", template=template[0], **facts)
        else:
            yield told("tokens.doubt.template", **facts)
    elif "max_sequence_length" in given and given["max_sequence_length"] != read.max_length:
        length = given["max_sequence_length"]
        if read.max_length is not None and decided == read.max_length:
            return
        most = told("tokens.doubt.default", length=length) if isinstance(length, int) else "max_sequence_length"
        shown = "any" if read.max_length is None else "cut"
        yield told(
            f"tokens.doubt.length.{shown}",
            pipeline=type(pipe).__name__,
            most=most,
            encoder=encoder,
            length=read.max_length,
        )


def _parameters(pipe: Any, method: str) -> dict[str, Any]:
    """Name of each argument of a method -> its default."""
    found = getattr(type(pipe), method, None)
    named = inspect.signature(found).parameters.values() if found is not None else ()
    return {one.name: one.default for one in named}


def _beyond(pipe: Any, read: Tokenization) -> str | None:
    encoder = getattr(pipe, read.tokenizer.replace("tokenizer", "text_encoder"), None)
    embeddings = getattr(encoder, "get_input_embeddings", lambda: None)()
    rows: int | None = getattr(embeddings, "num_embeddings", None)
    if rows is None:
        return None
    beyond = next((token for token in read.tokens if token.position is not None and token.id >= rows), None)
    if beyond is None:
        return None
    shown = repr(clip(beyond.text, 40)) if beyond.text else beyond.kind
    return told(
        "tokens.doubt.beyond",
        tokenizer=read.tokenizer,
        token=shown,
        id=beyond.id,
        encoder=type(encoder).__name__,
        rows=rows,
    )
