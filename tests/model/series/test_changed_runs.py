"""Changes where runs are compared, looked at, saved, published and made again."""

import numpy as np
import pytest
from double_pipelines import STEPS
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

PROMPT = "a cat and a rocket"
SMALL = {**STEPS, "record": sdx.Record(decode=0)}
CHANGES = [
    None,
    sdx.Reweight("cat", 3, steps=slice(1, None)),
    [sdx.Ablate("mid_block"), sdx.Keep("a dog and a rocket")],
]


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def compared(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "runs"
    return folder, sdx.compare(pipe, PROMPT, over={"change": CHANGES}, to=folder, **SMALL)


def test_a_comparison_over_changes_is_found_saved_and_gone_on_with(pipe, compared, tmp_path):
    folder, found = compared
    plain = sdx.run(pipe, PROMPT, **SMALL)
    np.testing.assert_array_equal(found.at(change=None).latents, plain.latents)
    assert found.at(change=CHANGES[1]).provenance["changed"][0]["applied"] > 0
    again = sdx.compare(pipe, PROMPT, over={"change": CHANGES}, to=folder, **SMALL)
    assert [one.fingerprint for one in again] == [one.fingerprint for one in found]
    opened = sdx.Comparison.load(found.save(tmp_path / "saved"))
    assert opened.over["change"][1] == CHANGES[1].to_json()
    assert sdx.Comparison.load(folder).over["change"] == opened.over["change"]


def test_figures_say_what_was_changed(compared, tmp_path):
    _, found = compared
    picture = sdx.views.comparison(found)
    titles = [ax.get_title() for ax in picture.figure.axes]
    assert titles[0] == "unchanged"
    assert "cat" in titles[1]
    assert "mid_block" in picture.alt
    one = found.at(change=CHANGES[1])
    assert "attention to “cat” × 3" in sdx.views.attention(one, ["cat"]).figure.get_suptitle()
    assert "attention to “cat” × 3" in sdx.views.latents(one).alt
    opened = sdx.Comparison.load(found.save(tmp_path / "saved"))
    assert sdx.views.comparison(opened).alt == picture.alt


def test_a_published_picture_of_changed_runs_is_made_again(pipe, compared, tmp_path):
    _, found = compared
    article = sdx.Article("runs-that-were-changed", root=tmp_path).add(sdx.views.comparison(found), key="all")
    article.add(found.traces[2], key="kept")
    for sidecar in sorted((tmp_path / "images" / "runs-that-were-changed").glob("0*.json")):
        made = sdx.reproduce(sidecar, pipe)
        assert made.same, made


def test_a_look_is_changed_too(pipe):
    image = np.full((64, 64, 3), 120, np.uint8)
    given = {"t": 300, "record": sdx.Record(decode=0)}
    plain = sdx.look(pipe, image, PROMPT, **given)
    out = sdx.look(pipe, image, PROMPT, change=sdx.Reweight("cat", 0), **given)
    patched = sdx.look(pipe, image, PROMPT, change=sdx.Patch("a dog", "conv_out"), **given)
    assert out.call["arguments"]["change"] == sdx.Reweight("cat", 0).to_json()
    np.testing.assert_array_equal(out.latents[0], plain.latents[0])
    assert np.abs(out.noise_pred - plain.noise_pred).max() > 1e-5
    dog = sdx.look(pipe, image, "a dog", **given)
    np.testing.assert_allclose(patched.noise_pred, dog.noise_pred, atol=1e-5)


def test_occlusion_asks_an_unchanged_model(pipe, compared):
    with pytest.raises(sdx.RunError, match="change"):
        sdx.occlusion(pipe, compared[1].traces[1], ["cat"])


def test_a_trace_from_its_file_says_what_was_changed(compared):
    folder, found = compared
    opened = sdx.Comparison.load(folder).traces[1]
    assert opened.provenance["changed"] == found.traces[1].provenance["changed"]
    assert "Reweight('cat', 3.0" in str(opened)
