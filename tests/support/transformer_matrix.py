"""The families of diffusion transformers, each as a tiny random pipeline with what is known of it by hand.

The places of words and picture are counted here, not asked of sdexplore: 64 × 48 pixels are latents of 8 × 6, and 4 × 3
picture tokens; a text has `TEXT` positions, which is not what
T5's tokenizer says of itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tiny_transformers as tiny
import torch

PROMPT = "a cat and a rocket in space"
SIZE = {"height": 64, "width": 48}
GRID, PIXELS, TEXT = (4, 3), 12, 32
STEPS = 3


def classifier_free(uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    return uncond + scale * (cond - uncond)


@dataclass(frozen=True)
class Subject:
    """A family.

    Attributes:
        make: The tiny pipeline.
        call: Arguments beside prompt, steps and seed.
        layers: Names of the layers in which the picture attends to words, in the order of the modules.
        picture, words: Of the queries; of the keys, the text with its padding.
        calls: The roles of the rows of each call of a step.
        encoders: Tokenizer -> (text encoder, key of its first token).
        scale: The argument that guides.
        guided: What guidance makes of its halves.
        alone: Layers in which the picture attends to itself alone.
    """

    make: Callable[[], Any]
    call: Mapping[str, Any]
    layers: tuple[str, ...]
    picture: slice
    words: slice
    calls: tuple[tuple[str, ...], ...]
    encoders: Mapping[str, tuple[str, int]]
    scale: str = "guidance_scale"
    guided: Callable[[np.ndarray, np.ndarray, float], np.ndarray] = classifier_free
    alone: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def drawn(self, pipe: Any, **more: Any) -> Any:
        """The pipeline's own output, untraced."""
        given = {**SIZE, **self.call, "num_inference_steps": STEPS, **more}
        return pipe(prompt=PROMPT, generator=torch.Generator().manual_seed(5), **given)


def blocks(name: str, count: int, attention: str = "attn") -> tuple[str, ...]:
    return tuple(f"{name}.{number}.{attention}" for number in range(count))


LENGTH = {"max_sequence_length": TEXT}
FLUX = Subject(
    make=tiny.flux,
    call={**LENGTH, "negative_prompt": "a dog", "true_cfg_scale": 4.0},
    layers=blocks("transformer_blocks", 2) + blocks("single_transformer_blocks", 2),
    picture=slice(TEXT, TEXT + PIXELS),
    words=slice(0, TEXT),
    calls=(("cond",), ("uncond",)),
    encoders={"tokenizer_2": ("text_encoder_2", 0)},
    scale="true_cfg_scale",
)
SUBJECTS = {
    "sd3": Subject(
        make=tiny.sd3,
        call={**LENGTH, "guidance_scale": 5.0},
        layers=blocks("transformer_blocks", 3),
        picture=slice(0, PIXELS),
        words=slice(PIXELS, PIXELS + 77 + TEXT),
        calls=(("uncond", "cond"),),
        encoders={
            "tokenizer": ("text_encoder", 0),
            "tokenizer_2": ("text_encoder_2", 0),
            "tokenizer_3": ("text_encoder_3", 77),
        },
        alone=("transformer_blocks.0.attn2",),
    ),
    "flux": FLUX,
}
