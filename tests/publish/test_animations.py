"""Animations: what their frames show; files fit their budgets and say what was reduced for that."""

import io
import sys

import av
import numpy as np
import pytest
import synthetic
from PIL import Image
from synthetic_video import video
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.base.errors import PublishError, TraceError
from sdexplore.publish.media.animations_as_files import encoded


@pytest.fixture(scope="module")
def made(trace):
    return sdx.animation(trace, "cat")


def noise(count, side=160):
    return list(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8))


def test_denoising_shows_the_decoded_steps_and_ends_in_the_picture(trace):
    shown = sdx.animation(trace)
    assert len(shown.frames) == 4  # decoded at 0, 3 and 5, and the picture
    assert list(shown.data["steps"]) == [0, 3, 5]
    assert shown.call == f"sdx.animation(trace)  # trace {trace.fingerprint}"
    assert shown.seconds == (1.0, 1.0, 1.0, 2.5)
    assert len({frame.tobytes() for frame in shown.frames}) == 4
    assert "the final picture" in shown.alt


def test_an_animation_in_japanese_shows_the_same_and_says_so_in_its_line(trace, made):
    with sdx.set_options(lang="ja"):
        japanese = sdx.animation(trace, "cat")
    np.testing.assert_array_equal(japanese.data["maps"], made.data["maps"])
    assert japanese.call == f"sdx.set_options(lang='ja'); {made.call}"
    assert (japanese.lang, made.lang) == ("ja", "en")
    assert japanese.sources == made.sources
    for one in (japanese, made):
        assert not one.alt.startswith(one.caption)
        assert "cat" in one.caption
    assert "アテンション" in japanese.alt


def test_steps_that_were_not_decoded_are_there_by_the_linear_preview(trace):
    assert len(sdx.animation(trace, steps=[0, 1]).frames) == 3
    few = synthetic.trace(decoded={}, decoded_x0={}, image=None)
    stopped = few.altered(call={**few.call, "stopped": True})
    shown = sdx.animation(stopped)
    assert len(shown.frames) == synthetic.STEPS
    assert "where the run was stopped" in shown.alt
    assert "the last latents" in sdx.animation(few).alt


def test_a_word_moves_beside_what_the_steps_predict_decoded_where_all_were(trace):
    every, some = (sdx.animation(trace, "cat", steps=steps) for steps in ([0, 3], [0, 4]))
    assert "(decoded)" in every.alt
    assert "(linear)" in some.alt
    assert len(np.unique(every.frames[0].reshape(-1, 3), axis=0)) > 5 * len(
        np.unique(some.frames[0].reshape(-1, 3), axis=0)
    )  # noise of 64 × 96 pixels, not of 8 × 12


def test_a_word_s_maps_are_word_map_s_on_one_scale(trace, made):
    assert made.data["maps"].shape == (6, 8, 12)
    np.testing.assert_array_equal(made.data["maps"][2], sdx.word_map(trace, "cat", steps=2))
    assert f"0 to {made.data['maps'].max():.3g}" in made.alt
    line = sdx.animation(trace, "cat", layers="mid_block", steps=[1, 2], theme="dark", seconds=2.0).call
    assert line.startswith("sdx.animation(trace, 'cat', steps=[1, 2], layers='mid_block', seconds=2.0, theme='dark')")


def test_dark_is_dark_and_the_maps_have_the_same_colours(trace, made):
    dark = sdx.animation(trace, "cat", theme="dark")
    assert made.frames[0][0, 0].min() == 255
    assert dark.frames[0][0, 0].max() < 40
    peak = made.data["maps"].max((1, 2)).argmax()
    yellow = [(frames[peak] == (253, 231, 36)).all(-1).sum() for frames in (made.frames, dark.frames)]
    assert yellow[0] == yellow[1] > 100


def test_the_theme_that_is_set_is_that_of_an_animation_and_its_line_says_so(trace):
    with sdx.set_options(theme="dark"):
        dark = sdx.animation(trace, steps=[0])
        light = sdx.animation(trace, steps=[0], theme="light")
    with sdx.set_options(theme="transparent"), pytest.raises(TraceError, match=r"'transparent'.*theme='light'"):
        sdx.animation(trace)
    assert (dark.theme, light.theme) == ("dark", "light")
    assert dark.frames[0][0, 0].max() < 40
    assert light.frames[0][0, 0].min() == 255
    assert "theme='dark'" in dark.call  # the line makes it again wherever it is run
    assert "theme='light'" in light.call


