"""Features packed for the browser: products are cosines within what is said; a budget holds; what lacks is named."""

import numpy as np
import pytest
import synthetic

import sdexplore as sdx
from sdexplore.browser.feature_vectors import MOST_CELLS, WITHIN, quantised
from sdexplore.browser.packing import pack
from sdexplore.trace.trace import Features


def vectors_of(packed, step):
    """(cell, number), as the browser reads them."""
    content = packed.data[step["at"] : step["at"] + step["length"]]
    return np.frombuffer(content, np.int8).reshape(-1, step["numbers"]).astype(float) * step["scale"]


def smooth(grid, channels, seed=0):
    """Features in which few directions matter, as a model's are: waves over the picture, and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(0, 6, side) for side in grid), indexing="ij")
    waves = np.sin(rng.normal(size=(channels, 1, 1)) * y + rng.normal(size=(channels, 1, 1)) * x)
    values = np.stack([waves + 0.05 * rng.normal(size=waves.shape) for _ in range(synthetic.STEPS)])
    return Features(values=values.astype(np.float32), steps=tuple(range(synthetic.STEPS)))


def test_products_are_the_cosines_within_what_is_said_at_every_step():
    trace = synthetic.trace(features={"cond": {"mid_block": smooth((4, 6), 40), "up_blocks.1": smooth((8, 12), 30)}})
    packed = pack(trace)
    assert packed.facts["features"]["role"] == "cond"
    for module in packed.facts["features"]["modules"]:
        assert [one["step"] for one in module["steps"]] == list(range(synthetic.STEPS))
        assert module["error"] <= WITHIN
        y, x = module["grid"]
        for one in module["steps"]:
            vectors = vectors_of(packed, one)
            for row, column in ((0, 0), (y // 2, x - 1)):
                pixel = (row * 64 // y, column * 96 // x)
                true = sdx.feature_similarity(trace, pixel, module["name"], step=one["step"])
                assert true.cell == (row, column)
                found = vectors @ vectors[row * x + column]
                assert np.abs(found - true.values.ravel()).max() <= module["error"] + 1e-6


def test_few_numbers_hold_what_has_few_directions_and_the_error_is_that_of_every_pair():
    rng = np.random.default_rng(0)
    units = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 200))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    levels, scale, error = quantised(units)
    assert levels.dtype == np.int8
    assert levels.shape[1] < 20
    products = scale**2 * levels.astype(float) @ levels.astype(float).T
    assert np.abs(products - units @ units.T).max() == pytest.approx(error, abs=1e-12)
    assert 0 < error <= WITHIN


def test_a_budget_leaves_steps_out_and_then_modules_and_says_so():
    there = {"mid_block": smooth((4, 6), 40), "up_blocks.1": smooth((16, 24), 60)}
    trace = synthetic.trace(features={"cond": there})
    whole = pack(trace)
    bytes_of = {one["name"]: sum(step["length"] for step in one["steps"]) for one in whole.facts["features"]["modules"]}
    budget = 8 * (sum(bytes_of.values()) // 2)
    packed = pack(trace, max(budget, len(whole.data)))
    kept = packed.facts["features"]["modules"]
    assert sum(step["length"] for one in kept for step in one["steps"]) <= max(budget, len(whole.data)) // 8
    for one in kept:
        assert one["steps"][-1]["step"] == synthetic.STEPS - 1
        assert 1 <= len(one["steps"]) < synthetic.STEPS
        assert any(f"features of {one['name']} are there at" in line for line in packed.facts["reduction"])


def test_what_is_too_fine_or_not_finite_is_named():
    side = int(MOST_CELLS**0.5) + 1
    lost = synthetic.features(seed=3)
    values = lost.values.copy()
    values[2] = np.nan
    fine = Features(values=np.ones((1, 2, side, side), np.float32), steps=(0,))
    trace = synthetic.trace(features={"cond": {"fine": fine, "lost": Features(values=values, steps=lost.steps)}})
    packed = pack(trace)
    (module,) = packed.facts["features"]["modules"]
    assert [one["step"] for one in module["steps"]] == [0, 1, 3, 4, 5]
    assert any(line.startswith("Features of fine:") for line in packed.facts["missing"])
    assert any(line.startswith("Features of lost at 1 step, 2 first") for line in packed.facts["missing"])


def test_a_trace_without_features_is_packed_as_before():
    assert "features" not in pack(synthetic.trace()).facts
