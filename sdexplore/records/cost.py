"""The bytes that recording a run takes, known before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..base.display import Block, Line, Shown, Table, counted, size


@dataclass(frozen=True, repr=False)
class Cost(Shown):
    """Bytes that recording one call takes, in addition to the pipeline's own.

    Attributes:
        device: Peak on the denoiser's device: the rows of one call on their way to the host, head means that wait to
            be reduced together, and the work on the largest layer (scores, probabilities, queries and keys in
            float32). On the CPU this is the same memory as `host`.
        host: Peak in the host's memory, all images together: every array, once. On CUDA the arrays stay pinned, in
            blocks that are rounded up. With `to`: the rows that wait to be written.
        disk: Size of the saved traces, without their headers (some KiB each).
        parts: Array -> bytes, largest first; attention and queries of all roles together.
        images: How many images the call makes.
        steps: How many denoiser steps are assumed.
        differentiated: What a differentiated call of the denoiser keeps for its backward pass beside `device`, on the
            same device: of `attribution`, or of a guide that asks for `GuideStep.attention`. 0 where none was asked
            about. The denoiser's own gradient checkpointing needs less.
    """

    device: int
    host: int
    disk: int
    parts: Mapping[str, int]
    images: int
    steps: int
    differentiated: int = 0

    def blocks(self) -> list[Block]:
        """What the repr shows: the three sums, then the arrays."""
        head = f"Cost of recording {counted(self.images, 'image')}, {counted(self.steps, 'step')}"
        rows = [(name, size(amount)) for name, amount in self.parts.items()]
        return [
            Line(head, strong=True),
            Line(f"device {size(self.device)} at a time, host {size(self.host)}, disk {size(self.disk)}"),
            *([Line(f"a differentiated call keeps {size(self.differentiated)}")] if self.differentiated else []),
            Table(("array", "bytes"), rows, frozenset({"bytes"})),
        ]
