"""The architecture as a record, compared with a forward pass of the real UNet and with published counts."""

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tiny_families import inpaint, wide
from tiny_pipelines import ddpm, latent_diffusion, latent_diffusion_text, stable_diffusion, stable_diffusion_xl
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import sdexplore as sdx
from sdexplore.theory.unet_2015 import unet_2015

VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}


def sd15():
    """Stable Diffusion 1.5 in full size, without weights or memory."""
    with torch.device("meta"):
        parts = {
            "unet": UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
            "vae": AutoencoderKL(**VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        }
    rest = dict.fromkeys(("tokenizer", "safety_checker", "feature_extractor"))
    scheduler = PNDMScheduler(steps_offset=1)
    return StableDiffusionPipeline(**parts, **rest, scheduler=scheduler, requires_safety_checker=False)


def sdxl():
    with torch.device("meta"):
        parts = {
            "unet": UNet2DConditionModel(
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=(5, 10, 20),
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                transformer_layers_per_block=(1, 2, 10),
                projection_class_embeddings_input_dim=2816,
                cross_attention_dim=2048,
            ),
            "vae": AutoencoderKL(**VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**CLIP_L)),
            "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_G, projection_dim=1280)),
        }
    rest = dict.fromkeys(("tokenizer", "tokenizer_2"))
    return StableDiffusionXLPipeline(**parts, **rest, scheduler=EulerDiscreteScheduler(), add_watermarker=False)


def test_stable_diffusion_1_5_is_as_published():
    found = sdx.pipeline_architecture(sd15())
    assert found.parameters == 859_520_964
    assert (found.image, found.latents, found.stem) == ((3, 512, 512), (4, 64, 64), (320, 64, 64))
    rows = [
        (s.side, s.level, s.grid[0], s.channels, s.resnets, s.cross_attention, s.self_attention) for s in found.stages
    ]
    assert rows == [
        ("down", 0, 64, 320, 2, 2, 2),
        ("down", 1, 32, 640, 2, 2, 2),
        ("down", 2, 16, 1280, 2, 2, 2),
        ("down", 3, 8, 1280, 2, 0, 0),
        ("mid", 3, 8, 1280, 2, 1, 1),
        ("up", 3, 8, 1280, 3, 0, 0),
        ("up", 2, 16, 1280, 3, 3, 3),
        ("up", 1, 32, 640, 3, 3, 3),
        ("up", 0, 64, 320, 3, 3, 3),
    ]
    assert (found.key_width, found.time_width, found.levels) == (768, 1280, 4)
    (reader,) = found.readers
    assert (reader.positions, reader.layers, reader.width, reader.parameters) == (77, 12, 768, 123_060_480)
    assert (found.autoencoder.factor, found.autoencoder.widths) == (8, (128, 256, 512, 512))
    assert found.autoencoder.encoder_parameters + found.autoencoder.decoder_parameters == 83_653_771


def test_sdxl_is_as_published_and_takes_a_size():
    found = sdx.pipeline_architecture(sdxl(), height=1024, width=768)
    assert found.parameters == 2_567_463_684
    assert found.latents == (4, 128, 96)
    assert [stage.transformers for stage in found.stages] == [(), (2, 2), (10, 10), (10,), (10,) * 3, (2,) * 3, ()]
    assert sum(stage.cross_attention for stage in found.stages) == 70
    assert [reader.width for reader in found.readers] == [768, 1280]
    assert found.key_width == 768 + 1280


MAKERS = [stable_diffusion, stable_diffusion_xl, wide, inpaint, ddpm, latent_diffusion, latent_diffusion_text]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_shapes_are_those_of_a_real_forward_pass(make):
    """Hooks on the user's own UNet while its own pipeline draws, against the record that no weight went into."""
    pipe = make()
    found = sdx.pipeline_architecture(pipe)
    seen, taken = {}, {}

    def watch(name):
        def note(_, args, kwargs, output):
            seen[name] = tuple((output[0] if isinstance(output, tuple) else output).shape[1:])
            if name.startswith("down"):
                taken[name] = [tuple(one.shape[1:]) for one in output[1]]
            elif name.startswith("up"):
                tuples = [one for one in (*args, *kwargs.values()) if isinstance(one, tuple)]
                taken[name] = [tuple(one.shape[1:]) for one in reversed(tuples[0])]

        return note

    unet = pipe.unet
    handles = [
        unet.get_submodule(stage.name).register_forward_hook(watch(stage.name), with_kwargs=True)
        for stage in found.stages
    ]
    y, x = found.latents[1:]
    embeds = torch.zeros(1, 77, found.key_width) if found.key_width else None
    more = {} if embeds is None else {"encoder_hidden_states": embeds}
    if "XL" in type(pipe).__name__:
        more["added_cond_kwargs"] = {"text_embeds": torch.zeros(1, 32), "time_ids": torch.zeros(1, 6)}
    with torch.no_grad():
        output = unet(torch.zeros(1, unet.config.in_channels, y, x), 1, **more).sample
    for handle in handles:
        handle.remove()
    assert [seen[stage.name] for stage in found.stages] == [stage.output for stage in found.stages]
    for stage in found.stages:
        assert list(stage.skips) == taken.get(stage.name, [])
        assert stage.parameters == sum(p.numel() for p in unet.get_submodule(stage.name).parameters())
    assert found.unet_input == (unet.config.in_channels, y, x)
    assert tuple(output.shape[2:]) == (y, x)
    assert found.parameters == sum(p.numel() for p in unet.parameters())
    handed = sorted([found.stem, *(s for stage in found.stages if stage.side == "down" for s in stage.skips)])
    assert handed == sorted(s for stage in found.stages if stage.side == "up" for s in stage.skips)
    assert bool(found.readers) == bool(found.key_width)
    assert (found.autoencoder is None) == (type(pipe).__name__ == "DDPMPipeline")
    assert f"{found.levels} levels" in repr(found)


def test_the_user_s_unet_is_only_read(tiny):
    sdx.pipeline_architecture(tiny)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny.unet.modules())
    assert {parameter.device.type for parameter in tiny.unet.parameters()} == {"cpu"}


def test_what_has_no_unet_is_refused(tiny):
    tiny.unet = None
    with pytest.raises(sdx.InspectionError, match="has no denoiser"):
        sdx.pipeline_architecture(tiny)


def test_the_u_net_of_2015_is_that_of_its_figure_1():
    found = list(unet_2015())
    assert [one.channels for one in found] == [64, 128, 256, 512, 1024]
    assert [one.down for one in found] == [(572, 568), (284, 280), (140, 136), (68, 64), (32, 28)]
    assert [one.up for one in found] == [(392, 388), (200, 196), (104, 100), (56, 52), None]


def test_the_comparison_names_every_change(tiny):
    found = sdx.pipeline_architecture(tiny).beside_2015
    changes = {what: (old, here) for what, old, here in found.changes}
    assert changes["skips"][1].startswith("4, ")  # conv_in, two residual blocks, a downsampler
    assert changes["unit"][1].startswith("ResnetBlock2D: GroupNorm, SiLU, Conv2d")
    assert changes["down"] == ("max pooling 2 × 2", "Conv2d of stride 2")
    assert changes["cross-attention"] == ("none", "4 layers, keys of width 32")
    shown = repr(found)
    assert "572² → 568²" in shown
    assert "1 resnets, 1 self + 1 cross" in shown
