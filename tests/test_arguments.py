"""What a call is given wrongly is refused before anything is computed, in the words of the call."""

import pytest

import sdexplore as sdx

PROMPT = "a photo of a cat"


@pytest.fixture
def untouched(tiny, monkeypatch):
    """The tiny pipeline, which fails the test if its call is ever reached."""
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    return tiny


@pytest.mark.parametrize("given", [0, -1, 2.5, True, "3"])
@pytest.mark.parametrize(("name", "what"), [("num_inference_steps", "steps"), ("num_images_per_prompt", "images")])
def test_a_number_of_steps_or_images_is_at_least_one(untouched, name, what, given):
    message = f"{name}={given!r}: the number of {what} is a whole number, and at least 1"
    calls = [
        lambda: sdx.run(untouched, PROMPT, **{name: given}),
        lambda: sdx.compare(untouched, PROMPT, over={name: [3, given]}),
        lambda: sdx.cost(untouched, **{name: given}),
    ]
    for call in calls:
        with pytest.raises(sdx.RunError) as raised:
            call()
        assert str(raised.value) == message


@pytest.mark.parametrize("given", [0, -1])
def test_a_schedule_has_at_least_one_step_and_its_usual_number_only_where_none_is_given(tiny, given):
    with pytest.raises(sdx.RunError, match=f"num_inference_steps={given}: .* at least 1"):
        sdx.schedule(tiny, num_inference_steps=given)
    assert len(sdx.schedule(tiny, scheduler="DDIM")) == 50
