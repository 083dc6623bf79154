"""A set of identities that takes seventeen bytes each: a study of a million runs must not fill its driver.

A Python set of them takes some 130 bytes each.
"""

from typing import Final

import numpy as np

_BYTES: Final = 16
_LEAST: Final = 4096  # newcomers, before they are sorted in
_SHARE: Final = 16  # or one for so many that are sorted


class Identities:
    """A set of identities of 16 bytes: most lie sorted in an array, the newest in a set."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, f"S{_BYTES}")
        self._new: set[bytes] = set()
        self._gone: set[bytes] = set()  # of those in the array

    def __len__(self) -> int:
        return len(self._sorted) - len(self._gone) + len(self._new)

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._new or (identity not in self._gone and self._lies_sorted(identity))

    def add(self, identity: bytes) -> None:
        """Adds one."""
        if self._lies_sorted(identity):
            self._gone.discard(identity)
            return
        self._new.add(identity)
        if len(self._new) >= max(_LEAST, len(self._sorted) // _SHARE):
            self._sort_in()

    def discard(self, identity: bytes) -> None:
        """Takes one out, if it is in."""
        if self._lies_sorted(identity):
            self._gone.add(identity)
        self._new.discard(identity)

    def _lies_sorted(self, identity: bytes) -> bool:
        place = int(self._sorted.searchsorted(np.bytes_(identity)))
        return place < len(self._sorted) and bytes(self._sorted[place]).ljust(_BYTES, b"\0") == identity

    def _sort_in(self) -> None:
        kept = self._sorted
        if self._gone:
            kept = kept[~np.isin(kept, np.array(list(self._gone), kept.dtype))]
        self._sorted = np.sort(np.concatenate([kept, np.array(list(self._new), kept.dtype)]))
        self._new, self._gone = set(), set()
