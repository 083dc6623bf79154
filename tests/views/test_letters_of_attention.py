"""Letters of crowded figures of attention and heads can be read where they are 720 pixels wide, as on Zenn."""

import dataclasses
import io
from functools import partial

import numpy as np
import pytest
import synthetic
from matplotlib.text import Text
from PIL import Image

import sdexplore as sdx
from sdexplore import views
from sdexplore.records.attribution import METHODS, Attribution
from sdexplore.records.head_effects import HeadEffects
from sdexplore.records.occlusion import Occlusion

WIDE = 720  # pixels
LEAST = 11  # pixels of a letter's size
LAYERS = [
    f"{block}.attentions.{i}.transformer_blocks.0.attn2" for block in ("down_blocks.0", "mid_block") for i in (0, 1)
]


COMMON = {
    "prompt": "a cat",
    "step": 1,
    "timestep": 500.0,
    "deviation": 0.0,
    "fingerprint": "0",
    "prediction_type": "epsilon",
}
PICTURE = np.zeros((64, 64, 3), np.uint8)


def attributions(count):
    weights, scores = np.eye(8, dtype=np.float32), np.array([0.00123, 4.5e-05], np.float32)
    make = partial(
        Attribution, **COMMON, words=("a", "cat"), scores=scores, others=0.98, region=(0, 0, 8, 8), weights=weights
    )
    return [make(method=method, image=PICTURE) for method in METHODS[:count]]


def head_effects():
    places = np.linspace(0.001, 0.02, 32, dtype=np.float32)
    by_layer = {"layer_reading": places[:4], "layer_whole": places[:4]}
    told = {f"head: {name} ~ attention": 0.5 for name in ("reading", "whole")}
    effects = {"reading": places, "whole": places, "attention": places, "correlations": told, "of_prompt": 1.0}
    return HeadEffects(**COMMON, **effects, **by_layer, word="cat", layers=tuple(LAYERS), heads=(8,) * 4)


def occlusion():
    whole = {"timesteps": np.arange(6.0), "of_prompt": np.ones(6, np.float32), "deviation": np.zeros(6, np.float32)}
    changes = np.ones((2, 6, 8, 8), np.float32)
    shown = {"prompt": "a cat", "words": ("a", "cat"), "steps": tuple(range(6)), "changes": changes}
    return Occlusion(**shown, **whole, prediction_type="epsilon", fingerprint="0")


def of_many_heads():
    layer = synthetic.attention((8, 12), heads=True)
    layer = dataclasses.replace(layer, probs=layer.probs.repeat(10, axis=1))
    return synthetic.trace(cross_attention={"cond": {LAYERS[0]: layer}})


DRAWN = {
    "attention of eight words": lambda: views.attention(synthetic.trace(prompt="b c d e f g h i", columns="all")),
    "attention_layers of twenty heads": lambda: views.attention_layers(of_many_heads(), "cat", scale="each"),
    "attention_steps of six steps": lambda: views.attention_steps(synthetic.trace(), "cat"),
    "attribution by four methods": lambda: views.attribution(*attributions(4)),
    "attribution by one": lambda: views.attribution(*attributions(1)),
    "head_effects of four layers": lambda: views.head_effects(head_effects()),
    "occlusion at six steps": lambda: views.occlusion(occlusion()),
}


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_is_under_eleven_pixels(name):
    with sdx.set_options(lang="ja"):
        picture = DRAWN[name]()
    file = Image.open(io.BytesIO(picture.png(width=WIDE)))
    assert abs(file.width - WIDE) <= 2
    pixels_a_point = file.info["dpi"][0] / 72
    sizes = {text.get_text(): text.get_fontsize() * pixels_a_point for text in picture.figure.findobj(Text)}
    assert len(sizes) > 3
    assert {text: size for text, size in sizes.items() if text.strip() and size < LEAST} == {}
