"""Every view: its published picture is made again, the same to the byte, or refused in words."""

import json

import diffusers
import numpy as np
import pytest
from every_view import CALL, DRAWN, NOT_AGAIN, PROMPT

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import PublishError, RunError
from sdexplore.views.made_from import MADE_FROM

SLUG = "every-view-again"
GIVEN_LATER = ("reconstruction", "latent_statistics")
REFUSED = tuple(NOT_AGAIN)


def published(tmp_path, thing):
    """The sidecar of a thing, alone in an article."""
    sdx.Article(SLUG, root=tmp_path).add(thing, key="a")
    return tmp_path / "images" / SLUG / "001.json"


def test_every_view_says_what_its_line_is_made_from_and_is_tried_here():
    assert set(MADE_FROM) == set(views.__all__) == {*DRAWN, *REFUSED}
    assert {view for view, made_from in MADE_FROM.items() if made_from.refusal} == set(REFUSED)


@pytest.mark.parametrize("view", DRAWN)
def test_a_published_view_is_made_again(tmp_path, world, view):
    sidecar = published(tmp_path, DRAWN[view](world))
    given = {"reconstruction": {"image": world.pictures[0]}, "latent_statistics": {"images": world.pictures}}
    given |= {name: {"study": world.study} for name in DRAWN if name.startswith("study_")}
    pipe = world.flux if view == "concepts" else world.pipe
    scheduler = pipe.scheduler
    made = sdx.reproduce(sidecar, pipe, **given.get(view, {}))
    assert (made.verdict, made.same) == ("same", True), made
    assert made.found[-1] == "The file is the same, to the byte."
    assert pipe.scheduler is scheduler


@pytest.mark.parametrize("view", ["story", "schedule"])
def test_a_view_that_was_published_in_japanese_for_a_dark_page_is_made_again_so(tmp_path, world, view):
    with sdx.set_options(lang="ja", theme="dark"):
        sidecar = published(tmp_path, DRAWN[view](world))
    made = sdx.reproduce(sidecar, world.pipe)
    assert made.same, made
    assert (made.picture.lang, made.picture.theme) == ("ja", "dark")


@pytest.mark.parametrize("view", REFUSED)
def test_what_is_measured_and_what_is_the_user_s_own_is_refused_in_words(tmp_path, world, view):
    with pytest.raises(PublishError, match=rf"sdx\.views\.{view} is not made again: "):
        sdx.reproduce(published(tmp_path, NOT_AGAIN[view](world)), world.pipe)


