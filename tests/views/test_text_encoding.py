"""What a text encoder makes of a prompt, as it is drawn."""

from itertools import pairwise

import numpy as np
import pytest
from artists import again, bars, equal, panels, same_scale, shown
from matplotlib.colors import PowerNorm
from matplotlib.text import Text
from tiny_pipelines import latent_diffusion_text, stable_diffusion

import sdexplore as sdx

PROMPT = "a cat and a rocket"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def encoding(pipe):
    return sdx.text_encoding(pipe, PROMPT)["text_encoder"]


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
    named = [text.get_text() for text in ax.texts]
    assert named == [f"{position}: {encoding.label(position)}" for position in range(9)]
    assert [text.get_color() for text in ax.texts] == [line.get_color() for line in lines]
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
    assert bars(picture)[0].get_ylabel() == "probability, mean of heads (√ scale)"
    assert "itself and what is before it" in picture.alt
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
    assert "sees all" in picture.alt


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


def test_names_of_lines_stand_apart_in_the_order_of_the_lines(pipe):
    encoding = sdx.text_encoding(pipe, "a cat and a rocket and a dog and a house and a star")["text_encoder"]
    picture = sdx.views.text_norms(encoding)
    (ax,) = panels(picture)
    picture.png(dpi=int(picture.figure.dpi))
    ends = [line.get_ydata()[-1] for line in ax.get_lines()]
    boxes = [Text.get_window_extent(ax.texts[index]) for index in np.argsort(ends)]  # without its line
    assert all(below.y0 < above.y0 for below, above in pairwise(boxes))
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_a_long_prompt_names_as_many_tokens_as_there_is_room_for(pipe):
    encoding = sdx.text_encoding(pipe, "a cat and a rocket in space " * 6)["text_encoder"]
    picture = sdx.views.text_attention(encoding)
    picture.png(dpi=40)
    named = [label for label in panels(picture)[0].get_yticklabels() if label.get_text()]
    assert 10 < len(named) < 44
    extents = sorted((label.get_window_extent() for label in named), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(extents))
