"""Small parts put together, all columns in each, and one row a run: what other readers need to read a folder rightly.

Half of it is never seen: new parts are written under hidden names, a note says what takes whose place, then names
change. After a crash the next driver reads the note and ends what was begun.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..base import atomic_files
from .parts import arrow, is_part, measures_of_part, new_name, parts_in, schema_of, write_as
from .values import Kind

NOTE: Final = "_compaction.json"
"""The note's name, in the study's folder."""
FULL: Final = 4096
"""Rows from which on a part is no small one."""
_MOST: Final = 50_000  # rows of a part that is put together


def compact(folder: Path, columns: Mapping[str, Kind], *, superseding: bool) -> None:
    """Puts small parts, and those that lack a column, together. Rows that were made again are dropped.

    Args:
        columns: Of the whole table.
        superseding: Whether a run may have two rows; the later one stays.
    """
    import pyarrow.parquet as pq

    schema, groups = schema_of(columns), {}  # type: ignore[var-annotated]
    parts = parts_in(folder)
    small = []
    for part in parts:
        metadata = pq.read_metadata(part)
        group = groups.setdefault(measures_of_part(metadata), [])
        lacking = not metadata.schema.to_arrow_schema().equals(schema)
        if superseding or lacking or metadata.num_rows < FULL:
            group.append(part)
            small += [part] * (not lacking and not superseding)
    groups = {key: group for key, group in groups.items() if superseding or len(group) > 1 or set(group) - set(small)}
    if not any(groups.values()):
        return
    kept = _last_rows(parts) if superseding else {}
    new: list[str] = []
    for measures, group in groups.items():
        for table in _tables(group, schema, kept):
            name = new_name()
            write_as(table, folder / _hidden(name), measures)
            new.append(name)
    old = [part.name for group in groups.values() for part in group]
    atomic_files.write(folder / NOTE, json.dumps({"new": new, "old": old}).encode())
    finish(folder)
    arrow().default_memory_pool().release_unused()  # else a driver keeps what the largest tables took


def finish(folder: Path) -> None:
    """Ends a compaction that was begun; one whose new parts were not all written is forgotten."""
    note = folder / NOTE
    if note.exists():
        told = _told(note)
        for name in told["new"]:
            hidden = folder / _hidden(name)
            if hidden.exists():
                hidden.replace(folder / name)
        for name in told["old"]:
            (folder / name).unlink(missing_ok=True)
        note.unlink()
    for left in folder.glob(_hidden("*")):
        left.unlink()


def replaced(folder: Path) -> frozenset[str]:
    """Names of parts whose rows stand in new parts already, while a compaction ends."""
    try:
        told = _told(folder / NOTE)
    except OSError:
        return frozenset()
    names = told["old"] if all((folder / name).exists() for name in told["new"]) else told["new"]
    return frozenset(names)


def _told(note: Path) -> dict[str, list[str]]:
    """What a note says; names that are no parts are left out, so that it moves and removes nothing else."""
    try:
        told = json.loads(note.read_bytes())
        return {kind: [name for name in told[kind] if is_part(name)] for kind in ("new", "old")}
    except (ValueError, LookupError, TypeError):  # no note of ours
        return {"new": [], "old": []}


def _hidden(name: str) -> str:
    """The name of a part that is not seen yet: Arrow skips what begins so, and a glob of *.parquet what ends so."""
    return f"_new-{name}.tmp"


def _last_rows(parts: Sequence[Path]) -> dict[Path, np.ndarray]:
    """Part -> which of its rows no later row takes the place of."""
    import pyarrow.parquet as pq

    identities = [pq.read_table(part, columns=["identity"])["identity"].to_numpy() for part in parts]
    every = np.concatenate(identities)[::-1]
    _, first = np.unique(every.astype(str), return_index=True)
    last = np.zeros(len(every), bool)
    last[len(every) - 1 - first] = True
    ends = np.cumsum([len(one) for one in identities])[:-1]
    return dict(zip(parts, np.split(last, ends), strict=True))


def _tables(group: Sequence[Path], schema: Any, kept: Mapping[Path, np.ndarray]) -> Any:  # noqa: ANN401  (pyarrow's)
    """The rows of several parts in one schema, some 50,000 at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    waiting: list[Any] = []
    for part in group:
        table = pq.read_table(part, partitioning=None)
        arrays = [
            table[one.name].cast(one.type) if one.name in table.column_names else pa.nulls(len(table), one.type)
            for one in schema
        ]
        table = pa.Table.from_arrays(arrays, schema=schema)
        waiting.append(table.filter(pa.array(kept[part])) if part in kept else table)
        if sum(map(len, waiting)) >= _MOST:
            yield pa.concat_tables(waiting)
            waiting = []
    if sum(map(len, waiting)):
        yield pa.concat_tables(waiting)
