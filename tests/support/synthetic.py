"""Small traces made without any model: every array is known, and torch is not needed."""

import numpy as np

from sdexplore.text.tokenization import Tokenization, Tokenizations
from sdexplore.trace.concept_scores import ConceptScores
from sdexplore.trace.trace import Attention, Features, Trace

PROMPT = "a cat and a rocketship"
STEPS, CHANNELS, Y, X, FACTOR = 6, 4, 8, 12, 8
LENGTH = 12  # of the padded prompt; its first end stands at 7
BRIGHT = (6, 9)  # where "cat" is looked for, on the latent grid
SIGMAS = np.array([14.6, 6.0, 2.9, 1.4, 0.6, 0.1])
DOWN, INNER, MID, UP, UP10 = LAYERS = tuple(
    f"{block}.attentions.0.transformer_blocks.0.attn2"
    for block in ("down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.1", "up_blocks.10")
)
GRIDS = {DOWN: (8, 12), INNER: (4, 6), MID: (2, 3), UP: (4, 6), UP10: (8, 12)}
HEADS = 2


def tokenization(text=PROMPT, tokenizer="tokenizer", split=("rocketship", 6)):
    """`text` with a token for each run between spaces, but two for the word in `split`."""
    pieces, spans, place = [], [], 0
    for word in text.split(" "):
        cut = split[1] if word == split[0] else len(word)
        for start, stop in ((0, cut), (cut, len(word))):
            if stop > start:
                pieces.append(word[start:stop] + "</w>" * (stop == len(word)))
                spans.append((place + start, place + stop))
        place += len(word) + 1
    rest = max(1, LENGTH - 1 - len(pieces))
    return Tokenization.of(
        tokenizer=tokenizer,
        text=text,
        max_length=len(pieces) + 1 + rest,
        ids=[49406, *range(300, 300 + len(pieces)), *[49407] * rest],
        pieces=["<|startoftext|>", *pieces, *["<|endoftext|>"] * rest],
        kinds=["start", *["text"] * len(pieces), "end", *["padding"] * (rest - 1)],
        spans=[None, *spans, *[None] * rest],
    )


def attention(grid, *, seed=0, heads=False, columns="prompt", dtype=np.float16, bright=BRIGHT):
    """Rows that sum to 1 over all columns; "cat" (position 2) is bright at one pixel."""
    y, x = grid
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 0.3, (STEPS, HEADS, y, x, LENGTH))
    logits[:, :, bright[0] * y // Y, bright[1] * x // X, 2] += 4
    probs = np.exp(logits)
    probs /= probs.sum(-1, keepdims=True)
    positions = tuple((position,) for position in range(LENGTH))
    if columns == "prompt":
        probs = np.concatenate([probs[..., :8], probs[..., 8:].sum(-1, keepdims=True)], -1)
        positions = (*positions[:8], tuple(range(8, LENGTH)))
    if not heads:
        probs = probs.mean(1, keepdims=True)
    return Attention(
        probs=probs.astype(dtype),
        steps=tuple(range(STEPS)),
        columns=positions,
        tokenizer="tokenizer",
        head_mean=not heads,
    )


def self_attention(grid=(4, 6)):
    """Attention of one layer; each row adds up to 1."""
    y, x = grid
    probs = np.random.default_rng(5).random((STEPS, 1, y, x, y * x)) ** 4
    return Attention(probs=(probs / probs.sum(-1, keepdims=True)).astype(np.float32), steps=tuple(range(STEPS)))


def concept_scores(grid=(4, 6), concepts=("sky", "grass")):
    """Scores of one layer."""
    scores = np.random.default_rng(6).normal(size=(STEPS, *grid, len(concepts))).astype(np.float32)
    return ConceptScores(scores=scores, steps=tuple(range(STEPS)), concepts=concepts)


def features(grid=(4, 6), channels=7, *, seed=0, dtype=np.float32):
    """Features of a module at every step."""
    values = np.random.default_rng(seed).normal(size=(STEPS, channels, *grid)) + 3
    return Features(values=values.astype(dtype), steps=tuple(range(STEPS)))


def noised(x0, eps, space):
    """x_t of every step, computed from the definitions."""
    sigma = SIGMAS.reshape(-1, 1, 1, 1)
    if space == "variance exploding":
        return x0 + sigma * eps
    alpha_bar = 1 / (1 + sigma**2)
    return np.sqrt(alpha_bar) * x0 + np.sqrt(1 - alpha_bar) * eps


def trace(
    space="variance preserving", *, seed=0, prompt=PROMPT, heads=False, columns="prompt", dtype=np.float16, **new
):
    """Six steps of an image of 64 × 96 whose x0 and noise are known; `new` replaces fields."""
    rng = np.random.default_rng(seed)
    x0, eps = rng.normal(size=(2, CHANNELS, Y, X))
    sample = noised(x0, eps, space)
    uncond, cond = (eps + 0.1 * rng.normal(size=sample.shape) for _ in range(2))
    guided = uncond + 7.5 * (cond - uncond)
    sigma = SIGMAS.reshape(-1, 1, 1, 1)
    original = (sample if space == "variance exploding" else sample * np.sqrt(1 + sigma**2)) - sigma * guided
    pictures = rng.integers(0, 256, (7, FACTOR * Y, FACTOR * X, 3), np.uint8)
    fields = {
        "kind": "run",
        "call": {"function": "run", "prompt": prompt, "seed": seed, "arguments": {"guidance_scale": 7.5}},
        "provenance": {
            "model": "synthetic",
            "scheduler": {"class": "DDIMScheduler", "prediction_type": "epsilon", "space": space},
        },
        "tokens": {
            "uncond": Tokenizations({"tokenizer": tokenization("blurry picture")}),
            "cond": Tokenizations({"tokenizer": tokenization(prompt)}),
        },
        "timesteps": np.linspace(999, 0, STEPS),
        "sigmas": SIGMAS.copy(),
        "latents": np.concatenate([sample, x0[None]]).astype(np.float32),
        "noise_preds": {"uncond": uncond.astype(np.float32), "cond": cond.astype(np.float32)},
        "noise_pred": guided.astype(np.float32),
        "pred_original_sample": original.astype(np.float32),
        "cross_attention": {
            role: {
                layer: attention(grid, seed=seed + 10 * number + i, heads=heads, columns=columns, dtype=dtype)
                for i, (layer, grid) in enumerate(GRIDS.items())
            }
            for number, role in enumerate(("uncond", "cond"))
        },
        "decoded": dict(zip((0, 3, 5), pictures, strict=False)),
        "decoded_x0": dict(zip((0, 3, 5), pictures[3:], strict=False)),
        "latent_rgb": rng.normal(0, 0.2, (CHANNELS + 1, 3)).astype(np.float32),
        "image": pictures[6],
    }
    return Trace(**fields | new)
