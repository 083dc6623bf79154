"""Views of a video show one frame, the middle one unless another is asked for, and say which."""

import numpy as np
import pytest
import synthetic
from synthetic_video import video

import sdexplore as sdx
from sdexplore import views

VIEWS = (views.latents, views.denoising, views.guidance, views.guidance_steps)


@pytest.fixture(scope="module")
def whole():
    return video()


@pytest.mark.parametrize("view", VIEWS)
def test_the_frame_is_named_where_people_read(whole, view):
    middle, first = view(whole), view(whole, frame=0)
    for picture, words in ((middle, "latent frame 1 of 3, video frame 4 of 9"), (first, "latent frame 0 of 3")):
        assert words in picture.alt
        assert words in picture.figure.get_suptitle()
    assert "frame" not in str(middle.call).partition("#")[0]
    assert "frame=0" in first.call
    assert "latent frame" not in view(synthetic.trace()).alt


def test_latents_are_those_of_the_frame(whole):
    for frame, number in ((None, 1), (0, 0), (-1, 2)):
        drawn = views.latents(whole, steps=[2], frame=frame).data["latents"][0]
        assert np.array_equal(drawn, whole.scaled_latents(2)[:, number])


def test_denoising_shows_the_vae_s_pictures_of_the_middle_frame_and_previews_of_others(whole):
    middle, first = views.denoising(whole), views.denoising(whole, steps=[0], frame=0)
    assert np.array_equal(middle.data["x_t/0"], whole.decoded[0])
    assert np.array_equal(middle.data["image"], whole.image)
    assert first.data["x_t/0"].shape == (synthetic.Y, synthetic.X, 3)
    assert np.array_equal(first.data["image"], whole.frames[0])


def test_guidance_shows_where_the_halves_differ_in_the_frame(whole):
    whole_map = sdx.guidance_steps(whole).difference
    for frame, number in ((None, 1), (2, 2)):
        assert np.array_equal(views.guidance(whole, steps=[0], frame=frame).data["difference"][0], whole_map[0, number])
        assert np.array_equal(views.guidance_steps(whole, frame=frame).data["difference"], whole_map[:, number])


def test_a_difference_runs_over_all_frames_and_draws_one(whole):
    other = video(pred_original_sample=whole.pred_original_sample * 1.5)
    found = sdx.difference(whole, other)
    drawn = views.difference(whole, other, frame=0)
    assert np.array_equal(drawn.data["x0"], found.x0[list(drawn.data["steps"]), 0])
    assert "frame=0" in drawn.call
    moved = whole.latents.copy()
    moved[3, :, 2] += 1  # in the last frame alone
    assert sdx.difference(whole, video(latents=moved)).parted == 2


def test_a_comparison_has_no_frame_of_latents(whole):
    cells = sdx.Comparison(over={"seed": (0, 1)}, traces=(whole, whole))
    assert views.comparison(cells).alt
    with pytest.raises(sdx.TraceError, match="frame"):
        views.guidance(cells, frame=0)
