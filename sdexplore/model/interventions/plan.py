"""From changes as values to what carries them out: names are found in the denoiser and the prompt, or refused."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from ...base.errors import RunError, TokenError, did_you_mean
from ...base.known_names import beginnings, lies_in
from ...changes.ablate import Ablate
from ...changes.change import Change, several
from ...changes.reweight import Reweight
from ...text.shared_keys import SharedKeys
from ...text.tokenization import Tokenization, Tokenizations
from ..families.attention_modules import Layer
from ..families.family import Family
from .ablate import AblateEdit
from .changing import Changing
from .edit import TIME, Edit
from .reweight import ReweightEdit

Tokens = Callable[[str, int], Tokenizations | None]
"""(role, image) -> the tokens of its text; None without text."""


def changing_of(changes: Iterable[Change], family: Family, denoiser: nn.Module, tokens: Tokens) -> Changing:
    """What carries the changes out on this denoiser.

    Raises:
        RunError: A module, layer or head is not there, or cannot be changed.
    """
    layers = family.attention_layers(denoiser)
    return Changing([_edit(one, family, denoiser, layers, tokens) for one in changes])


def _edit(change: Change, family: Family, denoiser: nn.Module, layers: Mapping[str, Layer], tokens: Tokens) -> Edit:
    match change:
        case Reweight():
            chosen = _cross_layers(change, layers)
            _check_layers(change, family, chosen)
            return ReweightEdit(change, chosen, lambda role, image: _positions(change, family, tokens, role, image))
        case Ablate(heads=None):
            return AblateEdit(change, modules=modules_named(change, change.names, denoiser))
        case Ablate():
            chosen = _layers_in(change, change.names, layers)
            _check_layers(change, family, chosen)
            return AblateEdit(change, layers=chosen)
    raise TypeError(change)


def check_words(edit: Edit, roles: Iterable[str], images: int) -> None:
    """Looks the word of a change up in the text of every role and image in which it is changed.

    Args:
        roles: Under which texts are recorded while it is active: "cond", "cond@10", "uncond".

    Raises:
        TokenError: A text has no such word.
    """
    if not isinstance(edit, ReweightEdit):
        return
    for role in (one for one in roles if edit.given.is_of(one.partition("@")[0])):
        for image in range(images):
            edit.positions(role, image)


def modules_named(change: Change, names: Sequence[str], denoiser: nn.Module) -> list[tuple[str, int | None, nn.Module]]:
    """(name, which time in a call, module) of each name, which may end in "#1" for a second time.

    Raises:
        RunError: There is no such module.
    """
    known = dict[str, nn.Module](denoiser.named_modules())
    found: list[tuple[str, int | None, nn.Module]] = []
    for one in names:
        name, sign, number = one.partition(TIME)
        if sign and not number.isdecimal():
            raise RunError(f"{change!r}: behind {TIME} stands which time the module is called, from 0, as in {name}#0")
        if not name or name not in known:
            raise RunError(f"{change!r}: the denoiser has no module {name!r}; {did_you_mean(name, known, most=6)}")
        found.append((name, int(number) if sign else None, known[name]))
    return found


def _cross_layers(change: Reweight, layers: Mapping[str, Layer]) -> list[Layer]:
    there = {name: layer for name, layer in layers.items() if layer.to_words}
    if not there:
        raise RunError(f"{change!r}: this denoiser has no attention to words")
    return list(there.values()) if change.layers is None else _layers_in(change, several(change.layers), there)


def _layers_in(change: Change, names: Sequence[str], layers: Mapping[str, Layer]) -> list[Layer]:
    """The layers with these names or beginnings, in their order."""
    for one in names:
        if not any(lies_in(name, one) for name in layers):
            hint = did_you_mean(one, beginnings(layers), most=6)
            raise RunError(f"{change!r}: no attention layer is called {one!r}, or begins so; {hint}")
    return [layer for name, layer in layers.items() if lies_in(name, *names)]


def _check_layers(change: Reweight | Ablate, family: Family, layers: Iterable[Layer]) -> None:
    heads = () if change.heads is None else several(change.heads)
    for layer in layers:
        if (reason := family.unchangeable(layer)) is not None:
            raise RunError(f"{change!r}: {reason}")
        if beyond := [one for one in heads if one >= layer.heads]:
            raise RunError(
                f"{change!r}: there is no head {beyond[0]} in {layer.name!r}; it has {layer.heads}, 0 to "
                f"{layer.heads - 1}"
            )


def _positions(change: Reweight, family: Family, tokens: Tokens, role: str, image: int) -> tuple[int, ...]:
    """The keys of the change's word in the text of a role.

    Raises:
        TokenError: The text has no such word, or there is no text to look it up in.
    """
    found: Mapping[str, Tokenization] = tokens(role, image) or {}
    keys = SharedKeys.of(found, family.text_columns(found).items())
    word: Any = change.word
    if keys.read:
        try:
            return keys.positions(word, change.occurrence)
        except TokenError as error:
            raise TokenError(f"{change!r}, role {role!r}: {error}") from error
    if isinstance(word, str):
        raise TokenError(
            f"{change!r}: the run has embeddings and no text for {role!r}; name positions in place of a word"
        )
    return several(word)
