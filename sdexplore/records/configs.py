"""The configuration of a component, and where two of them differ, without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ..base.display import Block, Line, Shown, Table, count
from ..base.errors import look_up


@dataclass(frozen=True, eq=False, repr=False)
class Config(Shown, Mapping[str, object]):
    """The configuration of one component, as plain values under diffusers' own keys.

    Attributes:
        component: Name of the component; empty if the object belongs to no pipeline.
        class_name: Class that was configured.
        entries: Values by key; private keys and local paths are left out.
    """

    component: str
    class_name: str
    entries: Mapping[str, object]

    def __getitem__(self, key: str) -> object:
        return look_up(self.entries, key, f"key in the config of {self.class_name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def blocks(self) -> tuple[Block, ...]:
        """One row a key."""
        title = f"{self.component}: {self.class_name}" if self.component else self.class_name
        rows = [(key, repr(value)) for key, value in self.items()]
        return (Line(title, strong=True), Table(("key", "value"), rows))


class _Absent:
    def __repr__(self) -> str:
        return "—"


ABSENT: Final = _Absent()
"""Stands in a `Difference` on the side that does not have the key."""


@dataclass(frozen=True)
class Difference:
    """One key whose value differs; `ABSENT` on the side that lacks it."""

    key: str
    a: object = ABSENT
    b: object = ABSENT

    @property
    def only_in(self) -> Literal["a", "b"] | None:
        """The only side that has the key; None if both have it."""
        return "b" if self.a is ABSENT else "a" if self.b is ABSENT else None


@dataclass(frozen=True, repr=False)
class ConfigDiff(Shown):
    """The differences of two configs; false if there are none. Lists and tuples of equal values are equal.

    Attributes:
        a: Name of the first config.
        b: Name of the second.
        rows: Keys in both configs first, then keys only in a, then keys only in b.
        same: Count of the keys whose values are equal.
    """

    a: str
    b: str
    rows: tuple[Difference, ...]
    same: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> Difference:
        return look_up({row.key: row for row in self.rows}, key, "differing key")

    def blocks(self) -> tuple[Block, ...]:
        """One row a difference."""
        title = f"{self.a} against {self.b}: {count(len(self))} differ, {count(self.same)} equal"
        rows = [(row.key, repr(row.a), repr(row.b), f"only in {row.only_in}" if row.only_in else "") for row in self]
        table = (Table(("key", f"a: {self.a}", f"b: {self.b}", ""), rows),) if rows else ()
        return (Line(title, strong=True), *table)
