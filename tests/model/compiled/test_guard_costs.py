"""The cost of a compiled run's checks: a full look if something is a different object, and a quick one if not."""

import gc
import weakref

import pytest
import torch
from compiled_runs import hook, once, run, traced
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from tiny_pipelines import stable_diffusion
from torch.nn import functional

import sdexplore as sdx
from sdexplore.model.compiled import denoiser
from sdexplore.model.compiled.denoiser import compiled_denoiser


def exchange(pipe):
    pipe.unet.conv_out.weight = torch.nn.Parameter(pipe.unet.conv_out.weight.detach() * 2)


def write(pipe):
    pipe.unet.conv_out.weight.data.mul_(2)


def set_number(pipe):
    pipe.unet.mid_block.resnets[0].output_scale_factor = 0.5


def test_diffusers_own_other_processor_has_another_graph(compiled, capsys):
    run(compiled, callback_on_step_end=once(lambda pipe: pipe.unet.set_attn_processor(AttnProcessor())))
    assert traced(capsys) == 2


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        (AttnProcessor2_0, "__call__", "'__call__' of AttnProcessor2_0 is code of"),
        (torch.nn.Module, "__call__", "'__call__' of Module is code of"),
        (Attention, "head_to_batch_dim", "'head_to_batch_dim' of Attention is code of"),
        (
            functional,
            "scaled_dot_product_attention",
            "'scaled_dot_product_attention' of torch.nn.functional is code of",
        ),
    ],
)
@pytest.mark.parametrize("on_the_way", [False, True])
def test_what_is_patched_for_all_alike_is_heeded(compiled, monkeypatch, owner, name, said, on_the_way):
    original, called = getattr(owner, name, None), []

    def patched(*args, **kwargs):
        called.append(1)
        return original(*args, **kwargs)

    patched.__module__, patched.__qualname__ = "torch", name  # as functools.wraps would have it

    def patch(_=None):
        monkeypatch.setattr(owner, name, patched, raising=False)

    run(compiled)
    if not on_the_way:
        patch()
    used = run(compiled, **({"callback_on_step_end": once(patch)} if on_the_way else {})).provenance["compiled"]
    assert used["eager"].startswith(said)
    assert ("graph" in used) is on_the_way
    assert bool(called) is (name != "head_to_batch_dim")  # which torch's fused attention does without


def test_a_hook_on_every_module_that_comes_on_the_way_is_heeded(compiled):
    handles, called = [], []

    def hook_in(_):
        handles.append(torch.nn.modules.module.register_module_forward_hook(lambda *_: called.append(1)))

    try:
        used = run(compiled, callback_on_step_end=once(hook_in)).provenance["compiled"]
    finally:
        handles.pop().remove()
    assert used == {"graph": "", "eager": "a hook was put on it, or taken off, while it ran"}
    assert called


def looks(monkeypatch):
    """The looks that are taken from now on, each a 1 here; those that find at once that all is as it was are none."""
    taken, own = [], denoiser.obstacle
    monkeypatch.setattr(denoiser, "obstacle", lambda *given: taken.append(1) or own(*given))
    return taken


def test_what_has_not_changed_is_not_looked_at_again(compiled, monkeypatch):
    taken = looks(monkeypatch)
    run(compiled, num_inference_steps=6, on_step=lambda _: None)
    assert 1 <= len(taken) <= 2  # newer torch, while tracing, puts equal objects in the place of some
    taken.clear()
    run(compiled, num_inference_steps=6, on_step=lambda _: None)
    run(compiled, num_inference_steps=6, callback_on_step_end=once(write))
    run(compiled)
    assert not taken
    run(compiled, num_inference_steps=6, callback_on_step_end=once(set_number))
    assert 1 <= len(taken) <= 2  # and of another it was traced again
    taken.clear()
    run(compiled)
    assert not taken


def test_a_refused_denoiser_and_what_was_exchanged_are_let_go(compiled):
    run(compiled)
    old = weakref.ref(compiled.unet.conv_out.weight)
    exchange(compiled)
    run(compiled)
    gc.collect()
    assert old() is None
    old = weakref.ref(compiled.unet.conv_out.weight)
    hook(compiled)
    run(compiled)
    exchange(compiled)
    gc.collect()
    assert old() is None


def test_a_denoiser_that_is_not_used_any_more_goes_with_its_graphs():
    pipe = stable_diffusion()
    sdx.compile_denoiser(pipe)
    run(pipe)
    unet, graphs = weakref.ref(pipe.unet), weakref.ref(compiled_denoiser(pipe.unet))
    del pipe
    gc.collect()
    assert unet() is None
    assert graphs() is None
