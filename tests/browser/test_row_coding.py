"""What is packed for the browser comes back: whole numbers and text exactly, values within the error that is stated."""

import numpy as np
import packing_cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unpacking import bytes_of, rows_of, values_of

from sdexplore.browser.printable import printable

ROWS, VALUES = packing_cases.rows(), packing_cases.values()


@pytest.mark.parametrize("name", ROWS)
def test_rows_come_back_exactly(name):
    numbers, bits, base = ROWS[name]
    reference, data = packing_cases.packed_rows(numbers, bits, base)
    assert np.array_equal(rows_of(data, reference, base), numbers)


@settings(max_examples=25)
@given(st.data())
def test_any_rows_come_back_exactly(data):
    bits = data.draw(st.sampled_from((8, 16)))
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 4))
    number = st.one_of(st.integers(0, 3), st.integers(0, 2**bits - 1))
    numbers = np.array(data.draw(st.lists(number, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))
    numbers = numbers.reshape(shape)
    base = data.draw(st.sampled_from((None, numbers[0], numbers[-1][::-1])))
    reference, content = packing_cases.packed_rows(numbers, bits, base)
    assert np.array_equal(rows_of(content, reference, base), numbers)


def test_steps_that_resemble_each_other_take_fewer_bits_than_noise():
    rng = np.random.default_rng(0)
    shape = (10, 2, 16, 16)
    alike = 20_000 + np.cumsum(rng.integers(-30, 31, shape), axis=0)
    noise = rng.integers(0, 65536, shape)
    for numbers, most in ((alike, 7.5), (noise, 17), (np.full(shape, 9), 1.2)):
        _, data = packing_cases.packed_rows(numbers, 16, numbers[-1])
        assert 8 * len(data) / numbers.size < most


@pytest.mark.parametrize("name", VALUES)
def test_no_value_is_off_by_more_than_half_a_level(name):
    given_values, mean, bits = VALUES[name]
    reference, of_mean, data = packing_cases.packed_values(given_values, mean, bits)
    for expected, found, last in (
        (given_values, values_of(data, reference, of_mean), 2**bits - 1),
        (mean, values_of(data, of_mean), 65535),
    ):
        most = expected.max(axis=(0, 2, 3)).astype(float) / last / 2
        assert np.all(np.abs(found[0] - expected).max(axis=(0, 2, 3)) <= most * 1.01 + 1e-38)


@given(st.binary(max_size=80))
def test_any_bytes_come_back_from_their_text(content):
    text = printable(content)
    assert bytes_of(text)[: len(content)] == content
    assert len(text) <= 1.232 * len(content) + 2
    assert set(text) <= {chr(code) for code in range(33, 127)} - set("<&(")


def test_long_content_is_one_text():
    content = np.random.default_rng(0).bytes(13 * 2**16 + 5)
    text = printable(content)
    assert text.startswith(printable(content[: 13 * 2**16]))
    assert bytes_of(text[-16:])[-13:][:5] != b""
    assert len(text) == 2 * -(-8 * len(content) // 13)
