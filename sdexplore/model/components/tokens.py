"""The tokens of a prompt, from each tokenizer of a pipeline."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ...base.errors import InspectionError, TokenError
from ...text.pieces import align, settle
from ...text.tokenization import Kind, Tokenization, Tokenizations
from ...text.words import Span, lone_surrogate
from .prompt_doubts import doubts_of_prompt, lengths_of, vectors_of

_TOO_LONG = (
    "sequence-length-is-longer-than-the-specified-maximum"  # the name under which transformers remembers a warning
)
_NO_LIMIT = 1_000_000  # transformers says 1e30 if a tokenizer never cuts


def tokens(pipe: object, text: object) -> Tokenizations:
    """The prompt `text` as each tokenizer of a pipeline reads it: component name → Tokenization.

    The ids are those that the pipeline gives its text encoders, at the length that its calls have by default; where it
    gives them another sequence (a template around the prompt, another length), `.notes` says so. They say too where two
    encoders' tokenizers part, and where only a part of a textual inversion is used. Names of textual inversion are
    written out first, as the pipeline does; `Tokenization.text` is then the longer prompt, and each name is one word.

    Args:
        pipe: A diffusers pipeline, or a tokenizer of transformers, which is named "tokenizer".
        text: One prompt, a str.

    Raises:
        InspectionError: There is no tokenizer.
        TokenError: `text` is not a text.
    """
    return tokens_in_call(pipe, text, lengths_of(pipe))


def tokens_with(pipe: object, text: object, arguments: Mapping[str, Any]) -> Tokenizations:
    """`tokens`, of a call with these arguments."""
    return tokens_in_call(pipe, text, lengths_of(pipe, arguments))


def tokens_in_call(pipe: object, text: object, lengths: Mapping[str, int]) -> Tokenizations:
    """`tokens`, of a call that cuts and pads some tokenizers' texts to a length of its own.

    Args:
        lengths: Tokenizer -> that length (`Family.lengths`).
    """
    found = tokenizers_of(pipe)
    if not isinstance(text, str):
        hint = "; pass one prompt at a time" if isinstance(text, (list, tuple)) else ""
        raise TokenError(f"a prompt is a str, not {type(text).__name__}{hint}")
    broken = lone_surrogate(text)
    if broken is not None:
        raise TokenError(
            f"character {broken} of the prompt, {text[broken]!r}, is half of a surrogate pair, "
            "which no tokenizer reads; decode the prompt as UTF-8"
        )
    read = {
        name: _tokenization(name, tokenizer, _written_out(pipe, text, tokenizer), lengths.get(name))
        for name, tokenizer in found.items()
    }
    return Tokenizations(read, notes=tuple(doubts_of_prompt(pipe, read, found, lengths)))


def _written_out(pipe: object, text: str, tokenizer: Any) -> str:
    """The prompt as the pipeline gives it to this tokenizer."""
    write_out = getattr(pipe, "maybe_convert_prompt", lambda prompt, _: prompt)
    told: dict[str, bool] = getattr(tokenizer, "deprecation_warnings", {})
    before = dict(told)
    told[_TOO_LONG] = True  # transformers would warn once that a long prompt leads to errors; here it is cut
    try:
        written: str = write_out(text, tokenizer)
    finally:
        told.clear()
        told.update(before)
    return written


def tokenizers_of(pipe: object) -> dict[str, Any]:
    """The tokenizers of a pipeline by component name; a tokenizer itself is named "tokenizer".

    Raises:
        InspectionError: There is none.
    """
    if hasattr(pipe, "convert_ids_to_tokens"):
        return {"tokenizer": pipe}
    components = getattr(pipe, "components", None)
    if not isinstance(components, Mapping):
        raise InspectionError(f"tokens are read from a pipeline or a tokenizer, not from {type(pipe).__name__}")
    found = {
        name: component
        for name, component in components.items()
        if name.startswith("tokenizer") and component is not None
    }
    if not found:
        held = ", ".join(name for name, component in components.items() if component is not None)
        raise InspectionError(f"this {type(pipe).__name__} has no tokenizer; it has {held or 'no components'}")
    return found


def _tokenization(name: str, tokenizer: Any, text: str, length: int | None) -> Tokenization:
    before, after = _frame(tokenizer)
    ids, spans = spelled(tokenizer, text)
    limit = length or (tokenizer.model_max_length if tokenizer.model_max_length < _NO_LIMIT else None)
    room = len(ids) if limit is None else max(0, limit - len(before) - len(after))
    first = max(0, len(ids) - room) if tokenizer.truncation_side == "left" else 0
    kept = slice(first, first + room)

    rows: list[tuple[int, Kind, Span | None]] = [
        *((number, "start", None) for number in before),
        *((number, "text", span) for number, span in zip(ids[kept], spans[kept], strict=True)),
        *((number, "end", None) for number in after),
    ]
    fed = _fed(tokenizer, text, limit)
    padding: list[tuple[int, Kind, Span | None]] = [
        (tokenizer.pad_token_id, "padding", None) for _ in range(len(fed) - len(rows))
    ]
    rows = padding + rows if tokenizer.padding_side == "left" else rows + padding
    if [number for number, _, _ in rows] != fed:
        raise InspectionError(
            f"{name} ({type(tokenizer).__name__}) does not put the same special tokens "
            "around every text; sdexplore cannot tell which token is which"
        )
    rows += [(ids[k], "truncated", spans[k]) for k in range(len(ids)) if not first <= k < first + room]
    numbers, kinds, places = zip(*rows, strict=True) if rows else ((), (), ())
    return Tokenization.of(
        tokenizer=name,
        text=text,
        max_length=limit,
        ids=numbers,
        pieces=tokenizer.convert_ids_to_tokens(list(numbers)),
        kinds=kinds,
        spans=places,
        names=list(_names(tokenizer, ids, spans)),
    )


def _names(tokenizer: Any, ids: Sequence[int], spans: Sequence[Span]) -> Iterator[Span]:
    """The places of textual inversions in the text, each with all of its vectors: "<toy> <toy>_1"."""
    vectors = {numbers[0]: numbers for numbers in vectors_of(tokenizer).values()}
    place = 0
    while place < len(ids):
        wanted = vectors.get(ids[place], [])
        pairs = zip(wanted, ids[place : place + len(wanted)], strict=False)
        taken = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if taken and spans[place][0] < spans[place + taken - 1][1]:
            yield spans[place][0], spans[place + taken - 1][1]
        place += taken or 1


def _fed(tokenizer: Any, text: str, limit: int | None) -> list[int]:
    """The ids that a pipeline gives its text encoder, by the same call of the tokenizer."""
    how: dict[str, Any] = {"verbose": False}
    if limit is not None:
        how |= {"truncation": True, "max_length": limit}
        how |= {"padding": "max_length"} if tokenizer.pad_token is not None else {}
    return list(tokenizer(text, **how).input_ids)


def _frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special ids that the tokenizer puts before and after a text."""
    bare = list(tokenizer("a", add_special_tokens=False).input_ids)
    whole = list(tokenizer("a").input_ids)
    for first in range(len(whole) - len(bare) + 1):
        if whole[first : first + len(bare)] == bare:
            return whole[:first], whole[first + len(bare) :]
    return [], []


def spelled(tokenizer: Any, text: str) -> tuple[list[int], list[Span]]:
    """The ids of the text alone, not cut, and the characters that each covers."""
    told = bool(getattr(tokenizer, "is_fast", False))
    asked = {"return_offsets_mapping": True} if told else {}
    encoded = tokenizer(text, add_special_tokens=False, verbose=False, **asked)
    ids = list(encoded.input_ids)
    pieces = tokenizer.convert_ids_to_tokens(ids)
    if not told:
        return ids, align(text, pieces)
    return ids, settle(text, pieces, [(start, stop) for start, stop in encoded.offset_mapping])
