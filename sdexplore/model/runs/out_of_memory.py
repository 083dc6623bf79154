"""Memory that runs out in the middle of a run: given back, and told what it was and what to change."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ...base.display import size
from ...base.error_lines import first_line
from ...base.errors import RunError
from ...trace.record import Record
from ..components.memory import give_back, ran_out
from ..components.pipeline_parts import denoiser, device_of
from .call_outline import outline_of
from .cost import cost_of
from .memory_budget import Call, needed, savings, way_out

_MODEL = Path(__file__).parents[1]
_RECORDING = ("capture", "compiled", "components/host_copies.py", "components/decoding.py")


@contextmanager
def told_if_memory_runs_out(
    pipe: Any, call: Call, record: Record, to: str | Path | None, done: Callable[[], tuple[int, int]]
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
        reason = first_line(error)
        give_back(error)
        device, (made, total) = device_of(pipe), done()
        where = f"at step {made + 1} of {total}" if made < total else "after the last step"
        where = where if made else "before the first step was over"
        told = [f"what failed was asked for by {'recording' if ours else 'the pipeline itself'}"]
        told += _weights(pipe, call, record, to, device, ours=ours)
        if not ours:
            own = _OF_DECODER if made and made == total else _OF_PIPELINE
            told.append(own + (_ELSEWHERE if device.type != "cpu" else ""))
        raise RunError(f"out of memory on {device} {where}: {'. '.join(told)} ({reason:.200})") from error


def _asked_by_us(error: BaseException) -> bool:
    """Whether the allocation that failed was made by what records, not by the pipeline, a guide or a callback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_MODEL):
            place = path.relative_to(_MODEL).as_posix()
            return place.startswith(_RECORDING) and frame.name != "watched"  # that calls the pipeline's own
        if "diffusers" in path.parts or "transformers" in path.parts:
            return False
    return False


def _weights(
    pipe: Any, call: Call, record: Record, to: str | Path | None, device: torch.device, *, ours: bool
) -> list[str]:
    """What recording takes beside the UNet, and what to leave out where that matters; nothing where it is not known."""
    kind = "memory" if device.type == "cpu" else "device"
    try:
        outline = outline_of(pipe, call.prompt, call.arguments)

        def amount(one: Record, *, spilled: bool = to is not None) -> int:
            return needed(cost_of(pipe, one, outline, spilled=spilled), device)[kind]

        whole = amount(record)
        saved = savings(record, amount, whole)
        if kind == "memory" and to is None:
            saved = {"to='trace.safetensors'": whole - amount(record, spilled=True), **saved}
    except Exception:  # noqa: BLE001  (what is known of the pipeline must be enough)
        return []
    weights = sum(parameter.nbytes for parameter in denoiser(pipe).parameters())
    share = f"Recording takes {size(whole)} of it in all, the UNet's weights {size(weights)}"
    return [share, way_out(saved, whole)] if ours or whole > weights else [share]


_OF_PIPELINE = "Make smaller or fewer pictures at a time"
_OF_DECODER = (
    "Decode in tiles, pipe.vae.enable_tiling(), or one picture at a time, pipe.vae.enable_slicing(), or leave the "
    "picture out, output_type='latent'"
)
_ELSEWHERE = "; or let parts wait elsewhere, pipe.enable_model_cpu_offload()"
