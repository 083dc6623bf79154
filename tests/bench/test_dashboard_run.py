"""The benchmark of the dashboard: what it times, and what its rows say."""

import pytest
import torch
from tiny_pipelines import stable_diffusion

from sdexplore.bench import dashboard_run
from sdexplore.bench.__main__ import PARTS
from sdexplore.bench.subjects import Subject


def test_a_row_for_the_run_and_for_each_wait_after_its_last_step():
    subject = Subject.around(stable_diffusion(), torch.device("cpu"), 3, "tiny")
    plain, run, done, section = dashboard_run.dashboard_rows(subject, 1)
    assert plain.share is None
    assert run.seconds.median > 0
    assert run.note.endswith("step 1")
    assert section.seconds.median > done.seconds.median  # "Done" comes first
    assert section.share.median == pytest.approx(section.seconds.median / plain.seconds.median)
    assert dashboard_run.SECTION in section.name
    assert dashboard_run.KEY in PARTS
