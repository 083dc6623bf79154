"""What a differentiated call keeps, told beforehand, against what autograd keeps of a real one."""

import numpy as np
import pytest
import torch
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.model.runs import differentiated_memory

SMALL = {"height": 64, "width": 64}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def kept_by_autograd(network, **arguments):
    """Bytes of all that a backward pass to the embeddings needs of one call, its weights not counted."""
    network.requires_grad_(requires_grad=False)
    weights = {one.untyped_storage().data_ptr() for one in (*network.parameters(), *network.buffers())}
    kept = {}

    def keep(one):
        kept[one.untyped_storage().data_ptr()] = one
        return one

    arguments["encoder_hidden_states"].requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        network(**arguments)
    network.requires_grad_(requires_grad=True)
    return sum(one.untyped_storage().nbytes() for address, one in kept.items() if address not in weights)


def test_it_is_what_autograd_keeps(pipe):
    width = pipe.unet.config.cross_attention_dim
    call = {"sample": torch.randn(1, 4, 8, 8), "timestep": 5, "encoder_hidden_states": torch.randn(1, 77, width)}
    assert sdx.cost(pipe, differentiated=1, **SMALL).differentiated == kept_by_autograd(pipe.unet, **call)


def test_several_calls_keep_one_at_a_time_and_a_guide_one(pipe):
    one, plain, several = (sdx.cost(pipe, differentiated=calls, **SMALL) for calls in (1, 0, 5))
    assert plain.differentiated == 0
    assert several.differentiated == 2 * one.differentiated  # with and without the prompt, whatever the number of calls
    assert several.device == plain.device
    guided = sdx.cost(pipe, prompt=["a cat", "a dog"], guide=lambda _: None, **SMALL)
    assert guided.differentiated == 2 * one.differentiated
    assert "a differentiated call keeps" in repr(guided)
    assert "differentiated" not in repr(plain)
    assert sdx.cost(stable_diffusion_xl(), differentiated=1, **SMALL).differentiated > 0
    with pytest.raises(sdx.RunError, match="differentiated=-1"):
        sdx.cost(pipe, differentiated=-1)


def test_what_does_not_fit_is_refused_before_the_denoiser_is_called(pipe, monkeypatch):
    trace = sdx.run(pipe, "a cat", num_inference_steps=2, record=sdx.Record(decode=0), **SMALL)
    monkeypatch.setattr(differentiated_memory, "free_memory", lambda: 1000)
    called = []
    hook = pipe.unet.register_forward_pre_hook(lambda *_: called.append(1))
    try:
        with pytest.raises(sdx.RunError, match=r"a differentiated call of the denoiser keeps .*1000 B are free"):
            sdx.attribution(pipe, trace, step=1, last=2)
        assert not called
        assert np.isfinite(sdx.attribution(pipe, trace, method="knock-out").scores).all()
    finally:
        hook.remove()
