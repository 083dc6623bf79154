"""What a recorded run takes, before it is started."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..base.display import Block, Line, Shown, Table, counted, size


@dataclass(frozen=True, repr=False)
class Cost(Shown):
    """Bytes that recording one call takes, beside what the pipeline itself needs.

    Attributes:
        device: At most at one time on the denoiser's device: what is kept of one call on its way to the host, head
            means that wait to be reduced together, and the work on the largest layer: scores, probabilities, queries
            and keys in float32. On the CPU it is of the same memory as `host`.
        host: At most in memory, all images together: every array, once. On CUDA they stay pinned, in blocks that are
            rounded up. With `to`: what waits to be written.
        disk: Of the saved traces, without their headers (some KiB each).
        parts: Array -> bytes, largest first; of attention and queries, of all roles.
        images: How many images the call makes.
        steps: How many denoiser steps were reckoned with.
    """

    device: int
    host: int
    disk: int
    parts: Mapping[str, int]
    images: int
    steps: int

    def blocks(self) -> list[Block]:
        """What the repr shows: the three sums, then the arrays."""
        head = f"Cost of recording {counted(self.images, 'image')}, {counted(self.steps, 'step')}"
        rows = [(name, size(amount)) for name, amount in self.parts.items()]
        return [
            Line(head, strong=True),
            Line(f"device {size(self.device)} at a time, host {size(self.host)}, disk {size(self.disk)}"),
            Table(("array", "bytes"), rows, frozenset({"bytes"})),
        ]
