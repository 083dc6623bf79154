"""In which order layers stand in a trace, and in figures."""

from sdexplore.base.data_order import data_order, in_data_order


def test_a_unets_layers_go_down_through_the_middle_and_up_by_their_numbers():
    names = ["up_blocks.1.attentions.0", "mid_block.attentions.0", "down_blocks.10.attentions.0", "down_blocks.2.x"]
    assert in_data_order(names) == [names[2 + 1], names[2], names[1], names[0]]
    assert data_order(names) == [3, 2, 1, 0]


def test_layers_of_other_networks_stay_as_they_are():
    for names in (["single.1", "double.0"], ["up_blocks.1", "transformer_blocks.0"], []):
        assert in_data_order(names) == names
