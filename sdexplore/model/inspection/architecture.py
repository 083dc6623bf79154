"""The architecture of a pipeline as records: its denoiser runs once on the meta device, which gives all shapes."""

from typing import Any

from torch import nn

from ...base.errors import InspectionError
from ...records.architecture import Architecture, AutoencoderPlan, TextReader
from ...records.transformer_architecture import TransformerArchitecture
from ..components.adapters import counted_parameters
from ..components.meta_networks import attention_facts, blueprint, example_inputs
from ..components.pipeline_parts import autoencoder, denoiser, latent_grid, parts, vae_scale_factor
from ..families import family_of
from ..families.family import Family
from .transformer_blocks import transformer_parts

# Names of the same value in transformers' configs: of CLIP and BERT; of T5 and latent diffusion's own BERT.
_WIDTHS = ("hidden_size", "d_model")
_LAYERS = ("num_hidden_layers", "num_layers", "encoder_layers")
_POSITIONS = ("max_position_embeddings", "n_positions")


def pipeline_architecture(
    pipe: Any, height: int | None = None, width: int | None = None
) -> Architecture | TransformerArchitecture:
    """How the pipeline is built, with the shapes of one picture: `views.architecture` draws it.

    The denoiser's own code runs once on the meta device, without weights or memory, so the shapes are those of a real
    picture of this size. It works for a pipeline whose weights are not loaded.

    Args:
        height, width: Of the picture in pixels; by default the pipeline's own size.

    Returns:
        Of a UNet its blocks down, mid and up; of a diffusion transformer its tokens and its groups of blocks.

    Raises:
        InspectionError: The pipeline has no denoiser of a known family, or its config does not describe it; or it draws
            videos, whose frames are not laid out here.
    """
    network: Any = denoiser(pipe)
    family = family_of(pipe)
    if family.video:
        raise InspectionError(
            f"pipeline_architecture: {type(pipe).__name__} draws videos, and their frames are not laid out here; tree "
            "and components show its parts"
        )
    grid, factor = latent_grid(pipe, height, width), vae_scale_factor(pipe)
    scheduler: Any = getattr(pipe, "scheduler", None)
    channels = _latent_channels(pipe, network.config) if family.levels else family.latent_channels(pipe)
    plan = _autoencoder(pipe, factor)
    around: dict[str, Any] = {
        "pipeline": type(pipe).__name__,
        "image": (3 if plan else channels, grid[0] * factor, grid[1] * factor),
        "latents": (channels, *grid),
        "autoencoder": plan,
        "readers": tuple(_readers(pipe)),
        "parameters": _parameters(network),
        "scheduler": type(scheduler).__name__,
        "num_train_timesteps": int(getattr(getattr(scheduler, "config", None), "num_train_timesteps", 0)),
        "prediction_type": str(getattr(getattr(scheduler, "config", None), "prediction_type", "flow")),
    }
    try:
        if not family.levels:
            return TransformerArchitecture(
                **around, token_readers=_giving_tokens(pipe, family), **transformer_parts(network, family, grid)
            )
        copied = blueprint(network)
        blocks = family.blocks(copied, example_inputs(copied, grid), network)
    except Exception as error:
        kind = type(network).__name__
        raise InspectionError(
            f"pipeline_architecture: the blocks of this {kind} cannot be laid out: {error}"
        ) from error
    return Architecture(
        **around,
        unet=type(network).__name__,
        unet_input=(int(network.config.in_channels), *grid),
        stages=blocks.stages,
        key_width=next((layer.key_dim for layer in attention_facts(copied, {}) if layer.kind == "cross"), None),
        stem=blocks.stem,
        time_width=blocks.time_width,
        residual=blocks.residual,
        downsampler=blocks.downsampler,
        upsampler=blocks.upsampler,
    )


def _giving_tokens(pipe: Any, family: Family) -> tuple[str, ...]:
    """The text encoders whose tokens are keys of the picture's attention."""
    named = {f"tokenizer{name.removeprefix('text_encoder')}": name for name in parts(pipe) if "text_encoder" in name}
    return tuple(named[tokenizer] for tokenizer in family.text_columns(named))


def _latent_channels(pipe: Any, config: Any) -> int:
    vae = getattr(autoencoder(pipe), "config", None)
    return int(getattr(vae, "latent_channels", None) or config.in_channels)


def _autoencoder(pipe: Any, factor: int) -> AutoencoderPlan | None:
    found = autoencoder(pipe)
    if found is None:
        return None
    name = "vae" if getattr(pipe, "vae", None) is found else "vqvae"
    halves = [_parameters(getattr(found, part, None)) for part in ("encoder", "decoder")]
    widths = tuple(map(int, getattr(found.config, "block_out_channels", ())))
    return AutoencoderPlan(
        name=name,
        class_name=type(found).__name__,
        factor=factor,
        widths=widths,
        encoder_parameters=halves[0],
        decoder_parameters=halves[1],
    )


def _readers(pipe: Any) -> list[TextReader]:
    known = parts(pipe)
    names = [name for name in known if name.startswith("text_encoder") or name == "bert"]
    return [_reader(name, known[name]) for name in names if isinstance(known[name], nn.Module)]


def _reader(name: str, module: Any) -> TextReader:
    config = getattr(module.config, "text_config", None) or module.config  # Qwen2.5-VL reads pictures too

    def fact(names: tuple[str, ...]) -> int:
        return next((int(found) for one in names if (found := getattr(config, one, None))), 0)

    return TextReader(
        name=name,
        class_name=type(module).__name__,
        positions=fact(_POSITIONS),
        layers=fact(_LAYERS),
        width=fact(_WIDTHS),
        parameters=_parameters(module),
    )


def _parameters(module: nn.Module | None) -> int:
    return 0 if module is None else sum(one.numel() for one in counted_parameters(module))
