"""Tasks as they travel to a worker of Dask: small, and what all of them share is unpacked once in each process.

Dask keeps the last 1,000 messages of each connection (`distributed.admin.low-level-log-length`), with the live objects
in them, and a driver whose process has the scheduler too keeps them twice. So a message holds a few bytes.
"""

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .values import Row

if TYPE_CHECKING:
    from .work import NotLoaded, Work

_LEVEL = 1  # of zlib: the quickest; what follows in a pack is much like what stands before it


def packed(one: Any) -> bytes:  # noqa: ANN401  (a Work, or tasks)
    """A value as compressed bytes; functions of a notebook travel by value, as Dask sends them."""
    from distributed.protocol.pickle import dumps

    return zlib.compress(dumps(one), _LEVEL)


def rows_of_pack(work: bytes, tasks: bytes) -> "list[Row] | NotLoaded":
    """What a worker does with a pack: the rows of its tasks, or why the source cannot be loaded there."""
    return _work_of(work).rows(_unpacked(tasks))


@lru_cache(maxsize=4)
def _work_of(packed_work: bytes) -> "Work":
    work: Work = _unpacked(packed_work)
    return work


def _unpacked(content: bytes) -> Any:  # noqa: ANN401
    from distributed.protocol.pickle import loads

    return loads(zlib.decompress(content))
