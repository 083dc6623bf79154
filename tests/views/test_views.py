"""What holds for every view of a trace."""

import subprocess
import sys

import matplotlib as mpl
import pytest
import synthetic
from artists import again, equal, panels, texts
from matplotlib.image import AxesImage

from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.figures.picture import Picture
from sdexplore.text.tokenization import Tokenizations
from sdexplore.trace.trace import Trace

EVIL = "$x$ </script> 東京 🌸\n\x00"


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
