"""Writes rows to the file of a trace as they are made, so that memory does not grow with the steps of a run."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...base.atomic_files import draft_of, named
from ...base.errors import RunError
from ...base.os_errors import told
from ...trace.collections import Traces
from ...trace.folder import new_files, write_index
from ...trace.growing_file import TraceDraft
from ...trace.saving import sealed
from ...trace.step_decoding import Decoder
from ...trace.trace import Trace
from ..components.host_copies import HostCopies
from .memory_sink import InMemory, Keeper, Key

IN_FLIGHT = 1 << 28  # bytes that wait to be written; as many more, and a row, may be in the middle of being written
_HEADER = 1 << 17  # bytes for what a header holds beside its arrays, above all the preview
_HEADER_OF_ARRAY = 1 << 11  # bytes; about 900 are used with 50 steps and 20 columns


class InFiles(Keeper):
    """Writes rows to one draft for each image; a thread writes complete steps while the next one is computed."""

    in_files = True

    def __init__(self, drafts: list[TraceDraft], target: Path, files: list[str]) -> None:
        super().__init__()
        self._drafts, self._target, self._files = drafts, target, files
        self._copies = HostCopies()
        self._waiting: list[tuple[Key, torch.Tensor, int]] = []
        self._bytes = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sdexplore-spill")
        self._written: Future[None] | None = None
        self._decoders: dict[int, Decoder] = {}
        self._layouts: dict[Key, tuple[tuple[int, ...], torch.dtype]] = {}

    def step_done(self) -> None:
        """Begins to write the step's rows, once the rows of the step before are written."""
        self._join()
        if self._waiting:
            self._written = self._writer.submit(self._write, self._waiting, self._copies.reached())
        self._waiting, self._bytes = [], 0

    def wait(self) -> None:
        """Returns once every row is written."""
        self.step_done()
        self._join()

    def arrays(self, image: int) -> dict[str, np.ndarray]:
        """The arrays of one image by name, mapped from its draft."""
        self.wait()
        return self._drafts[image].arrays()

    def forget(self, key: Key) -> None:
        """Drops the array from its draft."""
        self.wait()
        self._drafts[key[0]].forget(key[1])
        self._rows.pop(key, None)

    def seal(self, image: int, trace: Trace) -> None:
        """Turns the image's draft into the file of the trace."""
        self.wait()
        if (decoder := trace.decoding.decoder) is not None:
            self._decoders[image] = decoder
        with _told(self._target):
            sealed(self._drafts[image], trace)

    def drop(self) -> None:
        """Forgets the rows that wait; rows that are being written are written first."""
        self._waiting.clear()
        self._writer.shutdown(wait=True, cancel_futures=True)
        for draft in self._drafts:
            draft.close()

    def result(self) -> Trace | Traces:
        """The traces, opened where they were written, each with its decoder for steps that are not in the file."""
        if len(self._drafts) == 1:
            found: Trace | Traces = Trace.load(self._target)
        else:
            write_index(self._target, {"kind": "traces"}, self._files)
            found = Traces.load(self._target)
        for image, decoder in self._decoders.items():
            (found if isinstance(found, Trace) else found[image]).decoded_by(decoder, ())
        return found

    def _append(self, key: Key, rows: torch.Tensor, dtype: torch.dtype, expected: int) -> None:
        if key[0] >= len(self._drafts):
            raise RunError(
                f"run(to={self._target.name!r}): the call makes more images than its arguments say: leave out to="
            )
        self._layouts[key] = (tuple(rows.shape[1:]), dtype)
        self._waiting.append((key, self._copies.take(rows, dtype), expected))
        self._bytes += self._waiting[-1][1].nbytes
        if self._bytes > IN_FLIGHT:
            self.step_done()

    def _layout(self, key: Key) -> tuple[tuple[int, ...], torch.dtype]:
        return self._layouts[key]

    def _join(self) -> None:
        if self._written is not None:
            self._written.result()

    def _write(self, rows: list[tuple[Key, torch.Tensor, int]], reached: list[Any]) -> None:
        for event in reached:
            event.synchronize()
        with _told(self._target):
            for (image, name), tensor, expected in rows:
                self._drafts[image].append(name, tensor.numpy(), expected)


@contextmanager
def keeping(to: str | Path | None, images: int, layers: int) -> Iterator[Keeper]:
    """A keeper in memory, or in files: these are there if the block ends well, and are unchanged if it does not.

    Args:
        to: None; or a file, for one image, or a folder for several.
        layers: About how many attention layers are read.
    """
    if to is None:
        in_memory = InMemory()
        try:
            yield in_memory
        except BaseException:
            in_memory.drop()  # a traceback must not hold the arrays
            raise
        return
    target = target_of(to, images)
    files = [target] if images == 1 else [target / name for name in new_files(target, images)]
    with ExitStack() as stack:
        stack.enter_context(_made(files[0].parent))
        with _told(target):
            paths = [stack.enter_context(draft_of(file)) for file in files]
            room = _HEADER + 2 * layers * _HEADER_OF_ARRAY
            in_files = InFiles([TraceDraft(path, room) for path in paths], target, [file.name for file in files])
        stack.callback(in_files.drop)
        yield in_files


def target_of(to: str | Path, images: int) -> Path:
    """The file or folder named by `to`.

    Raises:
        RunError: It cannot hold the trace of one image, or the traces of several.
    """
    target = named(to, RunError)
    shown = f"run(to={str(to)!r}): "
    if images > 1:
        if target.suffix == ".safetensors" or (target.exists() and not target.is_dir()):
            raise RunError(f"{shown}the call makes {images} images; name a folder, such as {target.stem!r}")
        return target
    if target.is_dir():
        raise RunError(f"{shown}that is a folder; name a file in it, such as {str(target / 'trace.safetensors')!r}")
    if target.suffix != ".safetensors":
        right = target.with_name(f"{target.name}.safetensors").name
        raise RunError(f"{shown}the name of a trace's file ends in .safetensors, as in {right!r}")
    return target


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes the folder and those around it; removes the new ones again if the block ends with an exception."""
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for one in new:
            if not any(one.iterdir()):
                one.rmdir()
        raise


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """Turns the error of a full disk, or of a forbidden place, into a RunError."""
    way_out = "what was begun is removed; make room, keep less (Record), or name another place"
    with told(RunError, f"run(to={str(target)!r}): cannot write there", way_out):
        yield
