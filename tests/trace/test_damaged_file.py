"""A damaged file of a Trace is refused with a reason."""

import json
import re

import numpy as np
import pytest
import safetensors.numpy
import synthetic
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from synthetic import DOWN
from trace_files import joined, parts

from sdexplore.base.errors import TraceError
from sdexplore.trace.trace import Trace

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
