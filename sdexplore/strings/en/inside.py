"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "features.title": "features of {module}, step {step}, {role}, {grid}",
    "feature_components.colours": "1, 2, 3 as R, G, B",
    "feature_components.scaled": "each from least\nto greatest",
    "feature_components.one": "component {number}: {share}",
    "feature_components.bar": "score",
    "feature_components.alt.colours": "{components} of the features of {module} (step {step}, {role}) for {prompt}, "
    "on a grid of {grid}: the first three as one picture in red, green and blue, then each alone from blue over "
    "white to red. They explain {shares} of the variance.",
    "feature_components.alt.alone": "{components} of the features of {module} (step {step}, {role}) for {prompt}, on "
    "a grid of {grid}, each from blue over white to red. They explain {shares} of the variance.",
    "feature_components.caption.colours": "The main directions in which what {module} gives differs between places; "
    "in colours, the first three, each from its least to its greatest: places of one colour have alike features.",
    "feature_components.caption.alone": "The main directions in which what {module} gives differs between places; "
    "the sign of a direction means nothing.",
    "feature_similarity.alike": "alike to the marked cell",
    "feature_similarity.cells": "cosine, cell by cell",
    "feature_similarity.bar": "cosine",
    "feature_similarity.alt.over": "The picture, the similarity laid over it, and the bare map of {grid} cells, with "
    "the cell of pixel {pixel} of {size} framed: features of {module} (step {step}, {role}) for {prompt}. {alike} of "
    "the cells have a cosine above 0.5; the least is {least}.",
    "feature_similarity.alt.bare": "A map of {grid} cells, with the cell of pixel {pixel} of {size} framed: features "
    "of {module} (step {step}, {role}) for {prompt}. {alike} of the cells have a cosine above 0.5; the least is "
    "{least}.",
    "feature_similarity.caption": "Which places {module} describes like the marked one: red ones have alike "
    "features, blue ones opposite.",
    "activation_statistics.title": "outputs of {modules}, step {step}, {role}",
    "activation_statistics.first": "the first that is not finite: {module}",
    "activation_statistics.magnitude": "greatest magnitude",
    "activation_statistics.deviation": "standard deviation",
    "activation_statistics.size": "size of the output",
    "activation_statistics.bad": "{module} is the first of {bad} that are not finite",
    "activation_statistics.finite": "all are finite",
    "activation_statistics.alt": "Points on a logarithmic axis, two for each of {modules} in the order in which they "
    "end (step {step}, {role}), for {prompt}: greatest magnitude and standard deviation. The largest, {largest}, is "
    "that of {module}; {verdict}.",
    "activation_statistics.caption": "How large what each module gives is, on the way through the denoiser; above "
    "the dashed line float16 has no numbers: {verdict}.",
}
