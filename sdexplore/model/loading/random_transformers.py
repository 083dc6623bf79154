"""Pipelines like Stable Diffusion 3 and FLUX.1 with small transformers and random weights, to measure times.

1024 picture tokens and 154 of text, width 512, six blocks: enough for attention to weigh what it weighs in the real
models, and a step takes a second on one core. Their pictures are noise.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import diffusers
import torch
from diffusers import DiffusionPipeline
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from ...base.errors import LoadError, did_you_mean
from .single_files import tokenizer

SIDE: Final = 512  # pixels
_HEADS, _WIDTH = 8, 64
_VOCABULARY, _POSITIONS = 49408, 77
# How the pipelines are called: 77 + 77 positions of text for SD 3, whose CLIP has 77 of its own.
CALLS: Final[Mapping[str, Mapping[str, Any]]] = {
    "sd3-like": {"height": SIDE, "width": SIDE, "max_sequence_length": _POSITIONS},
    "flux-like": {"height": SIDE, "width": SIDE, "max_sequence_length": 2 * _POSITIONS},
}


def random_transformer_pipeline(size: str, device: torch.device) -> DiffusionPipeline:
    """The pipeline of a name in `CALLS`, seed 0; float32 on a CPU, float16 elsewhere.

    Raises:
        LoadError: There is no such name.
    """
    made: Mapping[str, Callable[[], Any]] = {"sd3-like": _sd3, "flux-like": _flux}
    if size not in made:
        raise LoadError(f"no random transformer of size {size!r}; {did_you_mean(size, made)}")
    torch.manual_seed(0)
    pipe: Any = made[size]()
    pipe.register_to_config(_name_or_path=f"random-{size}")
    pipe.set_progress_bar_config(disable=True)
    moved: DiffusionPipeline = pipe.to(device)
    return moved if device.type == "cpu" else moved.to(torch.float16)


def _sd3() -> Any:
    width = _HEADS * _WIDTH
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIDE // 8,
        in_channels=16,
        num_layers=6,
        attention_head_dim=_WIDTH,
        num_attention_heads=_HEADS,
        joint_attention_dim=width,
        caption_projection_dim=width,
        pooled_projection_dim=64,
        qk_norm="rms_norm",
        pos_embed_max_size=96,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer.eval(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(),
        text_encoder=_clip(CLIPTextModelWithProjection),
        tokenizer=tokenizer(None),
        text_encoder_2=_clip(CLIPTextModelWithProjection),
        tokenizer_2=tokenizer("!"),
        text_encoder_3=None,
        tokenizer_3=None,
    )


def _flux() -> Any:
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=4,
        attention_head_dim=_WIDTH,
        num_attention_heads=_HEADS,
        joint_attention_dim=64,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(16, 24, 24),
    )
    t5 = T5Config(vocab_size=_VOCABULARY, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4)
    return diffusers.FluxPipeline(
        transformer=transformer.eval(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(),
        text_encoder=_clip(CLIPTextModel),
        tokenizer=tokenizer(None),
        text_encoder_2=T5EncoderModel(t5).eval(),
        tokenizer_2=tokenizer(None),  # CLIP's pieces stand in for T5's: a T5 would have to be downloaded
    )


def _clip(cls: Any) -> torch.nn.Module:
    config = CLIPTextConfig(
        vocab_size=_VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=32,
    )
    network: torch.nn.Module = cls(config)
    return network.eval()


def _vae() -> torch.nn.Module:
    vae = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 16, 16, 16),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=16,
        shift_factor=0.0609,
        scaling_factor=1.5305,
    )
    network: torch.nn.Module = vae.eval()
    return network
