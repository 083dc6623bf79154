"""What `calibrate` found: how well maps localise what words mean, in figures with their intervals and controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..base.display import Block, Line, Shown, Table
from ..base.errors import TraceError, did_you_mean

KINDS = ("object", "background")
CAUSAL = "word left out"
"""The method of rows that use no attention: the map is the change of the noise prediction."""
ALL_LAYERS = "all layers"
SCORES: Mapping[str, str] = MappingProxyType(
    {
        "pointing": "share of words whose map has its maximum in the mask",
        "iou_at_area": "overlap (intersection over union) of the mask and as many of the map's highest pixels",
        "iou_high": "overlap of the mask and where the map is above 0.4 of its range",
        "inside": "share of the whole map that lies in the mask",
        "in_map": "share of the change that lies in the top of the word's attention map, as large as the mask",
    }
)
"""What is measured, each from 0 to 1. The last is measured for rows of method CAUSAL alone."""


@dataclass(frozen=True)
class Score:
    """One figure, beside its value for maps that are not the word's own; NaN where such a value says nothing.

    Attributes:
        value: The mean over words.
        low, high: Its 95 % interval, from the bootstrap over scenes. A bootstrap knows only the scenes that it
            has: 1.00 [1.00, 1.00] says no more than that none of them failed.
        chance: The value for a map that knows nothing, from the mask's area.
        centre: The value for the map that always shows the picture's centre.
        other: The value for the same kind of map of another word of the same caption.
    """

    value: float
    low: float
    high: float
    chance: float
    centre: float
    other: float

    @property
    def interval(self) -> str:
        """The figure and its interval as tables show them."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class CalibrationRow:
    """One kind of map of one kind of thing at one noise level.

    Attributes:
        kind: "object" or "background".
        method: As `word_map` takes it; or CAUSAL.
        layers: ALL_LAYERS, "side 16" or a layer's dotted name; "" where the method is CAUSAL.
        timestep: 0 to 999.
        words, scenes: How many were scored, and in how many scenes they stood.
        scores: A key of SCORES → its figure.
    """

    kind: str
    method: str
    layers: str
    timestep: int
    words: int
    scenes: int
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Best:
    """Settings chosen on one half of the scenes, and their figures on the other.

    Attributes:
        row: The settings, with their scores on the half that they were not chosen on.
        chosen_at: `iou_at_area`, by which they were chosen, on the half that they were chosen on. It is biased upwards.
        tried: Among how many settings they were chosen.
        plain: `iou_at_area` of all layers together at the same timestep, on the half that they were not chosen on.
    """

    row: CalibrationRow
    chosen_at: float
    tried: int
    plain: Score


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Shown):
    """How well a pipeline's maps localise in scenes whose masks are known.

    Attributes:
        model: Where the pipeline came from.
        method: Of the maps.
        scenes, seed: What they were measured on.
        timesteps: The noise levels.
        rows: Every figure: by kind, layers and timestep.
        best: Kind → best settings, from two halves of the scenes; empty where there are too few scenes.
        left_out: How many words have no score, because hardly anything of what they mean is visible.
    """

    model: str
    method: str
    scenes: int
    seed: int
    timesteps: tuple[int, ...]
    rows: tuple[CalibrationRow, ...]
    best: Mapping[str, Best]
    left_out: int

    def row(self, kind: str, timestep: int, layers: str = ALL_LAYERS, method: str | None = None) -> CalibrationRow:
        """One row; layers is "" for method CAUSAL.

        Raises:
            TraceError: There is no such row.
        """
        wanted = (kind, method or self.method, "" if method == CAUSAL else layers, timestep)
        for row in self.rows:
            if (row.kind, row.method, row.layers, row.timestep) == wanted:
                return row
        known = [f"{r.kind}, {r.timestep}, {r.layers}, {r.method}" for r in self.rows]
        asked = f"{kind}, {timestep}, {wanted[2]}, {wanted[1]}"
        raise TraceError(f"the calibration has no row ({asked}); {did_you_mean(asked, known)}")

    @property
    def main_rows(self) -> tuple[CalibrationRow, ...]:
        """Rows of all layers together, then those with the word left out; objects first."""
        chosen = [row for row in self.rows if row.layers in (ALL_LAYERS, "")]
        return tuple(sorted(chosen, key=lambda r: (KINDS.index(r.kind), r.method == CAUSAL, r.timestep)))

    def blocks(self) -> Sequence[Block]:
        """What was measured; the main rows; the best settings; what the figures show and what they do not."""
        head = f"Calibration of {self.model}: method {self.method!r}, {self.scenes} scenes of seed {self.seed}"
        headers = ("of", "map", "t", "words", "pointing", "chance", "centre", "other word", "IoU at area", "chance ")
        more = ("IoU above 0.4", "inside", "in the map")
        rows = [_cells(row) for row in self.main_rows]
        return (
            Line(head, strong=True),
            Table((*headers, *more), rows, frozenset((*headers[2:], *more))),
            *(Line(_told(kind, best)) for kind, best in self.best.items()),
            Line(
                "Intervals: 95 %, bootstrap over scenes. Chance: the mask's area. Other word: another word's map of "
                "the same caption. 'In the map': how much of the change lies in the top of the attention map. "
                f"Words left out, since hardly to be seen: {self.left_out}. All {len(self.rows)} rows: .rows"
            ),
            Line(
                "Scores far above chance, centre and other word show that capture, layout and spans are right, and "
                "that this pipeline's attention to a word lies, that often, where the thing is in these scenes. Low "
                "scores do not tell whether the instrument or the model fails.",
                strong=True,
            ),
            Line(
                "It does NOT show that attention explains the picture, nor how maps fare on other pictures or "
                "models. The embedded model was trained to attend so; before that training it used its words alike, "
                "and its maps pointed hardly better than the picture's centre. Only the rows with the word left out "
                "owe nothing to attention.",
                strong=True,
            ),
        )


def _cells(row: CalibrationRow) -> tuple[str, ...]:
    pointing, area = row.scores["pointing"], row.scores["iou_at_area"]
    map_ = CAUSAL if row.method == CAUSAL else f"{row.method}, {row.layers}"
    share = row.scores.get("in_map")
    return (
        *(row.kind, map_, str(row.timestep), str(row.words), pointing.interval),
        *(_figure(value) for value in (pointing.chance, pointing.centre, pointing.other)),
        *(area.interval, _figure(area.chance), row.scores["iou_high"].interval, row.scores["inside"].interval),
        share.interval if share else "–",
    )


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"  # noqa: PLR0124  (NaN)


def _told(kind: str, best: Best) -> str:
    row, area = best.row, best.row.scores["iou_at_area"]
    return (
        f"Best of {best.tried} settings for {kind}s, chosen on one half of the scenes: {row.layers} at t = "
        f"{row.timestep}. IoU at area on the other half {area.interval} (on its own {best.chosen_at:.2f}; all layers "
        f"there {best.plain.interval}), pointing {row.scores['pointing'].interval}."
    )
