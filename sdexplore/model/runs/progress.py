"""Where a run stands, for `on_step`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from ...theory import linear_preview
from ...trace.frame_axis import middle_of


@dataclass
class Progress:
    """Where a run stands: what `on_step` is given after each step. It is valid during that call only.

    Attributes:
        step: The step just finished, from 0.
        total: How many steps the scheduler will make.
        timestep: Training time of that step.
        cell: Of `compare`: which run this is, from 0.
        cells: Of `compare`: how many runs there are.
        settings: Of `compare`: the values of `over` that this run is given.
        stopped: Whether `stop()` was called.
    """

    step: int
    total: int
    timestep: float
    _latents: Callable[[int], Float32[np.ndarray, "channel *frame y x"]]
    _matrix: Callable[[], Float32[np.ndarray, "features 3"]]
    cell: int = 0
    cells: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    stopped: bool = field(default=False, init=False)

    def latents(self, image: int = 0) -> Float32[np.ndarray, "channel *frame y x"]:
        """The latents (channel, y, x) after this step, on the variance-preserving scale. The host waits for the device.

        Of a video they are (channel, frame, y, x).

        Args:
            image: Which image of the call, from 0.
        """
        return self._latents(image)

    def preview(self, image: int = 0) -> UInt8[np.ndarray, "y x 3"]:
        """A linear preview of the latents, one RGB pixel a latent pixel (y, x). Only the first call needs the VAE.

        Of a video it is that of the middle frame.

        Args:
            image: Which image of the call, from 0.
        """
        return linear_preview(middle_of(self.latents(image)), self._matrix())

    def stop(self) -> None:
        """Ends the run after this step: `run` raises Stopped, which holds what was recorded."""
        self.stopped = True
