"""Checkpoints in the original (LDM) layout, tiny, or of full size and empty: the inverse of diffusers' conversion.

Written from the module lists of CompVis' `ldm` and Stability AI's `sgm`, not from diffusers' converter: the names of
blocks are counted through as `openaimodel.py` and `model.py` number them.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from published_configs import TEXT, UNETS, VAES
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

TINY = {
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
# What makes a family's tiny networks: the published config, with fewer and narrower layers.
TINY_UNETS: dict[str, dict[str, Any]] = {
    "SD 1.x": {**TINY, "cross_attention_dim": 32},
    "SD 2.x": {**TINY, "cross_attention_dim": 32, "attention_head_dim": (1, 1)},
    "SDXL base": {
        **TINY,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "attention_head_dim": (1, 1),
        "cross_attention_dim": 32 + 64,
        "projection_class_embeddings_input_dim": 6 * 256 + 96,
    },
    "SDXL refiner": {
        **TINY,
        "block_out_channels": (32, 32, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": 2,
        "attention_head_dim": (1, 1, 1),
        "cross_attention_dim": 64,
        "projection_class_embeddings_input_dim": 5 * 256 + 96,
    },
}
TINY_VAE = {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1}
# Of the real ones 768, 1024 and 1280 wide; SDXL's two must differ, as they do there.
TINY_TEXT = {
    "SD 1.x": {"text_encoder": 32},
    "SD 2.x": {"text_encoder": 32},
    "SDXL base": {"text_encoder": 32, "text_encoder_2": 64},
    "SDXL refiner": {"text_encoder_2": 64},
}
PREFIXES = {
    "SD 1.x": {"text_encoder": "cond_stage_model.transformer."},
    "SD 2.x": {"text_encoder": "cond_stage_model.model."},
    "SDXL base": {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
    "SDXL refiner": {"text_encoder_2": "conditioner.embedders.0.model."},
}


def networks(family: str, *, tiny: bool = True, channels: int = 4) -> dict[str, nn.Module]:
    """The networks of a family by component: tiny ones with random weights, or of full size on the meta device."""
    with torch.device("cpu" if tiny else "meta"):
        torch.manual_seed(11)
        unet = {**UNETS[family], **(TINY_UNETS[family] if tiny else {}), "in_channels": channels}
        found: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel(**unet),
            "vae": AutoencoderKL(**{**VAES[family], **(TINY_VAE if tiny else {})}),
        }
        for component, config in TEXT[family].items():
            cls = CLIPTextModelWithProjection if config["projected"] else CLIPTextModel
            values = {key: value for key, value in config.items() if key != "projected"}
            if tiny:
                width = TINY_TEXT[family][component]
                values |= {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2}
                values |= {"num_attention_heads": 1}
                values |= {"projection_dim": 96} if config["projected"] else {}
            found[component] = cls(CLIPTextConfig(**values))
    return {component: network.eval() for component, network in found.items()}


def state_dict(family: str, parts: dict[str, nn.Module]) -> dict[str, torch.Tensor]:
    """The tensors of a whole checkpoint in the original layout, and the other entries of such files."""
    found = {f"model.diffusion_model.{k}": v for k, v in unet_keys(parts["unet"]).items()}
    found |= {f"first_stage_model.{k}": v for k, v in vae_keys(parts["vae"]).items()}
    for component, prefix in PREFIXES[family].items():
        layout = open_clip_keys if ".model." in prefix else clip_keys
        found |= {prefix + k: v for k, v in layout(parts[component]).items()}
    device = next(parts["unet"].parameters()).device
    for name in ("betas", "alphas_cumprod", "sqrt_alphas_cumprod"):  # buffers of the training code
        found[name] = torch.zeros(1000, device=device)
    return {name: tensor.detach().contiguous() for name, tensor in found.items()}


def unet_keys(unet: Any) -> dict[str, torch.Tensor]:
    """`openaimodel.UNetModel`: input_blocks, middle_block and output_blocks, each counted through."""
    names = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    names |= {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    names |= {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
    names |= {"mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1"}
    names |= {"mid_block.resnets.1": "middle_block.2"}
    place = 1
    for level, block in enumerate(unet.down_blocks):
        for number in range(len(block.resnets)):
            names[f"down_blocks.{level}.resnets.{number}"] = f"input_blocks.{place}.0"
            names[f"down_blocks.{level}.attentions.{number}"] = f"input_blocks.{place}.1"
            place += 1
        if block.downsamplers:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{place}.0.op"
            place += 1
    place = 0
    for level, block in enumerate(unet.up_blocks):
        attended = hasattr(block, "attentions")
        for number in range(len(block.resnets)):
            names[f"up_blocks.{level}.resnets.{number}"] = f"output_blocks.{place}.0"
            names[f"up_blocks.{level}.attentions.{number}"] = f"output_blocks.{place}.1"
            place += 1
        names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{place - 1}.{2 if attended else 1}.conv"
    inner = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3"}
    inner |= {"time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
    return _renamed(unet, names, inner)


def vae_keys(vae: Any) -> dict[str, torch.Tensor]:
    """`model.Encoder` and `Decoder`: the decoder's levels counted from the bottom, attention as 1 x 1 convolutions."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for side in ("encoder", "decoder"):
        names |= {f"{side}.conv_in": f"{side}.conv_in", f"{side}.conv_out": f"{side}.conv_out"}
        names |= {f"{side}.conv_norm_out": f"{side}.norm_out", f"{side}.mid_block.attentions.0": f"{side}.mid.attn_1"}
        names |= {f"{side}.mid_block.resnets.{n}": f"{side}.mid.block_{n + 1}" for n in (0, 1)}
    levels = len(vae.encoder.down_blocks)
    for level in range(levels):
        for number in range(len(vae.encoder.down_blocks[level].resnets)):
            names[f"encoder.down_blocks.{level}.resnets.{number}"] = f"encoder.down.{level}.block.{number}"
        names[f"encoder.down_blocks.{level}.downsamplers.0.conv"] = f"encoder.down.{level}.downsample.conv"
        turned = levels - 1 - level
        for number in range(len(vae.decoder.up_blocks[level].resnets)):
            names[f"decoder.up_blocks.{level}.resnets.{number}"] = f"decoder.up.{turned}.block.{number}"
        names[f"decoder.up_blocks.{level}.upsamplers.0.conv"] = f"decoder.up.{turned}.upsample.conv"
    inner = {"conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_out.0": "proj_out"}
    inner |= {"to_q": "q", "to_k": "k", "to_v": "v"}
    found = _renamed(vae, names, inner)
    convolved = re.compile(r"mid\.attn_1\.(q|k|v|proj_out)\.weight")
    return {name: t[:, :, None, None] if convolved.search(name) else t for name, t in found.items()}


