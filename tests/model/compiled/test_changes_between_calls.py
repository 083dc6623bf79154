"""A callback that changes the denoiser between two calls has the same effect in a compiled run as in any other."""

from functools import cache

import numpy as np
import pytest
import tiny_families as families
import torch
from compiled_runs import assert_alike, once, one_layer, run, traced
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

import sdexplore as sdx


def weight_of(pipe):
    return pipe.unet.conv_out.weight  # everything passes it


def without_gradient(pipe):
    with torch.no_grad():
        weight_of(pipe).mul_(2)


def in_inference_mode(pipe):
    with torch.inference_mode():
        weight_of(pipe).mul_(2)


def through_data(pipe):
    weight_of(pipe).data.mul_(2)


def through_numpy(pipe):
    weight_of(pipe).detach().numpy()[...] *= 2


def through_the_storage(pipe):
    weight_of(pipe).untyped_storage().copy_((weight_of(pipe) * 2).untyped_storage())


def state_dict(pipe):
    pipe.unet.load_state_dict({name: 1.1 * tensor for name, tensor in pipe.unet.state_dict().items()})


IN_PLACE = (without_gradient, in_inference_mode, through_data, through_numpy, through_the_storage, state_dict)


def new_parameter(pipe):
    pipe.unet.conv_out.weight = torch.nn.Parameter(weight_of(pipe).detach() * 2)


def new_data(pipe):
    weight_of(pipe).data = weight_of(pipe).data * 2


def transposed(pipe):
    """In the same place, as large, and counted as no write."""
    for module in pipe.unet.modules():
        if isinstance(module, Attention):
            module.to_q.weight.data = module.to_q.weight.data.t()


def assigned_state_dict(pipe):
    pipe.unet.load_state_dict({name: 1.1 * tensor for name, tensor in pipe.unet.state_dict().items()}, assign=True)


def other_module(pipe):
    pipe.unet.conv_act = torch.nn.ReLU()


def other_number(pipe):
    pipe.unet.mid_block.resnets[0].output_scale_factor = 0.5


def other_class(pipe):
    pipe.unet.conv_act.__class__ = torch.nn.ReLU
    pipe.unet.conv_act.inplace = False


def other_setting(pipe):
    pipe.unet.register_to_config(center_input_sample=True)


def scale_of_numpy(pipe):
    pipe.unet.mid_block.resnets[0].output_scale_factor = np.float32(0.5)


def lora_scale(pipe):
    pipe.set_adapters(["style"], [0.1])


def lora_scale_of_numpy(pipe):
    for module in pipe.unet.modules():
        if hasattr(module, "lora_A"):
            module.scaling["style"] = np.float32(0.1)


def no_lora(pipe):
    pipe.disable_lora()


EXCHANGED = (
    new_parameter,
    new_data,
    transposed,
    assigned_state_dict,
    other_module,
    other_number,
    other_class,
    other_setting,
    scale_of_numpy,
    lora_scale,
    lora_scale_of_numpy,
    no_lora,
)


def training(pipe):
    pipe.unet.train()


def own_method(pipe):
    pipe.unet.get_time_embed = lambda sample, timestep: 2 * type(pipe.unet).get_time_embed(pipe.unet, sample, timestep)


class Halving(AttnProcessor2_0):
    def __call__(self, *args, **kwargs):
        return 0.5 * super().__call__(*args, **kwargs)


def own_processor(pipe):
    pipe.unet.set_attn_processor(Halving())


REFUSED = {training: "training mode", own_method: "'get_time_embed' of the whole", own_processor: "not diffusers' own"}


def pipeline(change):
    pipe = one_layer()
    if "lora" in change.__name__:
        families.lora(pipe)
    return pipe


@cache
def unchanged(lora):
    return run(pipeline(lora_scale if lora else new_data), num_inference_steps=3).noise_pred[-1]


def run_both(change):
    """How the calls of a compiled run were made in which `change` comes after the first step; it is as any other."""
    compiled, uncompiled = pipeline(change), pipeline(change)
    sdx.compile_denoiser(compiled)
    found, expected = (
        run(pipe, num_inference_steps=3, callback_on_step_end=once(change)) for pipe in (compiled, uncompiled)
    )
    if change is not training:  # dropout is 0 here, and so it changes nothing
        assert not np.allclose(unchanged("lora" in change.__name__), expected.noise_pred[-1], atol=1e-3)
    assert_alike(found, expected)
    return found.provenance["compiled"]


@pytest.mark.parametrize("change", IN_PLACE)
def test_numbers_written_in_place_are_read_where_they_are(change, capsys):
    assert set(run_both(change)) == {"graph"}
    assert traced(capsys) == 1


@pytest.mark.parametrize("change", EXCHANGED)
def test_what_is_exchanged_between_two_calls_is_heeded(change):
    assert set(run_both(change)) == {"graph"}


@pytest.mark.parametrize("change", REFUSED)
def test_what_no_graph_can_stand_for_ends_it_between_two_calls(change):
    used = run_both(change)
    assert REFUSED[change] in used["eager"]
    assert "graph" in used  # until then
