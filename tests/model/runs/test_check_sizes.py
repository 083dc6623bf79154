"""What a pipeline would ignore, complete or take as something else is refused before the run, in our words."""

import pytest
import torch
from tiny_families import as_family, inpaint, mask, picture
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

PROMPT = "a photo of a cat"
FEW = {"record": sdx.Record(decode=0, cross_attention=False), "num_inference_steps": 1}


@pytest.fixture
def untouched(tiny, monkeypatch):
    """The tiny pipeline, which fails the test if its call is ever reached."""
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    return tiny


@pytest.mark.parametrize(("given", "other"), [("height", "width"), ("width", "height")])
def test_one_side_alone_is_refused_where_the_pipeline_takes_both_or_none(untouched, given, other):
    for call in (sdx.run, lambda *args, **kwargs: sdx.compare(*args, over={"eta": [0.0]}, **kwargs)):
        with pytest.raises(sdx.RunError, match=rf"\({given}=96\): StableDiffusionPipeline .*give {other} too"):
            call(untouched, PROMPT, **{given: 96})


def test_one_side_alone_is_drawn_where_the_pipeline_completes_it():
    trace = sdx.run(stable_diffusion_xl(), PROMPT, height=96, **FEW)
    assert trace.image.shape == (96, 64, 3)


def test_a_cost_counts_the_side_that_the_pipeline_completes_and_no_side_that_it_drops():
    half = as_family(sdx_lcm(), stable_diffusion(time_cond_proj_dim=32))
    assert sdx.cost(half, height=128).disk > 1.5 * sdx.cost(half).disk
    plain = stable_diffusion()
    assert sdx.cost(plain, height=128).disk == sdx.cost(plain).disk


def sdx_lcm():
    from diffusers import LatentConsistencyModelPipeline

    return LatentConsistencyModelPipeline


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_inference_steps": 10**8}, r"\(num_inference_steps=100000000\): the number of steps is at most 10,000"),
        ({"num_images_per_prompt": 10**6}, r"\(num_images_per_prompt=1000000\): the number of images is at most"),
        ({"height": -64, "width": 64}, r"\(height=-64\): a side is a whole number of pixels, at least 1"),
        ({"height": 64, "width": 0}, r"\(width=0\): a side is a whole number"),
        ({"height": True, "width": 64}, r"\(height=True\): a side is a whole number"),
        ({"height": "64", "width": 64}, r"\(height='64'\): a side is a whole number"),
        ({"negative_prompt": []}, r"\(negative_prompt=\[\]\): an empty list asks for no picture"),
        ({"seed": 2**64 - 1, "num_images_per_prompt": 2}, r"\(seed=18446744073709551615\): .* 2 images .* above"),
        ({"latents": torch.zeros(4, 8, 8)}, r"\(latents=…\): they are 4 × 8 × 8; .*1 image and 4 channels"),
        ({"latents": torch.zeros(1, 3, 8, 8)}, r"\(latents=…\): they are 1 × 3 × 8 × 8; .*4 channels"),
        ({"latents": torch.zeros(2, 4, 8, 8)}, r"\(latents=…\): they are 2 × 4 × 8 × 8; .*1 image and"),
        ({"latents": [[1.0]]}, r"\(latents=\[\[1.0\]\]\): latents are a tensor .* not a list"),
        (
            {"latents": torch.zeros(1, 4, 16, 16), "height": 64, "width": 64},
            r"\(height=64, width=64, latents=…\): latents of 1 × 4 × 16 × 16 draw 128 × 128 pixels",
        ),
    ],
)
def test_what_no_picture_can_be_made_of_is_refused_and_repeated(untouched, given, message):
    with pytest.raises(sdx.RunError, match=rf"^run{message}"):
        sdx.run(untouched, PROMPT, **given)


def test_an_empty_list_of_prompts_is_refused(untouched):
    with pytest.raises(sdx.RunError, match=r"^run\(prompt=\[\]\): an empty list asks for no picture"):
        sdx.run(untouched, [])


def test_latents_of_another_size_draw_that_size_where_none_is_named(tiny):
    assert sdx.run(tiny, PROMPT, latents=torch.zeros(1, 4, 16, 8), **FEW).image.shape == (128, 64, 3)


def test_a_crop_around_the_mask_is_refused_since_its_maps_would_be_laid_over_the_whole(monkeypatch):
    pipe = inpaint()
    monkeypatch.setattr(type(pipe), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.RunError, match=r"padding_mask_crop: the model draws a crop .*leave padding_mask_crop out"):
        sdx.run(pipe, PROMPT, image=picture(), mask_image=mask(), padding_mask_crop=4)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("StableDiffusionPanoramaPipeline", "overlapping views"),
        ("MarigoldDepthPipeline", "ensemble"),
        ("CycleDiffusionPipeline", "side by side"),
        ("StableDiffusionLatentUpscalePipeline", "preconditions"),
        ("TextToVideoSDPipeline", "frames"),
    ],
)
def test_a_class_whose_call_is_no_one_trajectory_is_refused_by_name(untouched, name, why):
    """A pipeline of that name around a denoiser of pictures: the class alone tells."""

    class Own(type(untouched)):
        pass

    Own.__name__ = name
    pipe = as_family(Own, untouched)
    with pytest.raises(sdx.RunError, match=rf"^run: cannot observe this {name}: .*{why}"):
        sdx.run(pipe, PROMPT)
