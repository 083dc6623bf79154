"""NaN and Inf in what a view draws: the picture is made, names array and step, and shows them as what they are."""

import dataclasses
import re
import warnings

import matplotlib.colors
import numpy as np
import pytest
import synthetic
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.figures.cells import Cells
from sdexplore.trace.non_finite import in_words, non_finite

STEP = 3
GREY = (128, 128, 128, 255)
NO_ARRAYS = {"architecture", "benchmark", "calibration", "components", "equation_checks", "tokens", "tree"} | {
    "unet_comparison",  # counts and timings, or arrays of our own formulas
    "comparison",  # final pictures of uint8
    "strip",
    *(
        "study_distribution",
        "study_ends",
        "study_pairs",
        "study_pictures",
    ),  # leave out runs without a number, and say so
    "maps",  # refuses maps of the user that are not finite
}


def spoilt(array, number, step=STEP):
    array = np.array(array)
    array.reshape(len(array), -1)[step, array[step].size // 2] = number
    return array


def trace_with(array, number):
    """A trace in one array of which one number of step 3 is NaN or Inf."""
    plain = synthetic.trace(self_attention={"cond": {"mid_block.attentions.0": synthetic.self_attention()}})
    kind, _, rest = array.partition("/")
    if kind == "concept_scores":
        scores = synthetic.concept_scores()
        scores = dataclasses.replace(scores, scores=spoilt(scores.scores, number))
        return dataclasses.replace(plain, concept_scores={"cond": {synthetic.MID: scores}})
    if kind == "noise_preds":
        return dataclasses.replace(
            plain, noise_preds={**plain.noise_preds, rest: spoilt(plain.noise_preds[rest], number)}
        )
    if kind.endswith("attention"):
        role, _, layer = rest.partition("/")
        layers = dict(getattr(plain, kind)[role])
        probs = np.array(layers[layer].probs)
        probs[STEP, 0, 0, 1, :] = number
        layers[layer] = dataclasses.replace(layers[layer], probs=probs)
        return dataclasses.replace(plain, **{kind: {**getattr(plain, kind), role: layers}})
    return dataclasses.replace(plain, **{kind: spoilt(getattr(plain, kind), number)})


LAYER = f"cross_attention/cond/{synthetic.DOWN}"
OF_TRACES = {
    "attention": (views.attention, [LAYER]),
    "attention_compare": (lambda t: views.attention_compare(synthetic.trace(), t), [LAYER]),
    "attention_layers": (lambda t: views.attention_layers(t, "cat"), [LAYER]),
    "attention_mass": (views.attention_mass, [LAYER]),
    "attention_steps": (lambda t: views.attention_steps(t, "cat", steps=(1, STEP)), [LAYER, "pred_original_sample"]),
    "concepts": (views.concepts, [f"concept_scores/cond/{synthetic.MID}"]),
    "denoising": (lambda t: views.denoising(t, [0, STEP]), ["latents", "pred_original_sample"]),
    "difference": (lambda t: views.difference(synthetic.trace(), t), ["latents", "pred_original_sample"]),
    "guidance": (
        lambda t: views.guidance(t, [1, STEP]),
        ["latents", "noise_preds/cond", "noise_preds/uncond", "pred_original_sample"],
    ),
    "guidance_steps": (views.guidance_steps, ["noise_preds/cond", "noise_preds/uncond", "noise_pred"]),
    "latents": (lambda t: views.latents(t, [STEP]), ["latents"]),
    "region": (lambda t: views.region(t, (0, 0, 96, 64)), [LAYER]),
    "schedule": (views.schedule, ["timesteps", "sigmas"]),
    "story": (lambda t: views.story(t, ["cat"]), ["latents", "pred_original_sample"]),
    "segmentation": (lambda t: views.segmentation(t, ["cat", "rocketship"]), [LAYER]),
}
CASES = [(view, array) for view, (_, arrays) in OF_TRACES.items() for array in arrays]


def check(picture, array, where):
    """Alt, caption and title name what is no number, and no sentence takes it for one."""
    for words in (picture.alt, picture.caption):
        assert array in words, words
        assert where in words, words
        assert re.search(r"\((NaN|Inf)( and \w+)?\)", words), words
        assert not re.search(r"(?<![\w/])[-+]?(nan|inf)%?\b", words), words
    assert "Not numbers" in picture.figure.get_suptitle()
    for image in picture.figure.findobj(lambda one: isinstance(one, Cells) and one.get_array().ndim == 2):
        limits = image.get_clim()
        assert np.isfinite(limits).all(), limits
        assert limits[0] < limits[1], limits
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture.screen()


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize(("view", "array"), CASES)
def test_a_view_of_a_trace_names_what_is_no_number_with_its_step(view, array, number):
    if (array, number) == ("sigmas", np.inf):
        return  # noise alone: a right value
    draw, _ = OF_TRACES[view]
    check(draw(trace_with(array, number)), array, f"step {STEP}")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_self_attention_draws_one_pixel_and_refuses_components_of_what_is_no_number(number):
    trace = trace_with("self_attention/cond/mid_block.attentions.0", number)
    with pytest.raises(TraceError, match=rf"self_attention/cond/mid_block.attentions.0 at step {STEP} \((NaN|Inf)\)"):
        views.self_attention(trace, 6)
    assert "Not numbers" not in views.self_attention(trace, 6, steps=0).alt


OF_MODULES = {
    "activation_statistics": lambda trace, step: views.activation_statistics(trace, step=step),
    "feature_components": lambda trace, step: views.feature_components(trace, "mid_block", step=step),
    "feature_similarity": lambda trace, step: views.feature_similarity(trace, (8, 8), "mid_block", step=step),
}


@pytest.fixture(scope="module")
def broken(pipe):
    """A run whose module gives one NaN at step 1, in the prompt's row."""
    calls = []

    def spoil(_, __, given):
        calls.append(1)
        if len(calls) == 2:
            given[-1, 3, 0, 0] = np.nan

    hook = pipe.unet.mid_block.resnets[1].register_forward_hook(spoil)
    record = sdx.Record(features="mid_block", statistics=True, decode=0)
    try:
        return sdx.run(pipe, "a cat", num_inference_steps=2, height=64, width=64, record=record)
    finally:
        hook.remove()


@pytest.mark.parametrize("view", ["feature_components", "feature_similarity"])
def test_features_that_are_no_numbers_are_refused_and_those_of_another_step_are_drawn(broken, view):
    with pytest.raises(TraceError, match=rf"^{view}: features of 'mid_block' hold .* step 1"):
        OF_MODULES[view](broken, 1)
    assert OF_MODULES[view](broken, 0).png(dpi=30)


def test_the_statistics_of_modules_name_the_first_that_gave_no_number(broken):
    drawn = OF_MODULES["activation_statistics"](broken, 1)
    first = "mid_block.resnets.1"
    for words in (drawn.alt, drawn.caption):
        assert f"{first} is the first of" in words
        assert not re.search(r"(?<![\w/])[-+]?(nan|inf)%?\b", words), words
    assert f"not finite: {first}" in drawn.figure.get_suptitle()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn.png(dpi=30)
    assert "all are finite" in OF_MODULES["activation_statistics"](broken, 0).alt


def test_every_view_that_draws_arrays_is_tried_here():
    tried = {*OF_TRACES, *OF_RECORDS, *OF_MODULES, "self_attention"}
    assert tried | NO_ARRAYS == set(views.__all__)
    assert not tried & NO_ARRAYS


OF_RECORDS = {
    "attribution": ["scores"],
    "head_effects": ["reading", "attention"],
    "latent_statistics": ["stds", "density"],
    "occlusion": ["changes"],
    "reconstruction": ["latents"],
    "text_attention": ["attention"],
    "text_norms": ["hidden_states"],
    "text_similarity": ["hidden_states"],
    "time_embedding": [],
}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def records(pipe):
    pictures = [np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8) for seed in range(2)]
    trace = sdx.run(pipe, "a cat and a dog", num_inference_steps=2, height=64, width=64, record=sdx.Record(decode=0))
    encoding = sdx.text_encoding(pipe, "a cat")["text_encoder"]
    return {
        "latent_statistics": sdx.latent_statistics(pipe, pictures),
        "attribution": sdx.attribution(pipe, trace, method="attention"),
        "head_effects": sdx.head_effects(pipe, trace, "cat", layers="mid_block"),
        "occlusion": sdx.occlusion(pipe, trace, ["cat", "dog"], steps=[0, 1]),
        "reconstruction": sdx.reconstruction(pipe, pictures[0]),
        "text_attention": encoding,
        "text_norms": encoding,
        "text_similarity": encoding,
        "time_embedding": sdx.time_embedding(pipe, [0, 500, 999]),
    }


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize(("view", "array"), [(view, array) for view, arrays in OF_RECORDS.items() for array in arrays])
def test_a_view_of_a_record_names_what_is_no_number(records, view, array, number):
    values = np.array(getattr(records[view], array))
    values[(-1,) * values.ndim if view != "text_attention" else (-1, 0, 1, 0)] = number
    if view in ("text_norms", "text_similarity"):
        values[-1, 1, 0] = number  # a token that is shown
    picture = getattr(views, view)(dataclasses.replace(records[view], **{array: values}))
    check(picture, array, "step 1" if view == "occlusion" else "numbers")


