"""Weights that are no numbers, and an autoencoder of another family, are told before a picture is lost."""

import pytest
import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.components.finite_weights import not_finite


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_inf_in_weights_are_named(value):
    pipe = stable_diffusion()
    assert not any(name.startswith("broken") for name in sdx.components(pipe).summary)
    with torch.no_grad():
        pipe.vae.decoder.conv_in.weight[0, 0, 0, 0] = value
        pipe.unet.conv_out.bias[1] = value
    told = sdx.components(pipe).summary
    assert "decoder.conv_in.weight" in told["broken vae"]
    assert "conv_out.bias" in told["broken unet"]
    assert "decoder.conv_in.weight" in " ".join(sdx.doctor(pipe).warnings)


def test_large_numbers_are_numbers():
    layer = torch.nn.Linear(64, 64).half()
    with torch.no_grad():
        layer.weight.fill_(60_000)
        layer.float().weight.fill_(3e38)
    assert not_finite(layer) == ()


def test_weights_are_read_once_and_again_where_they_changed(monkeypatch):
    layer = torch.nn.Linear(4, 4)
    read = []
    monkeypatch.setattr(torch.Tensor, "sum", lambda _, **__: read.append(1) or torch.zeros(()))
    not_finite(layer)
    not_finite(layer)
    assert len(read) == 2
    with torch.no_grad():
        layer.weight.mul_(2)
    not_finite(layer)
    assert len(read) == 4
    assert not_finite(torch.nn.Linear(4, 4, device="meta")) == ()
