"""Which part of a trace's cross-attention is asked for: words, roles, steps, layers, heads.

`Selection` is what is asked for; `Chosen` is what that is in one trace.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, SupportsIndex, TypeAlias, TypeVar

import numpy as np

from ..base.errors import TraceError, did_you_mean
from ..base.known_names import beginnings, lies_in
from ..text.shared_keys import SharedKeys
from ..text.tokenization import Tokenization
from ..text.words import fold
from ..trace.layers import LayerRows
from ..trace.trace import Attention, Steps, Trace

Whole: TypeAlias = int | np.integer[Any]
WHOLE = int | np.integer  # the same, for isinstance
Word: TypeAlias = str | Whole | Sequence[Whole]
Layers: TypeAlias = str | Whole | Sequence[str | Whole] | None
Asking: TypeAlias = Literal["picture", "words"]
Rows = TypeVar("Rows", bound=LayerRows)
Heads: TypeAlias = Whole | Sequence[Whole] | None


@dataclass(frozen=True)
class Selection:
    """What is asked of a trace's attention: one value that a public function makes at its door and hands inward.

    Attributes:
        role: Whose prompt: "cond", or "uncond" for the negative prompt.
        steps: A step, a slice, or several; negative ones count from the end; None: every recorded one.
        layers: Dotted names or their beginnings ("up_blocks"), or the longer side of a layer's grid (16), one or
            several; None: every recorded one.
        heads: One or several; needs a trace of Record(cross_attention="heads"). None: all.
        occurrence: Which of several equal words, from 0; None: all of them together.
        tokenizer: Whose tokens name the word, where several share the keys; None: those of all, each key once.
        queries: Who looks: the "picture" at the words, or the "words" at the picture (`Trace.word_attention`).
    """

    role: str = "cond"
    steps: Steps = None
    layers: Layers = None
    heads: Heads = None
    occurrence: Whole | None = None
    tokenizer: str | None = None
    queries: str = "picture"

    def __post_init__(self) -> None:
        for name in ("steps", "layers", "heads", "occurrence"):
            object.__setattr__(self, name, plain(getattr(self, name)))

    def of(self, trace: Trace) -> "Chosen":
        """What this selection is in `trace`.

        Raises:
            TraceError: The trace does not hold such a role, step, layer or head.
        """
        recorded = _recorded(trace, self.role, self.queries)
        chosen = chosen_layers(recorded, self.layers)
        known = sorted({step for attention in chosen.values() for step in attention.steps})
        wanted = steps_of(trace, self.steps, known)
        seen = {name: attention for name, attention in chosen.items() if not set(wanted).isdisjoint(attention.steps)}
        return Chosen(self.role, seen, wanted, _heads(seen, self.heads), self.queries)

    def at(self, step: int) -> "Selection":
        """The same selection at one step."""
        return replace(self, steps=step)

    def positions(self, trace: Trace, attention: Attention, word: Word) -> tuple[int, ...]:
        """The keys of `word` among those that the layer looked at: its positions in the padded prompt.

        Where tokenizers share the keys, a word has those of each of them. Bare positions are keys; with `tokenizer`
        they are positions of that tokenizer.

        Raises:
            TokenError: The prompt has no such word.
            TraceError: The run was given embeddings without a prompt, and `word` is a text; or the layer's keys are not
                read by this tokenizer.
        """
        keys = keys_of(trace, self.role, attention)
        occurrence = None if self.occurrence is None else _whole(self.occurrence, "occurrence")
        if self.tokenizer is not None:
            known = [one.tokenizer for one, _ in keys.read]
            if self.tokenizer not in known:
                raise TraceError(
                    f"tokenizer={self.tokenizer!r}: it names none of this layer's keys; "
                    f"{did_you_mean(self.tokenizer, known)}"
                )
            one, first = keys.read[known.index(self.tokenizer)]
            return tuple(first + position for position in one.positions(word, occurrence))
        if keys.read:
            return keys.positions(word, occurrence)
        if isinstance(word, str):
            raise TraceError(
                f"cannot find {word!r}: this run was given embeddings without a prompt for {self.role!r}; give "
                "positions instead"
            )
        several = (word,) if isinstance(word, WHOLE) else word
        return tuple(dict.fromkeys(_whole(one, "a position") for one in several))

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, as a line of code names them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}


@dataclass(frozen=True)
class Chosen:
    """The part of a trace's cross-attention that a Selection names, checked against what was recorded.

    Attributes:
        layers: Dotted name -> the layer's attention; each saw at least one of the steps.
        steps: The steps among those recorded, ascending.
        heads: Which heads; None for all (or for their recorded mean).
        queries: Who looks: the "picture" at the words, or the "words" at the picture.
    """

    role: str
    layers: Mapping[str, Attention]
    steps: tuple[int, ...]
    heads: tuple[int, ...] | None
    queries: str = "picture"

    @property
    def head_slice(self) -> slice | list[int]:
        """Indexes the head axis."""
        return slice(None) if self.heads is None else list(self.heads)

    @property
    def kind(self) -> str:
        """Of the layers: "joint attention" where words and picture share one softmax, else "cross-attention"."""
        if self.queries == "words":
            return "attention of words to the picture"
        joint = any(() in attention.columns for attention in self.layers.values())
        return "joint attention" if joint else "cross-attention"

    def calls(self, attention: Attention) -> list[int] | slice:
        """Indexes the call axis of a layer: its calls at the chosen steps."""
        calls = [call for call, step in enumerate(attention.steps) if step in self.steps]
        return slice(None) if len(calls) == len(attention.steps) else calls


def columns_of(attention: Attention, wanted: Sequence[int]) -> list[int]:
    """The recorded columns that hold these positions; TraceError where one was summed with others."""
    return [attention.column(position) for position in wanted]


def plain(value: Any) -> Any:  # noqa: ANN401  (whatever is selected)
    """`value` with numpy's whole numbers as Python's, in lists, tuples and slices too: lines of code name it."""
    match value:
        case np.integer():
            return int(value)
        case list() | tuple():
            return type(value)(map(plain, value))
        case slice():
            return slice(plain(value.start), plain(value.stop), plain(value.step))
    return value


def keys_of(trace: Trace, role: str, attention: Attention) -> SharedKeys:
    """The tokens at each key that a layer looked at; of no tokenizer where the run was given embeddings."""
    return SharedKeys.of(trace.tokens.get(role, {}), attention.read_by)


def _whole(number: object, what: str) -> int:
    if not isinstance(number, SupportsIndex):
        raise TraceError(f"{what} is a whole number, not {number!r}")
    return operator.index(number)


def words_of(trace: Trace, role: str, words: Word | Sequence[Word] | None) -> tuple[Word, ...]:
    """The words as given; one alone, or None for every different word of the role's prompt.

    Raises:
        TraceError: No word is given; or `words` is None and there is no prompt.
    """
    if isinstance(words, str | WHOLE):
        return (plain(words),)
    if words is not None:
        chosen = tuple(map(plain, words))
    else:
        read = _read_of(trace, role)
        if not read:
            raise TraceError(f"there is no prompt for {role!r} to take words from; name positions")
        different: dict[str, str] = {}
        for text in (text for one in read for text in one.different_words):
            different.setdefault(fold(text), text)  # as typed first, as the explorer names it too
        chosen = tuple(different.values())
        if not chosen:
            raise TraceError(f"the prompt of {role!r} holds no word{_and_zeros(trace, role)}; name positions")
    if not chosen:
        raise TraceError("words=(): name at least one word of the prompt")
    return chosen


def _read_of(trace: Trace, role: str) -> list[Tokenization]:
    """The role's prompt as each tokenizer reads it whose tokens name keys; the first one's where no layer says."""
    tokens: Mapping[str, Tokenization] = trace.tokens.get(role, {})
    layers = trace.cross_attention.get(role, {})
    names = dict.fromkeys(name for attention in layers.values() for name, _ in attention.read_by if name in tokens)
    return [tokens[name] for name in names or list(tokens)[:1]]


def zeroed(trace: Trace, role: str) -> bool:
    """Whether the role's embeddings were all zeros, so that its cross-attention is the same everywhere."""
    return role in trace.provenance.get("zeroed_roles", [])


