"""Pictures of steps are decoded when they are first looked at, by whatever decoder the trace was given."""

import copy
import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import synthetic

from sdexplore import views
from sdexplore.base.errors import Stopped, TraceError
from sdexplore.trace.trace import Trace


class Painter:
    """A decoder that counts its pictures; `gone` says why it cannot."""

    name = "VAE"

    def __init__(self):
        self.made, self.gone, self.lock, self.bars = [], None, threading.Lock(), []

    def lacking(self):
        return self.gone

    def turn(self):
        return self.lock

    @contextmanager
    def bar(self, total):
        self.bars.append(total)
        yield lambda: self.bars.append("+")

    def __call__(self, latents):
        assert self.lock.locked()  # its turn
        self.made.append(np.array(latents))
        return np.full((64, 96, 3), len(self.made), np.uint8)


@pytest.fixture
def painter():
    return Painter()


@pytest.fixture
def waiting(painter):
    """A trace of six steps whose Record names three; none is decoded."""
    trace = synthetic.trace(decoded={}, decoded_x0={})
    trace.decoded_by(painter, (0, 3, 5))
    return trace


def test_keys_are_known_and_pictures_are_made_when_they_are_touched(waiting, painter):
    for pictures in (waiting.decoded, waiting.decoded_x0):
        assert list(pictures) == [0, 3, 5]
        assert len(pictures) == 3
        assert 3 in pictures
        assert 1 not in pictures
        assert pictures.made == ()
    assert waiting.undecoded == (0, 3, 5)
    repr(waiting), repr(waiting.decoded), waiting.nbytes, waiting.parts(), waiting.fingerprint
    assert painter.made == []
    picture = waiting.decoded[3]
    assert waiting.decoded[3] is picture
    assert not picture.flags.writeable
    np.testing.assert_array_equal(painter.made, [waiting.scaled_latents(3)])
    assert waiting.decoded_x0[3] is not picture
    np.testing.assert_array_equal(painter.made[1], waiting.pred_original_sample[3])
    assert waiting.decoded.made == waiting.decoded_x0.made == (3,)
    assert waiting.undecoded == (0, 5)
    with pytest.raises(KeyError):
        waiting.decoded[1]
    assert len(painter.made) == 2


def test_what_is_not_decoded_is_no_part_yet_and_changes_no_fingerprint(waiting):
    whole = synthetic.trace()
    assert waiting.fingerprint == whole.fingerprint
    assert not any(name.startswith("decoded") for name in waiting.parts())
    assert "decoded when looked at" in repr(waiting)
    before = waiting.nbytes
    waiting.decode()
    assert waiting.nbytes == before + 6 * 64 * 96 * 3
    assert "decoded when looked at" not in repr(waiting)


def test_decode_returns_the_named_steps_and_remembers_them(waiting, painter):
    told = []
    found = waiting.decode([1, 3], on_step=lambda now: told.append((now.step, now.x0, now.done, now.total)))
    assert told == [(1, False, 1, 4), (1, True, 2, 4), (3, False, 3, 4), (3, True, 4, 4)]
    assert painter.bars == []  # the function tells
    assert (list(found.decoded), list(found.decoded_x0), found.decoder) == ([1, 3], [1, 3], "VAE")
    assert found.decoded[3] is waiting.decoded[3]
    assert list(waiting.decoded) == [0, 3, 5]  # what is kept stays what the Record names
    assert waiting.picture_of_step(1, decode=False) == (found.decoded[1], "VAE")
    assert waiting.decode(1).decoded[1] is found.decoded[1]
    assert len(painter.made) == 4
    waiting.decode()
    assert len(painter.made) == 8
    assert painter.bars == [4, *"++++"]
    with pytest.raises(TraceError, match="there is no step 6"):
        waiting.decode(6)


def test_decoding_that_is_stopped_keeps_what_was_made(waiting):
    with pytest.raises(Stopped, match="after 3 of 6 pictures"):
        waiting.decode(on_step=lambda now: now.stop() if now.done == 3 else None)
    assert waiting.decoded.made == (0, 3)
    assert waiting.decoded_x0.made == (0,)
    assert waiting.undecoded == (3, 5)


