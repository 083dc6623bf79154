"""One frame of a video as a trace like a picture's, in memory and from a file; what a trace of a video holds."""

import numpy as np
import pytest
import synthetic
from synthetic_video import DRAWN, FRAMES, video

import sdexplore as sdx
from sdexplore.trace.declaration import declaration_of
from sdexplore.trace.one_frame import one_frame, shown_frame
from sdexplore.trace.trace import Trace


@pytest.fixture(scope="module", params=["in memory", "from a file"])
def whole(request, tmp_path_factory):
    trace = video()
    if request.param == "in memory":
        return trace
    return Trace.load(trace.save(tmp_path_factory.mktemp("video") / "video.safetensors"))


@pytest.mark.parametrize(("frame", "number", "drawn"), [(None, 1, 4), (1, 1, 4), (0, 0, 0), (2, 2, 8), (-1, 2, 8)])
def test_every_array_is_that_of_the_frame(whole, frame, number, drawn):
    still, known = one_frame(whole, frame), synthetic.trace()
    for name in ("latents", "noise_pred", "pred_original_sample"):
        assert np.array_equal(getattr(still, name), getattr(known, name) + np.float32(number))
    for role, values in known.noise_preds.items():
        assert np.array_equal(still.noise_preds[role], values + np.float32(number))
    assert np.array_equal(still.scaled_latents(-1), known.scaled_latents(-1) + np.float32(number))
    assert np.array_equal(still.image, whole.frames[drawn])
    assert still.frames is None
    assert still.fingerprint == whole.fingerprint
    shown = shown_frame(still)
    assert (shown.number, shown.of, shown.frame, shown.frames) == (number, FRAMES, drawn, DRAWN)


def test_pictures_of_steps_are_the_middle_frames_alone(whole):
    assert set(one_frame(whole).decoded) == set(whole.decoded)
    assert not one_frame(whole, 0).decoded
    assert one_frame(whole, 0).undecodable


def test_without_a_drawn_video_the_frame_of_the_latents_is_shown():
    still = one_frame(video(frames=None, image=None))
    assert shown_frame(still).frame is None
    assert "video frame" not in str(shown_frame(still))
    assert still.image is None


def test_a_frame_beyond_the_video_is_refused(whole):
    for frame in (FRAMES, -FRAMES - 1):
        with pytest.raises(sdx.TraceError, match=rf"frame={frame}.*{FRAMES} frames, 0 to 2"):
            one_frame(whole, frame)


def test_a_picture_is_its_own_frame_and_has_no_other():
    still = synthetic.trace()
    assert one_frame(still) is still
    assert not still.video
    with pytest.raises(sdx.TraceError, match=r"frame=0.*of a picture"):
        one_frame(still, 0)


def test_arrays_agree_about_the_frames(whole):
    latents, noise_pred = (declaration_of(Trace, name) for name in ("latents", "noise_pred"))
    for first, wrong, known in (
        (whole.latents, whole.noise_pred[:, :, :2], r"\(step channel frame y x\), .*frame = 3"),
        (whole.latents, whole.noise_pred[:, :, 0], r"\(step channel frame y x\), .*frame = 3"),
        (whole.latents[:, :, 0], whole.noise_pred, r"\(step channel y x\), here step = 6"),
    ):
        sizes = {}
        latents.check(first, sizes)
        with pytest.raises(sdx.TraceError, match=rf"noise_pred is .*{known}"):
            noise_pred.check(wrong, sizes)


def test_bytes_count_the_frames_where_there_are_any():
    declared = declaration_of(Trace, "noise_pred")
    lengths = {"step": 6, "channel": 4, "y": 8, "x": 12}
    assert declared.bytes_of(lengths) == synthetic.trace().noise_pred.nbytes
    assert declared.bytes_of({**lengths, "frame": FRAMES}) == video().noise_pred.nbytes


def test_a_trace_says_that_it_is_a_video_and_why_it_has_no_word_maps(whole):
    assert f"A video of {DRAWN} frames" in repr(whole)
    assert "video" not in repr(synthetic.trace())
    with pytest.raises(sdx.TraceError, match="of a video no run records it"):
        sdx.word_map(whole, "cat")
