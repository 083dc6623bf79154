"""Weights that are no numbers, and an autoencoder of another family, are told before a picture is lost."""

import diffusers
import pytest
import torch
from tiny_pipelines import stable_diffusion, unet, vae

import sdexplore as sdx
from sdexplore.model.components.finite_weights import not_finite
from sdexplore.model.components.vae_family import foreign_vae


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


@pytest.mark.parametrize(
    ("width", "factor", "told"),
    [(2048, 0.18215, "of SDXL"), (768, 0.13025, "of SD 1.x"), (2048, 0.13025, ""), (768, 0.18215, ""), (768, 1.0, "")],
)
def test_a_vae_of_another_family_is_told(width, factor, told, tmp_path):
    pipe = stable_diffusion()
    more = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 80,
    }
    pipe.register_modules(
        unet=unet(cross_attention_dim=width, **(more if width == 2048 else {})), vae=vae(scaling_factor=factor)
    )
    assert (foreign_vae(pipe) is not None) == bool(told)
    assert ("foreign VAE" in sdx.components(pipe).summary) == bool(told)
    if told:
        assert told in foreign_vae(pipe)
        pipe.save_pretrained(tmp_path / "pipe")
        with pytest.warns(UserWarning, match="its VAE has the scaling factor"):
            sdx.load(tmp_path / "pipe")
    assert foreign_vae(diffusers.DDPMPipeline(diffusers.UNet2DModel(sample_size=8), diffusers.DDPMScheduler())) is None
