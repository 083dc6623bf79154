"""`Keep`: another prompt, drawn with the attention of the first. Prompt-to-prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..base.errors import RunError
from ..strings.wording import listed, wording
from ..trace.trace import Trace
from . import checked
from .change import Change, several
from .source import Source


@dataclass(frozen=True, repr=False)
class Keep(Change):
    """The run keeps the attention of another one, from the same noise: the layout stays, the things change.

    While it is kept, attention to words is Â = α ⊙ (A_source M) + (1 − α) ⊙ A. Where both prompts have as many words,
    each stands for one of the source (replace: α = 1). Else equal tokens stand for each other, and new ones keep their
    own attention (refine); `sdexplore.text.alignment` says where that differs from the published code. Self-attention
    is the source's in layers of up to 32² pixels. Recorded maps are Â.

    The source rides along in the batch, in rows of its own, which are no images of the trace. It is guided, and has the
    negative prompt, as the run is.

    Attributes:
        source: The prompt whose attention is kept, which begins with the same noise; or a Trace of `run`, with its own
            prompt and seed.
        cross_attention: Share of the steps, from the first on, in which attention to words is kept. Of n steps,
            ⌊share · (n + 1)⌋, as the published code counts.
        self_attention: The same for attention to the picture: ⌊share · n⌋.
        blend: Words of either prompt around which alone the picture may change; elsewhere the latents become the
            source's after each step. The mask is where the words' mean attention so far, in the smallest layers of at
            least 16² pixels, is above 0.3 of its largest, in either picture.

    Raises:
        RunError: A value is not one of these, or nothing is kept.

    Source: Hertz et al. 2022 (2208.01626), Algorithm 1, section 3.2, and its local blend; 32² as in the published code.
    """

    order: ClassVar[int] = 0

    source: str | Trace | Source | Mapping[str, Any]
    cross_attention: int | float = field(default=0.8, kw_only=True)
    self_attention: int | float = field(default=0.4, kw_only=True)
    blend: str | Sequence[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._set(source=self.source if isinstance(self.source, str) else Source.of("Keep", self.source))
        for name in ("cross_attention", "self_attention"):
            self._set(**{name: checked.share("Keep", name, getattr(self, name))})
        if self.blend is not None:
            found = checked.names("Keep", "blend", self.blend)
            self._set(blend=self.blend if isinstance(self.blend, str) else found)
        if not (self.cross_attention or self.self_attention or self.blend):
            raise RunError("Keep(cross_attention=0, self_attention=0): nothing is kept; give a share of the steps")

    @property
    def run(self) -> Source:
        """The other run."""
        return Source.of("Keep", self.source)

    @property
    def blend_words(self) -> tuple[str, ...]:
        """The words of `blend`; none without it."""
        return () if self.blend is None else several(self.blend)

    def cross_steps(self, total: int) -> range:
        """The steps of a run of `total` at which attention to words is kept."""
        return range(min(int(self.cross_attention * (total + 1)), total))

    def self_steps(self, total: int) -> range:
        """The steps at which attention to the picture is kept."""
        return range(int(self.self_attention * total))

    def in_words(self) -> str:
        """As captions say it."""
        kept = {"cross": f"{self.cross_attention:g}", "own": f"{self.self_attention:g}", "run": self.run.in_words()}
        if not self.blend:
            return wording("change.keep", **kept)
        words = listed(wording("change.word", word=word) for word in self.blend_words)
        return wording("change.keep.blend", **kept, words=words)