@pytest.mark.parametrize("view", GIVEN_LATER)
def test_pictures_that_the_sidecar_does_not_hold_are_asked_for(tmp_path, world, view):
    (name,) = (source for source in MADE_FROM[view].sources if source != "pipeline")
    sidecar = published(tmp_path, DRAWN[view](world))
    with pytest.raises(PublishError, match=rf"does not hold '{name}': give it as {name}="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(PublishError, match=r"reproduce\(colour=…\).*leave it out"):
        sdx.reproduce(sidecar, world.pipe, colour="red", **{name: world.pictures})


def test_another_image_than_then_is_refused(tmp_path, world):
    sidecar = published(tmp_path, DRAWN["reconstruction"](world))
    with pytest.raises(PublishError, match="the image given is not the one that was drawn"):
        sdx.reproduce(sidecar, world.pipe, image=world.pictures[1])


def test_a_region_by_a_mask_is_made_again_with_that_mask(tmp_path, world):
    sidecar = published(tmp_path, views.region(world.trace, world.mask, ["cat"]))
    assert sdx.reproduce(sidecar, world.pipe, mask=world.mask).same
    with pytest.raises(PublishError, match="give it as mask="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(PublishError, match="the mask given is not the one that was drawn"):
        sdx.reproduce(sidecar, world.pipe, mask=~world.mask)


def test_a_schedule_of_a_scheduler_of_one_s_own_is_made_again_with_it(tmp_path, world):
    own = diffusers.EulerDiscreteScheduler.from_config(world.pipe.scheduler.config)
    drawn = views.schedule(sdx.schedule(world.pipe), sdx.schedule(world.pipe, scheduler=own))
    sidecar = published(tmp_path, drawn)
    assert sdx.reproduce(sidecar, world.pipe, scheduler_1=own).same
    with pytest.raises(PublishError, match="give it as scheduler_1="):
        sdx.reproduce(sidecar, world.pipe)


def test_a_schedule_that_nobody_made_for_a_pipeline_is_refused(tmp_path, world):
    by_hand = sdx.Schedule(
        scheduler="Own", space="variance preserving", timesteps=np.array([9.0, 1.0]), sigmas=np.array([3.0, 0.5])
    )
    with pytest.raises(PublishError, match="does not hold 'schedule'"):
        sdx.reproduce(published(tmp_path, views.schedule(by_hand)), world.pipe)


@pytest.mark.parametrize("kind", ["look", "invert"])
def test_what_was_seen_in_a_given_picture_is_made_again_with_the_picture(tmp_path, world, kind):
    if kind == "look":
        trace = sdx.look(world.pipe, world.pictures[0], PROMPT, t=400, seed=3)
    else:
        trace = sdx.invert(world.pipe, world.pictures[0], PROMPT, num_inference_steps=2)
    sidecar = published(tmp_path, views.attention(trace, ["cat"]))
    made = sdx.reproduce(sidecar, world.pipe, image=world.pictures[0])
    assert made.same, made
    assert made.traces[0].fingerprint == trace.fingerprint
    with pytest.raises(RunError, match=f"is a {kind} at a picture, which the sidecar does not hold.*image="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(RunError, match="the image given is not the one"):
        sdx.reproduce(sidecar, world.pipe, image=world.pictures[1])


def test_what_was_drawn_from_an_inversion_is_made_again_with_the_inversion(tmp_path, world):
    inversion = sdx.invert(world.pipe, world.pictures[0], PROMPT, num_inference_steps=2)
    drawn = sdx.redraw(world.pipe, inversion, "a dog", guidance_scale=2.0)
    sidecar = published(tmp_path, views.denoising(drawn))
    assert sdx.reproduce(sidecar, world.pipe, inversion=inversion).same
    for wrong in ({}, {"inversion": drawn}):
        with pytest.raises(RunError, match=f"from the inversion {inversion.fingerprint}.*as inversion="):
            sdx.reproduce(sidecar, world.pipe, **wrong)


def test_a_strip_between_two_prompts_or_down_the_layers_is_made_again(tmp_path, world):
    between = sdx.interpolation(world.pipe, "a cat", "a dog", [0.0, 0.4], seed=2, guidance_scale=3.0, **CALL)
    down = sdx.clip_skip_ladder(world.pipe, "a cat", [0, 1], seed=2, **CALL)
    for number, several in enumerate((between, down)):
        sidecar = published(tmp_path / str(number), views.strip(several))
        made = sdx.reproduce(sidecar, world.pipe)
        assert made.same, made
        assert [one.fingerprint for one in made.traces] == [one.fingerprint for one in several.traces]


def test_the_calibration_is_run_again_with_the_words_left_out(tmp_path, world):
    found = sdx.calibrate(world.pipe, scenes=1, seed=3, timesteps=(200,))
    made = sdx.reproduce(published(tmp_path, views.calibration(found, score="inside")), world.pipe)
    assert made.same, made
    assert "causal=True" in made.picture.call
    assert made.traces == ()


def test_a_line_calls_only_what_its_own_view_is_made_from(tmp_path, world):
    sidecar = published(tmp_path, DRAWN["tokens"](world))
    facts = json.loads(sidecar.read_text())
    for code in (
        "sdx.views.tokens(sdx.calibrate(pipe, scenes=1))",
        "sdx.views.tokens(sdx.tokens(pipe, 'a').__class__)",
        "sdx.views.tokens(sdx.tokens(pipe, 'a')['tokenizer']['x'])",
        "sdx.views.tokens(sdx.tokens(pipe, 'a', 'b', 'c', 'd', 'e', 'f'))",
        "sdx.views.tokens(sdx.tokens(pipe, 'a')['nothing'])",
    ):
        sidecar.write_text(json.dumps(facts | {"code": code}))
        with pytest.raises(sdx.SdexploreError):
            sdx.reproduce(sidecar, world.pipe)
