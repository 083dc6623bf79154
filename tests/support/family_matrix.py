"""Pipelines that people use, each with a call and the roles of its denoiser calls."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tiny_families as families
import torch
from diffusers.callbacks import SDCFGCutoffCallback
from diffusers.models.attention_processor import AttnProcessor
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

PROMPT = "a photo of a cat and a cat"  # every word is one token


POSITIONS = 77
PLAIN = {"cond": [PROMPT], "uncond": [""]}


GUIDED, ALONE, PERTURBED = ("uncond", "cond"), ("cond",), ("uncond", "cond", "perturbed")
EVERYTHING = sdx.Record(
    cross_attention="heads", roles=(*PERTURBED, "image"), self_attention=("",), dtype="float32", decode=2
)


@dataclass(frozen=True)
class Family:
    """One way to run a pipeline.

    Attributes:
        make: The pipeline; gets a folder to write to.
        arguments: Of the call, or a function of the pipeline that gives them.
        roles: Of each denoiser call, in the order of diffusers' batch, as its source has it.
        late_roles: Of the calls from the fourth on, where they differ.
        size: Of the image, (height, width).
        texts: Prompts and negative prompts of the call; None where only embeddings are given.
        adapters: How many further attentions each cross-attention layer makes (over an adapter's picture tokens).
    """

    make: Callable[[Path], Any]
    arguments: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] = field(default_factory=dict)
    roles: tuple[str, ...] = GUIDED
    late_roles: tuple[str, ...] | None = None
    size: tuple[int, int] = (64, 64)
    texts: Mapping[str, list[str]] | None = field(default_factory=lambda: PLAIN)
    images_per_prompt: int = 1
    adapters: int = 0

    @property
    def images(self) -> int:
        return self.images_per_prompt * (len(self.texts["cond"]) if self.texts else 1)

    def roles_of(self, call: int) -> tuple[str, ...]:
        return self.late_roles if self.late_roles and call >= 3 else self.roles

    def cut(self, role: str, image: int) -> int:
        """How many columns are recorded one by one: the start, one for each word, the end."""
        if self.texts is None:
            return POSITIONS
        text = self.texts["cond" if role in ("cond", "perturbed") else "uncond"][image // self.images_per_prompt]
        return len(text.split()) + 2


def sd(**arguments):
    return {"make": lambda _: stable_diffusion(), "arguments": arguments}


def prepared(prepare):
    """Stable Diffusion after `prepare(pipe)`."""

    def make(_):
        pipe = stable_diffusion()
        prepare(pipe)
        return pipe

    return make


def embeddings(pipe):
    cond, uncond = pipe.encode_prompt(PROMPT, "cpu", 1, do_classifier_free_guidance=True)
    return {"prompt_embeds": cond, "negative_prompt_embeds": uncond}


def cut_off(_):
    return {"callback_on_step_end": SDCFGCutoffCallback(cutoff_step_ratio=0.5), "num_inference_steps": 4}


INPAINT = {"image": families.picture(), "mask_image": families.mask()}


NEGATIVE = {"cond": [PROMPT], "uncond": ["ugly hat"]}


TWO = {"cond": ["a cat", "a photo of two dogs"], "uncond": ["bad", "an ugly hat"]}


TWO_ARGUMENTS = {"prompt": TWO["cond"], "negative_prompt": TWO["uncond"]}


ALONE_ARGUMENTS = {"guidance_scale": 1.0}


MATRIX = {
    "SD 1.x": Family(**sd()),
    "SD 1.x, bfloat16": Family(prepared(lambda pipe: pipe.to(torch.bfloat16))),
    "SD 2.x": Family(lambda _: families.stable_diffusion_2()),
    "SD 2.x, naive and upcast": Family(
        lambda _: families.with_processor(families.stable_diffusion_2(), AttnProcessor())
    ),
    "SDXL, zeroed uncond": Family(lambda _: stable_diffusion_xl()),
    "SDXL, negative prompt, 64 × 96": Family(
        lambda _: stable_diffusion_xl(), {"negative_prompt": "ugly hat"}, size=(64, 96), texts=NEGATIVE
    ),
    "SDXL, guidance off": Family(lambda _: stable_diffusion_xl(), ALONE_ARGUMENTS, roles=ALONE),
    "LCM": Family(lambda _: families.latent_consistency(), roles=ALONE),
    "img2img": Family(lambda _: families.img2img(), {"image": families.picture(), "strength": 0.7}),
    "inpaint, 4 channels": Family(lambda _: families.inpaint(4), INPAINT),
    "inpaint, 9 channels": Family(lambda _: families.inpaint(9), INPAINT),
    "InstructPix2Pix": Family(
        lambda _: families.instruct_pix2pix(), {"image": families.picture()}, roles=("cond", "image", "uncond")
    ),
    "ControlNet": Family(lambda _: families.controlnet(), {"image": families.picture()}),
    "ControlNet, guess mode": Family(
        lambda _: families.controlnet(), {"image": families.picture(), "guess_mode": True}
    ),
    "IP-Adapter": Family(families.ip_adapter, {"ip_adapter_image_embeds": families.image_embeds(2)}, adapters=1),
    "IP-Adapter, guidance off": Family(
        families.ip_adapter,
        {"ip_adapter_image_embeds": families.image_embeds(1), "guidance_scale": 1.0},
        roles=ALONE,
        adapters=1,
    ),
    "PAG, mid": Family(lambda _: families.pag(), roles=PERTURBED),
    "PAG, all layers": Family(lambda _: families.pag(("down", "mid", "up")), roles=PERTURBED),
    "PAG, guidance off": Family(lambda _: families.pag(), ALONE_ARGUMENTS, roles=("cond", "perturbed")),
    "PAG scale 0": Family(lambda _: families.pag(), {"pag_scale": 0.0}),
    "PAG, two images": Family(
        lambda _: families.pag(), {"num_images_per_prompt": 2}, roles=PERTURBED, images_per_prompt=2
    ),
    "PAG, SDXL": Family(lambda _: families.pag_xl(), roles=PERTURBED),
    "LoRA before a first trace": Family(prepared(families.lora)),
    "LoRA after a first trace, then two": Family(prepared(families.lora_after_a_trace)),
    "LoRA, scaled in the call": Family(prepared(families.lora), {"cross_attention_kwargs": {"scale": 0.4}}),
    "LoRA, fused": Family(prepared(families.lora_fused)),
    "LoRA, unloaded": Family(prepared(families.lora_unloaded)),
    "fused QKV": Family(prepared(families.fused)),
    "fused QKV, then not": Family(prepared(families.unfused)),
    "sliced": Family(prepared(families.sliced)),
    "naive": Family(prepared(lambda pipe: pipe.unet.set_attn_processor(AttnProcessor()))),
    "opaque, as xformers": Family(prepared(lambda pipe: pipe.unet.set_attn_processor(families.OpaqueProcessor()))),
    "FreeU": Family(prepared(lambda pipe: pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4))),
    "scale changed, fused": Family(prepared(families.scaled)),
    "scale changed, naive": Family(
        prepared(lambda pipe: families.scaled(families.with_processor(pipe, AttnProcessor())))
    ),
    "guidance off": Family(**sd(guidance_scale=1.0), roles=ALONE),
    "guidance cut off": Family(prepared(families.ddim), cut_off, late_roles=ALONE),
    "two images": Family(**sd(num_images_per_prompt=2), images_per_prompt=2),
    "two prompts": Family(**sd(**TWO_ARGUMENTS), texts=TWO),
    "two prompts, two images each": Family(
        **sd(**TWO_ARGUMENTS, num_images_per_prompt=2), texts=TWO, images_per_prompt=2
    ),
    "prompt and negative alike": Family(**sd(negative_prompt=PROMPT), texts={"cond": [PROMPT], "uncond": [PROMPT]}),
    "embeddings, no prompt": Family(lambda _: stable_diffusion(), embeddings, texts=None),
    "64 × 96": Family(**sd(), size=(64, 96)),
    "72 × 104, odd below": Family(lambda _: families.wide(), size=(72, 104)),
    "104 × 56, odd everywhere": Family(lambda _: families.wide(), size=(104, 56)),
    "model CPU offload": Family(prepared(lambda pipe: pipe.enable_model_cpu_offload(device="cpu"))),
    "sequential CPU offload": Family(prepared(families.sequential)),
    "group offload, blocks": Family(prepared(families.groups("block_level"))),
    "group offload, leaves": Family(prepared(families.groups("leaf_level"))),
}


def arguments_of(family: Family, pipe: Any) -> dict[str, Any]:
    given = family.arguments(pipe) if callable(family.arguments) else family.arguments
    known = inspect.signature(type(pipe).__call__).parameters
    size = dict(zip(("height", "width"), family.size, strict=True)) if "height" in known else {}
    prompt = {} if family.texts is None else {"prompt": PROMPT}
    return {"num_inference_steps": 2, **size, **prompt, **given}
