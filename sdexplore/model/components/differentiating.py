"""A network that gradients go through for a while: its weights take none, and it is as before when the block ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def differentiating(network: nn.Module) -> Iterator[None]:
    """In the block operations are recorded for a backward pass to the network's inputs; its parameters are constants.

    What a backward pass to the weights would need is not kept, and no weight gets a `grad`. Which of them want a
    gradient is restored however the block ends.
    """
    wanting = [one for one in network.parameters() if one.requires_grad]
    try:
        for one in wanting:
            one.requires_grad_(False)  # noqa: FBT003  (torch's own)
        with torch.enable_grad():
            yield
    finally:
        for one in wanting:
            one.requires_grad_(True)  # noqa: FBT003
