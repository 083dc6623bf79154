"""`cost`: the bytes of a recorded run, reckoned from the configuration; nothing is computed."""

import copy
from typing import Any

from ..costs import Cost
from ..record import USUAL, Record
from .architecture import attention_layers, denoiser, latent_grid, vae_scale_factor
from .probes import attention_modules
from .prompting import prompts_of
from .recording import cut_of, plan_layers
from .running import image_count

_WIDTH = {"float16": 2, "float32": 4}
_DEFAULT_STEPS = 50


def cost(
    pipe: Any, record: Record = USUAL, *, prompt: str | list[str] | None = None, **pipeline_arguments: Any
) -> Cost:
    """Bytes on device, host and disk that `run` with this Record and these arguments will take.

    Without a prompt, a prompt that fills every position is reckoned with. Guidance is taken to be on unless
    guidance_scale says otherwise.

    Raises:
        RunError: The Record asks for steps that the run has not.
        InspectionError: The pipeline has no UNet.
    """
    images = image_count(prompt, pipeline_arguments)
    height, width = _size(pipe, pipeline_arguments)
    y, x = latent_grid(pipe, height, width)
    steps = _steps(pipe, pipeline_arguments)
    unet: Any = denoiser(pipe)
    channels = int(unet.config.out_channels)
    # diffusers' pipelines default to a scale above 1; a UNet with time_cond_proj_dim (LCM) takes it embedded.
    embedded = getattr(unet.config, "time_cond_proj_dim", None) is not None
    guided = float(pipeline_arguments.get("guidance_scale", 7.5)) > 1 and not embedded
    present = ("cond", "uncond") if guided else ("cond",)
    plane = 4 * channels * y * x
    parts = {"latents": plane * (steps + 1)} if record.latents else {}
    if record.noise_pred:
        parts |= {f"noise_preds/{role}": plane * steps for role in present} | {"noise_pred": plane * steps}
        if record.latents:
            parts["pred_original_sample"] = plane * steps
    picture = 3 * y * x * vae_scale_factor(pipe) ** 2
    if record.latents and (decoded := len(record.decoded_steps(steps))):
        parts |= {"decoded": decoded * picture} | ({"decoded_x0": decoded * picture} if record.noise_pred else {})
    parts["image"] = picture
    layers = {layer.name: layer for layer in attention_layers(pipe, height, width)}
    grids = {name: layer.resolution for name, layer in layers.items() if layer.resolution}
    plans = plan_layers(attention_modules(unet), record)
    kept = len(record.attention_steps(steps))
    columns, positions = _columns(pipe, record, prompt, pipeline_arguments)
    device = 0
    for name, plan in plans.items():
        ly, lx = grids[name]
        if not plan.wants((ly, lx)):
            continue
        cross = plan.kind == "cross_attention"
        heads = 1 if plan.head_mean else layers[name].heads
        keys = columns if cross else ly * lx
        rows = [role for role in record.roles if role in present]
        parts[f"{plan.kind}/{name}"] = kept * heads * ly * lx * keys * _WIDTH[record.dtype] * len(rows)
        if plan.queries:
            width = layers[name].heads * layers[name].head_dim
            parts[f"queries/{name}"] = kept * ly * lx * width * _WIDTH[record.dtype] * len(rows)
        wide = positions if cross else ly * lx
        device = max(device, 2 * 4 * layers[name].heads * ly * lx * wide * len(rows) * images)
    total = {name: amount * images for name, amount in sorted(parts.items(), key=lambda part: -part[1])}
    host = sum(total.values())
    return Cost(device=device, host=host, disk=host, parts=total, images=images, steps=steps)


def _size(pipe: Any, arguments: dict[str, Any]) -> tuple[int | None, int | None]:
    """Height and width as the pipeline takes them; all but SDXL's drop the one if the other is missing."""
    height, width = arguments.get("height"), arguments.get("width")
    if (height and width) or "XL" in type(pipe).__name__:
        return height, width
    return None, None


def _steps(pipe: Any, arguments: dict[str, Any]) -> int:
    """How often a scheduler like the pipeline's steps; the pipeline's own is not touched."""
    scheduler = copy.deepcopy(pipe.scheduler)
    for name in ("timesteps", "sigmas"):
        if arguments.get(name) is not None:
            scheduler.set_timesteps(**{name: arguments[name]})
            return len(scheduler.timesteps)
    scheduler.set_timesteps(arguments.get("num_inference_steps", _DEFAULT_STEPS))
    share = float(arguments.get("strength", 1.0)) if "image" in arguments else 1.0
    return max(1, round(len(scheduler.timesteps) * share))


def _columns(pipe: Any, record: Record, prompt: Any, arguments: dict[str, Any]) -> tuple[int, int]:
    """(columns kept, positions there are), for the longest prompt."""
    prompts = prompt if isinstance(prompt, list) else [prompt]
    per_prompt = int(arguments.get("num_images_per_prompt") or 1)
    tokens = prompts_of(pipe, prompt, arguments, len(prompts) * per_prompt)
    found = [t for i in range(len(prompts)) if (t := tokens("cond", i * per_prompt)) is not None]
    if not found:
        embeds = arguments.get("prompt_embeds")
        tokenizer = getattr(pipe, "tokenizer", None)
        positions = embeds.shape[1] if embeds is not None else getattr(tokenizer, "model_max_length", 77)
        return positions, positions
    positions = max(len(one.ids) for t in found for one in t.values())
    cuts = [cut_of(t, positions) for t in found]
    if record.columns == "all" or any(cut is None for cut in cuts):
        return positions, positions
    return max(min(cut + 1, positions) for cut in cuts if cut is not None), positions
