"""A role's cross-attention as the browser reads it: every entry of its prompt by step and resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from ..strings.wording import wording
from ..trace.trace import Attention, Trace
from .buffers import Bits, Buffer
from .prompt_entries import Entry, columns_for, read_prompt


@dataclass(frozen=True, eq=False)
class Group:
    """The mean of the layers that have the same grid and saw the same steps.

    Attributes:
        layers: Their dotted names; each has one vote.
        steps: Distinct steps, ascending.
        calls: Over how many calls of the denoiser each step is averaged.
        maps: Mean over layers, heads and the step's calls: probability 0..1.
    """

    layers: tuple[str, ...]
    steps: tuple[int, ...]
    calls: tuple[int, ...]
    maps: Float32[np.ndarray, "step entry y x"]

    def mean(self) -> Float32[np.ndarray, "1 entry y x"]:
        """The mean over all calls, as `word_map` computes it."""
        weights = np.array(self.calls, np.float32) / np.float32(sum(self.calls))
        return np.asarray(np.tensordot(weights, self.maps, 1)[None], np.float32)


@dataclass(frozen=True, eq=False)
class RoleMaps:
    """The cross-attention of a role, ready to be packed."""

    role: str
    groups: list[Group]
    facts: dict[str, Any]

    def pack(self, buffer: Buffer, bits: Bits, kept: Sequence[int]) -> dict[str, Any]:
        """Adds the maps of the steps in `kept`, and the mean over all steps, to `buffer`; returns the role's facts."""
        groups = []
        for group in self.groups:
            rows = [row for row, step in enumerate(group.steps) if step in kept]
            maps = group.maps if len(rows) == len(group.steps) else group.maps[rows]
            levels, mean = buffer.levels(maps, group.mean(), bits)
            groups.append(
                {
                    "grid": list(group.maps.shape[2:]),
                    "layers": list(group.layers),
                    "steps": [group.steps[row] for row in rows],
                    "averaged": len(group.steps),
                    "maps": levels,
                    "mean": mean,
                }
            )
        return self.facts | {"groups": groups}


def role_maps(trace: Trace, role: str) -> RoleMaps:
    """The maps of every entry of the role's prompt.

    Raises:
        TraceError: Its layers do not hold the positions of its prompt.
    """
    layers = trace.attention(role)
    first = next(iter(layers.values()))
    reading = read_prompt(trace, role, first)
    entries = reading.entries
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], dict[str, Attention]] = {}
    for name, attention in layers.items():
        y, x = attention.grid
        alike.setdefault(((y, x), attention.steps), {})[name] = attention
    groups = [_group(steps, members, entries) for (_, steps), members in alike.items()]
    groups.sort(key=lambda group: -group.maps.shape[2] * group.maps.shape[3])
    heads = {attention.shape[1] for attention in layers.values() if not attention.head_mean}
    facts = {
        "role": role,
        "entries": [_entry_facts(entry, entries) for entry in entries],
        "sentence": [list(one) for one in reading.sentence],
        "lost": reading.lost,
        "tokenizer": wording("packed.and").join(name for name, _ in first.read_by) or None,
        "heads": _heads_in_words(sorted(heads)),
        "zeroed": role in trace.provenance.get("zeroed_roles", []),
    }
    return RoleMaps(role, groups, facts)


def _group(steps: tuple[int, ...], layers: dict[str, Attention], entries: list[Entry]) -> Group:
    distinct = sorted(set(steps))
    total: np.ndarray | None = None
    for attention in layers.values():
        own = _summed(attention, entries)
        total = own if total is None else np.add(total, own, out=total)
    if total is None:
        raise AssertionError("a group has layers")
    total /= len(layers)
    calls = [[call for call, seen in enumerate(steps) if seen == step] for step in distinct]
    if len(distinct) != len(steps) or distinct != list(steps):
        total = np.stack([total[rows].mean(axis=0) for rows in calls])
    return Group(tuple(layers), tuple(distinct), tuple(map(len, calls)), np.asarray(total, np.float32))


def _summed(attention: Attention, entries: list[Entry]) -> Float32[np.ndarray, "call entry y x"]:
    """One layer, mean over heads: each entry's columns summed in float32."""
    probs = attention.probs
    probs = probs[:, 0] if probs.shape[1] == 1 else probs.mean(axis=1, dtype=np.float32)
    by_column = np.ascontiguousarray(np.moveaxis(probs, -1, 1), np.float32)
    calls, _, y, x = by_column.shape
    out = np.empty((calls, len(entries), y, x), np.float32)
    for place, entry in enumerate(entries):
        columns = columns_for(attention, entry)
        np.sum(by_column[:, columns], axis=1, out=out[:, place])
    return out


def _heads_in_words(heads: list[int]) -> str:
    if not heads:
        return wording("packed.heads.all")
    return wording("packed.heads", heads=wording("packed.or").join(map(str, heads)))


def _entry_facts(entry: Entry, entries: list[Entry]) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": entry.kind, "text": entry.text, "positions": list(entry.positions)}
    if entry.name != entry.text:
        facts["name"] = entry.name
    if entry.whole:
        facts["of"] = next(i for i, e in enumerate(entries) if e.kind == "word" and e.text == entry.whole)
    return facts
