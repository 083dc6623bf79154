"""Configurations as published on the hub (unet/config.json and others), where they differ from the classes' defaults.

Of stable-diffusion-v1-5, stabilityai/stable-diffusion-2-1, stable-diffusion-xl-base-1.0, -refiner-1.0,
stable-diffusion-3-medium-diffusers, FLUX.1-dev (black-forest-labs) and PixArt-alpha/PixArt-XL-2-1024-MS.
"""

from typing import Any

_CROSS, _PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
_CROSS_UP, _PLAIN_UP = "CrossAttnUpBlock2D", "UpBlock2D"

UNETS: dict[str, dict[str, Any]] = {
    "SD 1.x": {
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": (_CROSS, _CROSS, _CROSS, _PLAIN),
        "up_block_types": (_PLAIN_UP, _CROSS_UP, _CROSS_UP, _CROSS_UP),
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    "SD 2.x": {
        "sample_size": 96,
        "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": (_CROSS, _CROSS, _CROSS, _PLAIN),
        "up_block_types": (_PLAIN_UP, _CROSS_UP, _CROSS_UP, _CROSS_UP),
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "SDXL base": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": (_PLAIN, _CROSS, _CROSS),
        "up_block_types": (_CROSS_UP, _CROSS_UP, _PLAIN_UP),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "SDXL refiner": {
        "sample_size": 128,
        "block_out_channels": (384, 768, 1536, 1536),
        "down_block_types": (_PLAIN, _CROSS, _CROSS, _PLAIN),
        "up_block_types": (_PLAIN_UP, _CROSS_UP, _CROSS_UP, _PLAIN_UP),
        "transformer_layers_per_block": 4,
        "cross_attention_dim": 1280,
        "attention_head_dim": (6, 12, 24, 24),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2560,
    },
}
_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
VAES: dict[str, dict[str, Any]] = {
    "SD 1.x": {**_VAE, "sample_size": 512},
    "SD 2.x": {**_VAE, "sample_size": 768},
    "SDXL base": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
    "SDXL refiner": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
}
_TEXT = {"vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
_CLIP_L = {
    **_TEXT,
    "projected": False,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
_CLIP_G = {
    **_TEXT,
    "projected": True,
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
_CLIP_H = {
    **_TEXT,
    "projected": False,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "projection_dim": 512,
    "hidden_act": "gelu",
}
TEXT: dict[str, dict[str, dict[str, Any]]] = {
    "SD 1.x": {"text_encoder": _CLIP_L},
    "SD 2.x": {"text_encoder": _CLIP_H},
    "SDXL base": {"text_encoder": _CLIP_L, "text_encoder_2": _CLIP_G},
    "SDXL refiner": {"text_encoder_2": _CLIP_G},
}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "SD 3": {
        "_class_name": "SD3Transformer2DModel",
        "sample_size": 128,
        "patch_size": 2,
        "in_channels": 16,
        "num_layers": 24,
        "attention_head_dim": 64,
        "num_attention_heads": 24,
        "joint_attention_dim": 4096,
        "caption_projection_dim": 1536,
        "pooled_projection_dim": 2048,
        "out_channels": 16,
        "pos_embed_max_size": 192,
    },
    "FLUX": {
        "_class_name": "FluxTransformer2DModel",
        "patch_size": 1,
        "in_channels": 64,
        "num_layers": 19,
        "num_single_layers": 38,
        "attention_head_dim": 128,
        "num_attention_heads": 24,
        "joint_attention_dim": 4096,
        "pooled_projection_dim": 768,
        "guidance_embeds": True,
    },
    "PixArt": {
        "_class_name": "PixArtTransformer2DModel",
        "num_attention_heads": 16,
        "attention_head_dim": 72,
        "in_channels": 4,
        "out_channels": 8,
        "num_layers": 28,
        "cross_attention_dim": 1152,
        "attention_bias": True,
        "sample_size": 128,
        "patch_size": 2,
        "activation_fn": "gelu-approximate",
        "num_embeds_ada_norm": 1000,
        "norm_type": "ada_norm_single",
        "norm_elementwise_affine": False,
        "norm_eps": 1e-6,
        "caption_channels": 4096,
    },
}
