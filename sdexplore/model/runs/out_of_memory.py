"""Memory that runs out in the middle of a run: it is freed, and an error says what took it and what to change."""

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
from .call import Call
from .call_outline import outline_of
from .cost import cost_of
from .memory_budget import needed, place_on_disk, savings, way_out

_MODEL = Path(__file__).parents[1]
_RECORDING = ("capture", "compiled", "components/host_copies.py", "components/decoding.py")
_OF_PIPELINE = "Make smaller or fewer pictures at a time"
_OF_DECODER = (
    "Decode in tiles, pipe.vae.enable_tiling(), or one picture at a time, pipe.vae.enable_slicing(), or leave the "
    "picture out, output_type='latent'"
)
_ELSEWHERE = "; or let parts wait elsewhere, pipe.enable_model_cpu_offload()"


@contextmanager
def told_if_memory_runs_out(
    pipe: Any, call: Call, function: str, done: Callable[[], tuple[int, int]]
) -> Iterator[None]:
    """Raises a RunError that says what to change where memory runs out in the block.

    Args:
        function: The public function that the user called.
        done: (steps that were made, steps of the whole run).
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
        told += _weights(pipe, call, function, device, ours=ours)
        if not ours:
            own = _OF_DECODER if made and made == total else _OF_PIPELINE
            told.append(own + (_ELSEWHERE if device.type != "cpu" else ""))
        raise RunError(f"{function}: out of memory on {device} {where}: {'. '.join(told)} ({reason:.200})") from error


def _asked_by_us(error: BaseException) -> bool:
    """Whether recording asked for the memory that was not there, and not the pipeline, a guide or a callback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_MODEL):
            place = path.relative_to(_MODEL).as_posix()
            return place.startswith(_RECORDING) and frame.name != "watched"  # that calls the pipeline's own
        if "diffusers" in path.parts or "transformers" in path.parts:
            return False
    return False


def _weights(pipe: Any, call: Call, function: str, device: torch.device, *, ours: bool) -> list[str]:
    """How much recording takes beside the UNet, and what to leave out where that helps; empty where it is not known."""
    kind = "memory" if device.type == "cpu" else "device"
    try:
        outline = outline_of(pipe, call.prompt, call.outlined)

        def amount(one: Record, *, spilled: bool = call.to is not None) -> int:
            return needed(cost_of(pipe, one, outline, spilled=spilled), device)[kind]

        whole = amount(call.record)
        saved = savings(call.record, amount, whole)
        place = place_on_disk(function, outline.images)
        if kind == "memory" and call.to is None and place is not None:
            saved = {place: whole - amount(call.record, spilled=True), **saved}
    except Exception:  # noqa: BLE001  (a failed estimate must not hide the error)
        return []
    weights = sum(parameter.nbytes for parameter in denoiser(pipe).parameters())
    share = f"Recording takes {size(whole)} of it in all, the UNet's weights {size(weights)}"
    return [share, way_out(saved, whole)] if ours or whole > weights else [share]
