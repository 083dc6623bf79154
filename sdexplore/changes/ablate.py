"""`Ablate`: modules or heads give nothing, or their mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, SupportsIndex

from ..base.errors import RunError, did_you_mean
from ..strings.wording import listed, wording
from . import checked
from .change import ChangeAtSteps, several

_TO = ("zero", "mean")


@dataclass(frozen=True, repr=False)
class Ablate(ChangeAtSteps):
    """Modules give zero, or their mean over the pixels; with `heads`, those heads of attention layers do.

    A head's share is taken out before the layer's last projection, whose bias stays. Where words and picture share one
    softmax (SD3, FLUX), it is taken out of both; a mean is that of the picture's tokens for them, and of all other
    tokens for those. Of a block that returns its skip
    connections too, all that it returns is changed.

    Attributes:
        modules: Names of modules of the denoiser as `sdx.tree` shows them: "mid_block", "up_blocks.1.attentions.0".
            Where one call of the denoiser calls a module several times, "name#1" is its second time alone, and "name"
            all. With `heads`, every attention layer in them.
        to: What is left: "zero", or the "mean" over pixels, of each channel.
        heads: Numbers of heads, from 0; None: the whole module.
        steps, roles: At which steps, and in whose rows.

    Raises:
        RunError: A value is not one of these.
    """

    order: ClassVar[int] = 2

    modules: str | Sequence[str]
    to: Literal["zero", "mean"] = field(default="zero", kw_only=True)
    heads: SupportsIndex | Sequence[SupportsIndex] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        found = checked.names("Ablate", "modules", self.modules)
        self._set(modules=self.modules if isinstance(self.modules, str) else found)
        if self.to not in _TO:
            raise RunError(f"Ablate(to={self.to!r}): {did_you_mean(str(self.to), _TO)}")
        if self.heads is not None:
            self._set(heads=checked.wholes("Ablate", "heads", self.heads, 0))

    @property
    def names(self) -> tuple[str, ...]:
        """The modules as a tuple."""
        return several(self.modules)

    def in_words(self) -> str:
        """As captions say it."""
        left = "change.ablate" if self.to == "zero" else "change.ablate.mean"
        return self._limited(wording(left, modules=listed(self.names)), self._heads(self.heads))
