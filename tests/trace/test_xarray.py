"""A trace as an xarray DataTree with named axes."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import synthetic

from sdexplore.base.errors import TraceError


def test_every_array_is_there_under_its_axes():
    import xarray

    trace = synthetic.trace()
    tree = trace.to_xarray()
    assert isinstance(tree, xarray.DataTree)
    assert tree["latents"].dims == ("point", "channel", "y", "x")
    assert np.array_equal(tree["latents"], trace.latents)
    assert np.array_equal(tree["noise_pred_uncond"], trace.noise_pred_uncond)
    assert tree["noise_pred"].coords["timestep"].values.tolist() == trace.timesteps.tolist()
    for role, layers in trace.cross_attention.items():
        for layer, attention in layers.items():
            probs = tree[f"cross_attention/{role}/{layer}/probs"]
            assert np.array_equal(probs, attention.probs)
            assert probs.coords["of_step"].values.tolist() == list(attention.steps)
            assert probs.coords["token"].values[0] == "start"
            assert probs.coords["token"].values[-1] == "padding"
    sums = tree[f"cross_attention/{role}/{layer}/probs"].sum("key")
    assert np.allclose(sums, 1, atol=5e-3)


def test_a_mean_of_many_maps_in_float16_is_right():
    """A sum over thousands of pixels has no place in float16."""
    probs = np.random.default_rng(0).dirichlet(np.ones(9), size=(2, 4, 64, 64)).astype(np.float16)
    attention = replace(next(iter(synthetic.trace().cross_attention["cond"].values())), probs=probs, steps=(0, 1))
    tree = replace(synthetic.trace(), cross_attention={"cond": {"layer": attention}}).to_xarray()
    mean = tree["cross_attention/cond/layer/probs"].mean(["call", "head", "query_y", "query_x"])
    np.testing.assert_allclose(mean, probs.astype(np.float64).mean((0, 1, 2, 3)), rtol=1e-3)


def test_without_xarray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(TraceError, match=r"pip install 'sdexplore\[xarray\]'"):
        synthetic.trace().to_xarray()
