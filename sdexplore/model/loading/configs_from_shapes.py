"""Configurations of the components of a single file, derived from the shapes of its tensors.

The original layout (CompVis, Stability AI: "LDM") numbers the UNet's blocks in one row. Levels, layers, attention and
its depth follow from the numbers that exist. The family gives what no shape tells.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...base.errors import LoadError
from .checkpoint_families import SCHEDULE, UNET, VAE, Family
from .safetensors_headers import Header, Tensor

HEAD = 64  # width of a head in every text encoder, and in the UNets since SD 2
_OPEN_CLIP_LAYERS = 24  # of SD 2's text encoder, of which the last is not used


class Shapes:
    """The shapes of the tensors whose names begin with a prefix, by the rest of their names."""

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str) -> None:
        self.prefix = prefix
        self.found = {
            name.removeprefix(prefix): tensor.shape for name, tensor in tensors.items() if name.startswith(prefix)
        }

    def __call__(self, name: str) -> tuple[int, ...]:
        """The shape of one tensor; LoadError where the file has none of that name."""
        try:
            return self.found[name]
        except KeyError:
            raise LoadError(f"the file has no tensor {self.prefix + name!r}") from None

    def numbers(self, pattern: str) -> list[int]:
        """The numbers that the group of a pattern matches, in order."""
        matches = (re.match(pattern, name) for name in self.found)
        return sorted({int(match[1]) for match in matches if match})

    def count(self, pattern: str) -> int:
        """How many different numbers the group of a pattern matches."""
        return len(self.numbers(pattern))


def component_configs(header: Header, family: Family) -> dict[str, dict[str, Any]]:
    """Configurations by component, as `from_single_file` reads them from a folder.

    They name only networks whose tensors are in the file.

    Raises:
        LoadError: A tensor that every checkpoint of the family has is missing.
    """
    found = {"unet": unet_config(Shapes(header.tensors, UNET), family)}
    vae = Shapes(header.tensors, VAE)
    if vae.found:
        found["vae"] = vae_config(vae, family)
    for name, prefix in family.text_encoders.items():
        text = Shapes(header.tensors, prefix)
        if text.found:
            config = open_clip_config if ".model." in prefix else clip_config
            found[name] = config(text, projected=name == "text_encoder_2")
    return found


def scheduler_config(family: Family) -> dict[str, Any]:
    """The configuration of the family's scheduler, with its class."""
    return {**SCHEDULE, **family.scheduler, "prediction_type": family.prediction_type or "epsilon"}


