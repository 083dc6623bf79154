"""Tiny random pipelines of the other families; adapters, processors and patches that people put into a pipeline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import accelerate
import numpy as np
import torch
from diffusers import (
    ControlNetModel,
    DDIMScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPAGPipeline,
)
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention, FusedAttnProcessor2_0, SlicedAttnProcessor
from peft.tuners.tuners_utils import BaseTunerLayer
from PIL import Image
from safetensors.torch import save_file
from tiny_pipelines import pndm, stable_diffusion, stable_diffusion_xl

import sdexplore

_SCHEDULE = {"beta_schedule": "scaled_linear", "steps_offset": 1}
IMAGE_EMBEDDING = 16  # width of what an IP-Adapter's image encoder would give


def stable_diffusion_2() -> StableDiffusionPipeline:
    """Stable Diffusion 2.x: v-prediction, linear projections, upcast attention, a list of heads by level."""
    return stable_diffusion(
        DDIMScheduler(**_SCHEDULE, clip_sample=False, prediction_type="v_prediction", rescale_betas_zero_snr=True),
        block_out_channels=(32, 64, 96),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=(2, 8, 6),  # the number of heads, despite its name
        use_linear_projection=True,
        upcast_attention=True,
    )


def latent_consistency() -> LatentConsistencyModelPipeline:
    """LCM: the guidance scale is an input of the UNet, and the batch is not doubled."""
    pipe = stable_diffusion(LCMScheduler(**_SCHEDULE), time_cond_proj_dim=32)
    return as_family(LatentConsistencyModelPipeline, pipe)


def as_family(cls: Any, pipe: Any, **more: Any) -> Any:
    """Another pipeline of the components of `pipe` and these."""
    safety = {} if "XL" in cls.__name__ else {"requires_safety_checker": False}
    made = cls(**{**pipe.components, **more}, **safety)
    made.set_progress_bar_config(disable=True)
    return made


def with_processor(pipe: Any, processor: Any) -> Any:
    pipe.unet.set_attn_processor(processor)
    return pipe


def img2img() -> StableDiffusionImg2ImgPipeline:
    return as_family(StableDiffusionImg2ImgPipeline, stable_diffusion())


def inpaint(channels: int = 4) -> StableDiffusionInpaintPipeline:
    """Inpainting: with the usual UNet (4 channels) or one that is given mask and masked picture (9)."""
    pipe = stable_diffusion(in_channels=channels, out_channels=4)
    return as_family(StableDiffusionInpaintPipeline, pipe)


def instruct_pix2pix() -> StableDiffusionInstructPix2PixPipeline:
    """InstructPix2Pix: three rows, of prompt and picture, picture alone, neither."""
    pipe = stable_diffusion(in_channels=8, out_channels=4)
    return as_family(StableDiffusionInstructPix2PixPipeline, pipe)


def controlnet() -> StableDiffusionControlNetPipeline:
    """ControlNet: its own attention layers bear the UNet's names, its zero convolutions are not zero."""
    pipe = stable_diffusion()
    torch.manual_seed(4)
    control = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 8, 16, 16)).eval()
    for parameter in control.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return as_family(StableDiffusionControlNetPipeline, pipe, controlnet=control)


def pag(layers: tuple[str, ...] = ("mid",)) -> StableDiffusionPAGPipeline:
    """Perturbed-attention guidance in the named layers."""
    return as_family(StableDiffusionPAGPipeline, stable_diffusion(), pag_applied_layers=list(layers))


def pag_xl() -> StableDiffusionXLPAGPipeline:
    return as_family(StableDiffusionXLPAGPipeline, stable_diffusion_xl(), pag_applied_layers=["mid"])


