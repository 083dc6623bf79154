"""A small trace of a video, made without any model: each frame's latents are known."""

import numpy as np
import synthetic

FRAMES, DRAWN = 3, 9
"""Of the latents, and of the video."""


def video(**new):
    """The synthetic trace with three frames of latents, frame k of which holds its numbers plus k."""
    still = synthetic.trace()
    with_frames = {
        name: np.stack([getattr(still, name) + frame for frame in range(FRAMES)], axis=2)
        for name in ("latents", "noise_pred", "pred_original_sample")
    }
    halves = {
        role: np.stack([values + frame for frame in range(FRAMES)], axis=2)
        for role, values in still.noise_preds.items()
    }
    frames = np.random.default_rng(3).integers(0, 256, (DRAWN, *still.image.shape), np.uint8)
    fields = {"noise_preds": halves, "cross_attention": {}, "frames": frames, "image": frames[DRAWN // 2]}
    return synthetic.trace(**{**with_frames, **fields, **new})
