"""Which tokens stand for which, for prompts whose tokens are known."""

import pytest
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.text.alignment import aligned


@pytest.fixture(scope="module")
def read():
    pipe = stable_diffusion()
    return lambda text: sdx.tokens(pipe, text)["tokenizer"]


def moved(found, until):
    """(source, prompt, share) of the prompt's first positions."""
    return [pair for pair in found.pairs if pair[1] <= until]


@pytest.mark.parametrize(
    ("source", "prompt", "kind", "pairs"),
    [
        ("a cat", "a dog", "replace", [(0, 0, 1), (1, 1, 1), (2, 2, 1), (3, 3, 1)]),
        ("a cat", "a labradoodle", "replace", [(0, 0, 1), (1, 1, 1), (2, 2, 0.5), (2, 3, 0.5), (3, 4, 1)]),
        ("a labradoodle", "a cat", "replace", [(0, 0, 1), (1, 1, 1), (2, 2, 1), (3, 2, 1), (4, 3, 1)]),
        ("a, cat", "a cat", "replace", [(0, 0, 1), (1, 1, 1), (3, 2, 1), (4, 3, 1)]),
        ("a cat", "a, cat", "replace", [(0, 0, 1), (1, 1, 1), (2, 3, 1), (3, 4, 1)]),
        ("a cat", "a big cat", "refine", [(0, 0, 1), (1, 1, 1), (2, 3, 1), (3, 4, 1)]),
        ("a big cat", "a cat", "refine", [(0, 0, 1), (1, 1, 1), (3, 2, 1), (4, 3, 1)]),
        ("", "a cat", "refine", [(0, 0, 1), (1, 3, 1)]),
        ("a cat", "", "refine", [(0, 0, 1), (3, 1, 1)]),
    ],
)
def test_words_or_tokens_stand_for_each_other(read, source, prompt, kind, pairs):
    found, end = aligned(read(source), read(prompt)), read(prompt).first_end
    assert found.kind == kind
    assert moved(found, end) == pairs
    assert found.taken[:end] == tuple(any(pair[1] == one for pair in pairs) for one in range(end))


def test_padding_stands_for_padding_of_its_place(read):
    longer, shorter = read("a labradoodle"), read("a cat")
    assert [pair for pair in aligned(longer, shorter).pairs if pair[1] > 3] == [(one, one, 1.0) for one in range(5, 77)]
    assert [pair for pair in aligned(shorter, longer).pairs if pair[1] > 4] == [(one, one, 1.0) for one in range(5, 77)]


def test_equal_prompts_are_one_to_one(read):
    for text in ("a cat", "", "a cat, a café and ★"):
        found = aligned(read(text), read(text))
        assert found.one_to_one
        assert all(found.taken)


def test_words_that_were_cut_off_take_no_part(read):
    text = " ".join(["cat"] * 90)
    assert aligned(read(text), read(text)).one_to_one
    assert aligned(read("a cat"), read(text)).kind == "refine"
