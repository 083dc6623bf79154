"""What the operating system refuses (a full disk, a forbidden place), in sdexplore's own errors and words."""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import SdexploreError


def reason_of(error: OSError) -> str:
    """Why the system refused, as in "No space left on device"."""
    return error.strerror or str(error) or type(error).__name__


@contextmanager
def told(error: type[SdexploreError], doing: str, way_out: str = "") -> Iterator[None]:
    """Raises the block's OSError as `error`.

    Args:
        doing: What failed, with the user's path: "cannot save the trace as 'x.safetensors'".
        way_out: What the user can do.
    """
    try:
        yield
    except OSError as refused:
        raise error(f"{doing}: {reason_of(refused)}{f'; {way_out}' if way_out else ''}") from refused
