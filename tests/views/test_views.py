"""Views of a trace: what stands in the axes is what was recorded, on a scale that is printed."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from artists import again, bars, equal, heat_maps, panels, same_scale, shown, texts
from matplotlib.image import AxesImage
from synthetic import CHANNELS, SIGMAS, STEPS, X, Y

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TokenError, TraceError
from sdexplore.figures.picture import Picture
from sdexplore.text.tokenization import Tokenizations
from sdexplore.theory import linear_preview
from sdexplore.trace.trace import Trace

EVIL = "$x$ </script> 東京 🌸\n\x00"


# attention


def test_attention_draws_each_word_s_map_bare_and_over_the_picture(trace):
    picture = views.attention(trace, ["cat", "rocketship"])
    assert list(picture.data) == ["cat", "rocketship"]
    over, bare = panels(picture)[:3], panels(picture)[3:]
    assert len(bare) == 3
    assert [ax.get_title() for ax in over] == ["picture", "cat", "rocketship"]
    np.testing.assert_array_equal(shown(over[0])[0], trace.image)
    assert shown(bare[0]) == []
    for column, word in enumerate(("cat", "rocketship"), start=1):
        expected = sdx.word_map(trace, word)
        np.testing.assert_array_equal(picture.data[word], expected)
        np.testing.assert_array_equal(shown(bare[column])[0], expected)
        below, above = shown(over[column])
        np.testing.assert_array_equal(below, trace.image)
        np.testing.assert_allclose(above, expected)
        assert over[column].get_images()[1].get_alpha() == 0.6


def test_all_words_share_one_printed_scale_from_zero(trace):
    picture = views.attention(trace, ["cat", "rocketship", "and"])
    top = max(float(pixels.max()) for pixels in picture.data.values())
    same_scale([image for ax in panels(picture) for image in heat_maps(ax)], 0.0, top)
    (bar,) = bars(picture)
    assert bar.get_ylabel() == "attention probability"
    assert bar.get_ylim() == (0.0, pytest.approx(top))


def test_each_word_on_its_own_scale_has_it_printed_beneath(trace):
    picture = views.attention(trace, ["cat", "and"], scale="each")
    assert bars(picture) == []
    for column, word in enumerate(("cat", "and"), start=1):
        top = float(picture.data[word].max())
        over, bare = (panels(picture)[column + row * 3] for row in (0, 1))
        same_scale([*heat_maps(over), *heat_maps(bare)], 0.0, top)
        assert bare.get_xlabel() == f"0 to {top:.3g}"


def test_rows_are_named_and_the_names_can_be_seen(trace):
    axes = panels(views.attention(trace, ["cat"]))
    for ax, name in ((axes[0], "over the picture"), (axes[2], "latent grid")):
        assert ax.get_ylabel() == name
        assert ax.axison  # else its label is not drawn


def test_attention_says_what_it_averages_over(trace):
    title = views.attention(trace, ["cat"]).figure.get_suptitle()
    assert title == "“a cat and a rocketship”\nsynthetic, DDIM, seed 0\ncond, mean over 6 steps, 5 layers, all heads"
    part = views.attention(trace, ["cat"], steps=3, layers="mid_block")
    assert f"step 3, mean over {synthetic.MID}" in part.figure.get_suptitle()
    zeroed = synthetic.trace(provenance={"zeroed_roles": ["uncond"]})
    assert "embeddings are all zeros" in views.attention(zeroed, ["picture"], role="uncond").figure.get_suptitle()
    assert "zeros" not in views.attention(zeroed, ["cat"]).figure.get_suptitle()


def test_attention_takes_one_word_several_positions_or_every_word(trace):
    assert list(views.attention(trace, "cat").data) == ["cat"]
    assert list(views.attention(trace, 2).data) == ["position 2"]
    assert list(views.attention(trace, [2, (5, 6), "a cat"]).data) == ["position 2", "positions 5, 6", "a cat"]
    assert list(views.attention(trace).data) == ["a", "cat", "and", "rocketship"]
    assert list(views.attention(trace, role="uncond").data) == ["blurry", "picture"]
    many = synthetic.trace(prompt="b c d e f g h i j k", columns="all")
    assert len(views.attention(many).data) == 8


def test_attention_without_a_picture_is_bare_only():
    picture = views.attention(synthetic.trace(image=None), ["cat", "and"])
    assert len(panels(picture)) == 2
    assert [ax.get_title() for ax in panels(picture)] == ["cat", "and"]
    assert panels(picture)[0].get_ylabel() == "latent grid"


def test_attention_s_alt_text_says_where_it_peaks(trace):
    alt = views.attention(trace, ["cat"]).alt
    top = sdx.word_map(trace, "cat").max()
    assert alt.startswith("Heat maps of the cross-attention to cat (cond, mean over 6 steps, 5 layers, all heads); ")
    assert alt.endswith(f"cat peaks at {top:.3g}, bottom right.")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"words": "cats"}, TokenError, "no word 'cats' in the prompt; did you mean 'cat'?"),
        ({"words": ()}, TraceError, "words=(): name at least one word of the prompt"),
        ({"words": "cat", "heads": 0}, TraceError, "heads=0: only their mean was recorded"),
        ({"words": "cat", "layers": 5}, TraceError, "no recorded layer of side 5"),
        ({"role": "perturbed"}, TraceError, "there is no prompt for 'perturbed' to take words from; name positions"),
        ({"words": 9}, TraceError, "position 9 was not recorded by itself"),
    ],
)
def test_attention_refuses_what_is_not_there(trace, kwargs, error, message):
    with pytest.raises(error) as raised:
        views.attention(trace, **kwargs)
    assert str(raised.value).startswith(message)


# denoising


def test_denoising_draws_the_decoded_steps_and_the_picture(trace):
    picture = views.denoising(trace)
    axes = panels(picture)
    assert len(axes) == 2 * (3 + 1)
    for row, (name, decoded) in enumerate((("x_t", trace.decoded), ("predicted x0", trace.decoded_x0))):
        assert axes[4 * row].get_ylabel() == name
        for column, step in enumerate((0, 3, 5)):
            np.testing.assert_array_equal(shown(axes[4 * row + column])[0], decoded[step])
            np.testing.assert_array_equal(picture.data[f"{name}/{step}"], decoded[step])
            assert axes[4 * row + column].get_xlabel() == ""
        np.testing.assert_array_equal(shown(axes[4 * row + 3])[0], trace.image)
    assert [ax.get_title() for ax in axes[:4]] == [
        *("step 0\nt 999, σ 14.6", "step 3\nt 400, σ 1.4", "step 5\nt 0, σ 0.1", "picture\n")
    ]
    np.testing.assert_array_equal(picture.data["image"], trace.image)
    assert picture.alt == (
        "The latents and the predicted picture at steps 0, 3, 5 of 6, from noise to the final picture, "
        "for 'a cat and a rocketship'."
    )


def test_denoising_of_an_image_to_image_run_begins_with_its_image(trace):
    provenance = {**trace.provenance, "pipeline": "StableDiffusionImg2ImgPipeline"}
    given = synthetic.trace(provenance=provenance, call={**trace.call, "arguments": {"strength": 0.5}})
    picture = views.denoising(given)
    assert ", from a given picture noised to t = 999 (strength 0.5) to the final picture," in picture.alt
    assert ", from an image noised to t = 999 (strength 0.5)" in picture.figure.get_suptitle()
    own = synthetic.trace(provenance=provenance)  # the pipeline's own strength, which no argument names
    assert ", from a given picture noised to t = 999 to the final picture," in views.denoising(own).alt


@pytest.mark.parametrize("space", ["variance preserving", "variance exploding"])
def test_steps_that_were_not_decoded_are_linear_previews_and_say_so(space):
    trace = synthetic.trace(space=space)
    picture = views.denoising(trace, steps=[3, -2])
    first = panels(picture)[:3]
    assert [ax.get_xlabel() for ax in first] == ["", "linear", ""]
    scaled = trace.latents[4] / (np.sqrt(1 + SIGMAS[4] ** 2) if space == "variance exploding" else 1)
    np.testing.assert_array_equal(shown(first[1])[0], linear_preview(scaled.astype(np.float32), trace.latent_rgb))
    x0 = shown(panels(picture)[4])[0]
    np.testing.assert_array_equal(x0, linear_preview(trace.pred_original_sample[4], trace.latent_rgb))


def test_denoising_of_a_run_with_nothing_decoded_previews_eight_steps():
    trace = synthetic.trace(decoded={}, decoded_x0={}, image=None)
    picture = views.denoising(trace)
    assert len(panels(picture)) == 2 * STEPS
    assert all(ax.get_xlabel() == "linear" for ax in panels(picture))
    assert "to where the run was stopped" in picture.alt


@pytest.mark.parametrize("view", [views.denoising, views.latents, views.guidance])
def test_steps_are_named_as_attention_names_them(trace, view):
    equal(view(trace, steps=1), view(trace, steps=[1]))
    equal(view(trace, steps=slice(0, 2)), view(trace, steps=[0, 1]))


def test_denoising_without_x0_has_one_row():
    trace = synthetic.trace(pred_original_sample=None, noise_pred=None)
    assert len(panels(views.denoising(trace))) == 4


# latents


@pytest.mark.parametrize("space", ["variance preserving", "variance exploding"])
def test_latents_are_drawn_channel_by_channel_on_one_scale(space):
    trace = synthetic.trace(space=space)
    picture = views.latents(trace, steps=[0, 2, -1])
    axes = panels(picture)
    assert len(axes) == CHANNELS * 3
    assert [ax.get_ylabel() for ax in axes[::3]] == [f"channel {channel}" for channel in range(CHANNELS)]
    scale = np.sqrt(1 + SIGMAS**2) if space == "variance exploding" else np.ones(STEPS)
    values = np.stack([trace.latents[step] / scale[step] for step in (0, 2, 5)])
    reach = np.quantile(np.abs(values), 0.995)
    for number, ax in enumerate(axes):
        channel, column = divmod(number, 3)
        np.testing.assert_allclose(shown(ax)[0], values[column, channel], rtol=1e-5)
    same_scale([image for ax in axes for image in heat_maps(ax)], -reach, reach)
    (bar,) = bars(picture)
    assert bar.get_ylabel() == "latent value"
    np.testing.assert_allclose(bar.get_ylim(), (-reach, reach), rtol=1e-6)
    np.testing.assert_allclose(picture.data["latents"], values, rtol=1e-5)
    assert f"from −{reach:.2g} (blue) to {reach:.2g} (red)" in picture.alt


def test_latents_are_spread_over_a_long_run():
    many = 30
    trace = synthetic.trace(
        timesteps=np.arange(many, dtype=float),
        sigmas=np.ones(many),
        latents=np.random.default_rng(0).normal(size=(many + 1, CHANNELS, Y, X)).astype(np.float32),
        noise_pred=None,
        pred_original_sample=None,
        noise_preds={},
        decoded={},
        decoded_x0={},
    )
    steps = views.latents(trace).data["steps"]
    assert (len(steps), steps[0], steps[-1]) == (8, 0, many - 1)
    assert np.diff(steps).max() - np.diff(steps).min() <= 1


# what holds for all of them

ON_A_TRACE = [
    (views.attention, {}),
    (views.attention, {"words": ["cat", (5, 6), 3], "steps": slice(0, 3), "layers": ["up_blocks", 3], "scale": "each"}),
    (views.attention, {"words": "picture", "role": "uncond", "steps": (0, -1)}),
    (views.denoising, {}),
    (views.denoising, {"steps": range(0, 6, 2)}),
    (views.guidance, {}),
    (views.guidance, {"steps": [-1, 0]}),
    (views.latents, {}),
    (views.latents, {"steps": (0, 3)}),
]


@pytest.mark.parametrize(("view", "kwargs"), ON_A_TRACE)
def test_the_call_makes_an_equal_picture(trace, view, kwargs):
    picture = view(trace, **kwargs)
    assert isinstance(picture, Picture)
    assert picture.call.endswith(f"  # trace {trace.fingerprint}")
    equal(picture, again(picture, trace=trace))


def test_the_user_s_style_changes_nothing_and_stays(trace):
    plain = views.guidance(trace).png(dpi=40)
    with mpl.rc_context({"axes.facecolor": "black", "image.cmap": "hot", "image.interpolation": "bicubic"}):
        before = dict(mpl.rcParams)
        assert views.guidance(trace).png(dpi=40) == plain
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("view", [views.denoising, views.guidance, views.latents])
def test_steps_that_are_not_there_are_said(trace, view):
    with pytest.raises(TraceError, match="there is no step 6: the trace has 6, 0 to 5"):
        view(trace, steps=[0, 6])
    with pytest.raises(TraceError, match=rf"{view.__name__}\(steps=\(\)\): name at least one step, or leave steps out"):
        view(trace, steps=())


@pytest.mark.parametrize("view", [views.denoising, views.latents])
def test_a_trace_without_latents_says_so(view):
    blind = synthetic.trace(latents=None, decoded={}, decoded_x0={}, pred_original_sample=None)
    with pytest.raises(TraceError, match=r"this trace holds no latents: run with Record\(latents=True\)"):
        view(blind)


def test_the_run_stands_in_the_title_of_each(trace):
    for draw in (views.attention, views.denoising, views.guidance, views.latents):
        assert draw(trace).figure.get_suptitle().startswith("“a cat and a rocketship”\nsynthetic, DDIM, seed 0")
    second = synthetic.trace(call={"seed": 3, "image": 1, "images": 2})
    assert views.latents(second).figure.get_suptitle().endswith("synthetic, DDIM, seed 3, image 1")


def test_hostile_text_is_drawn_as_it_is_and_bounded(recwarn):
    provenance = {"model": f"{EVIL}", "scheduler": {"class": "$a$", "prediction_type": "epsilon"}}
    layers = {f"{EVIL}.{layer}": attention for layer, attention in synthetic.trace().attention().items()}
    tokens = Tokenizations({"tokenizer": synthetic.tokenization(f"{EVIL} " + "word " * 3000)})
    trace = synthetic.trace(
        provenance=provenance, cross_attention={"cond": layers}, tokens={"cond": tokens, "uncond": tokens}
    )
    for picture in (
        views.attention(trace, [1, 2], layers=next(iter(layers))),
        views.attention(trace, ["$x$"]),
        views.denoising(trace),
        views.guidance(trace),
        views.latents(trace),
    ):
        picture.png(dpi=40)
        assert "U+1F338" in texts(picture)
        assert len(picture.figure.get_suptitle()) < 1000
        assert len(picture.alt) < 2000
        assert "<script" not in picture._html(picture.png(dpi=40))
    assert [str(w.message) for w in recwarn if "Glyph" in str(w.message)] == []
    assert list(views.attention(trace, ["$x$"]).data) == ["$x$"]


def test_loaded_traces_are_drawn_without_torch(tmp_path):
    synthetic.trace().save(tmp_path / "a.safetensors")
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "diffusers", "transformers", "torchinfo", "accelerate"):
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
import sdexplore as sdx
trace = sdx.Trace.load(sys.argv[1]).verify()
for picture in (
    sdx.views.attention(trace, ["cat"]), sdx.views.denoising(trace), sdx.views.guidance(trace),
    sdx.views.latents(trace),
    sdx.views.tokens(trace.tokens["cond"]), sdx.views.guidance(sdx.Comparison(over={"eta": (0,)}, traces=(trace,))),
):
    assert set(picture._repr_mimebundle_()[0]) == {"text/html", "image/png", "text/plain"}
assert sdx.word_map(trace, "cat").shape == (8, 12)
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.safetensors")], check=True)


def test_a_loaded_trace_gives_the_same_pictures(tmp_path, trace):
    loaded = Trace.load(trace.save(tmp_path / "a.safetensors"))
    for view in (views.attention, views.denoising, views.guidance, views.latents):
        equal(view(trace), view(loaded))


def test_images_are_drawn_pixel_by_pixel(trace):
    for view in (views.attention, views.denoising, views.guidance, views.latents):
        for ax in panels(view(trace)):
            for image in ax.get_images():
                assert isinstance(image, AxesImage)
                assert image.get_interpolation() == ("nearest" if image.get_alpha() is None else "bilinear")
