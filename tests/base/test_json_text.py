"""Numbers that are none are valid JSON and come back as floats, in headers, sidecars and manifests alike."""

import json
import math

import pytest
import synthetic

from sdexplore.base import json_text
from sdexplore.publish.sidecars import as_json, read_sidecar
from sdexplore.trace.trace import Trace

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("value", [
    NAN, INF, -INF, [1.5, NAN], {"a": {"b": [INF, -INF]}}, {"float": NAN}, {"float": "nan"},
    {"float": {"float": "inf"}},
    {"float": {"float": {"float": "nan"}}},
    {"float": 3}, {"float": "text"}, {"float": {"a": 1}}, {"float": None}, None,
])  # fmt: skip
def test_every_value_comes_back_and_no_reader_stumbles(value):
    text = json_text.dumps(value)
    json.loads(text, parse_constant=pytest.fail)
    assert repr(json_text.loads(text)) == repr(value)


def test_the_form_is_the_one_that_is_written_down():
    assert json.loads(json_text.dumps([NAN, INF, -INF])) == [{"float": "nan"}, {"float": "inf"}, {"float": "-inf"}]
    assert json_text.holds_no_number({"a": [1.0, (INF,)]})
    assert not json_text.holds_no_number({"a": [1.0, "nan", None, True]})


def header(path):
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")], parse_constant=pytest.fail)


def test_a_run_with_nan_and_inf_among_its_arguments_is_saved(tmp_path):
    call = {"function": "run", "seed": 0, "arguments": {"guidance_scale": INF, "eta": NAN, "list": [-INF, 1.0]}}
    trace = synthetic.trace(call=call)
    path = trace.save(tmp_path / "a.safetensors")
    facts = json.loads(header(path)["__metadata__"]["sdexplore"], parse_constant=pytest.fail)
    assert facts["schema"] == 2
    again = Trace.load(path)
    assert repr(again.call) == repr(call)
    assert again.check()
    assert again.fingerprint == trace.fingerprint
    plain = json.loads(header(synthetic.trace().save(path))["__metadata__"]["sdexplore"])
    assert plain["schema"] == 1


def test_a_sidecar_is_valid_json_whatever_the_call_holds(tmp_path):
    source = {"fingerprint": "0" * 8, "kind": "run", "call": {"arguments": {"eta": NAN}}, "provenance": {}}
    facts = {"schema": 1, "code": None, "alt": "", "caption": "", "traces": [source]}
    path = tmp_path / "001.json"
    path.write_bytes(as_json(facts))
    json.loads(path.read_text(), parse_constant=pytest.fail)
    assert math.isnan(read_sidecar(path)["traces"][0]["call"]["arguments"]["eta"])
