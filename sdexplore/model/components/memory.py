"""Memory and disk: how much is free, whether memory ran out, and how it is given back."""

import gc
import shutil
import traceback
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from ...base.atomic_files import named

# How a RuntimeError that is no OutOfMemoryError says so: torch's on the CPU and on MPS, CUDA's libraries', pinning's.
_SAID = (
    "defaultcpuallocator: can't allocate memory",
    "defaultcpuallocator: not enough memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "mps backend out of memory",
    "hip out of memory",
)


def free_memory() -> int:
    """Bytes of the machine's memory that a program can take without swapping."""
    return int(psutil.virtual_memory().available)


def free_on(device: torch.device) -> int | None:
    """Bytes of a CUDA device's memory that a program can take; None for other devices."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(free) + _kept_for_later(torch.cuda.current_device() if device.index is None else device.index)


def _kept_for_later(device: int) -> int:
    """Bytes that torch holds of a CUDA device without using them. What CUDA graphs hold is theirs, in use or not."""
    try:
        every = torch.cuda.memory_snapshot()  # type: ignore[no-untyped-call]
    except RuntimeError:  # cudaMallocAsync keeps no snapshot
        return torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    segments = [one for one in every if one["device"] == device]
    common = [one for one in segments if tuple(one.get("segment_pool_id", ())) in ((), (0, 0))]
    return sum(one["total_size"] - one["allocated_size"] for one in common)


def free_on_disk(path: str | Path) -> int:
    """Bytes that are free on the disk where a file or folder is to be made."""
    place = named(path).absolute()
    return shutil.disk_usage(next(one for one in (place, *place.parents) if one.exists())).free


def ran_out(error: BaseException) -> bool:
    """Whether an exception says that memory of the host or of a device ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


def give_back(error: BaseException) -> None:
    """Frees what the frames of a traceback hold, and what torch keeps for later."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
    gc.collect()
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # raised while another thread captures a CUDA graph
            torch.cuda.empty_cache()
