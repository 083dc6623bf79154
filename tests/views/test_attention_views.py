"""What holds for every view of attention."""

import json

import pytest
import synthetic
from artists import again, equal, texts
from synthetic import MID

from sdexplore import views
from sdexplore.text.tokenization import Tokenizations

EVIL = "$x$ </script> 🌸"


SELF = "mid_block.attentions.0.transformer_blocks.0.attn1"


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace(self_attention={"cond": {SELF: synthetic.self_attention()}})


EVERY = [
    (views.attention_steps, ("cat",), {"steps": slice(0, 3), "layers": 6}),
    (views.attention_steps, ((5, 6),), {"role": "uncond"}),
    (views.attention_layers, ("cat",), {"steps": 2, "scale": "each", "layers": "up_blocks"}),
    (views.attention_layers, (2,), {}),
    (views.attention_mass, (), {}),
    (views.attention_mass, (), {"role": "uncond", "layers": (3, 12), "steps": [0]}),
    (views.region, ((0, 0, 10, 10),), {}),
    (views.region, ((0.5, 0, 10, 10.5),), {"words": ["a cat", 3], "steps": -1}),
    (views.self_attention, (6,), {}),
    (views.self_attention, (6,), {"pixel": (0, 0), "components": 1, "steps": 2}),
    (views.segmentation, (), {}),
    (views.segmentation, (["cat", "and"],), {"layers": MID}),
]


@pytest.mark.parametrize(("view", "arguments", "kwargs"), EVERY)
def test_the_call_makes_an_equal_picture(trace, view, arguments, kwargs):
    picture = view(trace, *arguments, **kwargs)
    assert picture.call.endswith(f"  # trace {trace.fingerprint}")
    assert picture.figure.get_suptitle().startswith("“a cat and a rocketship”\nsynthetic, DDIM, seed 0")
    equal(picture, again(picture, trace=trace))
    json.dumps(picture.alt)
    assert picture.alt.endswith(".")


def test_zeroed_embeddings_are_said():
    zeroed = synthetic.trace(provenance={"zeroed_roles": ["uncond"]})
    for picture in (
        views.attention_steps(zeroed, 2, role="uncond"),
        views.attention_layers(zeroed, 2, role="uncond"),
        views.attention_mass(zeroed, role="uncond"),
        views.region(zeroed, (0, 0, 8, 8), role="uncond"),
        views.segmentation(zeroed, role="uncond"),
    ):
        assert "its embeddings are all zeros: attention is uniform" in picture.figure.get_suptitle()


def test_hostile_text_is_drawn_as_it_is(recwarn):
    layers = {f"{EVIL}.{layer}": attention for layer, attention in synthetic.trace().attention().items()}
    tokens = Tokenizations({"tokenizer": synthetic.tokenization(f"{EVIL} " + "word " * 300)})
    trace = synthetic.trace(
        provenance={"model": EVIL, "scheduler": {"class": "$a$", "prediction_type": "epsilon"}},
        cross_attention={"cond": layers},
        tokens={"cond": tokens},
        self_attention={"cond": {EVIL: synthetic.self_attention()}},
    )
    for picture in (
        views.attention_steps(trace, EVIL[:3]),
        views.attention_layers(trace, 1),
        views.attention_mass(trace),
        views.region(trace, (0, 0, 8, 8), [EVIL[:3], 2]),
        views.attention_compare(trace, trace, [EVIL[:3]]),
        views.self_attention(trace, 6, (0, 0)),
        views.segmentation(trace, [EVIL[:3], 2]),
    ):
        html = picture._html(picture.png(dpi=40))
        assert "U+1F338" in texts(picture)
        assert "<script" not in html
        assert len(picture.alt) < 2000
        assert len(picture.figure.get_suptitle()) < 1000
    assert [str(w.message) for w in recwarn if "Glyph" in str(w.message)] == []


def test_another_prompt_than_the_figure_names_is_named():
    """What the negative prompt looked at, under a title that else names the prompt only."""
    negative = Tokenizations({"tokenizer": synthetic.tokenization("a bad cat or rocketship")})
    tokens = {**synthetic.trace().tokens, "uncond": negative}
    trace = synthetic.trace(tokens=tokens, cross_attention={"uncond": synthetic.trace().attention()})
    title = views.attention_steps(trace, "bad", role="uncond", steps=2).figure.get_suptitle()
    assert title.startswith("“a cat and a rocketship”")
    assert title.endswith("uncond: “a bad cat or rocketship”")
    plain = views.attention_steps(synthetic.trace(), "cat", steps=2).figure.get_suptitle()
    assert plain.endswith("“cat”: cond, mean over 5 layers, all heads")
