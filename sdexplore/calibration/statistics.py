"""Rows of a calibration from scores of words: means over words, intervals over scenes, best settings of two halves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..analysis.bootstrap import bootstrap_weights, interval
from ..records.calibration import ALL_LAYERS, CAUSAL, KINDS, Best, CalibrationRow, Score
from .scoring import mean_of

Scores = Mapping[str, float]
Setting = tuple[str, str, str, int]
"""Kind, method, layers, timestep."""

_CHOSEN_BY = "iou_at_area"  # `pointing` is soon 1 for several settings, and then does not choose


@dataclass(frozen=True)
class Observation:
    """One word in one scene: the scores of its map, and of the maps that it is compared with."""

    scene: int
    own: Scores
    chance: Scores
    centre: Scores
    other: Scores | None


@dataclass
class Observations:
    """Observations by setting."""

    scenes: int
    seed: int
    found: dict[Setting, list[Observation]] = field(default_factory=dict)

    def add(self, setting: Setting, observation: Observation) -> None:
        """Adds an observation."""
        self.found.setdefault(setting, []).append(observation)

    def rows(self, half: int | None = None) -> tuple[CalibrationRow, ...]:
        """A row for each setting. `half` 0 takes scenes of even number alone, 1 those of odd number, None all."""
        weights = bootstrap_weights(self.scenes, self.seed)
        halved = {
            setting: [one for one in observed if half is None or one.scene % 2 == half]
            for setting, observed in self.found.items()
        }
        return tuple(_row(setting, observed, weights) for setting, observed in halved.items() if observed)

    def best(self) -> dict[str, Best]:
        """Kind → the layers and timestep with most overlap in scenes of even number, as scenes of odd number find."""
        choosing, judging = (self.rows(half) for half in (0, 1))
        found = {}
        for kind in KINDS:
            tried = [row for row in choosing if row.kind == kind and row.method != CAUSAL]
            chosen = max(tried, key=lambda row: row.scores[_CHOSEN_BY].value, default=None)
            if chosen is None:
                continue
            alike = {r.layers: r for r in judging if _place(r) == _place(chosen)}
            if chosen.layers in alike and ALL_LAYERS in alike:
                found[kind] = Best(
                    row=alike[chosen.layers],
                    chosen_at=chosen.scores[_CHOSEN_BY].value,
                    tried=len(tried),
                    plain=alike[ALL_LAYERS].scores[_CHOSEN_BY],
                )
        return found


def _place(row: CalibrationRow) -> tuple[str, str, int]:
    return row.kind, row.method, row.timestep


def _row(setting: Setting, observed: list[Observation], weights: np.ndarray) -> CalibrationRow:
    kind, method, layers, timestep = setting
    scenes = [one.scene for one in observed]
    chance, centre = mean_of([one.chance for one in observed]), mean_of([one.centre for one in observed])
    others = [one.other for one in observed if one.other is not None]
    other = mean_of(others) if others else {}
    scores = {}
    for name in observed[0].own:
        values = [one.own[name] for one in observed]
        low, high = interval(scenes, values, weights)
        controls = (float(by.get(name, np.nan)) for by in (chance, centre, other))
        scores[name] = Score(float(np.mean(values)), low, high, *controls)
    return CalibrationRow(kind, method, layers, timestep, len(observed), len(set(scenes)), scores)
