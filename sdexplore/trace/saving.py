"""A Trace's fields into its file and out of it: at once, or sealed behind arrays that were written row by row."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.errors import SdexploreError, TraceError
from ..base.os_errors import told
from . import codec, file
from .fields import TraceFields
from .growing_file import TraceDraft
from .preview import preview_in
from .stored import FINGERPRINT


def save(path: Path, trace: TraceFields, named: str) -> None:
    """Writes a trace to `path`, atomically; its header holds a small picture too.

    Args:
        named: The path as the user gave it, for errors.

    Raises:
        TraceError: The name does not end in .safetensors, or there is no place for a file.
    """
    check_name(path)
    with told(TraceError, f"cannot save a trace as {named!r}", "what was there before is unchanged"):
        if path.exists() and not path.is_file():
            raise TraceError(f"cannot save a trace as {named!r}: that is no file, but a folder, a pipe or a device")
        path.parent.mkdir(parents=True, exist_ok=True)
        file.write(path, codec.facts_of(trace), trace.parts(), **_shown(trace))


def check_name(path: Path) -> None:
    """TraceError if the name of a file is not one for a trace."""
    if path.suffix != ".safetensors":
        raise TraceError(f"cannot save a trace as {path.name!r}: the name must end in .safetensors")


def bytes_of(trace: TraceFields) -> bytes:
    """The file of a trace, as bytes."""
    buffer = io.BytesIO()
    file.write_to(buffer, codec.facts_of(trace), trace.parts(), **_shown(trace))
    return buffer.getvalue()


def sealed(draft: TraceDraft, trace: TraceFields) -> None:
    """Makes a draft that holds the arrays of `trace` its file."""
    draft.seal(codec.facts_of(trace), **_shown(trace))


def _shown(trace: TraceFields) -> dict[str, str | None]:
    return {FINGERPRINT: trace.fingerprint, "preview": preview_in(trace)}


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Raises what goes wrong in the block as a TraceError that says that the file `name` is damaged."""
    try:
        yield
    except SdexploreError as error:
        raise TraceError(f"{name!r} is damaged: {error}") from error
    except KeyError as error:
        raise TraceError(f"{name!r} is damaged: {error} is missing") from error
    except Exception as error:
        raise TraceError(f"{name!r} is damaged: {type(error).__name__}: {error}") from error
