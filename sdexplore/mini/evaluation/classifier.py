"""Names the things of the emoji world in a picture: a small network that was trained on renderings only.

It reads the picture and knows nothing of the model that drew it. So it can say how often a drawn picture shows the
things that its prompt names. MODEL_CARD.md says how accurate it is on scenes that it never saw.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from jaxtyping import Float, Float32, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from sdexplore.base.errors import SdexploreError, did_you_mean
from sdexplore.mini.world.vocabulary import NAMES, SHAPES

WEIGHTS = Path(__file__).parent / "classifier.safetensors"
"""The trained network, in float16."""

THINGS: tuple[str, ...] = (*(names[0] for names in NAMES), *SHAPES)
"""The things that it knows, in the order of the atlas: the usual name of each glyph, then the shapes without colour."""

THRESHOLD = 0.45
"""From this score on, a thing counts as found. On 400 scenes of seed 33,000 it gives the best recall and precision."""

SIDE = 128
"""Height and width of the pictures that the network reads."""

CELLS = 16
"""Number of cells along each side."""

_WIDTHS = (32, 64, 128)


class Classifier(nn.Module):
    """Estimates for each of 16 × 16 cells the share that shows each thing; the last class is the background."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.stem = nn.Sequential(nn.Conv2d(3, fine, 4, 4), nn.BatchNorm2d(fine), _Block(fine, 3))
        self.middle = nn.Sequential(nn.Conv2d(fine, middle, 2, 2), _Block(middle, 5), _Block(middle, 5))
        self.coarse = nn.Sequential(nn.Conv2d(middle, coarse, 2, 2), *(_Block(coarse, 5) for _ in range(3)))
        self.back = nn.Conv2d(coarse, middle, 1)
        self.head = nn.Sequential(_Block(middle, 5), nn.Conv2d(middle, len(THINGS) + 1, 1))

    def forward(self, images: Float[Tensor, "picture 3 128 128"]) -> Float[Tensor, "picture class 16 16"]:
        """Returns the logits of each cell; pictures are RGB in −1..1."""
        middle = self.middle(self.stem(images))
        wide = F.interpolate(self.back(self.coarse(middle)), scale_factor=2.0)
        logits: Tensor = self.head(middle + wide)
        return logits

    def presence(self, images: Float[Tensor, "picture 3 128 128"]) -> Float[Tensor, "picture thing"]:
        """Returns for each thing, 0 to 1, the largest share of a square of 2 × 2 cells that shows it."""
        shares = self(images).softmax(1)[:, :-1]
        return F.avg_pool2d(shares, 2, 1).amax((2, 3))


class _Block(nn.Module):
    """A residual block: a convolution over neighbours in each channel, then two that mix the channels."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, reach, padding=reach // 2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, 2 * width, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.inner(x)
        return added


def shrunk(images: Float[Tensor, "picture 3 y x"]) -> Float[Tensor, "picture 3 128 128"]:
    """Returns pictures in the size of the network: each pixel is the mean of the pixels that it covers."""
    return F.interpolate(images, size=(SIDE, SIDE), mode="area")


@torch.no_grad()
def presence(images: UInt8[np.ndarray, "picture Y X 3"]) -> Float32[np.ndarray, "picture thing"]:
    """Returns a score from 0 to 1 for each of THINGS in each picture. From THRESHOLD on, the thing counts as found.

    Pictures are RGB. The network was trained on 256 × 256; other sizes are resized.
    """
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    parts = [load_classifier().presence(shrunk(some)) for some in torch.split(pixels, 32)]
    return torch.cat(parts).numpy() if parts else np.zeros((0, len(THINGS)), np.float32)


def things_in(image: UInt8[np.ndarray, "Y X 3"], threshold: float = THRESHOLD) -> dict[str, float]:
    """Returns the things in one picture, the highest score first: name → score from `threshold` to 1.

    A thing has its usual name ("cat", not "kitten"). A shape has no colour.
    """
    scores = presence(image[None])[0]
    order = np.argsort(-scores, kind="stable")
    return {THINGS[thing]: float(scores[thing]) for thing in order if scores[thing] >= threshold}


def thing_of(word: str) -> str:
    """Returns the name in THINGS for a word of a caption: "kitten" → "cat", "red circle" → "circle".

    Raises:
        SdexploreError: The world has no thing of this name.
    """
    found = _known().get(word) or _known().get(word.rpartition(" ")[2])
    if found is None:
        raise SdexploreError(f"the emoji world has no {word!r}; {did_you_mean(word, _known())}")
    return found


@cache
def _known() -> dict[str, str]:
    return {name: names[0] for names in NAMES for name in names} | {shape: shape for shape in SHAPES}


@cache
def load_classifier() -> Classifier:
    """The trained network, in float32 on the CPU; every call returns the same object.

    `network.presence(pictures)`, of pictures (picture, 3, 128, 128) in −1..1 as `shrunk` makes them, gives how surely
    each picture shows each of THINGS, 0 to 1, and gradients flow through it: a guide of `run` can use it.
    """
    network = Classifier()
    network.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in load_file(WEIGHTS).items()}
    )
    return network.eval()
