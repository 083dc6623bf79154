"""In the tests, every function of sdexplore is held to its annotations: types, and shapes that must agree."""

import dataclasses
import gc
import weakref
from collections.abc import Callable
from typing import Literal

import jaxtyping
import numpy as np
import pytest
from beartype import beartype
from jaxtyping import Float
from type_checks import is_read_by_beartype, shapes_in

import sdexplore as sdx


def typed(function):
    return jaxtyping.jaxtyped(function, typechecker=beartype)


def test_a_wrong_type_is_refused():
    with pytest.raises(TypeError, match="word_map"):
        sdx.word_map("no trace", word=object())
    with pytest.raises(TypeError, match="difference"):
        sdx.difference("no trace", "nor this")


def test_shapes_that_disagree_are_refused():
    @typed
    def added(one: Float[np.ndarray, "y x"], other: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
        return one + other[:1]

    assert added(np.zeros((1, 3)), np.ones((1, 3))).sum() == 3
    with pytest.raises(jaxtyping.TypeCheckError, match="other"):
        added(np.zeros((2, 3)), np.ones((2, 1)))


def test_an_inner_function_is_checked_each_time_it_is_made():
    def outer(number):
        @typed
        def inner(more: int = 1) -> int:
            return number + more

        return inner

    first, second = outer(1), outer(2.5)
    assert (first(), first(3), outer(10)(5)) == (2, 4, 15)
    with pytest.raises(Exception, match="inner"):
        second()
    with pytest.raises(Exception, match="inner"):
        outer(1)("1")


def test_the_checks_of_an_inner_function_keep_nothing_alive():
    class Seen: ...

    def outer(seen, given):
        @typed
        def inner(other: object = given) -> bool:
            return seen is other

        return inner

    seen = Seen()
    assert outer(seen, seen)()
    gone = weakref.ref(seen)
    del seen
    gc.collect()
    assert gone() is None


def test_the_fields_of_a_dataclass_are_checked_when_it_is_made():
    @typed
    @dataclasses.dataclass
    class Pair:
        one: Float[np.ndarray, "y x"]
        other: Float[np.ndarray, "y x"]
        name: str = ""

    assert Pair(np.zeros((1, 3)), np.ones((1, 3))).other.sum() == 3
    with pytest.raises(TypeError, match="name"):
        Pair(np.zeros((1, 3)), np.ones((1, 3)), name=3)
    with pytest.raises(TypeError, match="other"):
        Pair(np.zeros((1, 3)), np.ones((2, 3)))


def test_an_axis_that_is_computed_of_an_argument_is_compared():
    @typed
    def numbers(count: int, more: int) -> Float[np.ndarray, "y {count}"]:
        return np.zeros((2, count + more))

    assert numbers(3, 0).shape == (2, 3)
    with pytest.raises(jaxtyping.TypeCheckError, match="numbers"):
        numbers(3, 1)


def test_shapes_of_one_call_are_not_those_of_the_next_or_of_one_inside():
    @typed
    def half(one: Float[np.ndarray, " x"]) -> float:
        return one.sum() if len(one) == 1 else half(one[: len(one) // 2])

    assert half(np.ones(8)) == half(np.ones(3)) == 1
    with pytest.raises(jaxtyping.TypeCheckError, match="half"):
        half(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("annotation", "shapes", "read"),
    [
        (int, [], True),
        (dict[str, int] | None, [], True),
        (Float[np.ndarray, "y x"], ["y x"], True),
        (dict[str, Float[np.ndarray, "y x"]] | None, ["y x"], True),
        (Callable[[Float[np.ndarray, " x"]], int], ["x"], True),
        (Float[np.ndarray, "{y} x"], ["{y} x"], False),
        ("int", [], False),
        (list["int"], [], False),
        (Literal["int"], [], True),
    ],
)
def test_what_beartype_checks_alone_and_with_which_shapes(annotation, shapes, read):
    assert [shape.strip() for shape in shapes_in(annotation)] == shapes
    assert is_read_by_beartype(annotation) is read