def _and_zeros(trace: Trace, role: str) -> str:
    return ", and its embeddings are all zeros: its attention is uniform" if zeroed(trace, role) else ""


def label(word: Word) -> str:
    """A word as figures and tables name it."""
    if isinstance(word, str):
        return word
    return f"position {word}" if isinstance(word, WHOLE) else "positions " + ", ".join(map(str, word))


def _recorded(trace: Trace, role: str, queries: str) -> Mapping[str, Attention]:
    if queries == "picture":
        return trace.attention(role)
    if queries != "words":
        raise TraceError(f"queries={queries!r}: the 'picture' looks at the words, or the 'words' at the picture")
    if role not in trace.word_attention:
        if not trace.word_attention:
            raise TraceError(
                "queries='words': this trace holds no attention of words to the picture; run with "
                "Record(word_attention=True), where words and picture share one softmax (SD3, FLUX, …)"
            )
        raise TraceError(
            f"no attention of words to the picture of role {role!r}; {did_you_mean(role, trace.word_attention)}"
        )
    return trace.word_attention[role]


def chosen_layers(recorded: Mapping[str, Rows], wanted: Layers) -> dict[str, Rows]:
    """The layers that are wanted, of those recorded.

    Raises:
        TraceError: One is not there, or none is asked for.
    """
    if wanted is None:
        return dict(recorded)
    chosen: dict[str, Rows] = {}
    for one in (wanted,) if isinstance(wanted, str | WHOLE) else tuple(wanted):
        hits = {name: a for name, a in recorded.items() if _is(one, name, a)}
        if not hits and isinstance(one, WHOLE):
            sides = sorted({max(a.grid) for a in recorded.values()})
            raise TraceError(f"no recorded layer of side {one}; there are {', '.join(map(str, sides))}")
        if not hits:
            raise TraceError(f"no recorded layer {one!r}; {did_you_mean(str(one), beginnings(recorded), most=6)}")
        chosen |= hits
    if not chosen:
        raise TraceError("layers=() asks for no layer at all; leave it out to take every recorded one")
    return {name: recorded[name] for name in recorded if name in chosen}


