"""Tiny random pipelines of every family, from the real classes, without a download."""

from pathlib import Path
from typing import Any

import shared_previews
import shared_tokenizers
import torch
from copied_networks import copied
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    LDMPipeline,
    LDMTextToImagePipeline,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizerFast

import sdexplore

shared_tokenizers.install()
shared_previews.install()
TOKENIZER = Path(sdexplore.__file__).parent / "mini" / "pipeline" / "tokenizer"  # CLIP's real vocabulary
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt")  # files of it; transformers 5 writes the first alone


def tokenizer(**options: Any) -> CLIPTokenizerFast:
    """CLIP's tokenizer, shared by all tests."""
    return CLIPTokenizerFast.from_pretrained(TOKENIZER, **options)


def pndm(**config: Any) -> PNDMScheduler:
    """Stable Diffusion 1.5's own scheduler."""
    return PNDMScheduler(
        **{
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "skip_prk_steps": True,
            "steps_offset": 1,
            "set_alpha_to_one": False,
            **config,
        }
    )


@copied
def unet(**config: Any) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "layers_per_block": 1,
            "block_out_channels": (32, 64),
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": 32,
            "attention_head_dim": 4,
            "norm_num_groups": 8,
            **config,
        }
    ).eval()


@copied
def vae(**config: Any) -> AutoencoderKL:
    torch.manual_seed(1)
    return AutoencoderKL(
        **{
            "sample_size": 64,
            "block_out_channels": (16, 32, 32, 32),
            "layers_per_block": 1,
            "norm_num_groups": 8,
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            **config,
        }
    ).eval()


def text_config(**config: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        **{
            "vocab_size": 49408,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
            "pad_token_id": 1,
            "projection_dim": 32,
            **config,
        }
    )


@copied
def text_encoder() -> CLIPTextModel:
    """Stable Diffusion 1.x's, 32 wide."""
    torch.manual_seed(2)
    return CLIPTextModel(text_config()).eval()


def stable_diffusion(scheduler: Any = None, **unet_config: Any) -> StableDiffusionPipeline:
    """Stable Diffusion 1.x: 64 x 64 pixels, two cross-attention layers of four heads, and the mid block's."""
    pipe = StableDiffusionPipeline(
        text_encoder=text_encoder(),
        unet=unet(**unet_config),
        vae=vae(),
        tokenizer=tokenizer(),
        scheduler=scheduler or pndm(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@copied
def text_encoders_xl() -> torch.nn.ModuleList:
    torch.manual_seed(3)
    first = CLIPTextModel(text_config(hidden_size=32))
    second = CLIPTextModelWithProjection(text_config(hidden_size=32, eos_token_id=49407))
    return torch.nn.ModuleList((first, second)).eval()


def stable_diffusion_xl(scheduler: Any = None) -> StableDiffusionXLPipeline:
    """SDXL: two tokenizers (the second pads with "!"), pooled embeddings and time ids."""
    first, second = text_encoders_xl()
    pipe = StableDiffusionXLPipeline(
        unet=unet(
            block_out_channels=(32, 64),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            transformer_layers_per_block=(1, 2),
            projection_class_embeddings_input_dim=6 * 8 + 32,
            cross_attention_dim=64,
        ),
        vae=vae(scaling_factor=0.13025),
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(pad_token="!"),  # noqa: S106  (a token of text)
        scheduler=scheduler or pndm(),
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def unet_2d(channels: int = 3, side: int = 16) -> UNet2DModel:
    """DDPM's UNet: two levels, self-attention on the lower one and at the bottom."""
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=1,
        block_out_channels=(16, 32),
        norm_num_groups=8,
        attention_head_dim=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    ).eval()


def vqvae() -> VQModel:
    """The autoencoder of latent diffusion's first pipelines, factor 2."""
    torch.manual_seed(1)
    return VQModel(
        latent_channels=3,
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=8,
        num_vq_embeddings=32,
    ).eval()


def ddpm(channels: int = 3) -> DDPMPipeline:
    """Unconditional, on pixels."""
    pipe = DDPMPipeline(unet_2d(channels), DDPMScheduler())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latent_diffusion() -> LDMPipeline:
    """Unconditional, on the latents of a VQ-VAE."""
    pipe = LDMPipeline(vqvae(), unet_2d(), DDIMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latent_diffusion_text() -> LDMTextToImagePipeline:
    """Latent diffusion's own text to image: a BERT of its own, which sees all tokens."""
    torch.manual_seed(2)
    config = LDMBertConfig(
        vocab_size=49408,
        max_position_embeddings=77,
        d_model=32,
        encoder_layers=2,
        encoder_ffn_dim=64,
        encoder_attention_heads=4,
        head_dim=8,
    )
    pipe = LDMTextToImagePipeline(
        vqvae=vae(),
        bert=LDMBertModel(config).eval(),
        tokenizer=tokenizer(),
        unet=unet(),
        scheduler=DDIMScheduler(clip_sample=False),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
