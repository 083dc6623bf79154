"""A Trace's file: it is read lazily and equals what was saved."""

import errno
import os
import re
import stat

import numpy as np
import pytest
import safetensors.numpy
import synthetic

from sdexplore.base.errors import TraceError
from sdexplore.trace import file
from sdexplore.trace.trace import Trace


def same(a, b):
    first, second = a.arrays(), b.arrays()
    assert list(first) == list(second)
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert repr(a) == repr(b)
    assert (a.kind, a.call, a.provenance, a.flags) == (b.kind, b.call, b.provenance, b.flags)
    assert {role: dict(by) for role, by in a.tokens.items()} == {role: dict(by) for role, by in b.tokens.items()}
    for role, layers in a.cross_attention.items():
        for layer, attention in layers.items():
            other = b.cross_attention[role][layer]
            assert (attention.steps, attention.columns) == (other.steps, other.columns)
            assert (attention.tokenizer, attention.head_mean) == (other.tokenizer, other.head_mean)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"space": "variance exploding", "heads": True, "columns": "all", "dtype": np.float32},
        {"prompt": "東京の桜 🌸 </script> \" ' \\ \x00 café", "flags": {"nsfw_content_detected": True}},
        {"noise_preds": {}, "decoded": {}, "decoded_x0": {}, "cross_attention": {}, "tokens": {}, "image": None},
        {"latents": None, "sigmas": None, "pred_original_sample": None, "latent_rgb": None, "noise_pred": None},
    ],
    ids=["usual", "everything", "unicode", "little", "least"],
)
def test_what_was_saved_comes_back(tmp_path, opened, kwargs):
    trace = synthetic.trace(**kwargs)
    path = tmp_path / "new" / "cat.safetensors"
    assert trace.save(str(path)) == path
    again = Trace.load(str(path))
    same(trace, again)
    assert again.fingerprint == trace.fingerprint
    assert again.verify() is again
    assert opened(path) is None


def test_nan_rows_come_back_as_nan(tmp_path):
    trace = synthetic.trace()
    uncond = np.array(trace.noise_pred_uncond)
    uncond[3:] = np.nan
    path = synthetic.trace(noise_preds={"uncond": uncond, "cond": trace.noise_pred_cond}).save(
        tmp_path / "a.safetensors"
    )
    again = Trace.load(path).verify()
    np.testing.assert_array_equal(again.noise_pred_uncond, uncond)


def test_self_attention_comes_back_without_columns(tmp_path):
    attention = synthetic.attention((2, 3))
    bare = type(attention)(probs=attention.probs[..., :6], steps=attention.steps)
    path = synthetic.trace(self_attention={"cond": {"mid/attn1": bare}}).save(tmp_path / "a.safetensors")
    again = Trace.load(path).verify().self_attention["cond"]["mid/attn1"]
    assert (again.columns, again.tokenizer) == ((), None)
    np.testing.assert_array_equal(again.probs, bare.probs)


def test_loaded_arrays_are_read_only(saved):
    for name, array in Trace.load(saved).arrays().items():
        assert not array.flags.writeable, name


def test_a_trace_may_be_saved_over_its_own_file(tmp_path):
    path = synthetic.trace().save(tmp_path / "a.safetensors")
    first = path.stat().st_size
    trace, other = Trace.load(path), Trace.load(path)
    trace.save(path)
    assert path.stat().st_size == first
    for one in (Trace.load(path), trace, other):  # the same numbers, written anew
        one.verify()
        np.testing.assert_array_equal(one.noise_pred, synthetic.trace().noise_pred)


def test_any_safetensors_reader_can_open_it(saved):
    arrays = safetensors.numpy.load_file(saved)
    np.testing.assert_array_equal(arrays["latents"], synthetic.trace().latents)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(TraceError, match=r"cannot save a trace as 'a\.npz': the name must end in \.safetensors"):
        synthetic.trace().save(tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["write", "replace", "json"])
def test_a_failure_in_mid_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch, failing):
    path = synthetic.trace().save(tmp_path / "a.safetensors")
    before = path.read_bytes()
    call = {"seed": object() if failing == "json" else 1}

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    if failing == "write":
        monkeypatch.setattr(file, "pieces", full)
    elif failing == "replace":
        monkeypatch.setattr(type(path), "replace", full)
    with pytest.raises(TraceError) as raised:
        synthetic.trace(call=call).save(path)
    assert ("JSON" if failing == "json" else f"{str(path)!r}: No space left on device") in str(raised.value)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.safetensors"]


def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    mask = os.umask(0o027)
    try:
        path = synthetic.trace().save(tmp_path / "a.safetensors")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_is_not_there_or_a_folder_is_no_trace(tmp_path):
    with pytest.raises(TraceError, match=r"no trace at '.*': there is no such file"):
        Trace.load(tmp_path / "cat.safetensors")
    with pytest.raises(TraceError, match=r"'.*' is a folder, and no trace"):
        Trace.load(tmp_path)


def test_a_pipe_or_a_device_is_no_trace_and_nothing_waits_for_it(tmp_path):
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/null"):
        with pytest.raises(TraceError, match="is a pipe or a device"):
            Trace.load(path)
    with pytest.raises(TraceError, match="pipe or a device"):
        synthetic.trace().save(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("path", ["a\0b.safetensors", "\ud800.safetensors"])
def test_a_name_that_no_file_can_have_is_refused(path):
    with pytest.raises(TraceError):
        Trace.load(path)
    with pytest.raises(TraceError):
        synthetic.trace().save(path)


def test_a_place_that_cannot_be_written_or_read_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path / "file" / "a.safetensors", tmp_path / ("x" * 300 + ".safetensors")):
        with pytest.raises(TraceError, match=re.escape(f"cannot save a trace as {str(path)!r}: ")):
            synthetic.trace().save(path)
    with pytest.raises(TraceError, match="that is no file, but a folder"):
        synthetic.trace().save(tmp_path / "folder.safetensors")
    with pytest.raises(TraceError, match=re.escape(f"cannot read '{tmp_path}/xxx")):
        Trace.load(tmp_path / ("x" * 300 + ".safetensors"))


def test_an_array_without_a_number_is_refused():
    with pytest.raises(TraceError, match=r"image is uint8 of shape \(0, 96, 3\): it holds no number"):
        synthetic.trace(image=np.zeros((0, 96, 3), np.uint8))
    one = synthetic.attention((2, 3))
    with pytest.raises(TraceError, match="it holds no number"):
        type(one)(probs=one.probs[..., :0], steps=one.steps)


def test_a_slice_without_a_stride_names_no_steps(saved):
    with pytest.raises(TraceError, match=r"steps=slice\(0, 3, 0\)"):
        Trace.load(saved).check_steps(slice(0, 3, 0))
