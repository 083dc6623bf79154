"""A likeness notices and digests every change that a graph would ignore, and is not deceived by a mere lookalike."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_pipelines import unet
from torch.testing._internal.two_tensor import TwoTensor

from sdexplore.model.compiled.guards import Likeness


class Setting:
    """An object with settings of its own, as processors are."""

    def __init__(self, scale):
        self.scale = [scale]


@pytest.fixture
def network():
    made = unet()
    block = made.mid_block
    block.number, block.numpy, block.small = 1.5, np.float32(1.5), torch.tensor(1.5)
    block.array, block.nested = np.ones(3), {"one": [{"two": 1}]}
    block.processor, block.made = Setting(1.0), partial(torch.nn.functional.gelu, approximate="none")
    block.names = {"a"}
    block.register_buffer("kept", torch.ones(2))
    block.both = torch.nn.Parameter(TwoTensor(torch.ones(2), torch.ones(2)))
    return made


def changed(before, network):
    """Whether it was noticed, and in which digests it is seen."""
    after = Likeness(network)
    seen = {name for name in ("weights", "structure") if getattr(before, name) != getattr(after, name)}
    return not before.still(network), seen


WEIGHTS = {
    "data": lambda net: setattr(net.conv_in.weight, "data", net.conv_in.weight.data.clone()),
    "strides": lambda net: setattr(
        net.time_embedding.linear_2.weight, "data", net.time_embedding.linear_2.weight.data.t()
    ),
    "parameter": lambda net: setattr(net.conv_in, "weight", torch.nn.Parameter(net.conv_in.weight.detach().clone())),
    "swapped": lambda net: torch.utils.swap_tensors(net.conv_in.weight, torch.nn.Parameter(net.conv_in.weight.clone())),
    "set_": lambda net: net.conv_in.weight.detach_().set_(torch.ones(2)),
    "format": lambda net: net.to(torch.bfloat16),
    "device": lambda net: net.conv_in.to("meta"),
    "layout": lambda net: net.to(memory_format=torch.channels_last),
    "none": lambda net: setattr(net.conv_in, "bias", None),
    "buffer": lambda net: setattr(net.mid_block, "kept", torch.ones(2)),
    "part": lambda net: setattr(net.mid_block.both, "a", torch.ones(2)),
}
SETTINGS = {
    "number": lambda net: setattr(net.mid_block, "number", 2.5),
    "number of numpy": lambda net: setattr(net.mid_block, "numpy", np.float32(2.5)),
    "tensor": lambda net: setattr(net.mid_block, "small", torch.tensor(1.5)),
    "numbers of a tensor": lambda net: net.mid_block.small.data.fill_(2.5),
    "numbers of an array": lambda net: net.mid_block.array.fill(2.5),
    "nested": lambda net: net.mid_block.nested["one"][0].update(two=2),
    "another name": lambda net: vars(net.mid_block).update(renamed=vars(net.mid_block).pop("names")),
    "names": lambda net: net.mid_block.names.add("b"),
    "of a processor": lambda net: net.mid_block.processor.scale.append(2.0),
    "in a processor": lambda net: net.mid_block.processor.scale.__setitem__(0, 2.0),
    "its attributes": lambda net: setattr(net.mid_block.processor, "__dict__", {"scale": [2.0]}),
    "partial": lambda net: net.mid_block.made.keywords.update(approximate="tanh"),
    "training": lambda net: net.mid_block.eval() and net.mid_block.train(),
    "class": lambda net: setattr(net.conv_act, "__class__", torch.nn.ReLU),
    "its own class": lambda net: setattr(net, "__class__", type("Own", (type(net),), {})),
    "its own number": lambda net: setattr(net, "sample_size", 77),
    "config": lambda net: net.register_to_config(center_input_sample=True),
    "module": lambda net: setattr(net, "conv_act", torch.nn.ReLU()),
    "order": lambda net: vars(net.mid_block)["_modules"].update(
        attentions=vars(net.mid_block)["_modules"].pop("attentions")
    ),
}
IN_PLACE = {
    "no gradient": lambda net: torch.no_grad()(net.conv_in.weight.mul_)(2),
    "inference": lambda net: torch.inference_mode()(net.conv_in.weight.mul_)(2),
    "data": lambda net: net.conv_in.weight.data.mul_(2),
    "numpy": lambda net: net.conv_in.weight.detach().numpy().fill(2),
    "storage": lambda net: net.conv_in.weight.untyped_storage().fill_(0),
    "buffer": lambda net: net.mid_block.kept.mul_(2),
    "the whole's forward": lambda net: setattr(net, "forward", net.forward),
    "a gradient": lambda net: net.conv_in.weight.sum().backward(),
}


@pytest.mark.parametrize("change", WEIGHTS)
def test_weights_that_lie_elsewhere_or_otherwise_are_noticed(network, change):
    before = Likeness(network)
    WEIGHTS[change](network)
    assert changed(before, network) == (True, {"weights"})


@pytest.mark.parametrize("change", SETTINGS)
def test_settings_are_noticed(network, change):
    before = Likeness(network)
    SETTINGS[change](network)
    noticed, seen = changed(before, network)
    assert noticed
    assert "structure" in seen


@pytest.mark.parametrize("change", IN_PLACE)
def test_numbers_in_place_are_not_and_need_not_be(network, change):
    before = Likeness(network)
    IN_PLACE[change](network)
    assert changed(before, network) == (False, set())


def test_an_equal_object_in_the_place_of_another_is_noticed_for_it_may_change_later(network):
    before = Likeness(network)
    network.mid_block.nested["one"] = [{"two": 1}]
    assert changed(before, network) == (True, set())


def test_a_patched_class_or_function_is_noticed(network, monkeypatch):
    for owner, name in ((type(network), "get_time_embed"), (torch.nn.Linear, "forward"), (torch.nn.functional, "silu")):
        before = Likeness(network)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *_, **__: None)
            assert changed(before, network) == (True, {"structure"})


def test_hooks_are_told_apart_by_what_they_are_and_where(network):
    likeness, hook = Likeness(network), lambda *_: None
    none = likeness.hooks()
    handle = network.mid_block.register_forward_hook(hook)
    one = likeness.hooks()
    handle.remove()
    assert likeness.hooks() == none != one
    network.conv_in.register_forward_hook(hook)
    assert likeness.hooks() != one
    assert likeness.still(network)
