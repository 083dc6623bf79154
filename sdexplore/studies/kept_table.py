"""A study's table for one who looks at it again and again: what was read is kept until the study's files change."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from .compaction import NOTE
from .keeping import MANIFEST
from .manifest import Manifest
from .parts import arrow
from .reading import StudyTable
from .values import Kind

WHOLE: Final = 2**26
"""Bytes of all parts up to which their columns are read together, once; of a larger study, when one is asked for."""


class KeptTable(StudyTable):
    """What `StudyTable` is, of a study; only the columns of numbers and of texts are kept, and no picture.

    Args:
        study: The study, whose folder another process may write to meanwhile.
    """

    def __init__(self, study: StudyTable) -> None:
        super().__init__(study.folder)
        self._study = study
        self._files: tuple[tuple[str, int, int, int], ...] | None = None
        self.forget()

    def forget(self) -> None:
        """Drops what was read; it is read anew when it is asked for."""
        self._files = None
        self._told_manifest: Manifest | None = None
        self._whole: list[Path] | None = None
        self._lost: tuple[str, ...] | None = None
        self._columns: Any = None

    def _follow(self) -> None:
        """Drops what was read of files that are others now."""
        files = tuple(sorted(_files_of(self.folder)))
        if files != self._files:
            self.forget()
            self._files = files

    @property
    def _manifest(self) -> Manifest:
        self._follow()
        if self._told_manifest is None:
            self._told_manifest = self._study._manifest  # noqa: SLF001  (a Study that was not run has its own)
        return self._told_manifest

    @property
    def damaged(self) -> tuple[str, ...]:
        """As of the study."""
        self._follow()
        if self._lost is None:
            self._lost = super().damaged
        return self._lost

    def _paths(self) -> list[Path]:
        self._follow()
        if self._whole is None:
            self._whole = super()._paths()
        return self._whole

    def _dataset(self, manifest: Manifest, read: Collection[str] | None) -> Any:  # noqa: ANN401  (pyarrow's)
        paths = self._paths()
        light = _light(manifest.columns)
        if not paths or read is None or not light.issuperset(read):
            return super()._dataset(manifest, read)
        kept = self._columns
        if kept is None:
            together = sum(size for _, size, _, _ in self._files or ()) <= WHOLE
            names = light if together else {"identity", *read}
        else:
            names = set(read) - set(kept.column_names)
        if names:
            ordered = [name for name in manifest.columns if name in names]
            fresh = super()._dataset(manifest, ordered).to_table(columns=ordered)
            if self._columns is not kept:  # the files have become others meanwhile
                return self._dataset(manifest, read)
            for name in [] if kept is None else kept.column_names:
                fresh = fresh.append_column(name, kept[name])
            self._columns = fresh
        return arrow().dataset.dataset(self._columns)


def _light(columns: Mapping[str, Kind]) -> set[str]:
    """The columns whose cells are small: no pictures, no lists, and not the calls as JSON."""
    return {name for name, kind in columns.items() if kind in ("number", "whole", "text") and name != "call"}


def _files_of(folder: Path) -> list[tuple[str, int, int, int]]:
    """Name, size, time of change and inode of what makes a study's table."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for one in entries:
                if one.name in (MANIFEST, NOTE) or one.name.startswith("part-"):
                    told = one.stat()
                    found.append((one.name, told.st_size, told.st_mtime_ns, told.st_ino))
    except FileNotFoundError:  # there is no folder yet; or a part went away, and others came
        return []
    return found
