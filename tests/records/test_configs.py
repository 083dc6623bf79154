"""The record of a config, and of where two of them differ."""

import re

import pytest

from sdexplore.base.errors import InspectionError
from sdexplore.records.configs import ABSENT, Config, ConfigDiff, Difference


def test_config_shows_key_and_value():
    config = Config("vae", "AutoencoderKL", {"scaling_factor": 0.18215})
    assert config["scaling_factor"] == 0.18215
    assert dict(config) == {"scaling_factor": 0.18215}
    assert repr(config).splitlines()[0] == "vae: AutoencoderKL"
    with pytest.raises(InspectionError, match="'scaling_faktor'; did you mean 'scaling_factor'"):
        config["scaling_faktor"]


def test_config_diff_says_which_side_has_a_key():
    diff = ConfigDiff("one", "two", (Difference("x", 1, 2), Difference("y", a=3), Difference("z", b=None)), 5)
    assert [row.only_in for row in diff] == [None, "a", "b"]
    assert diff["y"].b is ABSENT
    assert len(diff) == 3
    assert "one against two: 3 differ, 5 equal" in repr(diff)
    assert re.search(r"z +— +None +only in b", repr(diff))
    assert not ConfigDiff("one", "one", (), 5)
    with pytest.raises(InspectionError, match="no differing key is called 'w'"):
        diff["w"]
