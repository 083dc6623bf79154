"""Where a run stands, for `on_step`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from ...theory import linear_preview


@dataclass
class Progress:
    """Where a run stands, for `on_step`; valid during the callback.

    Attributes:
        step: The step just finished, from 0.
        total: How many steps the scheduler will make.
        timestep: Training time of that step.
        cell, cells: Of `compare`: which of how many runs this is, from 0; settings: what it was given.
    """

    step: int
    total: int
    timestep: float
    _latents: Callable[[int], Float32[np.ndarray, "channel y x"]]
    _matrix: Callable[[], Float32[np.ndarray, "features 3"]]
    cell: int = 0
    cells: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    _stop: bool = False

    def latents(self, image: int = 0) -> Float32[np.ndarray, "channel y x"]:
        """The latents after this step, on the variance-preserving scale; asking makes the device wait."""
        return self._latents(image)

    def preview(self, image: int = 0) -> UInt8[np.ndarray, "y x 3"]:
        """A linear preview of the latents, one pixel a latent pixel; no VAE call after the first."""
        return linear_preview(self.latents(image), self._matrix())

    def stop(self) -> None:
        """Ends the run after this step: `run` raises Stopped with what was recorded."""
        self._stop = True
