"""Two tokenized prompts that several files ask."""

import pytest
from tokenized import read


@pytest.fixture
def animals():
    """A prompt with a repeated word, a word of three pieces and one that holds another."""
    text = "A cat, a capybara and a Cat in a cowboy hat"
    pieces = "a cat , a cap y bara and a cat in a cowboy hat"
    return read(text, pieces, max_length=20)


@pytest.fixture
def cut():
    """Room for four tokens: the second "cat" is lost and "capybara" is cut after "cap"."""
    return read("a cat or capybara cat", "a cat or cap y bara cat", max_length=6)
