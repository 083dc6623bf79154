"""What each word does to the noise prediction, ranked, and where."""

import numpy as np
import pytest
from artists import again, equal, panels, same_scale, shown
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

PROMPT = "a cat and a rocket"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def occlusion(pipe):
    trace = sdx.run(pipe, PROMPT, num_inference_steps=2, record=sdx.Record(decode=0, cross_attention=False))
    return trace, sdx.occlusion(pipe, trace)


def test_words_are_ranked_and_shown_where_they_act(pipe, occlusion):
    trace, found = occlusion
    picture = sdx.views.occlusion(found, most=2)
    bar, *maps = panels(picture)
    assert [label.get_text() for label in bar.get_yticklabels()] == [found.words[i] for i in found.ranking]
    widths = [patch.get_width() for patch in bar.patches]
    np.testing.assert_allclose(widths, found.effects.mean(1)[list(found.ranking)], rtol=1e-5)
    assert widths == sorted(widths, reverse=True)
    steps = len(found.steps)
    assert len(maps) == 2 * steps
    for number, ax in enumerate(maps):
        word, step = found.ranking[number // steps], number % steps
        np.testing.assert_array_equal(shown(ax)[0], found.changes[word, step])
    same_scale([ax.get_images()[0] for ax in maps], 0, float(found.changes[list(found.ranking[:2])].max()))
    equal(picture, again(picture, pipe=pipe, trace=trace))
    of_two = sdx.views.occlusion(sdx.occlusion(pipe, trace, ["rocket", "a cat"], steps=1))
    equal(of_two, again(of_two, pipe=pipe, trace=trace))  # the words that were asked for, and no others
    with pytest.raises(sdx.TraceError, match="at least one word"):
        sdx.views.occlusion(found, most=0)
