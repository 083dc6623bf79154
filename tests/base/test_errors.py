"""The errors, and the end of their messages: near misses, or all known names."""

import pytest

from sdexplore.base import errors
from sdexplore.base.errors import SdexploreError, Stopped, did_you_mean


def test_near_names_are_offered_as_they_are_spelled_whatever_the_case():
    assert did_you_mean("cats", ["cat", "dog"]) == "did you mean 'cat'?"
    assert did_you_mean("UNET", ["vae", "unet"]) == "did you mean 'unet'?"
    assert did_you_mean("unet", ["VAE", "UNet"]) == "did you mean 'UNet'?"
    assert did_you_mean("straße", ["Strasse"]) == "did you mean 'Strasse'?"


def test_what_begins_so_is_near_and_only_the_widest_of_it():
    layers = ["up_blocks", "mid_block", "mid_block.attentions.0"]
    assert did_you_mean("MID", layers) == "did you mean 'mid_block'?"
    assert did_you_mean("m", layers).startswith("there is")


def test_at_most_three_near_names_the_nearest_first():
    said = did_you_mean("layer", ["layers", "layer1", "layer", "layer22", "other"])
    assert said.startswith("did you mean 'layer' or ")
    assert said.count(" or ") == 2
    assert "other" not in said


def test_nothing_near_lists_what_there_is_each_once_in_order():
    assert did_you_mean("zzz", ["b", "a", "b"]) == "there is 'b', 'a'"
    assert did_you_mean("zzz", iter(["b", "a"])) == "there is 'b', 'a'"


def test_long_lists_are_cut_and_say_so():
    names = [f"q{number:02d}" for number in range(15)]
    assert did_you_mean("zzz", names).endswith("'q11' and 3 more")
    assert did_you_mean("zzz", names[:12]).endswith("'q11'")
    assert did_you_mean("zzz", names[:3], most=1) == "there is 'q00' and 2 more"


@pytest.mark.parametrize("wanted", ["", "x", "</script>", "\ud800"])
def test_nothing_known_says_so(wanted):
    assert did_you_mean(wanted, []) == "there is none"


def test_every_error_is_an_sdexplore_error_and_says_when_it_is_raised():
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(found) == 9
    for one in found:
        assert issubclass(one, SdexploreError)
        assert one.__doc__


def test_what_cannot_be_published_is_a_bad_value_too():
    assert issubclass(errors.PublishError, ValueError)


def test_a_stopped_run_carries_what_was_recorded():
    assert Stopped("stopped").trace is None
    assert Stopped("stopped", "a trace").trace == "a trace"
    assert str(Stopped("stopped after step 3", "a trace")) == "stopped after step 3"
