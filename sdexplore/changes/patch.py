"""`Patch`: modules give what they give in another run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..strings.wording import listed, wording
from ..trace.trace import Trace
from . import checked
from .change import ChangeAtSteps, several
from .source import Source


@dataclass(frozen=True, repr=False)
class Patch(ChangeAtSteps):
    """Outputs of modules are those of another run, at the same step, in the row of the same role.

    The other run rides along in the batch, in rows of its own, which are no images of the trace: nothing of it is
    stored, and any module can be asked. The last module of a denoiser, or all of its last block, decides everything:
    patched from another prompt, it gives that prompt's prediction whatever comes before. A batch of two rounds
    otherwise than one alone: provenance["changed"] tells how far the row of a Trace is from that Trace.

    Attributes:
        source: A prompt, which begins with the same noise; or a Trace of `run`, with its own prompt and seed.
        modules: Names of modules of the denoiser: "mid_block", "up_blocks.1"; each with all that it returns. "name#1"
            is the second time alone that one call of the denoiser calls a module.
        steps, roles: At which steps, and in whose rows.

    Raises:
        RunError: A value is not one of these.
    """

    order: ClassVar[int] = 3

    source: str | Trace | Source | Mapping[str, Any]
    modules: str | Sequence[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(source=self.source if isinstance(self.source, str) else Source.of("Patch", self.source))
        found = checked.names("Patch", "modules", self.modules)
        self._set(modules=self.modules if isinstance(self.modules, str) else found)

    @property
    def names(self) -> tuple[str, ...]:
        """The modules as a tuple."""
        return several(self.modules)

    @property
    def run(self) -> Source:
        """The other run."""
        return Source.of("Patch", self.source)

    def in_words(self) -> str:
        """As captions say it."""
        return self._limited(wording("change.patch", modules=listed(self.names), run=self.run.in_words()))