def _renamed(network: nn.Module, names: dict[str, str], inner: dict[str, str]) -> dict[str, torch.Tensor]:
    """State by new names: the longest known beginning is replaced, then what stands inside a block."""
    found = {}
    for name, tensor in network.state_dict().items():
        start = max((known for known in names if name.startswith(f"{known}.")), key=len)
        rest = name.removeprefix(f"{start}.")
        for old, new in inner.items():
            rest = re.sub(rf"^{re.escape(old)}\.", f"{new}.", rest)
        found[f"{names[start]}.{rest}"] = tensor
    assert len(found) == len(network.state_dict())
    return found


def clip_keys(text: Any) -> dict[str, torch.Tensor]:
    """transformers' own names of old, with the positions that it saved then."""
    inner = getattr(text, "text_model", text)
    found = {f"text_model.{name}": tensor for name, tensor in inner.state_dict().items()}
    device = next(text.parameters()).device
    return {**found, "text_model.embeddings.position_ids": torch.arange(77, device=device)[None]}


def open_clip_keys(text: Any) -> dict[str, torch.Tensor]:
    """`open_clip.TextTransformer`: queries, keys and values in one matrix, the projection the other way round.

    SD 2's files hold one layer more than diffusers takes (`layer="penultimate"`), and a projection that is not used.
    """
    model = getattr(text, "text_model", text)
    state = model.state_dict()
    width, device = text.config.hidden_size, next(text.parameters()).device
    found = {
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "logit_scale": torch.zeros((), device=device),
    }
    layers = text.config.num_hidden_layers
    for number in range(layers):
        old, new = f"encoder.layers.{number}.", f"transformer.resblocks.{number}."
        for kind in ("weight", "bias"):
            merged = [state[f"{old}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            found[f"{new}attn.in_proj_{kind}"] = torch.cat(merged)
            found[f"{new}attn.out_proj.{kind}"] = state[f"{old}self_attn.out_proj.{kind}"]
            for theirs, ours in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
                found[f"{new}{theirs}.{kind}"] = state[f"{old}{ours}.{kind}"]
            for theirs, ours in (("c_fc", "mlp.fc1"), ("c_proj", "mlp.fc2")):
                found[f"{new}mlp.{theirs}.{kind}"] = state[f"{old}{ours}.{kind}"]
    if hasattr(text, "text_projection"):
        return {**found, "text_projection": text.text_projection.weight.T}
    last = f"transformer.resblocks.{layers - 1}."
    more = {name.replace(last, f"transformer.resblocks.{layers}."): t + 1 for name, t in found.items() if last in name}
    return {**found, **more, "text_projection": torch.zeros(width, width, device=device)}


def write_sparse(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """A file with the true header of these (meta) tensors and a hole where their numbers would be."""
    codes = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    place = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        entries[name] = {"dtype": codes[tensor.dtype], "shape": [*tensor.shape], "data_offsets": [place, place + size]}
        place += size
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + place)
