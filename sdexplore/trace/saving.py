"""A Trace's fields into its file and out of it: at once, or sealed behind arrays that were written row by row."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..base.errors import SdexploreError, TraceError
from . import codec, file
from .fields import TraceFields
from .growing_file import TraceDraft
from .preview import preview_in


def save(path: Path, trace: TraceFields) -> None:
    """Writes a trace to `path`, atomically; its header holds a small picture too.

    Raises:
        TraceError: The name does not end in .safetensors.
    """
    if path.suffix != ".safetensors":
        raise TraceError(f"cannot save a trace as {path.name!r}: the name must end in .safetensors")
    file.write(path, codec.facts_of(trace), trace.arrays(), preview=preview_in(trace))


def sealed(draft: TraceDraft, trace: TraceFields) -> None:
    """Makes a draft that holds the arrays of `trace` its file."""
    draft.seal(codec.facts_of(trace), preview_in(trace))


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Raises what goes wrong in the block as a TraceError that says that the file at `path` is damaged."""
    try:
        yield
    except SdexploreError as error:
        raise TraceError(f"{path.name!r} is damaged: {error}") from error
    except KeyError as error:
        raise TraceError(f"{path.name!r} is damaged: {error} is missing") from error
    except Exception as error:
        raise TraceError(f"{path.name!r} is damaged: {type(error).__name__}: {error}") from error
