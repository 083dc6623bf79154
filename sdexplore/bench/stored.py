"""A trace with the sizes of a run of SD 1.5, made without a model, for the benchmark of reading."""

import numpy as np

from ..analysis.resizing import resized
from ..text.tokenization import Kind, Tokenization, Tokenizations
from ..trace.trace import Attention, Trace
from .subjects import PROMPT

POSITIONS = 77
# Cross-attention layers of SD 1.5's UNet: block, number, side of the latents divided by the side of their grid.
_BLOCKS = (
    ("down_blocks.0", 2, 1),
    ("down_blocks.1", 2, 2),
    ("down_blocks.2", 2, 4),
    ("mid_block", 1, 8),
    ("up_blocks.1", 3, 4),
    ("up_blocks.2", 3, 2),
    ("up_blocks.3", 3, 1),
)
_FACTOR = 8


def stored_trace(*, steps: int = 50, side: int = 64, heads: int = 1, every_position: bool = False) -> Trace:
    """A trace of random numbers; rows of attention add up to 1, and pictures are as smooth as photographs.

    Args:
        side: The side of the latents.
        heads: Heads of each layer; 1 stands for their mean.
        every_position: Whether there are all 77 columns, or those of the prompt and one for the padding.
    """
    rng = np.random.default_rng(0)
    tokens = _tokens(PROMPT)
    columns: tuple[tuple[int, ...], ...] = tuple((position,) for position in range(POSITIONS))
    if not every_position and tokens.first_end is not None:
        columns = (*columns[: tokens.first_end + 1], tuple(range(tokens.first_end + 1, POSITIONS)))
    layers = {}
    for block, count, coarser in _BLOCKS:
        grid = (side // coarser, side // coarser)
        for number in range(count):
            probs = rng.random((steps, heads, *grid, len(columns)), dtype=np.float32)
            probs /= probs.sum(-1, keepdims=True)
            layers[f"{block}.attentions.{number}.transformer_blocks.0.attn2"] = Attention(
                probs=probs.astype(np.float16),
                steps=tuple(range(steps)),
                columns=columns,
                tokenizer="tokenizer",
                head_mean=heads == 1,
            )

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    every = (steps, 4, side, side)
    picture = _picture(rng, _FACTOR * side)
    shown = sorted({round(place * (steps - 1) / 7) for place in range(8)})
    return Trace(
        kind="run",
        call={"function": "run", "prompt": PROMPT, "seed": 0, "arguments": {"guidance_scale": 7.5}},
        provenance={
            "model": "numbers without a model",
            "image_size": _FACTOR * side,
            "scheduler": {"class": "DDIMScheduler", "prediction_type": "epsilon", "space": "variance preserving"},
            "guidance": {name: [scale] * steps for name, scale in (("guidance_scale", 7.5), ("guidance_rescale", 0.0))},
        },
        tokens={"cond": Tokenizations({"tokenizer": tokens})},
        timesteps=np.linspace(999, 0, steps),
        sigmas=np.geomspace(14.6, 0.03, steps),
        latents=noise(steps + 1, *every[1:]),
        noise_preds={"uncond": noise(*every), "cond": noise(*every)},
        noise_pred=noise(*every),
        pred_original_sample=noise(*every),
        cross_attention={"cond": layers},
        decoded=dict.fromkeys(shown, picture),
        decoded_x0=dict.fromkeys(shown, picture),
        latent_rgb=noise(5, 3) / 10,
        image=picture,
    )


def _picture(rng: np.random.Generator, side: int) -> np.ndarray:
    """A picture with structure of every size, stronger at larger sizes. Plain noise would compress far worse."""
    sizes = [2**power for power in range(2, side.bit_length())]
    parts = [resized(rng.standard_normal((3, n, n), np.float32) / n, (side, side)) for n in sizes]
    pixels: np.ndarray = np.clip(128 + 256 * np.moveaxis(np.sum(parts, axis=0), 0, -1), 0, 255)
    return np.ascontiguousarray(pixels, np.uint8)


def _tokens(prompt: str) -> Tokenization:
    """One token for each word, as CLIP gives for short English words."""
    words = prompt.split(" ")
    starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
    rest = POSITIONS - 1 - len(words)
    text: list[Kind] = ["text"] * len(words)
    padding: list[Kind] = ["padding"] * (rest - 1)
    return Tokenization.of(
        tokenizer="tokenizer",
        text=prompt,
        max_length=POSITIONS,
        ids=[49406, *range(300, 300 + len(words)), *[49407] * rest],
        pieces=["<|startoftext|>", *(f"{word}</w>" for word in words), *["<|endoftext|>"] * rest],
        kinds=["start", *text, "end", *padding],
        spans=[None, *((s, s + len(word)) for s, word in zip(starts, words, strict=False)), *[None] * rest],
    )