def ip_adapter(folder: Path) -> StableDiffusionPipeline:
    """Stable Diffusion with random IP-Adapter weights, written to `folder` and read by diffusers' own loader."""
    pipe = stable_diffusion()
    torch.manual_seed(5)
    width = pipe.unet.config.cross_attention_dim
    weights = {
        "image_proj.proj.weight": torch.randn(4 * width, IMAGE_EMBEDDING),
        "image_proj.proj.bias": torch.randn(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    names = [name.removesuffix(".processor") for name in pipe.unet.attn_processors]
    for number, name in enumerate(names):
        if name.endswith("attn2"):
            inner = pipe.unet.get_submodule(name).inner_dim
            weights |= {f"ip_adapter.{number}.to_{part}_ip.weight": torch.randn(inner, width) for part in "kv"}
    save_file(weights, folder / "ip-adapter.safetensors")
    pipe.load_ip_adapter(str(folder), subfolder="", weight_name="ip-adapter.safetensors", image_encoder_folder=None)
    pipe.set_ip_adapter_scale(0.6)
    return pipe


def image_embeds(rows: int = 2) -> list[torch.Tensor]:
    """What `ip_adapter_image_embeds` takes: one picture's embedding, behind an empty one where guidance is on."""
    found = torch.randn(1, 1, IMAGE_EMBEDDING, generator=torch.Generator().manual_seed(6))
    return [torch.cat([torch.zeros_like(found)] * (rows - 1) + [found])]


def lora_weights(pipe: Any, seed: int = 7, rank: int = 2) -> dict[str, torch.Tensor]:
    """Random LoRA weights for every query and key projection of the UNet, under diffusers' own keys."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, module in pipe.unet.named_modules():
        if isinstance(module, Attention):
            for part in ("to_q", "to_k"):
                base = getattr(module, part)
                down = torch.randn(rank, base.in_features, generator=generator) / base.in_features**0.5
                up = torch.randn(base.out_features, rank, generator=generator) / 4
                weights |= {f"unet.{name}.{part}.lora_A.weight": down, f"unet.{name}.{part}.lora_B.weight": up}
    return weights


def picture(height: int = 64, width: int = 64, seed: int = 8) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def mask(height: int = 64, width: int = 64) -> Image.Image:
    """White in the left half, which is painted anew."""
    array = np.zeros((height, width), np.uint8)
    array[:, : width // 2] = 255
    return Image.fromarray(array)


class OpaqueProcessor:
    """In the place of xformers': projections in an order of its own, then an operation that shows no probabilities."""

    def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, **_: Any) -> torch.Tensor:
        keys = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        value, key, query = (
            attn.head_to_batch_dim(projected).contiguous()
            for projected in (attn.to_v(keys), attn.to_k(keys), attn.to_q(hidden_states))
        )
        hidden_states = attn.batch_to_head_dim(self.compute(query, key, value, attn.scale))
        return attn.to_out[1](attn.to_out[0](hidden_states)) / attn.rescale_output_factor

    @staticmethod
    def compute(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        """Attention over (row · head, position, width), computed as no other processor does."""
        scores = query.double() @ key.double().transpose(-1, -2) * scale
        return (scores.softmax(-1) @ value.double()).to(value.dtype)


def wide(**config: Any) -> StableDiffusionPipeline:
    """Stable Diffusion with attention on three levels, so that odd sizes stay odd downwards."""
    return stable_diffusion(
        pndm(),
        block_out_channels=(32, 32, 64),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        **config,
    )


def fused(pipe: Any) -> None:
    pipe.fuse_qkv_projections()
    assert all(isinstance(one, FusedAttnProcessor2_0) for one in pipe.unet.attn_processors.values())


def unfused(pipe: Any) -> None:
    pipe.fuse_qkv_projections()
    pipe.unfuse_qkv_projections()


def sliced(pipe: Any) -> None:
    pipe.enable_attention_slicing(1)
    assert all(isinstance(one, SlicedAttnProcessor) for one in pipe.unet.attn_processors.values())


def lora(pipe: Any) -> None:
    pipe.load_lora_weights(lora_weights(pipe), adapter_name="style")
    assert isinstance(pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_q, BaseTunerLayer)


def lora_after_a_trace(pipe: Any) -> None:
    sdexplore.run(pipe, "a cat", num_inference_steps=1)
    lora(pipe)
    sdexplore.run(pipe, "a cat", num_inference_steps=1)
    pipe.load_lora_weights(lora_weights(pipe, seed=9), adapter_name="second")
    pipe.set_adapters(["style", "second"], [0.5, 0.8])


def lora_fused(pipe: Any) -> None:
    lora(pipe)
    pipe.fuse_lora()


def lora_unloaded(pipe: Any) -> None:
    lora(pipe)
    sdexplore.run(pipe, "a cat", num_inference_steps=1)
    pipe.unload_lora_weights()


def scaled(pipe: Any) -> None:
    """Another scale in the layers: the naive processor uses it, torch's fused attention does not."""
    for module in pipe.unet.modules():
        if isinstance(module, Attention):
            module.scale *= 2


def sequential(pipe: Any) -> None:
    """Does what enable_sequential_cpu_offload does, but needs no accelerator."""
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        accelerate.cpu_offload(part, torch.device("cpu"))
    assert {parameter.device.type for parameter in pipe.unet.parameters()} == {"meta"}


def groups(kind: str) -> Callable[[Any], None]:
    """Offloads in groups: "block_level" or "leaf_level"."""
    options = {"num_blocks_per_group": 1} if kind == "block_level" else {}

    def offload(pipe: Any) -> None:
        # diffusers 0.36 asks for the module of the accelerator even on a machine without one
        with mock.patch.object(torch.accelerator, "current_accelerator", return_value=torch.device("cuda")):
            pipe.enable_group_offload(torch.device("cpu"), offload_type=kind, **options)

    return offload


def ddim(pipe: Any) -> None:
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)


def merging(name: str, **arguments: Any) -> Any:
    """A transformer block as tomesd makes it: every second pixel is merged before self-attention."""

    def forward(self: Any, hidden_states: Any, encoder_hidden_states: Any = None, **_: Any) -> Any:
        merged = self.attn1(self.norm1(hidden_states).unflatten(1, (-1, 2)).mean(2))
        hidden_states = hidden_states + merged.repeat_interleave(2, 1)
        hidden_states = hidden_states + self.attn2(self.norm2(hidden_states), encoder_hidden_states)
        return hidden_states + self.ff(self.norm3(hidden_states))

    return type(name, (BasicTransformerBlock,), {"forward": forward, "_tome_info": {"args": arguments}})
