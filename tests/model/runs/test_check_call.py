"""A wrong argument is refused before anything is computed; the error names the function and the argument."""

import pytest
from tiny_families import img2img, mask, picture
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.model.runs.check_record import check_kind

PROMPT = "a photo of a cat"


@pytest.fixture
def untouched(tiny, monkeypatch):
    """The tiny pipeline, which fails the test if its call is ever reached."""
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    return tiny


@pytest.mark.parametrize("given", [0, -1, 2.5, True, "3"])
@pytest.mark.parametrize(("name", "what"), [("num_inference_steps", "steps"), ("num_images_per_prompt", "images")])
def test_a_number_of_steps_or_images_is_at_least_one(untouched, name, what, given):
    calls = {
        "run": lambda: sdx.run(untouched, PROMPT, **{name: given}),
        "compare": lambda: sdx.compare(untouched, PROMPT, over={name: [1, given]}),
        "cost": lambda: sdx.cost(untouched, **{name: given}),
    }
    for function, call in calls.items():
        with pytest.raises(sdx.RunError) as raised:
            call()
        message = f"{function}({name}={given!r}): the number of {what} is a whole number, and at least 1"
        assert str(raised.value) == message


@pytest.mark.parametrize("given", [0, -1])
def test_a_schedule_has_at_least_one_step_and_its_usual_number_only_where_none_is_given(tiny, given):
    with pytest.raises(sdx.RunError, match=rf"schedule\(num_inference_steps={given}\): .* at least 1"):
        sdx.schedule(tiny, num_inference_steps=given)
    assert len(sdx.schedule(tiny, scheduler="DDIM")) == 50


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": 2**64}, f"(seed={2**64}): seed is a whole number from −2⁶³ to 2⁶⁴ − 1"),
        ({"seed": -(2**63) - 1}, f"(seed={-(2**63) - 1}): seed is a whole number from −2⁶³ to 2⁶⁴ − 1"),
        ({"guidance_scale": "a"}, "(guidance_scale='a'): it is a number"),
        (
            {"image": picture()},
            "(image=…): StableDiffusionPipeline takes no 'image'; it begins with noise. diffusers.AutoPipelineForIm",
        ),
        ({"mask_image": mask()}, "(mask_image=…): StableDiffusionPipeline takes no 'mask_image'; it begins with noise"),
        ({"guidance": 3}, "(guidance=…): StableDiffusionPipeline takes no 'guidance'; did you mean 'guidance_scale'"),
    ],
)
def test_what_does_not_fit_is_refused_and_repeated(untouched, given, message):
    calls = {
        "run": lambda: sdx.run(untouched, PROMPT, **given),
        "compare": lambda: sdx.compare(untouched, PROMPT, over={"eta": [0.0]}, **given),
    }
    for function, call in calls.items():
        with pytest.raises(sdx.RunError) as raised:
            call()
        assert str(raised.value).startswith(f"{function}{message}")


@pytest.mark.parametrize("seed", [-(2**63), 2**64 - 1])
def test_every_seed_that_torch_takes_is_taken(tiny, seed):
    assert sdx.run(tiny, PROMPT, seed=seed, num_inference_steps=1).call["seed"] == seed


def test_a_text_in_the_place_of_the_pipeline_says_what_comes_first(tiny):
    run, compare = unchecked("model.runs.run_pipeline").run, unchecked("model.series.comparison").compare
    for call in (run, lambda *given: compare(*given, over={"seed": [0]})):
        with pytest.raises(sdx.InspectionError) as raised:
            call("a cat", tiny)
        assert str(raised.value) == "the pipeline comes first, as in sdx.run(pipe, 'a cat'), and 'a cat' is a text"


def test_what_is_no_record_is_repeated():
    with pytest.raises(sdx.RunError, match=r"^record=\{'latents': True\}: what to keep is a Record, as in sdx.Rec"):
        check_kind({"latents": True})


@pytest.mark.parametrize(
    ("prompt", "arguments", "message"),
    [
        (None, {}, "(no arguments): Provide either `prompt` or `prompt_embeds`"),
        (3, {}, "(prompt=3): `prompt` has to be of type"),
        ("a cat", {"negative_prompt": 3}, "(prompt='a cat', negative_prompt=3): `negative_prompt` should be"),
    ],
)
def test_what_the_pipeline_refuses_is_said_in_its_words_with_what_it_was_given(tiny, prompt, arguments, message):
    with pytest.raises(sdx.RunError) as raised:
        unchecked("model.runs.run_pipeline").run(tiny, prompt, **arguments)
    assert str(raised.value).startswith(f"run: StableDiffusionPipeline refuses this call {message}")
    assert raised.value.__cause__ is not None


def test_a_pipeline_that_begins_with_a_picture_says_so_where_there_is_none():
    with pytest.raises(sdx.RunError, match=r"refuses this call \(prompt='a cat'\): .*; it begins with a picture: give"):
        sdx.run(img2img(), "a cat")


def test_an_error_of_ones_own_on_the_way_stays_what_it_is(tiny):
    def broken(*_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        sdx.run(tiny, PROMPT, num_inference_steps=2, callback_on_step_end=broken)


def test_clip_skip_that_diffusers_cannot_do_names_what_does_it(tiny, monkeypatch):
    def gone(*_, **__):
        raise AttributeError("'CLIPTextModel' object has no attribute 'text_model'")

    monkeypatch.setattr(tiny, "encode_prompt", gone)
    with pytest.raises(
        sdx.RunError, match=r"run\(clip_skip=1\): .* sdx.clip_skip_ladder\(pipe, prompt, \[1\]\) leaves"
    ):
        sdx.run(tiny, PROMPT, clip_skip=1)