def test_a_decoder_that_is_gone_is_an_error_and_views_show_the_linear_preview(waiting, painter, tmp_path):
    waiting.decode(0)
    painter.gone = "the VAE was eaten"
    assert waiting.undecodable == "the VAE was eaten"
    for wrong in (lambda: waiting.decoded[3], lambda: waiting.decode(3)):
        with pytest.raises(TraceError, match="step 3 cannot be decoded: the VAE was eaten"):
            wrong()
    assert waiting.decode(0).decoded[0] is waiting.decoded[0]
    picture = views.denoising(waiting)
    assert [ax.get_xlabel() for ax in picture.figure.axes[:3]] == ["", "linear", "linear"]
    assert "steps 3, 5 by the linear preview (the VAE was eaten)" in picture.alt
    with pytest.warns(UserWarning, match=r"Trace\.save: the pictures of 2 steps \(3, 5\) are left out: .* eaten"):
        waiting.save(tmp_path / "some.safetensors")
    assert list(Trace.load(tmp_path / "some.safetensors").verify().decoded) == [0]


def test_a_file_has_every_picture_of_the_record_or_those_that_were_looked_at(waiting, painter, tmp_path):
    waiting.decode([0, 1])
    waiting.save(tmp_path / "few.safetensors", decode=False)
    assert len(painter.made) == 4
    few = Trace.load(tmp_path / "few.safetensors").verify()
    assert list(few.decoded) == list(few.decoded_x0) == [0]
    assert "read from a file" in few.undecodable
    waiting.save(tmp_path / "all.safetensors")
    Trace.load(tmp_path / "all.safetensors").verify()
    pictures = {name: dict(getattr(waiting, name)) for name in ("decoded", "decoded_x0")}
    eager = synthetic.trace(**pictures).save(tmp_path / "eager.safetensors")
    assert (tmp_path / "all.safetensors").read_bytes() == eager.read_bytes()


def test_copies_decode_nothing_and_a_deep_copy_decodes_later(waiting, painter):
    waiting.decode(0)
    sent = pickle.loads(pickle.dumps(waiting))  # noqa: S301  (our own)
    assert list(sent.decoded) == [0]
    copied = copy.deepcopy(waiting)
    assert list(copied.decoded) == [0, 3, 5]
    assert copied.decoded.made == (0,)
    altered = waiting.altered(flags={"nsfw_content_detected": False})
    assert altered.decoded.made == (0,)
    assert len(painter.made) == 2
    assert copied.decoded[5].shape == (64, 96, 3)
    assert waiting.decoded.made == (0,)  # a copy remembers for itself


def test_two_threads_make_a_picture_once(waiting, painter):
    found, together = [], threading.Barrier(4)

    def look():
        together.wait()
        found.append([waiting.decoded[step] for step in waiting.decoded])

    threads = [threading.Thread(target=look) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(painter.made) == 3
    assert all(mine is first for each in found for mine, first in zip(each, found[0], strict=True))


def test_views_decode_what_they_draw_and_can_be_told_not_to(waiting, painter):
    linear = views.denoising(waiting, decode=False)
    assert [ax.get_xlabel() for ax in linear.figure.axes[:4]] == [*["linear"] * 3, ""]
    assert "all steps by the linear preview" in linear.alt
    assert "decode=False" in linear.call
    assert painter.made == []
    views.attention_steps(waiting, "cat", steps=[0, 3])
    assert (waiting.decoded.made, waiting.decoded_x0.made) == ((), (0, 3))
    views.denoising(waiting, steps=[0, 2])
    assert waiting.decoded.made == (0,)
    assert waiting.picture_of_step(2, x0=True, decode=False) is not None
    assert len(painter.made) == 5


def test_a_record_that_names_no_step_is_shown_by_previews_until_steps_are_named(painter):
    trace = synthetic.trace(decoded={}, decoded_x0={})
    trace.decoded_by(painter, ())
    assert all(ax.get_xlabel() in ("linear", "") for ax in views.denoising(trace).figure.axes)
    assert painter.made == []
    views.denoising(trace, steps=2)
    assert len(painter.made) == 2


def test_xarray_and_arrays_hold_what_a_file_would(waiting):
    pytest.importorskip("xarray")
    tree = waiting.to_xarray()
    assert tree["decoded"].coords["decoded_step"].values.tolist() == [0, 3, 5]
    assert {"decoded/3", "decoded_x0/5"} <= waiting.arrays().keys()
