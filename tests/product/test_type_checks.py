"""In the tests, every function of sdexplore is held to its annotations: types, and shapes that must agree."""

import gc
import weakref

import jaxtyping
import numpy as np
import pytest
from beartype import beartype
from jaxtyping import Float
from type_checks import names_a_shape

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


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, False),
        (dict[str, int] | None, False),
        (Float[np.ndarray, "y x"], True),
        (dict[str, Float[np.ndarray, "y x"]] | None, True),
        ("int", True),
    ],
)
def test_what_names_a_shape_goes_to_jaxtyping(annotation, expected):
    assert names_a_shape(annotation) is expected
