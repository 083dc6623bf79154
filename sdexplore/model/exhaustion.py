"""Memory that runs out in the middle of a run: given back, and told what it was and what to change."""

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..display import size
from ..errors import RunError
from ..record import Record
from .affording import device_of, needed, savings, way_out
from .costing import cost_of
from .outlines import outline_of

_HERE = Path(__file__).parent
_RECORDING = frozenset({"probes", "recording", "keeping", "spilling", "hosting", "assembling", "decoding"})
# What a RuntimeError says that is no OutOfMemoryError: of torch on the CPU, on MPS, of CUDA's libraries and of pinning.
_SAID = (
    "defaultcpuallocator: can't allocate memory",
    "defaultcpuallocator: not enough memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "mps backend out of memory",
    "hip out of memory",
)


def ran_out(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the host or of a device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


def give_back(error: BaseException) -> None:
    """Lets go of what the frames of a traceback hold, and of what torch keeps for later."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def told_if_memory_runs_out(
    pipe: Any, record: Record, prompt: Any, arguments: dict[str, Any], done: Callable[[], tuple[int, int]]
) -> Iterator[None]:
    """A run whose memory runs out ends in a RunError that says what to change.

    Args:
        done: How many steps are made, and of how many.
    """
    try:
        yield
    except Exception as error:
        if not ran_out(error):
            raise
        ours = _asked_by_us(error)
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        give_back(error)
        told = _told(pipe, record, prompt, arguments, done(), ours=ours)
        raise RunError(f"out of memory {told} ({reason:.200})") from error


def _asked_by_us(error: BaseException) -> bool:
    """Whether the allocation that failed was made by what records, not by the pipeline, a guide or a callback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent == _HERE:
            return path.stem in _RECORDING and frame.name != "watched"  # that calls the pipeline's own
        if "diffusers" in path.parts or "transformers" in path.parts:
            return False
    return False


def _told(
    pipe: Any, record: Record, prompt: Any, arguments: dict[str, Any], done: tuple[int, int], *, ours: bool
) -> str:
    device = device_of(pipe)
    steps, total = done
    on = f"on {device}"
    where = f"at step {steps + 1} of {total} {on}" if steps < total else f"{on} after the last step"
    where = where if steps else f"{on} before the first step was over"
    who = "what failed was asked for by the recording" if ours else "what failed was asked for by the pipeline itself"
    pipes = _PIPELINES_OWN if not steps or steps < total else _DECODERS_OWN
    try:
        outline = outline_of(pipe, prompt, arguments)

        def amount(one: Record) -> int:
            found = needed(cost_of(pipe, one, outline), device)
            return found["memory"] if device.type == "cpu" else found["device"]

        whole = amount(record)
        saved = savings(record, amount, whole)
    except Exception:  # noqa: BLE001  (what is known of it must be enough)
        return f"{where}: {who}. {pipes}"
    share = f"recording takes {size(whole)} there{' in all' if device.type == 'cpu' else ' at a time'}"
    weights = sum(parameter.nbytes for parameter in pipe.unet.parameters())
    if ours or whole > weights:
        return f"{where}: {who}, and {share}. {way_out(saved, whole + 1)}. {pipes}"
    return f"{where}: {who}; {share}, its UNet's weights {size(weights)}. {pipes}"


_PIPELINES_OWN = (
    "Make smaller or fewer pictures at a time, load it in float16, or let parts wait elsewhere: "
    "pipe.enable_model_cpu_offload()"
)
_DECODERS_OWN = (
    "Decode in tiles, pipe.vae.enable_tiling(), or one by one, pipe.vae.enable_slicing(), or leave the picture out: "
    "output_type='latent'"
)
