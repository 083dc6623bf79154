"""The families of diffusion transformers, each as a tiny random pipeline with what is known of it by hand.

The places of words and picture are counted here, not asked of sdexplore: 64 × 48 pixels are latents of 8 × 6, and 4 × 3
picture tokens; a text has `TEXT` positions, which is not what
T5's tokenizer says of itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import more_transformers as more
import numpy as np
import tiny_transformers as tiny
import torch
from diffusers import QwenImagePipeline

PROMPT = "a cat and a rocket in space"
SIZE = {"height": 64, "width": 48}
GRID, PIXELS, TEXT = (4, 3), 12, 32
STEPS = 3


def classifier_free(uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    return uncond + scale * (cond - uncond)


def row_by_row(uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    made, own = (torch.from_numpy(one) for one in (classifier_free(uncond, cond, scale), cond))
    return (made * (own.norm(dim=-1, keepdim=True) / made.norm(dim=-1, keepdim=True))).numpy()


def patch_by_patch(uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    made, own = (
        QwenImagePipeline._pack_latents(torch.from_numpy(one)[None], 1, *one.shape)
        for one in (classifier_free(uncond, cond, scale), cond)
    )
    made = made * (own.norm(dim=-1, keepdim=True) / made.norm(dim=-1, keepdim=True))
    y, x = cond.shape[1:]
    return QwenImagePipeline._unpack_latents(made, y * 8, x * 8, 8)[0, :, 0].numpy()


def from_the_prompt(uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    return cond + scale * (cond - uncond)


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
        joint: Whether words and picture share one softmax.
        size, grid, latents: Pixels; picture tokens (y, x); latents (y, x).
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
    joint: bool = True
    size: Mapping[str, int] = field(default_factory=lambda: SIZE)
    grid: tuple[int, int] = GRID
    latents: tuple[int, int] = (8, 6)

    def drawn(self, pipe: Any, **more: Any) -> Any:
        """The pipeline's own output, untraced."""
        given = {**self.size, **self.call, "num_inference_steps": STEPS, **more}
        return pipe(prompt=PROMPT, generator=torch.Generator().manual_seed(5), **given)


def blocks(name: str, count: int, attention: str = "attn") -> tuple[str, ...]:
    return tuple(f"{name}.{number}.{attention}" for number in range(count))


ONE = {"tokenizer": ("text_encoder", 0)}
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
    "pixart": Subject(
        make=more.pixart,
        call={**LENGTH, "use_resolution_binning": False, "guidance_scale": 4.0},
        layers=blocks("transformer_blocks", 2, "attn2"),
        picture=slice(0, PIXELS),
        words=slice(0, TEXT),
        calls=(("uncond", "cond"),),
        encoders=ONE,
        alone=blocks("transformer_blocks", 2, "attn1"),
        joint=False,
    ),
    "sana": Subject(
        make=more.sana,
        call={**LENGTH, "negative_prompt": "a dog", "use_resolution_binning": False, "guidance_scale": 4.0},
        layers=blocks("transformer_blocks", 2, "attn2"),
        picture=slice(0, 32),
        words=slice(0, TEXT),
        calls=(("uncond", "cond"),),
        encoders=ONE,
        joint=False,
        size={"height": 64, "width": 32},
        grid=(8, 4),
        latents=(8, 4),
    ),
    "hunyuandit": Subject(
        make=more.hunyuandit,
        call={"use_resolution_binning": False, "guidance_scale": 4.0},
        layers=blocks("blocks", 2, "attn2"),
        picture=slice(0, PIXELS),
        words=slice(0, 77 + 256),
        calls=(("uncond", "cond"),),
        encoders={"tokenizer": ("text_encoder", 0), "tokenizer_2": ("text_encoder_2", 77)},
        alone=blocks("blocks", 2, "attn1"),
        joint=False,
    ),
    "auraflow": Subject(
        make=more.auraflow,
        call={**LENGTH, "guidance_scale": 4.0},
        layers=("joint_transformer_blocks.0.attn", "single_transformer_blocks.0.attn"),
        picture=slice(8 + TEXT, 8 + TEXT + PIXELS),
        words=slice(8, 8 + TEXT),
        calls=(("uncond", "cond"),),
        encoders=ONE,
    ),
    "chroma": replace(
        FLUX,
        make=more.chroma,
        call={**LENGTH, "guidance_scale": 4.0},
        encoders=ONE,
        scale="guidance_scale",
    ),
    "lumina2": Subject(
        make=more.lumina2,
        call={
            "max_sequence_length": 120,
            "system_prompt": "a dog",
            "negative_prompt": "a red ball",
            "guidance_scale": 4.0,
        },
        layers=blocks("layers", 2),
        picture=slice(-PIXELS, None),
        words=slice(0, -PIXELS),
        calls=(("cond",), ("uncond",)),
        encoders=ONE,
        guided=row_by_row,
    ),
    "qwenimage": replace(
        FLUX,
        make=more.qwenimage,
        call={"max_sequence_length": 400, "negative_prompt": "a dog", "true_cfg_scale": 4.0},
        layers=blocks("transformer_blocks", 2),
        picture=slice(-PIXELS, None),
        words=slice(0, -PIXELS),
        encoders=ONE,
        guided=patch_by_patch,
    ),
    "zimage": Subject(
        make=more.zimage,
        call={"max_sequence_length": 120, "negative_prompt": PROMPT + " and", "guidance_scale": 3.0},
        layers=blocks("layers", 2, "attention"),
        picture=slice(0, PIXELS),
        words=slice(32, 64),
        calls=(("cond", "uncond"),),
        encoders=ONE,
        guided=from_the_prompt,
    ),
    "flux2": replace(
        FLUX,
        make=more.flux2,
        call={"max_sequence_length": 120, "guidance_scale": 4.0, "text_encoder_out_layers": (1, 2)},
        picture=slice(120, 120 + PIXELS),
        words=slice(0, 120),
        encoders=ONE,
        scale="guidance_scale",
        latents=GRID,
    ),
}
