"""Schema 2 is written where a trace holds something of it, and both are read."""

import json
from dataclasses import replace

import pytest
import safetensors.numpy
import synthetic
from safetensors import safe_open

from sdexplore.base.errors import TraceError
from sdexplore.trace.trace import Trace


def facts_in(path):
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["sdexplore"])


def told(trace, **facts):
    return replace(trace, provenance={**trace.provenance, **facts})


def test_a_trace_that_holds_nothing_of_schema_2_stays_of_schema_1(tmp_path):
    path = synthetic.trace().save(tmp_path / "a.safetensors")
    assert facts_in(path)["schema"] == 1
    assert facts_in(Trace.load(path).save(tmp_path / "b.safetensors"))["schema"] == 1


@pytest.mark.parametrize("facts", [{"adapters": []}, {"foreign": {"hooks": []}}, {"used": {"threads": 1}}])
def test_a_trace_that_holds_something_of_schema_2_is_of_schema_2(tmp_path, facts):
    trace = told(synthetic.trace(), **facts)
    path = trace.save(tmp_path / "a.safetensors")
    assert facts_in(path)["schema"] == 2
    again = Trace.load(path).verify()
    assert again.provenance == trace.provenance
    assert again.fingerprint == synthetic.trace().fingerprint  # of call, times, last latents and picture alone


@pytest.mark.parametrize("schema", [0, 3, True, "2", None, [2], 2.0])
def test_any_other_schema_is_refused_by_name(tmp_path, schema):
    path = synthetic.trace().save(tmp_path / "a.safetensors")
    other = {"sdexplore": json.dumps(facts_in(path) | {"schema": schema})}
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), tmp_path / "b.safetensors", other)
    with pytest.raises(TraceError, match="this sdexplore reads 1 and 2"):
        Trace.load(tmp_path / "b.safetensors")


def test_what_enters_into_a_fingerprint_does_not_change():
    assert [synthetic.trace(seed=seed).fingerprint for seed in (0, 3)] == ["0391fda1", "8e0f0519"]


@pytest.mark.parametrize(
    "facts",
    [{"foreign": "hooks"}, {"foreign": {"tome": 3}}, {"adapters": "style"}, {"adapters": ["style"]}, {"used": []}],
)
def test_a_record_of_another_form_is_a_damaged_file(tmp_path, facts):
    path = told(synthetic.trace(), **facts).save(tmp_path / "a.safetensors")
    with pytest.raises(TraceError, match="is damaged: "):
        Trace.load(path)
