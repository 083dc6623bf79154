"""Tiny random pipelines of video, from the real classes, without a download: CogVideoX, Wan, AnimateDiff."""

from typing import Any

import diffusers as df
import torch
import transformers as tf
from more_transformers import made, quiet
from tiny_pipelines import text_config, tokenizer, vae
from tiny_tokenizers import t5_tokenizer
from tiny_transformers import t5

FRAMES = 9
SIZES = {
    "cogvideox": {"height": 16, "width": 32, "num_frames": FRAMES},
    "wan": {"height": 16, "width": 32, "num_frames": FRAMES, "max_sequence_length": 16},
    "animatediff": {"height": 16, "width": 32, "num_frames": 3, "decode_chunk_size": 2},
}
"""Family → what a short call is given beside its prompt; sides are not the same, so that y and x can be told apart."""


def cogvideox(scheduler: Any = None, **options: Any) -> df.CogVideoXPipeline:
    transformer = made(
        df.CogVideoXTransformer3DModel,
        num_attention_heads=4,
        attention_head_dim=options.pop("attention_head_dim", 8),
        in_channels=4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=32,
        num_layers=2,
        sample_width=4,
        sample_height=2,
        sample_frames=FRAMES,
        patch_size=2,
        temporal_compression_ratio=4,
        max_text_seq_length=226,
        **options,
    )
    torch.manual_seed(1)
    video = df.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8,) * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    return quiet(
        df.CogVideoXPipeline(
            transformer=transformer,
            vae=video.eval(),
            scheduler=scheduler or df.CogVideoXDDIMScheduler(prediction_type="v_prediction"),
            text_encoder=t5(),
            tokenizer=t5_tokenizer(),
        )
    )


def wan_transformer() -> torch.nn.Module:
    return made(
        df.WanTransformer3DModel,
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
    )


def wan(**options: Any) -> df.WanPipeline:
    torch.manual_seed(2)
    video = df.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    torch.manual_seed(3)
    text = tf.UMT5EncoderModel(
        tf.UMT5Config(vocab_size=500, d_model=32, d_kv=8, d_ff=32, num_layers=2, num_heads=4, feed_forward_proj="relu")
    )
    flow = df.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    return quiet(
        df.WanPipeline(
            transformer=wan_transformer(),
            vae=video.eval(),
            scheduler=flow,
            text_encoder=text.eval(),
            tokenizer=t5_tokenizer(),
            **options,
        )
    )


def animatediff() -> df.AnimateDiffPipeline:
    unet = made(
        df.UNet2DConditionModel,
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=4,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        norm_num_groups=2,
        attention_head_dim=4,
    )
    torch.manual_seed(4)
    text = tf.CLIPTextModel(text_config()).eval()
    motion = made(
        df.MotionAdapter,
        block_out_channels=(8, 8),
        motion_layers_per_block=1,
        motion_norm_num_groups=2,
        motion_num_attention_heads=2,
    )
    return quiet(
        df.AnimateDiffPipeline(
            vae=vae(),
            text_encoder=text,
            tokenizer=tokenizer(),
            unet=unet,
            motion_adapter=motion,
            scheduler=df.DDIMScheduler(beta_schedule="linear", clip_sample=False),
        )
    )


VIDEOS = {"cogvideox": cogvideox, "wan": wan, "animatediff": animatediff}


def wan_of_two(**options: Any) -> df.WanPipeline:
    """Wan 2.2's pair: the first transformer draws the noisy steps, the second those below 0.8 of the timesteps."""
    pipe = wan(boundary_ratio=0.8, **options)
    torch.manual_seed(5)
    second = wan_transformer()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.mul_(1.1)
    pipe.register_modules(transformer_2=second)
    return pipe


def cogvideox_of_dpm() -> df.CogVideoXPipeline:
    return cogvideox(df.CogVideoXDPMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"))


def cogvideox_of_15() -> df.CogVideoXPipeline:
    """Patches of two frames: a frame of latents is put in front where their number is odd."""
    return cogvideox(patch_size_t=2, patch_bias=False, use_rotary_positional_embeddings=True, attention_head_dim=16)


EVERY = {**VIDEOS, "wan of two": wan_of_two, "cogvideox, DPM": cogvideox_of_dpm, "cogvideox 1.5": cogvideox_of_15}