def unet_config(shapes: Shapes, family: Family) -> dict[str, Any]:
    """The configuration of the UNet."""
    levels = list(_levels(shapes))
    widths = [width for width, _ in levels]
    depths = [max(1, *several) for _, several in levels]
    attended = [any(several) for _, several in levels]
    middle = shapes.count(r"middle_block\.1\.transformer_blocks\.(\d+)\.")
    depths[-1] = middle or depths[-1]  # diffusers takes the middle's depth from the last level
    distilled = not middle and "middle_block.1.norm.weight" not in shapes.found
    keys = next(
        (shape for name, shape in shapes.found.items() if name.endswith("attn2.to_k.weight")), (0, family.heads)
    )
    projection = next((shape for name, shape in shapes.found.items() if name.endswith(".1.proj_in.weight")), ())
    labels = shapes.found.get("label_emb.0.0.weight")
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": family.image_size // 8,
        "in_channels": shapes("input_blocks.0.0.weight")[1],
        "out_channels": shapes("out.2.weight")[0],
        "block_out_channels": widths,
        "layers_per_block": len(levels[0][1]),
        "down_block_types": ["CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attended],
        "up_block_types": ["CrossAttnUpBlock2D" if there else "UpBlock2D" for there in reversed(attended)],
        "mid_block_type": "UNetMidBlock2D" if distilled else "UNetMidBlock2DCrossAttn",
        "transformer_layers_per_block": depths,
        **(_depths_by_block(shapes, levels) if distilled else {}),
        "cross_attention_dim": keys[1],
        "attention_head_dim": family.heads or [max(width // HEAD, 1) for width in widths],
        "use_linear_projection": len(projection) == 2,  # noqa: PLR2004  (a matrix; else a convolution)
        "projection_class_embeddings_input_dim": labels[1] if labels else None,
        **family.unet,
    }


def _levels(shapes: Shapes) -> Iterator[tuple[int, list[int]]]:
    """(width, depth of each residual block's transformer) of each level, downwards; a downsampler ends a level."""
    width: int = 0
    depths: list[int] = []
    for number in shapes.numbers(r"input_blocks\.(\d+)\.")[1:]:
        if f"input_blocks.{number}.0.op.weight" in shapes.found:
            yield width, depths
            depths = []
            continue
        width = shapes(f"input_blocks.{number}.0.out_layers.3.weight")[0]
        depths.append(shapes.count(rf"input_blocks\.{number}\.1\.transformer_blocks\.(\d+)\."))
    yield width, depths


def _depths_by_block(shapes: Shapes, levels: list[tuple[int, list[int]]]) -> dict[str, Any]:
    """Depths of every block apart, where the way up is not the way down mirrored."""
    blocks = shapes.numbers(r"output_blocks\.(\d+)\.")
    up = [shapes.count(rf"output_blocks\.{number}\.1\.transformer_blocks\.(\d+)\.") for number in blocks]
    each = len(levels[0][1]) + 1
    return {
        "transformer_layers_per_block": [[max(depth, 1) for depth in several] for _, several in levels],
        "reverse_transformer_layers_per_block": [
            [max(depth, 1) for depth in up[start : start + each]] for start in range(0, len(up), each)
        ],
    }


def vae_config(shapes: Shapes, family: Family) -> dict[str, Any]:
    """The configuration of the VAE."""
    levels = shapes.numbers(r"encoder\.down\.(\d+)\.")
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": family.image_size,
        "in_channels": shapes("encoder.conv_in.weight")[1],
        "out_channels": shapes("decoder.conv_out.weight")[0],
        "latent_channels": shapes("decoder.conv_in.weight")[1],
        "block_out_channels": [shapes(f"encoder.down.{level}.block.0.conv1.weight")[0] for level in levels],
        "layers_per_block": shapes.count(r"encoder\.down\.0\.block\.(\d+)\."),
        "down_block_types": ["DownEncoderBlock2D"] * len(levels),
        "up_block_types": ["UpDecoderBlock2D"] * len(levels),
        "scaling_factor": family.scaling_factor,
        **({"force_upcast": True} if family.name.startswith("SDXL") else {}),
    }


def clip_config(shapes: Shapes, *, projected: bool) -> dict[str, Any]:
    """The configuration of OpenAI's CLIP text encoder, whose layout is transformers' own."""
    width = shapes("text_model.embeddings.token_embedding.weight")[1]
    return _text_config(
        width,
        vocabulary=shapes("text_model.embeddings.token_embedding.weight")[0],
        positions=shapes("text_model.embeddings.position_embedding.weight")[0],
        layers=shapes.count(r"text_model\.encoder\.layers\.(\d+)\."),
        inner=shapes("text_model.encoder.layers.0.mlp.fc1.weight")[0],
        projection=width,
        activation="quick_gelu",
        projected=projected,
    )


def open_clip_config(shapes: Shapes, *, projected: bool) -> dict[str, Any]:
    """The configuration of an OpenCLIP text encoder. SD 2 leaves the last layer out (`projected` is False)."""
    layers = shapes.count(r"transformer\.resblocks\.(\d+)\.")
    if not projected and layers != _OPEN_CLIP_LAYERS - 1:  # some fine-tunes lack that layer already
        layers -= 1
    return _text_config(
        shapes("token_embedding.weight")[1],
        vocabulary=shapes("token_embedding.weight")[0],
        positions=shapes("positional_embedding")[0],
        layers=layers,
        inner=shapes("transformer.resblocks.0.mlp.c_fc.weight")[0],
        projection=shapes("text_projection")[1] if projected else 512,
        activation="gelu",
        projected=projected,
    )


def _text_config(width: int, *, vocabulary: int, positions: int, layers: int, inner: int, projection: int,
                 activation: str, projected: bool) -> dict[str, Any]:  # fmt: skip
    return {
        "architectures": ["CLIPTextModelWithProjection" if projected else "CLIPTextModel"],
        "model_type": "clip_text_model",
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(width // HEAD, 1),
        "intermediate_size": inner,
        "projection_dim": projection,
        "hidden_act": activation,
        "bos_token_id": 0,
        "eos_token_id": 2,  # as published; both are the ids that transformers reads as "where the end token is highest"
        "pad_token_id": 1,
    }