def _is(wanted: str | Whole, name: str, attention: LayerRows) -> bool:
    if isinstance(wanted, WHOLE):
        return max(map(int, attention.grid)) == wanted
    return wanted != "" and lies_in(name, wanted)


def steps_of(trace: Trace, wanted: Steps, known: Sequence[int], what: str = "attention") -> tuple[int, ...]:
    """Which of the `known` steps are wanted, ascending; a step whose `what` was not recorded raises TraceError."""
    chosen = set(trace.check_steps(wanted))
    if wanted is None or isinstance(wanted, slice):
        chosen &= set(known)
    elif missing := chosen.difference(known):
        raise TraceError(f"{what} of step {min(missing)} was not recorded; there are {list(known)}")
    if not chosen:
        raise TraceError(f"steps={wanted!r} is no step whose {what} was recorded; there are {list(known)}")
    return tuple(sorted(chosen))


def _heads(layers: Mapping[str, Attention], wanted: Heads) -> tuple[int, ...] | None:
    if wanted is None:
        return None
    heads = tuple(_whole(one, "a head") for one in ((wanted,) if isinstance(wanted, WHOLE) else wanted))
    for name, attention in layers.items():
        if attention.head_mean:
            raise TraceError(
                f"heads={wanted!r}: only their mean was recorded; run with Record(cross_attention='heads')"
            )
        if bad := [head for head in heads if not 0 <= head < attention.shape[1]]:
            raise TraceError(f"there is no head {bad[0]} in {name}: it has {attention.shape[1]}, from 0")
    if not heads:
        raise TraceError("heads=() asks for no head at all; leave it out to take all")
    return heads
