"""A Trace's file: it is read lazily and equals what was saved; a damaged file is refused with a reason."""

import errno
import json
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import synthetic
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from synthetic import DOWN

from sdexplore.base.errors import TraceError
from sdexplore.trace import file
from sdexplore.trace.trace import Trace

# A user's process, without the tests' type checker: it reads a file name a line and prints the error of each.
READER = """
import json, sys
from sdexplore.trace.trace import Trace
for line in sys.stdin:
    said = None
    try:
        trace = Trace.load(json.loads(line))
        shown = repr(trace), trace._repr_html_()
        trace.verify()
    except BaseException as error:
        said = [type(error).__name__, str(error)]
    print(json.dumps(said), flush=True)
"""


@pytest.fixture(scope="module")
def opened():
    """Loads, shows and verifies a file elsewhere: None, or (class, message) of what was raised."""
    with subprocess.Popen([sys.executable, "-c", READER], stdin=-1, stdout=-1, text=True) as reader:

        def ask(path):
            reader.stdin.write(json.dumps(str(path)) + "\n")
            reader.stdin.flush()
            return json.loads(reader.stdout.readline())

        yield ask
        reader.stdin.close()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return synthetic.trace().save(tmp_path_factory.mktemp("traces") / "cat.safetensors")


def parts(content):
    """(header, facts, data) of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["sdexplore"]), content[8 + length :]


def joined(header, facts, data):
    header["__metadata__"]["sdexplore"] = json.dumps(facts) if isinstance(facts, dict | list) else facts
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + data


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


KEY = f"cross_attention/cond/{DOWN}"
BYTES = {
    "empty": lambda _: b"",
    "garbage": lambda _: bytes(range(256)) * 100,
    "text": lambda _: b"<html>404 not found</html>",
    "zeros": lambda _: bytes(1000),
    "half": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "one byte long": lambda content: content + b"\0",
    "huge header": lambda content: (2**40).to_bytes(8, "little") + content[8:],
    "foreign": lambda _: safetensors.numpy.save({"weight": np.zeros(3, np.float32)}, {"format": "pt"}),
    "no metadata": lambda _: safetensors.numpy.save({"weight": np.zeros(3, np.float32)}),
    "bad JSON": lambda content: joined(parts(content)[0], "{", parts(content)[2]),
    "deep JSON": lambda content: joined(parts(content)[0], "[" * 100_000, parts(content)[2]),
    "JSON list": lambda content: joined(parts(content)[0], [1], parts(content)[2]),
}
HEADER = {
    "newer": lambda _, facts: facts.update(schema=3),
    "array renamed": lambda header, _: header.update(latants=header.pop("latents")),
    "array not described": lambda _, facts: facts["attention"].pop(KEY),
    "unknown array": lambda header, facts: (
        header.update(latants=header.pop("latents")),
        facts["digests"].update(latants=facts["digests"].pop("latents")),
    ),
    "bad dtype": lambda header, _: header["image"].update(dtype="I8"),
    "axes exchanged": lambda header, _: header["latents"].update(shape=[7, 4, 12, 8]),
    "axes joined": lambda header, _: header["image"].update(shape=[64, 96 * 3]),
    "steps are text": lambda _, facts: facts["attention"][KEY].update(steps="012345"),
    "columns are text": lambda _, facts: facts["attention"][KEY].update(columns=["x"] * 9),
    "columns are lost": lambda _, facts: facts["attention"][KEY]["columns"].pop(),
    "tokenizer is a list": lambda _, facts: facts["attention"][KEY].update(tokenizer=["tokenizer"]),
    "attention of another kind": lambda _, facts: facts["attention"].update(image=facts["attention"].pop(KEY)),
    "decoded beyond": lambda _, facts: facts["mappings"].update(decoded=[77]),
    "tokens damaged": lambda _, facts: facts["tokens"]["cond"]["tokenizer"]["spans"].__setitem__(1, [0, 999]),
    "scheduler is text": lambda _, facts: facts["provenance"].update(scheduler="DDIMScheduler"),
    "digest changed": lambda _, facts: facts["digests"].update(image="0" * 64),
}


def damage(content, how):
    if how in BYTES:
        return BYTES[how](content)
    header, facts, data = parts(content)
    kind, _, name = how.partition(" ")
    if how in HEADER:
        HEADER[how](header, facts)
    elif kind == "listed":
        facts[name] = ["</script>"]
    else:
        assert kind == "without"
        del facts[name]
    return joined(header, facts, data)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("empty", "'cat.safetensors' is damaged or no safetensors file: "),
        ("garbage", "'cat.safetensors' is damaged or no safetensors file: "),
        ("text", "'cat.safetensors' is damaged or no safetensors file: "),
        ("zeros", "'cat.safetensors' is damaged or no safetensors file: "),
        ("half", "'cat.safetensors' is damaged or no safetensors file: (?i:.*incomplete|.*not fully covered)"),
        (
            "one byte short",
            "'cat.safetensors' is damaged or no safetensors file: (?i:.*incomplete|.*not fully covered)",
        ),
        ("one byte long", "'cat.safetensors' is damaged or no safetensors file: (?i:.*incomplete|.*not fully covered)"),
        ("huge header", "'cat.safetensors' is damaged or no safetensors file: (?i:.*header ?too ?large)"),
        ("foreign", "'cat.safetensors' is a safetensors file, but no trace: it was not saved by Trace.save$"),
        ("no metadata", "'cat.safetensors' is a safetensors file, but no trace: it was not saved by Trace.save$"),
        ("bad JSON", "'cat.safetensors' has an unreadable header: JSONDecodeError: "),
        ("deep JSON", "'cat.safetensors' has an unreadable header: RecursionError: "),
        ("JSON list", "'cat.safetensors' has an unreadable header: TypeError: "),
        ("without schema", "'cat.safetensors' has an unreadable header: KeyError: 'schema'$"),
        ("newer", "'cat.safetensors' has layout 3; this sdexplore reads 1 and 2: update it, or save anew$"),
        ("array renamed", r"damaged: its header and its arrays disagree about \['latants', 'latents'\]$"),
        (
            "array not described",
            rf"damaged: it holds \['cross_attention/cond/{re.escape(DOWN)}'\], which no trace does$",
        ),
        ("unknown array", r"damaged: it holds \['latants'\], which no trace does$"),
        ("bad dtype", "'cat.safetensors' holds 'image' as I8, which no trace does$"),
        (
            "axes exchanged",
            r"damaged: noise_pred is float32 of shape \(6, 4, 8, 12\); it must be float32 .* y = 12, x = 8$",
        ),
        ("axes joined", r"damaged: image is uint8 of shape \(64, 288\); it must be uint8 \(Y X 3\)$"),
        ("steps are text", "damaged: attention of cond at .* names steps beyond the 6 of the run$"),
        ("columns are text", "damaged: attention names positions that are no whole numbers: "),
        ("columns are lost", "damaged: attention of 9 columns names 8$"),
        ("tokenizer is a list", r"damaged: attention names \['tokenizer'\] as its tokenizer; it must be a name$"),
        ("attention of another kind", "'cat.safetensors' is damaged: "),
        ("decoded beyond", "damaged: 'decoded/77' is missing$"),
        ("tokens damaged", "damaged: the tokens in this trace are damaged: token 1 cannot be 'text'"),
        ("scheduler is text", "damaged: 'scheduler' is 'DDIMScheduler', not an object$"),
        *((f"listed {name}", f"'{name}' is ['</script>'], not an object") for name in ("call", "provenance", "flags")),
        *(
            (f"listed {name}", f"'{name}' is ['</script>'], not an object")
            for name in ("tokens", "attention", "digests")
        ),
        *((f"without {name}", f"'{name}' is missing") for name in ("call", "kind", "tokens", "attention", "digests")),
        ("digest changed", r"^'image' of trace [0-9a-f]{8} is not what was saved: the file was damaged or changed$"),
    ],
)
def test_damage_is_a_trace_error_that_says_what_is_wrong(tmp_path, saved, opened, how, expected):
    path = tmp_path / "cat.safetensors"
    path.write_bytes(damage(saved.read_bytes(), how))
    raised, said = opened(path)
    assert raised == "TraceError", said
    assert re.search(expected.replace("['</script>']", r"\['</script>'\]"), said), said
    assert len(said) < 600
    if how != "digest changed":
        assert said.startswith("'cat.safetensors' ")
        with pytest.raises(TraceError):
            Trace.load(path)


def test_what_is_not_there_or_a_folder_is_no_trace(tmp_path):
    with pytest.raises(TraceError, match=r"no trace at '.*': there is no such file"):
        Trace.load(tmp_path / "cat.safetensors")
    with pytest.raises(TraceError, match=r"'.*' is a folder, and no trace"):
        Trace.load(tmp_path)


@pytest.mark.parametrize(
    "name", ["latents", "image", "decoded/3", f"cross_attention/cond/{DOWN}", "noise_preds/uncond"]
)
def test_verify_names_the_array_that_changed(tmp_path, saved, name):
    header, facts, data = parts(saved.read_bytes())
    stop = header[name]["data_offsets"][1]
    changed = data[: stop - 1] + bytes([data[stop - 1] ^ 0x80]) + data[stop:]
    path = tmp_path / "cat.safetensors"
    path.write_bytes(joined(header, facts, changed))
    with pytest.raises(TraceError, match=re.escape(f"{name!r} of trace ")):
        Trace.load(path).verify()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@example(data=None)
def test_no_change_of_bytes_raises_anything_but_a_trace_error(tmp_path, saved, opened, data):
    content = bytearray(saved.read_bytes())
    if data is not None:
        header = 8 + int.from_bytes(content[:8], "little")
        places = st.one_of(st.integers(0, 8), st.integers(8, header - 1), st.integers(0, len(content) - 1))
        for place in data.draw(st.lists(places, min_size=1, max_size=4)):
            content[place] = data.draw(st.integers(0, 255) | st.sampled_from(b'{}[]",:0123456789-eE\\ntfu'))
        if data.draw(st.booleans()):
            content = content[: data.draw(places)]
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(content)
    said = opened(path)
    assert said is None or said[0] == "TraceError", said
    original = saved.read_bytes()
    header = 8 + int.from_bytes(original[:8], "little")
    if content == original:
        assert said is None
    elif content[:header] == original[:header]:
        assert said is not None  # every change of an array is found


# what is believed of a file, and what is said of one that cannot be


def with_header(saved, path, change):
    header, facts, data = parts(saved.read_bytes())
    change(header, facts)
    path.write_bytes(joined(header, facts, data))
    return path


@pytest.mark.parametrize("schema", [True, 1.0, "x" * 1_000_000, [1], None, {"a": 1}, 0, -1])
def test_a_schema_that_is_none_is_refused_and_not_repeated_whole(tmp_path, saved, schema):
    path = with_header(saved, tmp_path / "a.safetensors", lambda _, facts: facts.update(schema=schema))
    with pytest.raises(TraceError, match=r"has layout .*; this sdexplore reads 1 and 2") as raised:
        Trace.load(path)
    assert len(str(raised.value)) < 300


def test_an_unknown_kind_is_refused(tmp_path, saved):
    path = with_header(saved, tmp_path / "a.safetensors", lambda _, facts: facts.update(kind="dream" * 1000))
    with pytest.raises(TraceError, match="'run', 'look', 'invert'") as raised:
        Trace.load(path)
    assert len(str(raised.value)) < 300


def test_a_tensor_that_is_named_twice_is_refused(tmp_path, saved):
    content = saved.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    entry = json.dumps(json.loads(header)["image"]).encode()
    twice = header[:-1] + b',"image":' + entry + b"}"
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(twice).to_bytes(8, "little") + twice + content[8 + length :])
    with pytest.raises(TraceError, match="names 'image' twice"):
        Trace.load(path)


def test_a_pipe_or_a_device_is_no_trace_and_nothing_waits_for_it(tmp_path):
    pipe = tmp_path / "pipe.safetensors"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/null"):
        with pytest.raises(TraceError, match="is a pipe or a device"):
            Trace.load(path)
    with pytest.raises(TraceError, match="pipe or a device"):
        synthetic.trace().save(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def nan_call(**arguments):
    return {"function": "run", "prompt": "a cat", "seed": 0, "arguments": {"eta": float("nan"), **arguments}}


def test_verify_covers_the_header_of_schema_2(tmp_path):
    path = synthetic.trace(call=nan_call(strength=0.5)).save(tmp_path / "a.safetensors")
    assert Trace.load(path).check()
    header, facts, data = parts(path.read_bytes())
    for change in (
        lambda _, said: said["call"].update(prompt="a dog"),
        lambda _, said: said["call"]["arguments"].update(strength=0.25),
        lambda _, said: said["tokens"]["cond"]["tokenizer"]["spans"].__setitem__(1, [0, 2]),
        lambda entries, _: entries["image"].update(shape=[96, 64, 3]),
        lambda entries, _: entries["__metadata__"].pop("digest"),
        lambda entries, _: entries["__metadata__"].update(fingerprint="0" * 8),
    ):
        changed = json.loads(json.dumps(header)), json.loads(json.dumps(facts))
        change(*changed)
        path.write_bytes(joined(*changed, data))
        with pytest.raises(TraceError, match=r"the header of trace .* the file was damaged or changed"):
            Trace.load(path).verify()


def test_verify_says_that_schema_1_has_no_digest_of_its_header(saved):
    with pytest.warns(UserWarning, match="schema 1 has no digest of its header"):
        Trace.load(saved).verify()


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
