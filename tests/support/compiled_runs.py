"""Runs one pipeline with and without a graph, and compares the traces."""

import numpy as np
import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.compiled import denoiser

PROMPT = "a photo of a cat and a cat"
SHORT = sdx.Record(decode=0)
torch.fx.config.do_not_emit_stack_traces = True  # a tenth of the time of tracing; no test looks at them


def one_layer(scheduler=None, **config):
    """A pipeline whose UNet is traced in half the time: one level, and attention in the mid block alone."""
    blocks = {"block_out_channels": (32,), "down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    return stable_diffusion(scheduler, **blocks, **config)


def assert_alike(found, expected, tolerance=1e-3):
    """Arrays may differ by `tolerance` times their largest value, pictures by one level of 255."""
    arrays, others = found.arrays(), expected.arrays()
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        other = others[name]
        assert (array.shape, array.dtype) == (other.shape, other.dtype), name
        assert np.array_equal(np.isnan(array), np.isnan(other)), name
        off = np.abs(np.nan_to_num(array.astype(np.float64) - other))
        scale = 255 if array.dtype == np.uint8 else np.abs(np.nan_to_num(other.astype(np.float64))).max(initial=1e-9)
        bound = 1 if array.dtype == np.uint8 else tolerance * scale
        assert off.max(initial=0) <= bound, name


def run(pipe, prompt=PROMPT, **arguments):
    return sdx.run(pipe, prompt, **{"record": SHORT, "num_inference_steps": 2, **arguments})


def eager(pipe, prompt=PROMPT, **arguments):
    """The same run without a graph; the pipeline keeps the graphs that it has."""
    kept = denoiser._MADE.pop(pipe.unet)
    try:
        return run(pipe, prompt, **arguments)
    finally:
        denoiser._MADE[pipe.unet] = kept


def traced(capsys):
    """The number of graphs traced since the last call of this function."""
    return capsys.readouterr().out.count("sdexplore: tracing ")


def hook(pipe):
    pipe.unet.mid_block.register_forward_hook(lambda *_: None)


def once(change):
    """A callback that calls `change(pipe)` after the first step."""

    def callback(pipe, step, _timestep, given):
        if step == 0:
            change(pipe)
        return given

    return callback
