"""The Parquet parts of a study's table: written whole, under names that no reader takes before they are."""

import json
import os
import re
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..base import atomic_files
from ..base.errors import RunError
from ..base.os_errors import told
from .values import Kind, Row

_ABOUT: Final = b"sdexplore"
_ENDS: Final = b"PAR1"  # of a whole Parquet file, at both ends


def arrow() -> Any:  # noqa: ANN401  (a module)
    """Arrow's Python package with its Parquet and its datasets.

    Raises:
        RunError: It is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.dataset
        import pyarrow.parquet
    except ImportError as error:
        raise RunError(f"studies need pandas and pyarrow: pip install 'sdexplore[studies]' ({error})") from error
    return pa


def schema_of(columns: Mapping[str, Kind]) -> Any:  # noqa: ANN401  (a pyarrow.Schema)
    """The columns' types, the same in every part."""
    import pyarrow as pa

    types = {
        "number": pa.float64(),
        "text": pa.string(),
        "numbers": pa.list_(pa.float64()),
        "bytes": pa.binary(),
        "whole": pa.int64(),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns.items()])


def parts_in(folder: Path) -> list[Path]:
    """The parts, oldest first."""
    return sorted(folder.glob("part-*.parquet"))


def is_whole(part: Path) -> bool:
    """Whether a part's file begins and ends as Parquet does."""
    with part.open("rb") as file:
        begins = file.read(len(_ENDS))
        file.seek(0, os.SEEK_END)
        if file.tell() < 3 * len(_ENDS):
            return False
        file.seek(-len(_ENDS), os.SEEK_END)
        return begins == _ENDS == file.read()


def write_part(folder: Path, rows: Sequence[Row], columns: Mapping[str, Kind], measures: Collection[str]) -> Path:
    """Writes rows as one part, and returns its path.

    Args:
        measures: Keys of the measures that the rows were measured by; they stand in the part's metadata.

    Raises:
        RunError: The system refuses.
    """
    import pyarrow as pa

    schema = schema_of(columns)
    arrays = [pa.array([row.get(one.name) for row in rows], one.type) for one in schema]
    return write_table(folder, pa.Table.from_arrays(arrays, schema=schema), measures)


def write_table(folder: Path, table: Any, measures: Collection[str]) -> Path:  # noqa: ANN401  (a pyarrow.Table)
    """Writes a table as one part, and returns its path.

    Raises:
        RunError: The system refuses.
    """
    path = folder / new_name()
    with told(RunError, f"cannot write {str(path)!r}", "make room, and call Study.run again: it goes on"):
        write_as(table, path, measures)
    return path


def new_name() -> str:
    """A name for a part; later ones come later in the order of names."""
    return f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"


def is_part(name: str) -> bool:
    """Whether a file of this name is a part."""
    return re.fullmatch(r"part-\d{20}-[0-9a-f]{8}\.parquet", name) is not None


def write_as(table: Any, path: Path, measures: Collection[str]) -> None:  # noqa: ANN401  (as above)
    """Writes a table under a name, whole: on disk before it has that name."""
    import pyarrow.parquet as pq

    about = {_ABOUT: json.dumps({"measures": sorted(measures)}).encode()}
    with atomic_files.draft_of(path) as draft, draft.open("wb") as file:
        pq.write_table(table.replace_schema_metadata(about), file)
        file.flush()
        os.fsync(file.fileno())


def measures_of_part(metadata: Any) -> frozenset[str]:  # noqa: ANN401  (a pyarrow FileMetaData)
    """Keys of the measures that a part's rows were measured by."""
    about = (metadata.metadata or {}).get(_ABOUT)
    return frozenset(json.loads(about)["measures"]) if about else frozenset()


def set_aside(part: Path) -> Path:
    """Renames a damaged part so that no reader takes it, by its beginning and its end; returns its new path."""
    aside = part.with_name(f"_{part.name}.damaged")
    part.replace(aside)
    return aside


def clear_drafts(folder: Path) -> None:
    """Removes half-written parts of a driver that was killed; only under the folder's lock."""
    for left in folder.glob(".part-*.part"):
        left.unlink(missing_ok=True)
