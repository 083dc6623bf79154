"""`load(..., fit=True)`: choices that make a pipeline fit this machine, the cheapest first.

The memory of a run is estimated from the widest layers. This table compares it with measurements: the growth of the
process on two CPU cores, MiB, for one guided step and one decoding (SD 1.5's sizes at 512 × 512, the embedded model at
256 × 256):

                       weights   denoising        decoding        at its peak, load included
                                 measured/est.    measured/est.   measured/estimated
    SD 1.5, float32     4,067     282 / 280        969 / 1,024     5,341 / 5,516
    SD 1.5, bfloat16    2,033      92 / 140        544 /   512     3,169 / 2,808
    embedded, float32      91      38 /  14         79 /    64       262 /   262
    embedded, bfloat16     45      39 /   7         37 /    32       174 /   181

Attention slicing took SD 1.5's denoising from 282 to 673 MiB and twice the time: on the CPU torch's own attention never
holds a whole matrix, while a slice is a whole matrix. It is chosen on MPS alone. Accelerators were not measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psutil
import torch
from diffusers import DiffusionPipeline

from ...base.display import size
from ...base.errors import LoadError
from ...records.checkpoint import Checkpoint
from ...records.fit import Choice, Fit

TILE = 512  # pixels along a tile's side
_KEPT_FREE = (
    0.9  # share of the free memory that a plan may use; the allocator, the display and other programs need the rest
)
_GUIDED = 2  # rows of a guided call
# How many arrays as large as a block's output exist at once: measured on the CPU; a high guess elsewhere.
_UNET_ARRAYS, _CPU_UNET_ARRAYS, _VAE_ARRAYS = 40, 28, 4
# What loading adds to a process on the CPU: bytes of kernels, threads, tokenizers; and a share of the weights.
_LIBRARIES, _HEAP = 100 * 2**20, 0.08
_LAYER = 0.05  # share of the largest network that sequential offload holds on the device at once
_WIDTH = {torch.float16: 2, torch.bfloat16: 2, torch.float32: 4, torch.float64: 8}

_FITS: WeakKeyDictionary[DiffusionPipeline, Fit] = WeakKeyDictionary()

_TILING = Choice("tiling", f"decoding in overlapping tiles of {TILE} × {TILE} pixels takes longer, and seams can show")
_SLICING = Choice("slicing", "several pictures are decoded one by one: nothing is lost")
_ATTENTION = Choice("attention slicing", "attention in slices, one after the other: slower, the last digits differ")
_SEQUENTIAL = Choice("sequential offload", "every layer is fetched from memory when it is needed: many times slower")


@dataclass(frozen=True)
class Room:
    """Free bytes on the device where a pipeline runs, and in the machine's memory."""

    device: torch.device
    free: int
    host: int


@dataclass(frozen=True)
class Needs:
    """What a pipeline needs, by its headers.

    Attributes:
        numbers: Component -> how many numbers its weights hold.
        unet: Configuration of the UNet.
        vae: Configuration of the VAE.
    """

    numbers: Mapping[str, int]
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]


def room_of(device: torch.device) -> Room:
    """Free bytes of a device now."""
    host = int(psutil.virtual_memory().available)
    if device.type == "cuda":
        return Room(device, int(torch.cuda.mem_get_info(device)[0]), host)
    return Room(device, host, host)  # MPS shares the machine's memory


def needs_of(checkpoint: Checkpoint) -> Needs:
    """What a checkpoint needs. Parts that become no component do not count."""
    made = {name: part.parameters for name, part in checkpoint.items() if part.class_name and part.parameters}
    unet, vae = (dict(checkpoint[name].config) if name in checkpoint else {} for name in ("unet", "vae"))
    return Needs(made, unet, vae)


def fit_of(pipe: DiffusionPipeline) -> Fit | None:
    """The choices for a pipeline; None where it was loaded without fit."""
    return _FITS.get(pipe)


def plan(needs: Needs, room: Room, dtype: torch.dtype | None = None) -> Fit:
    """The cheapest choices with which the pipeline fits into free memory.

    Args:
        needs: What the pipeline needs.
        room: What is free.
        dtype: What the user asks for; by default float16 on an accelerator; on the CPU float32, or bfloat16 where
            float32 does not fit.

    Raises:
        LoadError: No choices make it fit.
    """
    ways = list(_on_cpu(needs, room, dtype) if room.device.type == "cpu" else _on_accelerator(needs, room, dtype))
    for way in ways:
        offloaded = any("offload" in name for name in way.names)
        held = _weights(needs, dtype or torch.float16) if offloaded else 0
        if way.needed <= _KEPT_FREE * room.free and held <= _KEPT_FREE * room.host:
            return way
    least = min(ways, key=lambda way: way.needed)
    raise LoadError(
        f"fit=True finds no way: {', '.join(least.names)} would still need {size(least.needed)} on {room.device}, "
        f"where {size(room.free)} are free, and {size(room.host)} in memory; close what else runs, or take a smaller"
    )


