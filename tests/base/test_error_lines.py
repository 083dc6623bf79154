"""One line of another library's exception says the cause that matters."""

from sdexplore.base.error_lines import first_line


def chained(*messages):
    """An error whose cause is the next one, and so on."""
    made = None
    for message in reversed(messages):
        error = RuntimeError(message)
        error.__cause__ = made
        made = error
    return made


def test_a_line_that_ends_in_a_colon_is_followed_by_what_it_announces():
    lazy = "Failed to import a.b because of the following error (look up to see its traceback):\nno module named 'c'"
    assert first_line(chained(lazy)).endswith("its traceback): no module named 'c'")
    assert first_line(chained("Error(s) in a:\n\tsize mismatch for x")) == "Error(s) in a: size mismatch for x"


def test_where_nothing_follows_the_cause_is_told():
    said = first_line(chained("cannot import a:", "because of b:", "c is not there"))
    assert said == "cannot import a: RuntimeError: because of b: RuntimeError: c is not there"


def test_other_errors_say_their_first_line():
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("a:")) == "a:"


def test_causes_in_a_circle_come_to_an_end():
    one, other = RuntimeError("one:"), RuntimeError("other:")
    one.__cause__, other.__cause__ = other, one
    assert first_line(one).startswith("one: RuntimeError: other:")
