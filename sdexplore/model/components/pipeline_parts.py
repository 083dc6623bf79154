"""A pipeline's parts by name, its denoiser, and the grids of the denoiser's attention layers."""

import json
from functools import lru_cache
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import nn

from ...base.errors import InspectionError, did_you_mean
from ...records.tree import AttentionLayer
from ..families import FAMILIES, family_of
from ..families.grids import Grid, pair
from .meta_networks import attention_facts, from_config


def parts(pipe: Any) -> dict[str, Any]:
    """The components of a pipeline by name, null ones as None.

    Raises:
        InspectionError: `pipe` is not a diffusers pipeline.
    """
    if not isinstance(pipe, DiffusionPipeline):
        hint = f"; sdx.load({pipe!r:.80}) makes one" if isinstance(pipe, str) else ""
        raise InspectionError(f"a diffusers pipeline is needed, not a {type(pipe).__name__}{hint}")
    registered = (name for name, value in pipe.config.items() if _is_entry(value))
    return {name: getattr(pipe, name, None) for name in (*pipe.components, *registered)}


def _is_entry(value: object) -> bool:
    """Whether a value in a pipeline's config names a component: (library, class)."""
    return isinstance(value, (tuple, list)) and len(value) == 2  # noqa: PLR2004


def part(pipe: Any, name: str) -> Any:
    """One component of a pipeline.

    Raises:
        InspectionError: There is no component of that name, or it is null.
    """
    known = parts(pipe)
    if name not in known:
        near = did_you_mean(str(name), known)
        raise InspectionError(f"the {type(pipe).__name__} has no component {name!r}; {near}")
    if known[name] is None:
        raise InspectionError(f"component {name!r} of this {type(pipe).__name__} is null: there is nothing to show")
    return known[name]


def denoiser(pipe: Any) -> nn.Module:
    """The pipeline's denoiser, out of torch.compile's shell.

    Raises:
        InspectionError: There is none, or it is of no known family.
    """
    found: nn.Module = family_of(pipe).denoiser(pipe)
    return found


def device_of(pipe: Any) -> torch.device:
    """Where the denoiser computes, also if its weights are offloaded to another place."""
    device = next(denoiser(pipe).parameters()).device
    waiting = device.type == "meta" or (device.type == "cpu" and torch.accelerator.is_available())
    # The pipeline knows where offloaded weights compute; to ask it takes milliseconds.
    return torch.device(getattr(pipe, "_execution_device", device)) if waiting else device


def latent_grid(
    pipe: Any,
    height: int | None = None,
    width: int | None = None,
) -> Grid:
    """Latent (y, x) of an image in pixels, by default of the size that the denoiser was made for, else the VAE."""
    factor = vae_scale_factor(pipe)
    y, x = _usual_grid(pipe, factor)
    grid = (y if height is None else height // factor, x if width is None else width // factor)
    if min(grid) < 1:
        raise InspectionError(
            f"an image of height={height} and width={width} has no latents: one latent is {factor} × {factor} pixels"
        )
    return grid


def _usual_grid(pipe: Any, factor: int) -> Grid:
    vae = autoencoder(pipe)
    try:
        return pair(family_of(pipe).sample_size(pipe))
    except InspectionError:  # no denoiser, or of no known family
        if vae is None:
            raise
    own = getattr(getattr(pipe, "transformer", None), "config", None)
    size = getattr(own, "sample_size", None) or getattr(pipe, "default_sample_size", None)
    if size is not None:
        return pair(size)
    y, x = pair(getattr(getattr(vae, "config", None), "sample_size", None))
    return y // factor, x // factor


def autoencoder(pipe: Any) -> Any | None:
    """The network between pixels and latents: `vae`, or the `vqvae` of latent diffusion's own pipelines."""
    return next((found for name in ("vae", "vqvae") if (found := getattr(pipe, name, None)) is not None), None)


def in_pixel_space(pipe: Any) -> bool:
    """Whether the denoiser works on pixels, grey or RGB, as DDPM's does: there is no autoencoder to go through."""
    if autoencoder(pipe) is not None or "vae" in getattr(pipe, "config", {}):
        return False
    return family_of(pipe).in_channels(pipe) in (1, 3)


def vae_scale_factor(pipe: Any) -> int:
    """Image pixels along the side of one latent."""
    known = getattr(pipe, "vae_scale_factor", getattr(pipe, "vae_scale_factor_spatial", None))
    if isinstance(known, int):  # FLUX.2's denoiser has latents of its VAE in patches of 2 × 2
        return known * 2 if hasattr(autoencoder(pipe), "bn") else known
    config = getattr(autoencoder(pipe), "config", None)
    return int(2 ** (len(getattr(config, "block_out_channels", (1,))) - 1))


def attention_layers(
    pipe: Any,
    height: int | None = None,
    width: int | None = None,
) -> tuple[AttentionLayer, ...]:
    """Every attention layer of the pipeline's denoiser with its grid (y, x) for one image size.

    Args:
        height: Image's height in pixels; by default what the denoiser was made for.
        width: Image's width in pixels.

    Returns:
        Layers in the order of the denoiser's `named_modules()`, cross, self and joint.

    Raises:
        InspectionError: The pipeline has no denoiser of a known family, the size is not positive, or the denoiser's
            config does not describe it (any more).
    """
    network, family = denoiser(pipe), family_of(pipe)
    cls: Any = type(network)
    grid, kind = latent_grid(pipe, height, width), cls.__name__
    try:
        where = _grids_by_config(cls, family.name, _config_text(network), grid)
    except Exception as error:
        raise InspectionError(
            f"the layers of this {kind} cannot be laid out for latents of {grid[0]} × {grid[1]}: {error}"
        ) from error
    found = {layer.name: layer for layer in attention_facts(network, where) if layer.resolution is not None}
    for name, layer in family.attention_layers(network).items():  # the family knows better what they attend to
        facts = layer.facts
        found[name] = AttentionLayer(name, facts.kind, facts.heads, facts.head_dim, facts.key_dim, where.get(name))
    layers = [found[name] for name, _ in network.named_modules() if name in found]
    lost = [layer.name for layer in layers if layer.resolution is None]
    if lost:
        raise InspectionError(
            f"this {kind} has layers that its config does not describe, such as {lost[0]!r}: "
            "their grids are not known before a run"
        )
    return tuple(layers)


def _config_text(network: nn.Module) -> str:
    config: Any = network.config
    return json.dumps(dict(config), sort_keys=True, default=str)


@lru_cache(maxsize=64)
def _grids_by_config(cls: Any, family: str, config: str, size: Grid) -> dict[str, Grid]:
    network = from_config(cls, json.loads(config))
    return FAMILIES[family].layer_grids(network, size)
