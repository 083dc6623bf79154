"""Components and likeness of features, against numpy's own decompositions and a loop."""

import dataclasses

import numpy as np
import pytest
import synthetic
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.base.errors import TraceError
from sdexplore.trace.trace import Features


@pytest.fixture(scope="module")
def trace():
    wide = synthetic.features((3, 4), channels=20, seed=2, dtype=np.float16)  # more channels than cells
    return synthetic.trace(
        features={
            "cond": {"mid_block": synthetic.features(), "up_blocks.1": wide, "act#1": synthetic.features((2, 3))},
            "uncond": {"mid_block": synthetic.features(seed=1)},
        }
    )


def flat(trace, module, step, role="cond"):
    """(cell, channel), less the mean over cells."""
    values = trace.features[role][module].values[step].astype(np.float64)
    rows = values.reshape(len(values), -1).T
    return rows - rows.mean(axis=0)


@pytest.mark.parametrize(("module", "step"), [("mid_block", 2), ("up_blocks.1", 5), ("act#1", 0)])
def test_components_are_those_of_a_singular_value_decomposition(trace, module, step):
    found = sdx.feature_components(trace, module, step=step, count=3)
    centred = flat(trace, module, step)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    scores = (left * sizes)[:, :3].T
    signs = np.sign(scores[np.arange(3), np.abs(scores).argmax(axis=1)])
    np.testing.assert_allclose(found.maps.reshape(3, -1), signs[:, None] * scores, atol=1e-5)
    np.testing.assert_allclose(found.directions, signs[:, None] * right[:3], atol=1e-5)
    np.testing.assert_allclose(found.explained, sizes[:3] ** 2 / (sizes**2).sum(), atol=1e-6)
    assert found.maps.shape[1:] == trace.features["cond"][module].grid
    assert (found.module, found.step, found.role) == (module, step, "cond")


def test_components_are_the_eigenvectors_of_the_covariance_and_each_has_its_greatest_score_positive(trace):
    found = sdx.feature_components(trace, "mid_block", count=7)
    values, vectors = np.linalg.eigh(np.cov(flat(trace, "mid_block", -1).T))
    np.testing.assert_allclose(found.explained, values[::-1] / values.sum(), atol=1e-6)
    np.testing.assert_allclose(np.abs(found.directions @ vectors[:, ::-1]), np.eye(7), atol=1e-5)
    assert found.explained.sum() == pytest.approx(1, abs=1e-5)
    for one in found.maps:
        assert one.ravel()[np.abs(one).argmax()] > 0
    again = sdx.feature_components(trace, "mid_block", count=7)
    assert found.maps.tobytes() == again.maps.tobytes()


def test_likeness_is_the_cosine_of_what_is_left_of_the_mean_cell_by_cell(trace):
    pixel = (40, 70)  # of 64 × 96
    found = sdx.feature_similarity(trace, pixel, "mid_block", step=1, role="uncond")
    centred = flat(trace, "mid_block", 1, "uncond")
    row, column = 40 * 4 // 64, 70 * 6 // 96
    own = centred[row * 6 + column]
    expected = [one @ own / np.linalg.norm(one) / np.linalg.norm(own) for one in centred]
    np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-6)
    assert found.cell == (row, column)
    assert found.values[row, column] == pytest.approx(1)


def test_several_calls_of_one_step_are_averaged():
    twice = synthetic.features()
    twice = dataclasses.replace(twice, steps=(0, 0, 1, 2, 3, 4))
    mean = Features(values=twice.values[:2].mean(axis=0, keepdims=True), steps=(0,))
    both = [
        sdx.feature_components(synthetic.trace(features={"cond": {"m": one}}), "m", step=0).maps
        for one in (twice, mean)
    ]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_the_first_time_in_a_call_may_be_named_by_its_number(trace):
    named, bare = (sdx.feature_components(trace, name) for name in ("mid_block#0", "mid_block"))
    assert (named.maps == bare.maps).all()
    assert named.module == "mid_block"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"module": "mid_blok"}, "no features of 'mid_blok' were recorded; did you mean 'mid_block'"),
        ({"module": "mid_block", "role": "con"}, "no features of that role; did you mean 'cond'"),
        ({"module": "up_blocks.1", "role": "uncond"}, "no features of 'up_blocks.1'"),
        ({"module": "mid_block", "step": 6}, "there is no step 6"),
        ({"module": "mid_block", "count": 0}, "count=0.*so 1 to 7"),
        ({"module": "up_blocks.1", "count": 12}, "20 channels in 12 cells, so 1 to 11"),
    ],
)
def test_what_is_not_there_is_refused_in_words(trace, asked, why):
    with pytest.raises(TraceError, match=why):
        sdx.feature_components(trace, **asked)


@pytest.mark.parametrize("given", [{"count": 2.5}, {"count": 0}, {"module": None}])
def test_what_is_no_number_and_no_name_is_repeated(trace, given):
    name, value = next(iter(given.items()))
    with pytest.raises(TraceError, match=rf"^feature_components.*{name}={value!r}"):
        unchecked("analysis.features").feature_components(trace, **{"module": "mid_block", **given})


@pytest.mark.parametrize("pixel", [(64, 0), (0, 96), (-1, 0), (1,), 5, (1.5, 2), "ab"])
def test_what_is_no_pixel_of_the_picture_is_refused(trace, pixel):
    with pytest.raises(TraceError, match="a pixel is \\(row, column\\)"):
        unchecked("analysis.features").feature_similarity(trace, pixel, "mid_block")


def test_features_that_are_not_finite_or_not_there_or_all_the_same_say_so():
    with pytest.raises(TraceError, match=r"run with Record\(features="):
        sdx.feature_components(synthetic.trace(), "mid_block")
    values = np.ones((2, 3, 2, 2), np.float32)
    values[0, 0, 0, 0] = np.inf
    trace = synthetic.trace(features={"cond": {"m": Features(values=values, steps=(0, 1))}})
    with pytest.raises(TraceError, match=r"not recorded at step 5; there are those of 0, 1"):
        sdx.feature_components(trace, "m")
    with pytest.raises(TraceError, match=r"numbers that are none at step 0 .*Record\(statistics=True\)"):
        sdx.feature_components(trace, "m", step=0)
    with pytest.raises(TraceError, match="the same in all cells"):
        sdx.feature_components(trace, "m", step=1)
    with pytest.raises(TraceError, match="has the mean of all cells"):
        sdx.feature_similarity(trace, (0, 0), "m", step=1)


def test_a_trace_without_a_picture_knows_its_size_from_what_was_used():
    made = {"cond": {"m": synthetic.features((2, 2))}}
    bare = {"image": None, "decoded": {}, "decoded_x0": {}, "features": made}
    with pytest.raises(TraceError, match="does not tell the size"):
        sdx.feature_similarity(synthetic.trace(**bare), (0, 0), "m")
    provenance = {"model": "x", "used": {"height": 64, "width": 96}}
    found = sdx.feature_similarity(synthetic.trace(**bare, provenance=provenance), (40, 50), "m")
    assert found.cell == (1, 1)


def test_records_say_in_words_what_they_hold(trace):
    assert "explained variance" in repr(sdx.feature_components(trace, "mid_block"))
    assert "cell (0, 0) of 4 × 6" in repr(sdx.feature_similarity(trace, (0, 0), "mid_block"))
