"""How well maps localise, beside chance, the picture's centre and another word."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base.errors import TraceError, did_you_mean
from ..figures.code_lines import options
from ..figures.columns import BLOG_COLUMN, SMALL
from ..figures.font_families import drawable
from ..figures.picture import Picture, style
from ..records.calibration import ALL_LAYERS, CAUSAL, KINDS, SCORES, Calibration, CalibrationRow
from ..strings.wording import listed, wording
from .made_from import made_from

_OWN, _CAUSED, _OTHER, _PLAIN = "#1f6fb4", "#c2571a", "#7a7a7a", "#2b2b2b"
_SIDE = re.compile(r"side (\d+)")
_APART = 0.12  # of the space between two timesteps or layers


@made_from("pipeline", calls=["calibrate"])
def calibration(
    result: Calibration,
    *,
    score: str = "pointing",
    over: Literal["timesteps", "layers"] = "timesteps",
    timestep: int | None = None,
) -> Picture:
    """Draws one score of a Calibration, objects and backgrounds apart, from 0 to 1 in both panels.

    Blue discs: the word's attention map over all layers; orange squares: the change of the noise prediction with the
    word left out. Bars: 95 % intervals, bootstrap over scenes. Beside each disc stands what to compare it with: a
    dash for chance (from the mask's area), a plus for the picture's centre, a cross for another word's map of the
    same caption. With over="layers" there is one disc for all layers, each size, and each layer, at one timestep.

    Args:
        score: A key of `calibrations.SCORES`: "pointing", "iou_at_area", "iou_high", "inside" or "in_map".
        over: What stands along x.
        timestep: Which one, with over="layers"; None: the middle one.

    Raises:
        TraceError: There is no such score or timestep, or nothing of it was measured.
    """
    if score not in SCORES:
        raise TraceError(f"no score {score!r}; {did_you_mean(str(score), SCORES)}")
    if over not in ("timesteps", "layers"):
        raise TraceError(f"calibration(over={over!r}): over is 'timesteps' or 'layers'")
    at = sorted(result.timesteps)[len(result.timesteps) // 2] if timestep is None else timestep
    if at not in result.timesteps:
        raise TraceError(f"t = {at} was not measured; there are {', '.join(map(str, result.timesteps))}")
    rows = [row for row in result.rows if score in row.scores and (_main(row) or (over == "layers" and row.layers))]
    rows = [row for row in rows if over == "timesteps" or row.timestep == at]
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in rows)]
    if not kinds:
        raise TraceError(f"this calibration holds no score {score!r}: calibrate(causal=True) measures it")
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 3.4 if over == "timesteps" else 5.0), layout="compressed")
        axes = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        measured = wording(
            "calibration.measured",
            model=drawable(result.model),
            method=result.method,
            scenes=result.scenes,
            seed=result.seed,
        )
        if over == "layers":
            measured = listed((measured, f"t = {at}"))
        meaning = wording(f"calibration.score.{score}")
        figure.suptitle(f"{measured}\n{score}: {meaning}", fontsize=9)
        for ax, kind in zip(axes, kinds, strict=True):
            _panel(ax, [row for row in rows if row.kind == kind], score, over)
            ax.set(title=wording(f"calibration.kind.{kind}"), ylim=(-0.02, 1.02))
        axes[0].set_ylabel(score)
        handles, labels = axes[0].get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(list(unique.values()), list(unique), loc="outside lower center", ncols=3, frameon=False)
    drawn = options(
        {"score": score, "over": over, "timestep": timestep},
        {"score": "pointing", "over": "timesteps", "timestep": None},
    )
    return Picture(
        figure=figure,
        data=_data(rows, score, kinds),
        alt=wording(
            f"calibration.alt.{over}",
            measured=measured,
            score=score,
            meaning=meaning,
            scores=_in_words(rows, score),
        ),
        caption=wording(f"calibration.caption.{over}"),
        call=f"sdx.views.calibration(sdx.calibrate(pipe{_measured(result)}){drawn})",
    )


def _measured(result: Calibration) -> str:
    """The arguments with which `sdx.calibrate` measures this again; all are named, since its defaults may change."""
    causal = any(row.method == CAUSAL for row in result.rows)
    given = {"method": result.method, "scenes": result.scenes, "seed": result.seed}
    return options({**given, "timesteps": list(result.timesteps), "causal": causal})


def _main(row: CalibrationRow) -> bool:
    return row.layers == ALL_LAYERS or row.method == CAUSAL


def _panel(ax: Axes, rows: Sequence[CalibrationRow], score: str, over: str) -> None:
    places = [row.timestep if over == "timesteps" else row.layers or CAUSAL for row in rows]
    labels = sorted(set(places), key=int) if over == "timesteps" else list(dict.fromkeys(places))
    for row, place in zip(rows, places, strict=True):
        caused = row.method == CAUSAL
        found = row.scores[score]
        x = labels.index(place) + (_APART if caused and over == "timesteps" else 0)
        color, marker = (_CAUSED, "s") if caused else (_OWN, "o")
        reach = np.clip([[found.value - found.low], [found.high - found.value]], 0, None)
        name = wording("calibration.caused" if caused else "calibration.own")
        ax.errorbar([x], [found.value], yerr=reach, fmt=marker, color=color, capsize=3, markersize=5, label=name)
        ax.plot([x - _APART * (not caused)], [found.other], "x", color=_OTHER, label=wording("calibration.other"))
        if not caused or over == "layers":
            ax.plot([x - _APART], [found.centre], "+", color=_PLAIN, label=wording("calibration.centre"))
            ax.plot([x - _APART], [found.chance], "_", color=_PLAIN, markersize=10, label=wording("calibration.chance"))
    names = [drawable(_layer(str(label)), 30) for label in labels]
    ax.set_xticks(range(len(labels)), names)
    if over == "layers":
        ax.tick_params(axis="x", labelrotation=90, labelsize=SMALL)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.set_xlabel(wording(f"calibration.{over}"))


def _layer(layer: str) -> str:
    """What was averaged over, or a layer's name without what all share: "up_blocks.1.attentions.2"."""
    if layer in (ALL_LAYERS, CAUSAL):
        return wording("calibration.all_layers" if layer == ALL_LAYERS else "calibration.caused")
    if side := _SIDE.fullmatch(layer):
        return wording("calibration.side", side=side[1])
    return layer.removesuffix(".attn2").removesuffix(".transformer_blocks.0")


def _data(rows: Sequence[CalibrationRow], score: str, kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """Per kind and map: timestep, value, low, high, chance, centre, other in each row."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for kind in kinds:
        for row in (row for row in rows if row.kind == kind):
            one = row.scores[score]
            values = (row.timestep, one.value, one.low, one.high, one.chance, one.centre, one.other)
            found.setdefault(f"{kind}, {row.layers or CAUSAL}", []).append(values)
    return {name: np.array(values, np.float64) for name, values in found.items()}


def _in_words(rows: Sequence[CalibrationRow], score: str) -> str:
    return wording("list.semicolon").join(
        wording(
            "calibration.found",
            kind=wording(f"calibration.kind.{row.kind}"),
            layers=_layer(CAUSAL if row.method == CAUSAL else row.layers),
            timestep=row.timestep,
            interval=row.scores[score].interval,
            chance=f"{row.scores[score].chance:.2f}",
        )
        for row in rows
        if _main(row)
    )
