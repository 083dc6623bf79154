"""Heat maps by the formulas that people cite, each with its own layers, mean and grid."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
from jaxtyping import Float, Float32

from ..base.errors import TraceError
from ..trace.trace import Attention, Trace
from .resizing import resized
from .selection import Chosen, columns_of

Grid = Float32[np.ndarray, "y x"]

_DAAM_GRID, _DAAM_OTHER = 64, 96
_DAAM_SKIPPED_FACTOR = 8
_P2P_SIDE = 16
_AMD_LEFT_OUT = {"FluxTransformer2DModel": "single_transformer_blocks."}
_AMD_ROLES = {"Flux2Transformer2DModel": ("cond", "uncond"), "ZImageTransformer2DModel": ("uncond",)}


def daam(trace: Trace, chosen: Chosen, positions: tuple[int, ...]) -> Grid:
    """DAAM's heat map of a word on its own grid: 64 × 64, or 96 × 96 for models made for other sizes than 512 and 1024.

    Per head: the *sum* over steps; resized bicubically; below 0 set to 0; then the mean over heads of up and down
    blocks (the mid block is left out, and layers an eighth of the grid), and the mean over the word's tokens. Needs
    heads, since clamping is not linear.

    Source: Tang et al., ACL 2023 (2023.acl-long.310); the code of daam 0.2.0. We read it where the package sums:
    one image, square pictures. By default that package reads layers whose grid is a power of two smaller than its
    own; a model of 256 pixels has no such layer. This is its map with `factors` naming all layers.
    """
    side = _daam_side(trace)
    total, maps = np.zeros((side, side), np.float32), 0
    for attention in _daam_layers(trace, chosen):
        probs = _read(attention, chosen, positions)
        summed = probs.sum(axis=0, dtype=np.float32)
        large = resized(np.moveaxis(summed, -1, 1), (side, side), kind="bicubic")
        total += np.clip(large, 0, None).mean(axis=1).sum(axis=0)
        maps += probs.shape[1]
    return np.asarray(total / maps, np.float32)


def _read(attention: Attention, chosen: Chosen, positions: tuple[int, ...]) -> Float[np.ndarray, "call head y x taken"]:
    return attention.taken(columns_of(attention, positions), chosen.calls(attention), chosen.head_slice)


def _daam_side(trace: Trace) -> int:
    return _DAAM_GRID if trace.provenance.get("image_size") in (512, 1024) else _DAAM_OTHER


def _daam_layers(trace: Trace, chosen: Chosen) -> list[Attention]:
    if any(attention.head_mean for attention in chosen.layers.values()):
        raise TraceError(
            "method='daam' needs each head, and only their mean was recorded: run with Record(cross_attention='heads')"
        )
    cells, layers = _daam_side(trace) ** 2, []
    for name, attention in chosen.layers.items():
        y, x = attention.grid
        if y != x:
            raise TraceError(f"method='daam' is defined for square pictures; {name} has a grid of {y} × {x}")
        if not name.startswith("mid_block") and int(np.sqrt(cells // (y * x))) != _DAAM_SKIPPED_FACTOR:
            layers.append(attention)
    if not layers:
        raise TraceError("method='daam' leaves out the mid block and the smallest layers; no other was recorded")
    return layers


def p2p(trace: Trace, chosen: Chosen, positions: tuple[int, ...]) -> Grid:
    """Prompt-to-prompt's aggregate on 16 × 16: layers of up and down blocks with exactly that grid, none resized.

    The mean over steps, layers and heads, summed over the word's tokens (the original shows one token at a time).

    Source: Hertz et al. 2022 (2208.01626), `aggregate_attention` with res=16 and from_where=("up", "down").
    """
    layers = _p2p_layers(trace, chosen)
    heads = [_read(attention, chosen, positions) for attention in layers]
    return np.asarray(np.mean([h.sum(-1, dtype=np.float32).mean(axis=(0, 1)) for h in heads], axis=0), np.float32)


def _p2p_layers(_: Trace, chosen: Chosen) -> list[Attention]:
    layers = [a for n, a in chosen.layers.items() if a.grid == (_P2P_SIDE, _P2P_SIDE) and n[:3] != "mid"]
    if not layers:
        grids = sorted({a.grid for a in chosen.layers.values()})
        raise TraceError(f"method='p2p' reads layers of {_P2P_SIDE} × {_P2P_SIDE}; recorded grids: {grids}")
    if chosen.heads is None and len({a.shape[1] for a in layers}) > 1:
        raise TraceError("method='p2p' means over layer and head at once; these layers have different numbers of heads")
    return layers


def amd(trace: Trace, chosen: Chosen, positions: tuple[int, ...]) -> Grid:
    """attention-map-diffusers' aggregate on the largest recorded grid: bilinear, plain mean over layers and steps.

    The mid block counts like the others; summed over the word's tokens (the original writes one picture a token).
    What it averages is not the same for every family. Of UNets, Stable Diffusion 3 and Sana: all layers, the prompt's
    rows. Of FLUX.1: the blocks of two streams alone. Of FLUX.2: the prompt's and the negative prompt's calls together.
    Of Z-Image with guidance: the negative prompt's rows alone, since it takes the second half of the batch for the
    prompt's, and Z-Image puts that first. In the last two a word's positions are those that it has in the prompt,
    whatever the negative prompt has there.

    Source: attention-map-diffusers 1.0.0, timesteps="all", heads="mean".
    """
    layers = _amd_layers(trace, chosen)
    shape = max((a.grid for a in layers), key=lambda grid: grid[0] * grid[1])
    total, records = np.zeros(shape, np.float32), 0
    for attention in layers:
        probs = _read(attention, chosen, positions)
        by_call = probs.sum(-1, dtype=np.float32).mean(axis=1)
        total += resized(by_call.sum(axis=0), shape)  # resizing is linear: once a layer, not once a call
        records += len(by_call)
    return np.asarray(total / records, np.float32)


def _amd_layers(trace: Trace, chosen: Chosen) -> list[Attention]:
    denoiser = trace.provenance.get("components", {}).get("transformer", "")
    left_out = _AMD_LEFT_OUT.get(denoiser)
    names = [name for name in chosen.layers if not left_out or not name.startswith(left_out)]
    if not names:
        raise TraceError(f"method='amd' leaves out {left_out} of a {denoiser}; no other layer was recorded")
    guided = "uncond" in trace.noise_preds or "uncond" in trace.tokens
    roles = _AMD_ROLES.get(denoiser, ()) if guided and chosen.role == "cond" else ()
    if missing := [role for role in roles if role not in trace.cross_attention]:
        raise TraceError(
            f"method='amd' averages rows of {' and '.join(map(repr, roles))} of a {denoiser}, and {missing[0]!r} was "
            "not recorded: run with Record(roles=('cond', 'uncond'), columns='all')"
        )
    return [trace.cross_attention[role][name] for role in roles or (chosen.role,) for name in names]


METHODS: Mapping[str, Callable[[Trace, Chosen, tuple[int, ...]], Grid]] = {"daam": daam, "p2p": p2p, "amd": amd}
_LAYERS_OF: Mapping[str, Callable[[Trace, Chosen], object]] = {
    "daam": _daam_layers,
    "p2p": _p2p_layers,
    "amd": _amd_layers,
}


def answering(trace: Trace, chosen: Chosen) -> list[str]:
    """The methods for which `chosen` holds the layers that they read."""
    found = []
    for method in METHODS:
        with suppress(TraceError):
            if method in _LAYERS_OF:
                _LAYERS_OF[method](trace, chosen)
            found.append(method)
    return found
