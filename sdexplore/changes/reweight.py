"""`Reweight`: attention to a word times a number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, SupportsIndex

from ..base.errors import RunError
from ..strings.wording import listed, wording
from . import checked
from .change import ChangeAtSteps, several


@dataclass(frozen=True, repr=False)
class Reweight(ChangeAtSteps):
    """Cross-attention to a word times `scale`, not normalised again: Hertz et al. 2022 (2208.01626), section 3.2.

    What the heads read of the word is scaled (its values V), which is the same as scaling its column of the attention.
    Recorded maps stay what the softmax gave, before that. Where words and picture share one softmax (SD3, FLUX), it is
    the picture's attention to the word: the picture's queries read it so, and words read each other as before. The text
    encoder has put the word into the columns behind it too, so that a scale of 0 is not a prompt without the word:
    `compare(over={"without": [None, "red"]})` is.

    Attributes:
        word: A word or phrase of the prompt, as `word_map` takes it; or positions of keys, one or several.
        scale: 1 changes nothing, 0 leaves the word out; it may be negative.
        occurrence: Which of several equal words, from 0; None: all of them.
        layers: Layers that attend to words by name, or the beginning of one ("up_blocks.1"); None: all.
        heads: Numbers of heads, from 0; None: all.
        steps, roles: At which steps, and in whose rows.

    Raises:
        RunError: A value is not one of these.
    """

    order: ClassVar[int] = 1

    word: str | SupportsIndex | Sequence[SupportsIndex]
    scale: int | float
    occurrence: SupportsIndex | None = field(default=None, kw_only=True)
    layers: str | Sequence[str] | None = field(default=None, kw_only=True)
    heads: SupportsIndex | Sequence[SupportsIndex] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        name = "Reweight"
        if isinstance(self.word, str):
            if not self.word.strip():
                raise RunError(f"{name}(word={self.word!r}): give a word of the prompt, or positions")
        else:
            found = checked.wholes(name, "word", self.word)
            self._set(word=found[0] if isinstance(self.word, SupportsIndex) else found)
        self._set(scale=checked.number(name, "scale", self.scale))
        if self.occurrence is not None:
            self._set(occurrence=checked.wholes(name, "occurrence", self.occurrence, 0)[0])
        if self.layers is not None:
            self._set(layers=checked.names(name, "layers", self.layers))
        if self.heads is not None:
            self._set(heads=checked.wholes(name, "heads", self.heads, 0))

    def in_words(self) -> str:
        """As captions say it."""
        if isinstance(self.word, str):
            word = wording("change.word", word=self.word)
        else:
            word = wording("word.position", position=listed(map(str, several(self.word))))
        change = wording("change.reweight", word=word, scale=f"{self.scale:g}")
        nth = "" if self.occurrence is None else wording("change.occurrence", number=self.occurrence)
        layers = "" if self.layers is None else wording("change.layers", layers=listed(several(self.layers)))
        return self._limited(change, nth, layers, self._heads(self.heads))