def test_a_cell_that_is_no_number_is_grey_and_no_colour_of_the_map():
    picture = views.latents(trace_with("latents", np.nan), [STEP])
    middle = synthetic.CHANNELS * synthetic.Y * synthetic.X // 2
    channel, row, column = np.unravel_index(middle, (synthetic.CHANNELS, synthetic.Y, synthetic.X))
    image = picture.figure.axes[int(channel)].images[0]
    pixels, *_ = image.make_image(None)
    high, wide = pixels.shape[0] / synthetic.Y, pixels.shape[1] / synthetic.X
    place = pixels[::-1][int((row + 0.5) * high), int((column + 0.5) * wide)]
    assert tuple(place) == GREY
    around = pixels[::-1][int((row + 0.5) * high), int((column - 0.5) * wide)]
    assert tuple(around) != GREY
    assert matplotlib.colors.to_hex(np.array(GREY) / 255) == "#808080"


def test_where_everything_is_no_number_no_peak_is_told():
    trace = synthetic.trace()
    layers = {
        name: dataclasses.replace(one, probs=np.full_like(one.probs, np.nan))
        for name, one in trace.cross_attention["cond"].items()
    }
    blind = dataclasses.replace(trace, cross_attention={"cond": layers})
    alt = views.attention(blind, ["cat"]).alt
    assert "cat has no number" in alt
    assert f"{LAYER} at steps 0, 1, 2, 3, 4, 5 (NaN)" in alt
    assert "peaks" not in alt


def test_a_half_that_was_not_computed_and_noise_alone_are_no_fault():
    trace = synthetic.trace()
    halves = np.array(trace.noise_preds["uncond"])
    halves[4:] = np.nan  # guidance was cut off
    sigmas = np.array(trace.sigmas)
    sigmas[0] = np.inf
    cut = dataclasses.replace(trace, noise_preds={**trace.noise_preds, "uncond": halves}, sigmas=sigmas)
    assert non_finite(cut) == ()
    assert "Not numbers" not in views.guidance(cut).alt
    both = dataclasses.replace(cut, noise_pred=np.full_like(trace.noise_pred, np.nan))
    assert [one.array for one in non_finite(both)] == ["noise_pred", "noise_preds/uncond"]
    assert "noise_preds/uncond at steps 4, 5 (NaN)" in in_words(non_finite(both), both.num_steps)