def _on_accelerator(needs: Needs, room: Room, dtype: torch.dtype | None) -> list[Fit]:
    kind = dtype or torch.float16
    first = _number_format(kind, room.device)
    largest = max(needs.numbers.values(), default=0) * _WIDTH[kind]
    whole = _weights(needs, kind)
    moved = f"one component at a time on {room.device}, the rest in memory: every run moves {size(whole)}"
    ways = [
        _way(needs, room, kind, whole, (first,)),
        _way(needs, room, kind, whole, (first, _SLICING, _TILING)),
    ]
    if room.device.type == "cuda":  # where memory is shared, offload frees nothing
        ways.append(_way(needs, room, kind, largest, (first, _SLICING, _TILING, Choice("model offload", moved))))
        ways.append(_way(needs, room, kind, int(largest * _LAYER), (first, _SLICING, _TILING, _SEQUENTIAL)))
    else:
        ways.append(_way(needs, room, kind, whole, (first, _SLICING, _TILING, _ATTENTION)))
    return ways


def _on_cpu(needs: Needs, room: Room, dtype: torch.dtype | None) -> list[Fit]:
    ways = []
    for kind in (dtype,) if dtype else (torch.float32, torch.bfloat16):
        first, whole = _number_format(kind, room.device), _weights(needs, kind)
        ways.append(_way(needs, room, kind, whole, (first,)))
        ways.append(_way(needs, room, kind, whole, (first, _SLICING, _TILING)))
    return ways


def _number_format(kind: torch.dtype, device: torch.device) -> Choice:
    name = str(kind).removeprefix("torch.")
    slow = ", and slow on many CPUs" if device.type == "cpu" else ""
    costs = {
        "float16": "half of float32's memory; 3 digits instead of 7",
        "bfloat16": "half of float32's memory; 2 digits instead of 7" + slow,
        "float32": "nothing",
        "float64": "twice the memory of float32",
    }
    return Choice(name, costs[name])


def _weights(needs: Needs, kind: torch.dtype) -> int:
    return sum(needs.numbers.values()) * _WIDTH[kind]


def _way(needs: Needs, room: Room, kind: torch.dtype, weights: int, choices: tuple[Choice, ...]) -> Fit:
    names = [choice.name for choice in choices]
    latent = _first(needs.unet.get("sample_size"), 64)
    widths = needs.vae.get("block_out_channels") or (1,)
    side = latent * 2 ** (len(widths) - 1)
    on_cpu = room.device.type == "cpu"
    arrays = _CPU_UNET_ARRAYS if on_cpu else _UNET_ARRAYS
    denoising = _GUIDED * _first(needs.unet.get("block_out_channels"), 1) * latent**2 * _WIDTH[kind] * arrays
    if "attention slicing" in names or "sequential offload" in names:
        denoising //= 2
    decoded = min(side, TILE) if "tiling" in names else side
    upcast = bool(needs.vae.get("force_upcast")) and kind == torch.float16
    decoding = widths[min(1, len(widths) - 1)] * decoded**2 * _WIDTH[torch.float32 if upcast else kind] * _VAE_ARRAYS
    parts = {"weights": weights, "denoising": denoising, "decoding": decoding}
    needed = weights + max(denoising, decoding)
    if on_cpu:
        parts["overhead"] = _LIBRARIES + int(weights * _HEAP)
        needed += parts["overhead"]
    return Fit(str(room.device), room.free, needed, parts, choices)


def _first(size_of: Any, otherwise: int) -> int:
    if isinstance(size_of, (list, tuple)):
        size_of = size_of[0] if size_of else otherwise
    return int(size_of or otherwise)


def apply(pipe: DiffusionPipeline, fit: Fit, device: torch.device) -> bool:
    """Applies the choices to a pipeline, all but the number format. Returns whether they placed the weights too."""
    part: Any = pipe
    if "slicing" in fit.names:
        part.vae.enable_slicing()
    if "tiling" in fit.names:
        part.vae.enable_tiling()
        if part.vae.tile_sample_min_size > TILE:  # a VAE's own tile is as large as the pictures that it was trained on
            part.vae.tile_latent_min_size = part.vae.tile_latent_min_size * TILE // part.vae.tile_sample_min_size
            part.vae.tile_sample_min_size = TILE
    if "attention slicing" in fit.names:
        part.enable_attention_slicing()
    _FITS[pipe] = fit
    if "model offload" in fit.names:
        part.enable_model_cpu_offload(device=device)
    elif "sequential offload" in fit.names:
        part.enable_sequential_cpu_offload(device=device)
    else:
        return False
    return True
