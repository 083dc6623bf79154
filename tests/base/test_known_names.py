"""Dotted names of layers, and the blocks that they lie in."""

import pytest

from sdexplore.base.known_names import lies_in


@pytest.mark.parametrize(
    ("name", "places", "lies"),
    [
        ("up_blocks.1.attentions.0", ("up_blocks.1",), True),
        ("up_blocks.1.attentions.0", ("up_blocks.1.",), True),
        ("up_blocks.1", ("up_blocks.1",), True),
        ("up_blocks.10.attentions.0", ("up_blocks.1",), False),
        ("up_blocks.1", ("up_blocks.1.attentions.0",), False),
        ("up_blocks.1", ("mid_block", "up_blocks"), True),
        ("up_blocks.1", ("",), True),
        ("up_blocks.1", (), False),
    ],
)
def test_a_layer_lies_in_the_blocks_around_it_and_in_the_whole(name, places, lies):
    assert lies_in(name, *places) is lies
