"""The record of a checkpoint: a mapping of its parts."""

import pytest

from sdexplore.base.errors import InspectionError
from sdexplore.records.checkpoint import Checkpoint, CheckpointPart


def test_an_unknown_part_names_the_near_miss_and_is_a_key_error_too():
    found = Checkpoint("sd15", "folder", "SD 1.x", "StableDiffusionPipeline", {"unet": CheckpointPart("unet")})
    with pytest.raises(InspectionError, match=r"'sd15' has no part 'unett'; did you mean 'unet'\?"):
        found["unett"]
    assert found.get("unett") is None
    assert "unett" not in found
