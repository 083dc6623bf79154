"""An open trace reads its file when an array is touched: no map, no open descriptor, no number of another file."""

import copy
import os
import pickle
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import synthetic

from sdexplore.analysis.attention import word_map
from sdexplore.base.errors import Stopped, TraceError
from sdexplore.trace.collections import Traces
from sdexplore.trace.trace import Trace

# A user's process, without the tests' type checker, which would read every array.
COUNTED = """
import io, sys
from pathlib import Path
from sdexplore.trace import stored
from sdexplore.trace.trace import Trace
from sdexplore.analysis.attention import word_map
read = 0
plain = stored.OnDisk._fill
def counted(self, file, place, target):
    global read
    read += len(target)
    plain(self, file, place, target)
stored.OnDisk._fill = counted
trace = Trace.load(sys.argv[1])
for name, touch in {
    "opening": lambda: Trace.load(sys.argv[1]),
    "shapes": lambda: (trace.nbytes, [one.shape for one in trace.attention().values()], trace.decoded.keys()),
    "a step of a layer": lambda: word_map(trace, "cat", steps=-1, layers="mid_block"),
    "a picture of a step": lambda: trace.decoded[3],
    "the latents": lambda: trace.latents,
    "the latents again": lambda: trace.latents,
}.items():
    read = 0
    touch()
    print(name, read, sep="=")
"""


@pytest.fixture
def saved(tmp_path):
    return synthetic.trace().save(tmp_path / "cat.safetensors")


def other():
    return synthetic.trace(seed=7)


def overwrite_in_place(path):
    content = other().save(path.with_name("other.safetensors")).read_bytes()
    with path.open("r+b") as file:
        file.write(content)
        file.truncate(len(content))


REPLACED = {
    "saved over": lambda path: other().save(path),
    "overwritten in place": overwrite_in_place,
    "shortened": lambda path: os.truncate(path, 5000),
    "emptied": lambda path: os.truncate(path, 0),
    "removed": lambda path: path.unlink(),
    "another kind of file": lambda path: path.write_bytes(b"<html>404</html>" * 1000),
}


@pytest.mark.parametrize("how", REPLACED)
def test_an_open_trace_whose_file_was_replaced_shows_no_other_number(saved, how):
    trace = Trace.load(saved)
    before, handed_out = trace.fingerprint, trace.noise_pred
    layer = trace.attention()[synthetic.MID]
    REPLACED[how](saved)
    for touch in (lambda: trace.pred_original_sample, lambda: layer.probs, lambda: word_map(trace, "cat")):
        with pytest.raises(TraceError) as raised:
            touch()
        assert str(saved) in str(raised.value)
        if how in ("saved over", "overwritten in place"):
            assert f"trace {before}" in str(raised.value)
            assert f"trace {other().fingerprint}" in str(raised.value)
    np.testing.assert_array_equal(handed_out, synthetic.trace().noise_pred)


def test_a_number_that_changed_in_the_file_is_not_shown(saved):
    """The header is the same, and the size: the array's digest tells."""
    trace = Trace.load(saved)
    entry = trace.__dict__["content"][0].header.entries["noise_pred"]
    with saved.open("r+b") as file:
        file.seek(entry.start)
        file.write(np.float32(99).tobytes())
    os.utime(saved, ns=(0, 0))
    with pytest.raises(TraceError, match=r"was opened from"):
        _ = trace.noise_pred


def test_the_same_file_moved_or_copied_to_its_place_goes_on(saved):
    trace = Trace.load(saved)
    shutil.copyfile(saved, saved.with_name("copy"))
    saved.with_name("copy").replace(saved)
    np.testing.assert_array_equal(trace.noise_pred, synthetic.trace().noise_pred)


def test_thousands_of_open_traces_hold_no_descriptor(saved):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        traces = [Trace.load(saved) for _ in range(600)]
        held = [trace.timesteps[0] for trace in traces]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(held) == {999.0}


def test_only_what_is_touched_is_read(saved):
    ran = subprocess.run([sys.executable, "-c", COUNTED, str(saved)], capture_output=True, text=True, check=True)
    read = dict(line.split("=") for line in ran.stdout.split("\n") if line)
    trace = synthetic.trace()
    step = trace.attention()[synthetic.MID].probs[0].nbytes
    assert {name: int(count) for name, count in read.items()} == {
        "opening": 0,
        "shapes": 0,
        "a step of a layer": step,
        "a picture of a step": trace.decoded[3].nbytes,
        "the latents": trace.latents.nbytes,
        "the latents again": 0,
    }


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("columns", ["prompt", "all"])
def test_columns_from_a_file_are_those_in_memory(tmp_path, heads, columns):
    made = synthetic.trace(heads=heads, columns=columns)
    path = made.save(tmp_path / "a.safetensors")
    for layer, attention in made.attention().items():
        for calls in (slice(None), [0], [5, 2, 3], slice(1, 3)):
            for which in (slice(None), [0], [-1]):
                for taken in ([2], [0, 7, 3], []):
                    found = Trace.load(path).attention()[layer].taken(taken, calls, which)
                    np.testing.assert_array_equal(found, attention.probs[calls][:, which][..., taken])
    again = Trace.load(path)
    for steps in (None, -1, [0, 3]):
        for method in ("mean", "amd"):
            expected = word_map(made, "rocketship", steps=steps, method=method)
            for _ in range(3):
                np.testing.assert_array_equal(word_map(again, "rocketship", steps=steps, method=method), expected)


def same(one, two):
    first, second = one.arrays(), two.arrays()
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert (one.fingerprint, one.prompt, one.call) == (two.fingerprint, two.prompt, two.call)


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])  # noqa: S301  (our own)
def test_traces_travel_by_pickle_and_deep_copy(saved, copied):
    for trace in (synthetic.trace(), Trace.load(saved)):
        again = copied(trace)
        assert type(again) is Trace
        same(trace, again)
        again.check()
        same(again, copied(again))
        stopped = copied(Stopped("after 2 steps", trace))
        assert str(stopped) == "after 2 steps"
        same(stopped.trace, trace)
        attention = copied(trace.attention()[synthetic.MID])
        np.testing.assert_array_equal(attention.probs, trace.attention()[synthetic.MID].probs)
        assert attention.steps == trace.attention()[synthetic.MID].steps
    several = copied(Traces([synthetic.trace(), Trace.load(saved)]))
    assert [one.fingerprint for one in several] == [Trace.load(saved).fingerprint] * 2


def test_a_pickled_trace_is_its_files_bytes(saved):
    trace = Trace.load(saved)
    content = pickle.dumps(trace)
    assert saved.read_bytes() in content
    saved.unlink()
    same(pickle.loads(content), synthetic.trace())  # noqa: S301  (our own)
    with pytest.raises(TraceError, match="cannot be read any more"):
        pickle.dumps(trace)


def test_a_trace_is_read_while_it_is_being_read_in_other_threads(saved):
    from concurrent.futures import ThreadPoolExecutor

    trace = Trace.load(saved)
    expected = word_map(synthetic.trace(), "cat")
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: word_map(trace, "cat"), range(40)):
            np.testing.assert_array_equal(found, expected)
