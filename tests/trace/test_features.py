"""Features and statistics in a trace: its file, copies, other libraries, and what is refused."""

import copy
import json
import pickle

import numpy as np
import pytest
import safetensors.numpy
import synthetic
from safetensors import safe_open
from unchecked import unchecked

from sdexplore.base.errors import RunError, TraceError
from sdexplore.trace.record import Record
from sdexplore.trace.trace import Features, Trace

MODULES = ("conv_in", "mid_block.act", "mid_block.act#1", "conv_out")


def whole():
    features = {"cond": {"mid_block": synthetic.features(), "mid_block.act#1": synthetic.features(dtype=np.float16)}}
    statistics = {"cond": np.random.default_rng(0).normal(size=(synthetic.STEPS, 4, 5)).astype(np.float32)}
    statistics["cond"][..., -1] = 0
    plain = synthetic.trace()
    return plain.altered(
        features=features, statistics=statistics, provenance={**plain.provenance, "modules": list(MODULES)}
    )


def same(found, trace):
    assert found.fingerprint == trace.fingerprint
    assert found.statistics["cond"].tobytes() == trace.statistics["cond"].tobytes()
    for name, one in trace.features["cond"].items():
        assert found.features["cond"][name].values.tobytes() == one.values.tobytes()
        assert found.features["cond"][name].steps == one.steps
        assert found.features["cond"][name].dtype == one.dtype


def test_a_file_a_pickle_and_a_copy_hold_the_same(tmp_path):
    trace = whole()
    path = trace.save(tmp_path / "a.safetensors")
    loaded = Trace.load(path).verify()
    sent = pickle.loads(pickle.dumps(trace))  # noqa: S301  (our own)
    for found in (loaded, sent, copy.deepcopy(loaded)):
        same(found, trace)
    assert loaded.nbytes == trace.nbytes
    with pytest.raises(ValueError, match="read-only"):
        loaded.features["cond"]["mid_block"].values[0] = 0


def test_only_a_trace_that_holds_them_is_of_schema_2_and_others_stay_as_they_were(tmp_path):
    def facts(trace, name):
        with safe_open(trace.save(tmp_path / name), framework="numpy") as file:
            return json.loads(file.metadata()["sdexplore"])

    plain, held = facts(synthetic.trace(), "a.safetensors"), facts(whole(), "b.safetensors")
    assert (plain["schema"], held["schema"]) == (1, 2)
    assert "features" not in plain
    assert "statistics" not in plain["mappings"]
    assert whole().fingerprint == synthetic.trace().fingerprint


def test_xarray_names_their_axes():
    tree = whole().to_xarray()
    found = tree["/features/cond/mid_block"]["values"]
    assert found.dims == ("call", "feature_channel", "feature_y", "feature_x")
    assert found.shape == (6, 7, 4, 6)
    assert tree["statistics_cond"].dims == ("step", "module", "quantity")


def test_the_repr_lists_them():
    shown = repr(whole())
    assert "features/cond: 2 modules" in shown
    assert "6 × 7 × 4 × 6" in shown
    assert "statistics/cond" in shown
    assert repr(synthetic.features()) == "Features: 6 calls, 7 channels, 4 × 6 grid, float32"


@pytest.mark.parametrize(
    ("values", "steps", "why"),
    [
        (np.ones((2, 3, 4), np.float32), (0, 1), r"must be floats \(call, channel, y, x\)"),
        (np.ones((1, 0, 2, 2), np.float32), (0,), "hold no number"),
        (np.ones((2, 3, 4, 4), np.float16), (0,), "2 calls name 1 step"),
    ],
)
def test_other_forms_are_refused(values, steps, why):
    features = unchecked("trace.features").Features
    with pytest.raises(TraceError, match=why):
        features(values=values, steps=steps)


def test_a_step_beyond_the_run_and_another_number_of_modules_are_refused():
    late = Features(values=np.ones((1, 2, 2, 2), np.float32), steps=(6,))
    with pytest.raises(TraceError, match="features of cond at m names steps beyond the 6"):
        synthetic.trace(features={"cond": {"m": late}})
    uneven = {role: np.zeros((6, count, 5), np.float32) for role, count in (("cond", 3), ("uncond", 4))}
    with pytest.raises(TraceError, match=r"statistics\['uncond'\]"):
        synthetic.trace(statistics=uneven)


def test_a_damaged_section_is_a_damaged_file(tmp_path):
    path = whole().save(tmp_path / "a.safetensors")
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    facts = json.loads(metadata["sdexplore"])
    for wrong in ([1], {"features/cond/mid_block": 3}, {"x": [0]}):
        changed = metadata | {"sdexplore": json.dumps({**facts, "features": wrong})}
        other = tmp_path / "b.safetensors"
        safetensors.numpy.save_file(safetensors.numpy.load_file(path), other, changed)
        with pytest.raises(TraceError):
            Trace.load(other).verify()


@pytest.mark.parametrize("wrong", [5, "conv_in", [1], {"a": 1}])
def test_names_of_modules_of_another_form_are_a_damaged_file(tmp_path, wrong):
    trace = whole()
    path = trace.altered(provenance={**trace.provenance, "modules": wrong}).save(
        tmp_path / "a.safetensors", decode=False
    )
    with pytest.raises(TraceError, match=r"'modules' is .*, not a list of names"):
        Trace.load(path)


def test_the_record_names_modules_and_says_nothing_where_it_keeps_none():
    kept = Record(features="mid_block", statistics=True)
    assert kept.features == ("mid_block",)
    assert Record.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert not {"features", "statistics"} & Record().to_json().keys()
    record = unchecked("trace.record").Record  # as a user without a type checker calls it
    with pytest.raises(RunError, match=r"Record\(features=3\): features are names, as in \('mid_block'"):
        record(features=3)
    with pytest.raises(RunError, match="statistics is one of True, False"):
        record(statistics="yes")
