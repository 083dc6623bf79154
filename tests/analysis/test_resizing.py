"""Resizing against torch's own bilinear interpolation."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdexplore.analysis.resizing import as_float32, resized

SIZES = st.integers(1, 40)


def of_torch(values, shape):
    stacked = torch.from_numpy(values).reshape(-1, 1, *values.shape[-2:])
    found = torch.nn.functional.interpolate(stacked, size=shape, mode="bilinear", align_corners=False)
    return found.reshape(*values.shape[:-2], *shape).numpy()


@given(SIZES, SIZES, SIZES, SIZES, st.integers(0, 10))
def test_any_size_to_any_other_is_torch_s(y, x, new_y, new_x, seed):
    values = np.random.default_rng(seed).normal(size=(y, x)).astype(np.float32)
    found = resized(values, (new_y, new_x))
    assert found.dtype == np.float32
    assert found.shape == (new_y, new_x)
    np.testing.assert_allclose(found, of_torch(values, (new_y, new_x)), atol=2e-5)


@pytest.mark.parametrize("shape", [(64, 96), (9, 13), (3, 5), (1, 1), (8, 1), (512, 512)])
def test_leading_axes_are_kept(shape):
    values = np.random.default_rng(0).normal(size=(2, 3, 8, 12)).astype(np.float32)
    found = resized(values, shape)
    assert found.shape == (2, 3, *shape)
    np.testing.assert_allclose(found, of_torch(values, shape), atol=1e-5)


def test_the_same_size_is_the_same_array():
    values = np.random.default_rng(0).normal(size=(3, 8, 12)).astype(np.float16)
    assert resized(values, (8, 12)) is values


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_type_is_kept_and_constants_stay_constant(dtype):
    found = resized(np.full((3, 5), 0.25, dtype), (17, 11))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, 0.25, rtol=1e-6 if dtype != np.float16 else 1e-3)


def test_what_is_shared_between_callers_cannot_be_changed():
    first = resized(np.ones((2, 3)), (4, 6))
    first[...] = 7
    np.testing.assert_allclose(resized(np.ones((2, 3)), (4, 6)), 1)


def test_every_float16_is_the_float32_that_it_is():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(4, -1, 2)
    np.testing.assert_array_equal(as_float32(every), every.astype(np.float32))
    np.testing.assert_array_equal(as_float32(every[::-1, ::3, 1]), every[::-1, ::3, 1].astype(np.float32))
    for other in (np.float32, np.float64):
        assert as_float32(np.ones((2, 3), other)).dtype == np.float32
