"""Pictures of text encoders and of words left out: what is in the axes is what the record holds."""

import numpy as np
import pytest
from artists import again, bars, equal, panels, same_scale, shown, texts
from matplotlib.colors import PowerNorm
from tiny_pipelines import latent_diffusion_text, stable_diffusion

import sdexplore as sdx

PROMPT = "a cat and a rocket"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def encoding(pipe):
    return sdx.text_encoding(pipe, PROMPT)["text_encoder"]


@pytest.fixture(scope="module")
def occlusion(pipe):
    trace = sdx.run(pipe, PROMPT, num_inference_steps=2, record=sdx.Record(decode=0, cross_attention=False))
    return trace, sdx.occlusion(pipe, trace)


def test_similarity_shows_each_layer_on_one_scale(pipe, encoding):
    picture = sdx.views.text_similarity(encoding)
    seen = [ax for ax in panels(picture) if ax.get_visible()]
    assert [ax.get_title() for ax in seen] == ["embeddings", "layer 1", "layer 2"]
    first, end = 0, encoding.tokens.first_end + 3
    for number, ax in enumerate(seen):
        np.testing.assert_allclose(shown(ax)[0], encoding.similarity(number)[first:end, first:end], atol=1e-6)
    same_scale([ax.get_images()[0] for ax in seen], -1, 1)
    names = ["⟨start⟩", "a", "cat", "and", "a", "rocket", "⟨end⟩", "⟨padding⟩", "⟨padding⟩"]
    assert [label.get_text() for label in seen[0].get_yticklabels()] == names
    equal(picture, again(picture, pipe=pipe))
    chosen = sdx.views.text_similarity(encoding, layers=[-1], padding=0)
    assert [ax.get_title() for ax in panels(chosen)] == ["layer 2"]
    equal(
        sdx.views.text_similarity(encoding, layers=[-1]),
        again(sdx.views.text_similarity(encoding, layers=[-1]), pipe=pipe),
    )


def test_norms_are_a_line_a_token(pipe, encoding):
    picture = sdx.views.text_norms(encoding)
    (ax,) = panels(picture)
    lines = ax.get_lines()
    assert len(lines) == 9
    for position, line in enumerate(lines):
        np.testing.assert_allclose(line.get_ydata(), encoding.norms[:, position], rtol=1e-6)
    assert ax.get_yscale() == "log"
    equal(picture, again(picture, pipe=pipe))


def test_attention_shows_the_causal_mask(pipe, encoding):
    picture = sdx.views.text_attention(encoding)
    drawn = [ax.get_images()[0] for ax in panels(picture) if ax.get_visible()]
    assert len(drawn) == 2
    for layer, image in enumerate(drawn):
        matrix = image.get_array()
        assert (matrix.mask == np.triu(np.ones((7, 7), bool), 1)).all()
        np.testing.assert_allclose(matrix.filled(0), encoding.attention[layer, :, :7, :7].mean(0), atol=1e-6)
        assert isinstance(image.norm, PowerNorm)
    same_scale(drawn, 0, max(image.get_array().max() for image in drawn))
    assert bars(picture)[0].get_ylabel() == "probability (√ scale)"
    assert "each sees itself and what is before it" in picture.alt
    equal(picture, again(picture, pipe=pipe))


def test_heads_are_rows(pipe, encoding):
    picture = sdx.views.text_attention(encoding, layers=[2], heads=[1, 3])
    assert [ax.get_title() for ax in panels(picture)] == ["layer 2, head 1", "layer 2, head 3"]
    for ax, head in zip(panels(picture), (1, 3), strict=True):
        np.testing.assert_allclose(
            np.ma.filled(ax.get_images()[0].get_array(), 0), encoding.attention[1, head, :7, :7], atol=1e-6
        )
    equal(picture, again(picture, pipe=pipe))


def test_an_encoder_that_sees_everything_has_no_mask():
    one = sdx.text_encoding(latent_diffusion_text(), PROMPT)["bert"]
    picture = sdx.views.text_attention(one)
    assert not np.ma.getmaskarray(panels(picture)[0].get_images()[0].get_array()).any()
    assert "each sees all" in picture.alt


def test_what_was_not_kept_is_not_drawn(pipe, encoding):
    bare = sdx.text_encoding(pipe, PROMPT, attention=False)["text_encoder"]
    with pytest.raises(sdx.TokenError, match="no attention of text_encoder was kept"):
        sdx.views.text_attention(bare)
    with pytest.raises(sdx.TokenError, match="the layers have 4 heads"):
        sdx.views.text_attention(encoding, heads=[4])
    empty = sdx.text_encoding(pipe, "")["text_encoder"]
    assert sdx.views.text_attention(empty).alt.endswith("There is no word.")
    with pytest.raises(sdx.TokenError, match="from 1"):
        sdx.views.text_attention(encoding, layers=[0])
    with pytest.raises(sdx.TokenError, match="no hidden state 7"):
        sdx.views.text_similarity(encoding, layers=[7])


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
    assert grid.alt == "2 pictures of the way from 'a cat' to 'a $dog', by weight 0.0; weight 0.5."
    assert "2 runs of 'a cat' to 'a $dog'" in repr(walk)
    middle = sdx.views.denoising(walk.at(weight=0.5))
    assert "“a cat” → “a \\$dog”, by slerp, weight 0.5\n" in texts(middle)
    assert middle.alt.endswith("for the way from 'a cat' to 'a $dog' at weight 0.5.")
    grid = sdx.compare(pipe, PROMPT, over={"seed": [0], "guidance_scale": [1.0]}, record=record, num_inference_steps=1)
    with pytest.raises(sdx.TraceError, match="over seed, guidance_scale"):
        sdx.views.strip(grid)
