"""What views of studies, calibrations and benchmarks say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "calibration.measured": "Calibration of {model}, method {method}, {scenes} scenes of seed {seed}",
    "calibration.score.pointing": "share of words whose map has its maximum in the mask",
    "calibration.score.iou_at_area": "overlap (intersection over union) of the mask and as many of the map's "
    "highest pixels",
    "calibration.score.iou_high": "overlap of the mask and where the map is above 0.4 of its range",
    "calibration.score.inside": "share of the whole map that lies in the mask",
    "calibration.score.in_map": "share of the change that lies in the top of the word's attention map, as "
    "large as the mask",
    "calibration.kind.object": "objects",
    "calibration.kind.background": "backgrounds",
    "calibration.own": "the word's map",
    "calibration.caused": "word left out",
    "calibration.other": "another word's",
    "calibration.centre": "the picture's centre",
    "calibration.chance": "chance",
    "calibration.all_layers": "all layers",
    "calibration.side": "side {side}",
    "calibration.timesteps": "t (training timestep)",
    "calibration.layers": "layers",
    "calibration.found": "{kind}, {layers}, t {timestep}: {interval} (chance {chance})",
    "calibration.alt.timesteps": "{measured}. {score}, the {meaning}, from 0 to 1 over the timestep, with 95 "
    "% intervals: {scores}.",
    "calibration.alt.layers": "{measured}. {score}, the {meaning}, from 0 to 1 layer by layer, with 95 % "
    "intervals: {scores}.",
    "calibration.caption.timesteps": "How well maps find their word where the right answer is known, beside "
    "what chance, the centre of the picture and another word would score.",
    "calibration.caption.layers": "Which layers find their word where the right answer is known, beside what "
    "chance, the centre of the picture and another word would score.",
    "benchmark.share": "seconds traced / untraced",
    "benchmark.over.steps": "denoising steps",
    "benchmark.over.side": "side of the picture, pixels",
    "benchmark.over.layers": "layers read",
    "benchmark.found": "{subject} {first} to {last} over {over}",
    "benchmark.title": "What tracing costs: {machine}",
    "benchmark.alt": "Panels side by side with curves of the seconds of a traced run divided by those of an "
    "untraced one, with lines at 1 (no cost) and 1.05. Medians: {shares}.",
    "benchmark.caption": "What it costs to record a run while it goes on, as the work grows; measured on {machine}.",
    "study.left": "{runs} without a number left out",
    "study.title": "Study {study}: {counted}",
    "study.alt.left": "{alt} {left}.",
    "study_distribution.drawn": "mean and 95 % interval, bootstrap over {clusters}",
    "study_distribution.alone": "mean and 95 % interval, bootstrap over {clusters}; no bar: one cluster alone",
    "study_distribution.alt": "A column of dots for each value of {over}, one dot a run, with {column} "
    "upwards, in study {study}, {runs}. Means with 95 % intervals by bootstrap over {clusters}: {means}.",
    "study_distribution.caption": "How {column} goes with {over}: each dot is a run, and where the intervals "
    "of two means are apart, the difference is more than what {clusters} alone would make.",
    "study_pairs.alone": "{runs} without a partner left out",
    "study_pairs.what": "{column} at {over} {second} less at {first}",
    "study_pairs.pairs": "pairs",
    "study_pairs.mean": "mean difference {mean}",
    "study_pairs.interval": "95 % interval, bootstrap over {clusters}",
    "study_pairs.alt": "Histogram of {what} in study {study}, {pairs}: mean {mean}, a line, with its 95 % "
    "interval by bootstrap over {clusters}, a band; {above} are above 0.",
    "study_pairs.caption": "What {over} alone changes in {column}: the two runs of a pair are the same in all else.",
    "study_pictures.several": "the first of several runs in a cell",
    "study_pictures.title": "Study {study}: {rows} by {columns}",
    "study_pictures.alt": "{pictures} of study {study} on a grid: downwards {rows} ({down}), across {columns} "
    "({across}).",
    "study_pictures.caption": "What {rows} decides stays the same along a row, what {columns} decides stays "
    "the same down a column.",
    "study_ends.title": "Study {study}: both ends of {column} in {runs}",
    "study_ends.lowest": "lowest",
    "study_ends.highest": "highest",
    "study_ends.alt": "Two rows of pictures in study {study}, {runs}: above, those of the lowest {column}, "
    "{lowest}; beneath, those of the highest, {highest}.",
    "study_ends.caption": "The runs with the lowest and the highest {column}: what the number measures, seen "
    "at its ends and not in what is typical.",
    "study_pictures.alt.several": "{alt} Of several runs in a cell the first is drawn.",
}
