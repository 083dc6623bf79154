"""A trace as an xarray DataTree with named axes."""

import sys

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
    sums = tree[f"cross_attention/{role}/{layer}/probs"].astype("float32").sum("key")
    assert np.allclose(sums, 1, atol=5e-3)


def test_without_xarray_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(TraceError, match=r"pip install 'sdexplore\[xarray\]'"):
        synthetic.trace().to_xarray()