@pytest.mark.parametrize("ending", ["webp", "gif", "mp4"])
def test_every_format_holds_the_frames_for_their_time(tmp_path, made, ending):
    path = made.save(tmp_path / "new" / f"cat.{ending}")
    y, x = made.frames[0].shape[:2]
    if ending == "mp4":
        with av.open(path) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            seconds = film.duration / 1e6
        assert len(frames) == 7  # one to end the last
        assert np.abs(frames[0].astype(int) - made.frames[0][: y - y % 2, : x - x % 2]).mean() < 6
        assert seconds == pytest.approx(sum(made.seconds), abs=0.1)
        return
    with Image.open(path) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (6, (x, y), 0)
        times = []
        for number in range(film.n_frames):
            film.seek(number)
            pixels = np.asarray(film.convert("RGB")).astype(int)
            assert np.abs(pixels - made.frames[number]).mean() < 6
            times.append(film.info["duration"])
    assert sum(times) / 1000 == pytest.approx(sum(made.seconds), abs=0.1)
    assert made.chosen(ending).startswith(f"6 of 6 frames, {x} × {y} pixels, ")


@pytest.mark.parametrize("kind", ["webp", "gif", "mp4"])
@pytest.mark.parametrize("fit", [200_000, 60_000, 12_000])
def test_noise_fits_the_budget_and_it_is_said_how(kind, fit):
    made = encoded(noise(12), [0.1] * 12, kind, fit, None)
    assert len(made.content) <= fit
    assert "made smaller to fit" in made.note
    assert f"{made.frames} of 12 frames, {made.pixels[0]} × {made.pixels[1]} pixels" in made.said
    if kind != "mp4":
        with Image.open(io.BytesIO(made.content)) as film:
            assert getattr(film, "n_frames", 1) == made.frames
            assert film.size == made.pixels


def test_a_limit_of_frames_keeps_first_and_last_and_the_whole_time():
    frames = [np.full((16, 16, 3), 20 * i, np.uint8) for i in range(12)]
    made = encoded(frames, [0.1] * 12, "gif", None, 4)
    assert made.note == "8 frames left out: at most 4"
    with Image.open(io.BytesIO(made.content)) as film:
        assert film.n_frames == 4
        levels, time = [], 0
        for number in range(4):
            film.seek(number)
            levels.append(np.asarray(film.convert("RGB"))[0, 0, 0])
            time += film.info["duration"]
    assert (levels[0], levels[-1]) == (0, 220)
    assert time == pytest.approx(1200, abs=50)


def test_what_cannot_fit_is_refused():
    with pytest.raises(PublishError, match=r"fit=50: no webp .*smallest has \d+"):
        encoded(noise(2), [1.0, 1.0], "webp", 50, None)


def test_a_notebook_gets_moving_pictures_an_alt_text_and_a_still(made):
    bundle, metadata = made._repr_mimebundle_()
    assert bundle["text/html"].startswith('<figure style="margin:0"><img src="data:image/webp;base64,')
    assert metadata == {"image/png": {"alt": made.alt}}
    assert len(bundle["text/html"]) < 1.5 * 2**20
    assert bundle["text/plain"] == repr(made)
    assert repr(made).startswith("Animation of 6 frames")


def test_an_article_takes_it(tmp_path, made):
    sdx.Article("an-animated-one", root=tmp_path).add(made, key="cat").save()
    assert "001.webp" in (tmp_path / "articles" / "an-animated-one.md").read_text()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"steps": [9]}, TraceError, "step 9"),
        ({"steps": []}, TraceError, "steps=\\[\\].*at least one step"),
        ({"layers": "mid_block"}, TraceError, "layers='mid_block'.*name a word"),
        ({"word": "dog"}, sdx.TokenError, "no word 'dog'"),
        ({"theme": "transparent"}, TraceError, "theme='transparent'.*'light' or 'dark'"),
        ({"seconds": 0.0}, TraceError, "seconds=0.0.*above 0"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_reason(trace, options, error, said):
    with pytest.raises(error, match=said):
        unchecked("publish.animations").animation(trace, **options)


def test_another_ending_is_refused(tmp_path, made):
    with pytest.raises(PublishError, match=r"'cat\.avi'.*\.webp, \.gif, \.mp4"):
        made.save(tmp_path / "cat.avi")


def test_without_pyav_an_mp4_is_refused_with_what_to_install(tmp_path, made, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PublishError, match=r"pip install 'sdexplore\[video\]'"):
        made.save(tmp_path / "cat.mp4", frames=2)
    assert not list(tmp_path.iterdir())


def test_a_video_is_played_frame_by_frame():
    whole = video()
    shown = sdx.animation(whole, frames=True)
    assert len(shown.frames) == len(whole.frames)
    assert len({frame.tobytes() for frame in shown.frames}) == len(whole.frames)
    assert np.array_equal(shown.data["frames"], whole.frames)
    assert "frames=True" in shown.call
    assert "latent frame 1 of 3" in sdx.animation(whole).alt  # of its steps, the middle frame
    with pytest.raises(TraceError, match=r"frames=True, word"):
        sdx.animation(whole, "cat", frames=True)
    with pytest.raises(TraceError, match="no frames"):
        sdx.animation(synthetic.trace(), frames=True)
