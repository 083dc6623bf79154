"""Parameters of functions by name."""

from sdexplore.base.parameters import parameters_of


def test_each_function_has_its_own_by_name_in_order():
    def one(first, *, second=2): ...

    def other(third): ...

    assert list(parameters_of(one)) == ["first", "second"]
    assert parameters_of(one)["second"].default == 2
    assert list(parameters_of(other)) == ["third"]
    assert parameters_of(one) is parameters_of(one)
