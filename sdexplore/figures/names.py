"""What figures call things: roles, words, kinds of attention, selections, steps and the pictures of steps."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ..analysis.selection import WHOLE, Chosen, Word
from ..analysis.trajectory import LINEAR, StepPicture
from ..base.display import clip
from ..strings.wording import counted, listed, worded, wording
from ..text.shared_keys import SharedKeys
from ..text.tokenization import Tokenization, Tokenizations

_LISTED: Final = 3  # steps in a row that are named one by one
_ROLES: Final = ("cond", "uncond", "guided")
_KINDS: Final = {"cross-attention": "cross", "joint attention": "joint"}


def quoted(text: str, most: int = 200) -> str:
    """A text of the user between the language's quotation marks, on one line and cut at `most` characters."""
    return wording("quote", text=clip(text, most))


def role_name(role: str) -> str:
    """A role as figures name it; one that only some pipelines have as diffusers spells it."""
    return wording(f"role.{role}") if role in _ROLES else role


def word_name(word: Word) -> str:
    """A word as figures name it: as typed, or by its positions. In `Picture.data` it is `analysis.selection.label`."""
    if isinstance(word, str):
        return word
    if isinstance(word, WHOLE):
        return wording("word.position", position=word)
    return wording("word.positions", positions=listed(map(str, word)))


def attention_name(chosen: Chosen) -> str:
    """The kind of attention that is shown: "cross-attention", "joint attention", or that of the words."""
    return wording(f"attention.{_KINDS.get(chosen.kind, 'words')}")


def steps_named(steps: Sequence[object]) -> str:
    """Steps by their numbers: "step 3", "steps 2, 3", "steps 0 to 7"."""
    whole = [step for step in steps if isinstance(step, WHOLE)]
    if len(whole) == len(steps) > _LISTED and whole == list(range(whole[0], whole[0] + len(whole))):
        return wording("steps.range", first=whole[0], last=whole[-1])
    return wording(f"steps.{'one' if len(steps) == 1 else 'other'}", steps=listed(map(str, steps)))


def selection_named(chosen: Chosen, without: Collection[str] = ()) -> str:
    """A selection in words; `without` those of steps, layers, heads that the figure shows apart."""
    layers = next(iter(chosen.layers)) if len(chosen.layers) == 1 else counted(len(chosen.layers), "layer")
    partly = sum(not set(chosen.steps) <= set(attention.steps) for attention in chosen.layers.values())
    if partly and len(chosen.steps) > 1:
        layers = wording("selection.not_always", layers=layers, number=partly)
    some = None if chosen.heads is None else wording("selection.heads", heads=listed(map(str, chosen.heads)))
    means = {
        "steps": counted(len(chosen.steps), "step"),
        "layers": layers,
        "heads": some or wording("selection.all_heads"),
    }
    alone = len(chosen.steps) == 1 and "steps" not in without
    over = listed(text for name, text in means.items() if name not in (*without, *["steps"] * alone))
    role, step = role_name(chosen.role), chosen.steps[0]
    if alone and over:
        return wording("selection.at_step_over", role=role, step=step, means=over)
    if alone:
        return wording("selection.at_step", role=role, step=step)
    return wording("selection.over", role=role, means=over) if over else role


def parting_named(keys: SharedKeys) -> str:
    """Where tokenizers that share their keys read different tokens; "" where they read the same."""
    if keys.parting is None:
        return ""
    first, last = keys.parted[0], keys.parted[-1]
    there = listed(
        wording("keys.has", tokenizer=name, token=quoted(token.text, 40) if token.text else token.kind)
        for name, token in keys.tokens[first]
    )
    if first == last:
        return wording("keys.parting.one", first=first, there=there)
    return wording("keys.parting.other", first=first, last=last, there=there)


def notes_named(source: Tokenization | Tokenizations) -> list[str]:
    """What a reader should know of these tokens, a sentence each; one tokenizer's own say nothing."""
    if isinstance(source, Tokenization):
        return []
    found: list[str] = []
    for note in source.notes:
        named = [(name, 0) for name in source if f"{name} has " in note]
        keys = SharedKeys.of(source, named)
        found.append(parting_named(keys) if keys.parting == note else worded(note))
    return found


def drawn_by(picture: StepPicture) -> str:
    """What stands beneath the picture of a step: which decoder made it; "" for the pipeline's own VAE."""
    return wording("panel.linear") if picture.mark == LINEAR else picture.mark


def kind_named(kind: str) -> str:
    """What made the pictures of some steps, by the kind that `predicted_pictures` returns: the VAE, or another way."""
    return wording(f"panel.{kind}") if kind in (LINEAR, "decoded") else kind


def not_decoded(pictures: Mapping[int, Sequence[StepPicture]]) -> str:
    """What of some steps is not decoded by the pipeline's VAE, and why, as part of a sentence; "" where all is.

    Args:
        pictures: Step -> its pictures.
    """
    said = []
    for by in dict.fromkeys(one.by for several in pictures.values() for one in several if one.mark):
        steps = [step for step, several in pictures.items() if any(one.by == by for one in several)]
        decoder = wording("decoder.linear") if by == LINEAR else by
        whole = len(steps) == len(pictures)
        said.append(
            wording("decoding.all", decoder=decoder)
            if whole
            else wording("decoding.by", steps=steps_named(steps), decoder=decoder)
        )
    decoded = wording("list.semicolon").join(said)
    why = next((one.why for several in pictures.values() for one in several if one.why), "")
    return wording("decoding.why", decoded=decoded, why=worded(why)) if why else decoded
