"""The choices that make a pipeline fit a machine: a record without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..base.display import Block, Line, Shown, Table, size
from ..strings.wording import told


@dataclass(frozen=True)
class Choice:
    """One choice.

    Attributes:
        name: "float16", "tiling", "attention slicing", "model offload" …
        cost: What it costs, in a sentence.
    """

    name: str
    cost: str


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """What `load(..., fit=True)` chose for this machine, and what it costs.

    Attributes:
        device: Where the pipeline runs.
        free: Bytes that were free there.
        needed: Estimate of the bytes that a picture of the default size needs there with these choices.
        parts: Its parts: weights, the larger of denoising and decoding, and overhead on the CPU. The estimate
            was within 12 % of what a process took with the embedded model and with SD 1.5 on the CPU; it was
            not measured on an accelerator.
        choices: What was chosen, cheapest first.
    """

    device: str
    free: int
    needed: int
    parts: Mapping[str, int]
    choices: tuple[Choice, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what was chosen."""
        return tuple(choice.name for choice in self.choices)

    @property
    def in_a_line(self) -> str:
        """What was chosen, where, and what it needs there: English, which a figure says in its own language."""
        sizes = {"needed": size(self.needed), "free": size(self.free)}
        return told("components.fact.fit", names=self.names, device=self.device, **sizes)

    def __str__(self) -> str:
        return str(self.in_a_line)

    def blocks(self) -> tuple[Block, ...]:
        """One sentence, then one row a choice."""
        parts = ", ".join(f"{name} {size(amount)}" for name, amount in self.parts.items())
        return (
            Line(f"fit: {self}", strong=True),
            Line(f"reckoned, not measured: {parts}"),
            Table(("chosen", "what it costs"), [(choice.name, choice.cost) for choice in self.choices]),
        )
