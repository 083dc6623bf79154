"""A field of a Trace is declared once: file, size, xarray and repr handle every declared field, a new one too."""

import dataclasses
import inspect
from collections.abc import Mapping

import numpy as np
import pytest
import synthetic
from jaxtyping import Float32, Float64, UInt8

from sdexplore.base.errors import TraceError
from sdexplore.trace.collections import Traces
from sdexplore.trace.declaration import ARRAYS, FACTS, NOTE, Kind, Note, declaration_of, declared, with_arrays
from sdexplore.trace.layers import Attention, LayerRows, Queries
from sdexplore.trace.trace import Trace

NAMES = [one.name for one in declared(Trace)]
WITH_ARRAYS = [one.name for one in with_arrays(Trace)]
EVERYTHING = {
    "noise_pred_before_guide": np.ones((6, 4, 8, 12), np.float32),
    "self_attention": {"cond": {"mid_block.attn1": synthetic.self_attention()}},
    "word_attention": {"cond": {"mid_block.attn2": synthetic.attention((4, 6))}},
    "concept_scores": {"cond": {"mid_block.attn2": synthetic.concept_scores()}},
    "queries": {
        "cond": {"mid_block.attn2": Queries(values=np.ones((6, 2, 2, 3, 5), np.float16), steps=tuple(range(6)))}
    },
    "frames": np.ones((2, 64, 96, 3), np.uint8),
    "features": {"cond": {"mid_block": synthetic.features()}},
    "statistics": {"cond": np.ones((6, 7, 5), np.float32)},
    "flags": {"nsfw_content_detected": False},
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Newer(Trace):
    """A Trace of some later version, with one more field of each kind."""

    noise_level: Float64[np.ndarray, " step"] | None = None
    variance: Float32[np.ndarray, "step channel y x"] | None = dataclasses.field(
        default=None, metadata={NOTE: Note(missing="run with Record(variance=True)")}
    )
    depths: Mapping[str, Float32[np.ndarray, "Y X"]] = dataclasses.field(default_factory=dict)
    masks: Mapping[int, UInt8[np.ndarray, "y x"]] = dataclasses.field(default_factory=dict)
    time_attention: Mapping[str, Mapping[str, Attention]] = dataclasses.field(default_factory=dict)
    remark: str = ""
    remarks: Mapping[str, int] = dataclasses.field(default_factory=dict)


NEW = {
    "noise_level": np.linspace(1, 0, 6),
    "variance": np.ones((6, 4, 8, 12), np.float32),
    "depths": {"near": np.ones((64, 96), np.float32)},
    "masks": {3: np.ones((8, 12), np.uint8), 5: np.zeros((8, 12), np.uint8)},
    "time_attention": {"cond": {"mid_block.attn3": synthetic.self_attention()}},
    "remark": "a field of text",
    "remarks": {"a number": 3},
}
IN_XARRAY = {
    "timesteps": "timestep",
    "sigmas": "sigma",
    "noise_preds": "noise_pred_cond",
    "cross_attention": f"cross_attention/cond/{synthetic.MID}/probs",
    "self_attention": "self_attention/cond/mid_block.attn1/probs",
    "word_attention": "word_attention/cond/mid_block.attn2/probs",
    "concept_scores": "concept_scores/cond/mid_block.attn2/scores",
    "queries": "queries/cond/mid_block.attn2/values",
    "features": "features/cond/mid_block/values",
    "statistics": "statistics_cond",
    "depths": "depth_near",
    "time_attention": "time_attention/cond/mid_block.attn3/probs",
}


def whole():
    """A Trace with something in every field."""
    return synthetic.trace(**EVERYTHING)


def newer(**changes):
    """A Newer with something in every field."""
    trace = whole()
    return Newer(**{name: getattr(trace, name) for name in NAMES} | NEW | changes)


def same(one, other):
    """Whether two values of a field are the same, arrays to the bit."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, LayerRows):
        return same(one.array, other.array) and one.to_json() == other.to_json()
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other


def test_the_trace_of_these_tests_has_something_in_every_field():
    assert all(value is not None and len(value) for value in (getattr(whole(), name) for name in NAMES))
    assert set(NEW) == {one.name for one in declared(Newer)} - set(NAMES)
    assert {one.kind for one in declared(Newer) if one.name in NEW} == set(Kind) - {Kind.TOKENS}


def test_every_field_is_declared_by_its_annotation():
    assert [field.name for field in dataclasses.fields(Trace)] == NAMES
    for one in declared(Newer):
        assert (one.kind in ARRAYS) != (one.kind in FACTS)
        assert bool(one.dtype and one.axes) == (one.kind in ARRAYS and one.kind is not Kind.BY_LAYER)
        assert (one.rows is not None) == (one.kind is Kind.BY_LAYER)
    found = declaration_of(Trace, "latents")
    assert (found.kind, found.dtype, found.axes) == (Kind.ARRAY, "float32", ("step+1", "channel", "*frame", "y", "x"))
    assert declaration_of(Trace, "decoded").kind is Kind.BY_STEP
    assert declaration_of(Trace, "queries").rows is Queries
    assert declaration_of(Trace, "tokens").kind is Kind.TOKENS
    assert declaration_of(Trace, "latent_rgb").axes == ("channel+1", "3")
    assert declaration_of(Trace, "latnts") is None


def test_lengths_that_the_annotation_cannot_tell_replace_axes_that_it_names():
    for field in dataclasses.fields(Trace):
        axes = declaration_of(Trace, field.name).axes
        for axis, length in field.metadata.get(NOTE, Note()).lengths.items():
            assert axis not in axes
            assert length in axes


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_described_to_the_user(name):
    described = inspect.getdoc(Trace).partition("Attributes:")[2].partition("Raises:")[0]
    assert any(name in line.partition(":")[0].replace(",", " ").split() for line in described.splitlines())


@pytest.mark.parametrize("name", WITH_ARRAYS)
def test_an_array_that_may_be_missing_says_how_to_get_it(name):
    one = declaration_of(Trace, name)
    assert bool(one.note.missing) == one.optional
    if one.kind is Kind.ARRAY and one.optional:
        with pytest.raises(TraceError) as raised:
            synthetic.trace(**{name: None}).recorded(name)
        assert one.note.missing in str(raised.value)


def test_the_size_of_an_array_follows_from_its_axes():
    trace = whole()
    lengths = {"step": 6, "channel": 4, "y": 8, "x": 12, "Y": 64, "X": 96, "decoded_Y": 64, "decoded_X": 96, "3": 3}
    lengths |= {"video_frame": 2, "module": 7, "5": 5}
    for one in with_arrays(Trace):
        if one.kind is not Kind.BY_LAYER:
            for name, array in one.arrays(trace).items():
                assert one.bytes_of(lengths) == array.nbytes, name
                assert one.bytes_of(lengths, row=True) == array[0].nbytes, name


@pytest.mark.parametrize(("make", "names"), [(whole, NAMES), (newer, [*NAMES, *NEW])])
def test_every_field_comes_back_from_the_file(tmp_path, make, names):
    trace = make()
    again = type(trace).load(trace.save(tmp_path / "a.safetensors")).verify()
    assert [name for name in names if not same(getattr(trace, name), getattr(again, name))] == []
    assert again.fingerprint == trace.fingerprint
    assert repr(again) == repr(trace)


def test_a_file_that_is_older_than_a_field_gets_its_default(tmp_path):
    trace = whole()
    again = Newer.load(trace.save(tmp_path / "a.safetensors")).verify()
    assert again.fingerprint == trace.fingerprint
    assert (again.noise_level, again.depths, again.masks, again.time_attention) == (None, {}, {}, {})
    assert (again.remark, again.remarks) == ("", {})


@pytest.mark.parametrize("make", [whole, newer])
def test_every_array_counts_in_the_size_and_is_listed_and_read_only(make):
    trace, total = make(), 0
    lines = [line.split(":")[0].split("  ")[0].split("/")[0] for line in repr(trace).splitlines()]
    for one in with_arrays(type(trace)):
        arrays = one.arrays(trace)
        assert arrays, one.name
        assert not any(array.flags.writeable for array in arrays.values()), one.name
        assert one.name in lines
        total += sum(array.nbytes for array in arrays.values())
    assert trace.nbytes == total


@pytest.mark.parametrize("make", [whole, newer])
def test_every_array_is_in_xarray_under_its_axes(make):
    trace = make()
    tree = trace.to_xarray()
    for one in with_arrays(type(trace)):
        found = tree[IN_XARRAY.get(one.name, one.name)]
        values = found.values[0] if one.kind is Kind.BY_STEP else found.values
        assert any(np.array_equal(values, array) for array in one.arrays(trace).values()), one.name
        assert len(set(found.dims)) == found.ndim
    assert tree["decoded"].coords["decoded_step"].values.tolist() == [0, 3, 5]
    assert tree["latent_rgb"].dims == ("feature", "rgb")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"noise_level": np.ones(5)}, "noise_level is float64 of shape (5,); it must be float64 (step), here step = 6"),
        ({"masks": {6: np.ones((8, 12), np.uint8)}}, "masks names step 6, beyond the 6 of the run"),
        ({"depths": {"near": np.ones((64, 64), np.float32)}}, "depths['near'] is float32 of shape (64, 64)"),
        (
            {"time_attention": {"cond": {"mid": dataclasses.replace(synthetic.self_attention(), steps=(9,) * 6)}}},
            "of cond at mid names steps beyond the 6 of the run",
        ),
    ],
)
def test_a_new_field_is_checked_against_the_others(changes, expected):
    newer()
    with pytest.raises(TraceError) as raised:
        newer(**changes)
    assert expected in str(raised.value)


def test_a_new_field_that_is_missing_says_how_to_record_it():
    with pytest.raises(TraceError, match=r"this trace holds no variance: run with Record\(variance=True\)"):
        newer(variance=None).recorded("variance")


def test_several_traces_know_the_fields_of_one():
    with pytest.raises(AttributeError, match="'latents'"):
        _ = Traces([whole(), whole()]).latents
