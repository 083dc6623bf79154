"""Tiny random pipelines that call the denoiser, or return their pictures, in ways of their own."""

from typing import Any

import diffusers
import torch
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from tiny_families import as_family
from tiny_pipelines import stable_diffusion, unet, unet_2d, vae
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

SIDE = 32  # of the vision model's pictures


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def parts(pipe: Any, *without: str) -> dict[str, Any]:
    return {name: part for name, part in pipe.components.items() if name not in without}


def attend_and_excite() -> Any:
    pipe = stable_diffusion(sample_size=32)
    cls = diffusers.StableDiffusionAttendAndExcitePipeline
    return quiet(cls(**parts(pipe, "image_encoder"), requires_safety_checker=False))


def semantic() -> Any:
    cls = diffusers.SemanticStableDiffusionPipeline
    return quiet(cls(**parts(stable_diffusion(), "image_encoder"), requires_safety_checker=False))


def safe() -> Any:
    from diffusers.pipelines.deprecated.stable_diffusion_safe import StableDiffusionPipelineSafe

    return as_family(StableDiffusionPipelineSafe, stable_diffusion())


def controlnet_xs() -> Any:
    pipe = stable_diffusion(layers_per_block=2)
    torch.manual_seed(1)
    control = diffusers.ControlNetXSAdapter.from_unet(
        pipe.unet, size_ratio=0.5, conditioning_embedding_out_channels=(8, 8, 16, 16), num_attention_heads=2
    ).eval()
    for one in control.parameters():
        torch.nn.init.normal_(one, std=0.05)
    cls = diffusers.StableDiffusionControlNetXSPipeline
    return quiet(cls(**parts(pipe, "image_encoder"), controlnet=control, requires_safety_checker=False))


def eye(projection: int = 32) -> CLIPVisionModelWithProjection:
    torch.manual_seed(4)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = CLIPVisionConfig(**sizes, image_size=SIDE, patch_size=8, projection_dim=projection)
    return CLIPVisionModelWithProjection(config).eval()


def looks() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SIDE)


def unclip_of_pictures() -> Any:
    pipe = stable_diffusion(class_embed_type="projection", projection_class_embeddings_input_dim=64)
    return quiet(
        diffusers.StableUnCLIPImg2ImgPipeline(
            **parts(pipe, "image_encoder", "feature_extractor", "safety_checker"),
            feature_extractor=looks(),
            image_encoder=eye(),
            image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=32),
            image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        )
    )


def image_variation() -> Any:
    pipe = stable_diffusion()
    kept = parts(pipe, "image_encoder", "feature_extractor", "text_encoder", "tokenizer")
    cls = diffusers.StableDiffusionImageVariationPipeline
    return quiet(cls(**kept, image_encoder=eye(), feature_extractor=looks(), requires_safety_checker=False))


def upscaler() -> Any:
    """The x4 upscaler: its guidance scale is no attribute of the pipeline."""
    pipe = stable_diffusion()
    made = unet(
        in_channels=7, out_channels=4, num_class_embeds=100, use_linear_projection=True, attention_head_dim=(2, 4)
    )
    own = vae(block_out_channels=(16, 32, 32), down_block_types=("DownEncoderBlock2D",) * 3, scaling_factor=0.08333,
              up_block_types=("UpDecoderBlock2D",) * 3)  # fmt: skip
    kept = parts(pipe, "unet", "vae", "image_encoder", "scheduler")
    scheduler = diffusers.DDIMScheduler(prediction_type="v_prediction", clip_sample=False)
    cls = diffusers.StableDiffusionUpscalePipeline
    return quiet(cls(**kept, unet=made, vae=own, scheduler=scheduler, low_res_scheduler=diffusers.DDPMScheduler()))


def paint_by_example() -> Any:
    from diffusers.pipelines.deprecated.paint_by_example import PaintByExamplePipeline
    from diffusers.pipelines.deprecated.paint_by_example.image_encoder import PaintByExampleImageEncoder

    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4}
    encoder = PaintByExampleImageEncoder(CLIPVisionConfig(**sizes, image_size=SIDE, patch_size=8, projection_dim=32))
    pipe = stable_diffusion(in_channels=9, out_channels=4)
    kept = parts(pipe, "image_encoder", "feature_extractor", "text_encoder", "tokenizer")
    made = PaintByExamplePipeline(
        **kept, image_encoder=encoder.eval(), feature_extractor=looks(), requires_safety_checker=False
    )
    return quiet(made)


def depth_beside() -> Any:
    """LDM3D: its output has `rgb` and `depth`, and no `images`."""
    pipe = stable_diffusion()
    own = vae(in_channels=6, out_channels=6)
    kept = parts(pipe, "vae", "image_encoder")
    cls = diffusers.StableDiffusionLDM3DPipeline
    return quiet(cls(**kept, vae=own, image_encoder=None, requires_safety_checker=False))


def learned_variance() -> Any:
    """Improved DDPM: the denoiser predicts noise and variance, six channels for three."""
    made = unet_2d()
    config = {**made.config, "out_channels": 6}
    torch.manual_seed(0)
    own = type(made).from_config(config).eval()
    return quiet(diffusers.DDPMPipeline(own, diffusers.DDPMScheduler(variance_type="learned_range", clip_sample=False)))


def self_attention_guided() -> Any:
    return as_family(diffusers.StableDiffusionSAGPipeline, stable_diffusion())
