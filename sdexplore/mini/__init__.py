"""The embedded miniature Stable Diffusion, and the world of scenes that it was trained on.

A scene, its picture, and the mask of each word::

    scene = sample(random.Random(7))
    image, masks = render(scene, random.Random(0))

`world/` makes scenes with numpy and Pillow alone. `training/` and `evaluation/` import torch; nothing imports them
while a pipeline runs. MODEL_CARD.md says what the model is, how it was made, and what it can do.
"""

from pathlib import Path

from sdexplore.mini.world.atlas import draw_atlas, load_atlas
from sdexplore.mini.world.layouts import Sprite, Thing
from sdexplore.mini.world.world import GROUND, Scene, render, sample, spans

PIPELINE = Path(__file__).parent / "pipeline"
"""Folder of the trained pipeline, in the form in which diffusers saves one; the weights are float16."""

__all__ = [
    "GROUND",
    "PIPELINE",
    "Scene",
    "Sprite",
    "Thing",
    "draw_atlas",
    "load_atlas",
    "render",
    "sample",
    "spans",
]
