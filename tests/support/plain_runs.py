"""The same call without sdexplore, and what a run must not change."""

import numpy as np
import torch

PROMPT = "a photo of a cat and a cat"


def plain(pipe, prompt=PROMPT, seed=0, images=1, **arguments):
    """The same call without sdexplore: pictures as float arrays (image, Y, X, 3)."""
    generators = [torch.Generator().manual_seed(seed + i) for i in range(images)]
    given = {} if prompt is None else {"prompt": prompt}
    return pipe(**given, generator=generators if images > 1 else generators[0], output_type="np", **arguments).images


def assert_same_picture(trace, picture):
    assert np.array_equal(trace.image, (picture * 255).round().astype(np.uint8))


def hooks_of(module):
    return [
        (name, len(part._forward_hooks), len(part._forward_pre_hooks))
        for name, part in module.named_modules()
        if part._forward_hooks or part._forward_pre_hooks
    ]
