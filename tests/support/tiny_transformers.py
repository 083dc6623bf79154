"""Tiny random pipelines of diffusion transformers, from the real classes, without a download."""

import torch
from diffusers import (
    CogView3PlusTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from tiny_pipelines import text_config, tokenizer, vae
from tiny_tokenizers import t5_tokenizer
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel


def t5(width: int = 32) -> T5EncoderModel:
    config = T5Config(vocab_size=80, d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4, dropout_rate=0.0)
    return T5EncoderModel(config).eval()


def lively(transformer: torch.nn.Module) -> torch.nn.Module:
    """Random where diffusers starts at zero, so that every layer matters."""
    with torch.no_grad():
        for parameter in transformer.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return transformer.eval()


def sd3(seed: int = 0, dual: tuple[int, ...] = (0,)) -> StableDiffusion3Pipeline:
    """SD 3.5 medium: three joint blocks, the first of which attends to the picture once more; CLIP twice, and T5."""
    torch.manual_seed(seed)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=64,
        pooled_projection_dim=64,
        out_channels=4,
        dual_attention_layers=dual,
        qk_norm="rms_norm",
        pos_embed_max_size=16,
    )
    pipe = StableDiffusion3Pipeline(
        transformer=lively(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(latent_channels=4, shift_factor=0.0609, scaling_factor=1.5305),
        text_encoder=CLIPTextModelWithProjection(text_config()).eval(),
        tokenizer=tokenizer(),
        text_encoder_2=CLIPTextModelWithProjection(text_config()).eval(),
        tokenizer_2=tokenizer(pad_token="!"),  # noqa: S106
        text_encoder_3=t5(width=64),
        tokenizer_3=t5_tokenizer(),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def unknown() -> FluxPipeline:
    """FLUX.1's parts around a transformer of no known family, CogView3-Plus's."""
    pipe = flux()
    torch.manual_seed(0)
    pipe.register_modules(
        transformer=CogView3PlusTransformer2DModel(
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            out_channels=4,
            text_embed_dim=32,
            time_embed_dim=8,
            condition_dim=2,
            pos_embed_max_size=8,
            sample_size=8,
        ).eval()
    )
    return pipe


def flux(seed: int = 0) -> FluxPipeline:
    """FLUX.1: two double blocks, then two single ones; CLIP for the pooled embedding, T5 for the text."""
    torch.manual_seed(seed)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    pipe = FluxPipeline(
        transformer=lively(transformer),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(latent_channels=4, shift_factor=0.0609, scaling_factor=1.5035),
        text_encoder=CLIPTextModel(text_config()).eval(),
        tokenizer=tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
