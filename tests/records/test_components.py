"""The record of a pipeline's components: a mapping that says what they hold."""

import re

import pytest
from inspected import sample_components

from sdexplore.base.errors import InspectionError


def test_components_are_a_mapping_and_say_what_they_hold():
    found = sample_components()
    assert list(found) == ["unet", "tokenizer", "safety_checker"]
    assert found["unet"].parameters == 1_000
    assert (found.parameters, found.bytes) == (1_000, 2_048)
    text = repr(found)
    assert "3 components, 1 of them null; 1,000 parameters, 2.0 KiB" in text
    assert re.search(r"unet +UNet +diffusers +1,000 +float16 +cpu +2.0 KiB", text)
    assert re.search(r"safety_checker +null", text)
    assert "guidance: not run yet" in text


def test_an_unknown_name_names_the_near_miss_and_is_a_key_error_too():
    with pytest.raises(InspectionError, match=r"no component in the .* is called 'unett'; did you mean 'unet'"):
        sample_components()["unett"]
    with pytest.raises(KeyError):
        sample_components()["unett"]
    assert sample_components().get("unett") is None
    assert "unett" not in sample_components()
