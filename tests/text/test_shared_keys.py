"""Which tokens stand at a key that several tokenizers share."""

import pytest
import synthetic

from sdexplore.base.errors import TokenError
from sdexplore.text.shared_keys import SharedKeys, tokenizers_of

BOTH = {"tokenizer": 0, "tokenizer_2": 0}


def read(first, second):
    """Two prompts as two tokenizers read them, a token a word."""
    return {
        "tokenizer": synthetic.tokenization(first),
        "tokenizer_2": synthetic.tokenization(second, tokenizer="tokenizer_2"),
    }


def test_a_word_has_the_keys_of_each_tokenizer_once():
    keys = SharedKeys.of(read("a cat and a dog", "the big cat and a dog"), BOTH.items())
    assert keys.positions("cat") == (2, 3)
    assert keys.positions("big") == (2,)
    assert keys.positions("dog") == (5, 6)
    assert keys.positions("a", occurrence=1) == (4,)  # the second prompt has one "a"
    assert keys.positions([3, 1]) == (1, 3)
    assert keys.label(2) == "cat | big"
    assert keys.label(0) == "start"
    assert keys.kinds[6] == "text"  # end of the first, "dog" of the second
    with pytest.raises(TokenError, match="'bird'"):
        keys.positions("bird")
    with pytest.raises(TokenError, match="position 12 "):
        keys.positions(12)


def test_where_tokenizers_part_is_said_with_what_each_has():
    keys = SharedKeys.of(read("a cat and a dog", "a big cat"), BOTH.items())
    assert keys.parted == (2, 3, 4, 5, 6)
    assert "positions 2 to 6: at 2, tokenizer has 'cat', tokenizer_2 has 'big'" in keys.parting
    alike = SharedKeys.of(read("a cat", "a cat"), BOTH.items())
    assert (alike.parted, alike.parting, alike.agree) == ((), None, True)


def test_one_tokenizer_speaks_for_all_that_agree_with_it():
    assert tokenizers_of(read("a cat", "a cat"), BOTH) == [("tokenizer", 0)]
    assert tokenizers_of(read("a cat", "a dog"), BOTH) == [("tokenizer", 0), ("tokenizer_2", 0)]
    assert tokenizers_of(read("a cat", "a cat"), {"tokenizer": 0, "tokenizer_2": 12}) == [
        ("tokenizer", 0),
        ("tokenizer_2", 12),
    ]
    assert tokenizers_of(read("a cat", "a cat"), {"tokenizer_2": 8}) == [("tokenizer_2", 8)]
    assert tokenizers_of({}, BOTH) == []


def test_tokens_in_other_keys_are_moved_there():
    """As in SD3, where the words of CLIP and those of T5 stand one behind the other."""
    keys = SharedKeys.of(read("a cat", "a cat"), {"tokenizer": 0, "tokenizer_2": 12}.items())
    assert keys.positions("cat") == (2, 14)
    assert keys.length == 24
    assert keys.parting is None
