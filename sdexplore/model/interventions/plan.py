"""From changes as values to what carries them out: names are found in the denoiser and the prompt, or refused."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from ...base.errors import RunError, TokenError, did_you_mean
from ...base.known_names import beginnings, lies_in
from ...changes.ablate import Ablate
from ...changes.change import Change, several
from ...changes.keep import Keep
from ...changes.patch import Patch
from ...changes.reweight import Reweight
from ...changes.several import KINDS
from ...changes.source import Source
from ...text.alignment import Alignment, aligned
from ...text.shared_keys import SharedKeys
from ...text.tokenization import Tokenization, Tokenizations
from ..components.pipeline_parts import denoiser as denoiser_of
from ..families import family_of
from ..families.attention_modules import Layer
from ..families.family import Family
from ..families.modules import only_holds
from .ablate import AblateEdit
from .blend import Blend
from .changing import Changing
from .edit import TIME, Edit, Standing
from .keep import KeepEdit
from .keep_at_kernel import KeepAtKernelEdit
from .patch import PatchEdit
from .reweight import ReweightEdit

Tokens = Callable[[str, int], Tokenizations | None]
"""(role, image) -> the tokens of its text; None without text."""
TokensOfText = Callable[[str], Tokenizations | None]
"""The tokens of a text; None without a tokenizer."""


def changing_of(
    changes: Iterable[Change], pipe: Any, tokens: Tokens, source_tokens: TokensOfText = lambda _: None
) -> Changing:
    """What carries the changes out in this pipeline.

    Args:
        tokens: Of the run's prompts.
        source_tokens: Of a source's prompt, as the call writes and cuts it.

    Raises:
        RunError: A module, layer or head is not there, or cannot be changed.
    """
    sources: dict[Source, int] = {}
    edits = [_edit(one, pipe, tokens, source_tokens, sources) for one in changes]
    return Changing(edits, tuple(sources))


def _edit(change: Change, pipe: Any, tokens: Tokens, source_tokens: TokensOfText, sources: dict[Source, int]) -> Edit:
    family, denoiser = family_of(pipe), denoiser_of(pipe)
    layers = family.attention_layers(denoiser)
    standing: Standing | None = partial(family.standing, denoiser) if family.changed_at_kernel else None
    _check_family(change, family)
    match change:
        case Keep():
            rider = sources.setdefault(change.run, len(sources))
            _attending_to_words(change, layers)
            _check_layers(change, family, layers.values())
            read = _Prompts(change, pipe, tokens, source_tokens)
            blend = Blend(read.blended, rider) if change.blend_words else None
            kind = KeepAtKernelEdit if family.changed_at_kernel else KeepEdit
            return kind(change, family, list(layers.values()), read.aligned, rider, blend)
        case Patch():
            rider = sources.setdefault(change.run, len(sources))
            return PatchEdit(change, modules_named(change, change.names, denoiser), rider)
        case Reweight():
            chosen = _cross_layers(change, layers)
            _check_layers(change, family, chosen)
            positions = partial(_positions, change, family, tokens)
            return ReweightEdit(change, chosen, positions, standing)
        case Ablate(heads=None):
            return AblateEdit(change, modules=modules_named(change, change.names, denoiser))
        case Ablate():
            chosen = _layers_in(change, change.names, layers)
            _check_layers(change, family, chosen)
            return AblateEdit(change, layers=chosen, standing=standing)
    raise TypeError(change)


class _Prompts:
    """The run's prompts beside the source of a Keep, image by image."""

    def __init__(self, change: Keep, pipe: Any, tokens: Tokens, source_tokens: TokensOfText) -> None:
        self._change, self._tokens, self._family = change, tokens, family_of(pipe)
        self._source = self._read(source_tokens(change.run.prompt) or {})
        self._found: dict[int, Alignment] = {}

    def aligned(self, image: int) -> Alignment:
        """What of the source's attention the image's prompt takes over."""
        if image not in self._found:
            self._found[image] = aligned(self._source.read[0][0], self._of(image).read[0][0])
        return self._found[image]

    def blended(self, image: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The positions of the blend's words in the image's prompt, and in the source's.

        Raises:
            TokenError: Neither has one of the words.
        """
        found: tuple[list[int], list[int]] = ([], [])
        for word in self._change.blend_words:
            errors = []
            for keys, positions in zip((self._of(image), self._source), found, strict=True):
                try:
                    positions.extend(keys.positions(word))
                except TokenError as error:
                    errors.append(error)
            if len(errors) > 1:
                raise TokenError(f"{self._change!r}: blend={word!r}: {errors[0]}; in the source: {errors[1]}")
        return tuple(found[0]), tuple(found[1])

    def _of(self, image: int) -> SharedKeys:
        return self._read(self._tokens("cond", image) or {})

    def _read(self, tokens: Mapping[str, Tokenization]) -> SharedKeys:
        keys = SharedKeys.of(tokens, self._family.text_columns(tokens).items())
        if not keys.read:
            raise RunError(
                f"{self._change!r}: give the prompt as text, so that its words can be aligned with the source's"
            )
        return keys


def check_words(edit: Edit, roles: Iterable[str], images: int) -> None:
    """Looks the words of a change up in the text of every role and image in which it is changed.

    Args:
        roles: Under which texts are recorded while it is active: "cond", "cond@10", "uncond".

    Raises:
        TokenError: A text has no such word.
    """
    if isinstance(edit, KeepEdit):
        for image in range(images):
            edit.check(image)
    if not isinstance(edit, ReweightEdit):
        return
    for role in (one for one in roles if edit.given.is_of(one.partition("@")[0])):
        for image in range(images):
            edit.positions(role, image)


def modules_named(change: Change, names: Sequence[str], denoiser: nn.Module) -> list[tuple[str, int | None, nn.Module]]:
    """(name, which time in a call, module) of each name, which may end in "#1" for a second time.

    Raises:
        RunError: There is no such module, or it only holds others and is never called.
    """
    known = dict[str, nn.Module](denoiser.named_modules())
    found: list[tuple[str, int | None, nn.Module]] = []
    for one in names:
        name, sign, number = one.partition(TIME)
        if sign and not number.isdecimal():
            raise RunError(f"{change!r}: behind {TIME} stands which time the module is called, from 0, as in {name}#0")
        if not name or name not in known:
            raise RunError(f"{change!r}: the denoiser has no module {name!r}; {did_you_mean(name, known, most=6)}")
        if only_holds(known[name]):
            inner = [other for other in known if other.startswith(f"{name}.") and not only_holds(known[other])]
            raise RunError(
                f"{change!r}: {name!r} only holds modules and is not called itself; name those in it, as in "
                f"{inner[0] if inner else f'{name}.0'!r}"
            )
        found.append((name, int(number) if sign else None, known[name]))
    return found


def _cross_layers(change: Reweight, layers: Mapping[str, Layer]) -> list[Layer]:
    there = _attending_to_words(change, layers)
    return list(there.values()) if change.layers is None else _layers_in(change, several(change.layers), there)


def _attending_to_words(change: Change, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    there = {name: layer for name, layer in layers.items() if layer.to_words}
    if not there:
        raise RunError(f"{change!r}: this denoiser has no attention to words")
    return there


def _layers_in(change: Change, names: Sequence[str], layers: Mapping[str, Layer]) -> list[Layer]:
    """The layers with these names or beginnings, in their order."""
    for one in names:
        if not any(lies_in(name, one) for name in layers):
            hint = did_you_mean(one, beginnings(layers), most=6)
            raise RunError(f"{change!r}: no attention layer is called {one!r}, or begins so; {hint}")
    return [layer for name, layer in layers.items() if lies_in(name, *names)]


def _check_family(change: Change, family: Family) -> None:
    name = type(change).__name__
    if (reason := family.no_change.get(name)) is not None:
        others = ", ".join(one for one in KINDS if one not in family.no_change)
        raise RunError(f"{change!r}: {name} is not made in the {family.title}: {reason}. Made in it: {others}")


def _check_layers(change: Reweight | Ablate | Keep, family: Family, layers: Iterable[Layer]) -> None:
    heads = () if isinstance(change, Keep) or change.heads is None else several(change.heads)
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
