"""The architecture of a pipeline as records: its UNet runs once on the meta device, which gives all shapes."""

from typing import Any

from torch import nn

from ...base.errors import InspectionError
from ...records.architecture import Architecture, AutoencoderPlan, TextReader
from ..components.adapters import counted_parameters
from ..components.meta_networks import attention_facts, blueprint, example_inputs
from ..components.pipeline_parts import autoencoder, denoiser, latent_grid, parts, vae_scale_factor
from ..families import family_of

# Names of the same value in transformers' configs: of CLIP and BERT; of T5 and latent diffusion's own BERT.
_WIDTHS = ("hidden_size", "d_model")
_LAYERS = ("num_hidden_layers", "num_layers", "encoder_layers")
_POSITIONS = ("max_position_embeddings", "n_positions")


def pipeline_architecture(pipe: Any, height: int | None = None, width: int | None = None) -> Architecture:
    """How the pipeline is built, with the shapes of one picture: `views.architecture` draws it.

    The UNet's own code runs once on the meta device, without weights or memory, so the shapes are those of a real
    picture of this size. It works for a pipeline whose weights are not loaded.

    Args:
        height, width: Of the picture in pixels; by default the pipeline's own size.

    Raises:
        InspectionError: The pipeline has no UNet with blocks down, mid and up, or its config does not describe it.
    """
    network, family = denoiser(pipe), family_of(pipe)
    grid, factor = latent_grid(pipe, height, width), vae_scale_factor(pipe)
    try:
        copied = blueprint(network)
        blocks = family.blocks(copied, example_inputs(copied, grid), network)
    except Exception as error:
        kind = type(network).__name__
        raise InspectionError(
            f"pipeline_architecture: the blocks of this {kind} cannot be laid out: {error}"
        ) from error
    config: Any = network.config
    channels = _latent_channels(pipe, config)
    scheduler: Any = getattr(pipe, "scheduler", None)
    plan = _autoencoder(pipe, factor)
    return Architecture(
        pipeline=type(pipe).__name__,
        image=(3 if plan else channels, grid[0] * factor, grid[1] * factor),
        latents=(channels, *grid),
        autoencoder=plan,
        readers=tuple(_readers(pipe)),
        unet=type(network).__name__,
        unet_input=(int(config.in_channels), *grid),
        stages=blocks.stages,
        key_width=next((layer.key_dim for layer in attention_facts(copied, {}) if layer.kind == "cross"), None),
        stem=blocks.stem,
        time_width=blocks.time_width,
        residual=blocks.residual,
        downsampler=blocks.downsampler,
        upsampler=blocks.upsampler,
        parameters=_parameters(network),
        scheduler=type(scheduler).__name__,
        num_train_timesteps=int(getattr(getattr(scheduler, "config", None), "num_train_timesteps", 0)),
        prediction_type=str(getattr(getattr(scheduler, "config", None), "prediction_type", "flow")),
    )


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
    def fact(names: tuple[str, ...]) -> int:
        return next((int(found) for one in names if (found := getattr(module.config, one, None))), 0)

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
