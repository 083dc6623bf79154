"""The pictures of a comparison along one argument."""

import numpy as np
import pytest
from artists import again, equal, panels, shown, texts
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

PROMPT = "a cat and a rocket"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


def test_a_strip_shows_the_pictures_of_one_argument(pipe):
    record = sdx.Record(decode=0, cross_attention=False)
    ladder = sdx.clip_skip_ladder(pipe, PROMPT, (0, 2), record=record, num_inference_steps=1)
    picture = sdx.views.strip(ladder)
    assert [ax.get_title() for ax in panels(picture)] == ["clip_skip 0", "clip_skip 2"]
    for ax, trace in zip(panels(picture), ladder, strict=True):
        np.testing.assert_array_equal(shown(ax)[0], trace.image)
    assert texts(picture).startswith(f"“{PROMPT}”\n")
    equal(picture, again(picture, comparison=ladder))
    assert picture.call.over == {"clip_skip": [0, 2]}
    assert [source["fingerprint"] for source in picture.call.sources] == [trace.fingerprint for trace in ladder]
    empty = sdx.compare(pipe, PROMPT, over={"negative_prompt": ["", "x"]}, record=record, num_inference_steps=1)
    titles = ["negative_prompt ''", "negative_prompt x"]
    assert [ax.get_title() for ax in panels(sdx.views.strip(empty))] == titles
    walk = sdx.interpolation(pipe, "a cat", "a $dog", (0, 0.5), record=record, num_inference_steps=1)
    strip = sdx.views.strip(walk)
    assert [ax.get_title() for ax in panels(strip)] == ["weight 0", "weight 0.5"]
    assert "“a cat” → “a \\$dog”, by slerp\n" in texts(strip)
    grid = sdx.views.comparison(walk)
    assert grid.figure.get_suptitle() == strip.figure.get_suptitle()
    assert grid.alt.startswith("2 pictures of the way from 'a cat' to 'a $dog' ")
    assert "weight 0.0; weight 0.5" in grid.alt
    assert "2 runs of 'a cat' to 'a $dog'" in repr(walk)
    middle = sdx.views.denoising(walk.at(weight=0.5))
    assert "“a cat” → “a \\$dog”, by slerp, weight 0.5\n" in texts(middle)
    assert "for the way from 'a cat' to 'a $dog' at weight 0.5." in middle.alt
    grid = sdx.compare(pipe, PROMPT, over={"seed": [0], "guidance_scale": [1.0]}, record=record, num_inference_steps=1)
    with pytest.raises(sdx.TraceError, match="over seed, guidance_scale"):
        sdx.views.strip(grid)


def test_a_strip_says_what_its_runs_share_and_no_more(pipe):
    told = {"record": sdx.Record(decode=0, cross_attention=False), "num_inference_steps": 1}
    prompts = sdx.views.strip(sdx.compare(pipe, over={"prompt": ["a cat", ""]}, seed=1, **told))
    assert prompts.alt == "2 pictures side by side, from left to right with prompt a cat, ''."
    seeds = sdx.views.strip(sdx.compare(pipe, PROMPT, over={"seed": [0, 1]}, **told))
    assert PROMPT in seeds.alt
    assert "same noise" not in seeds.caption
