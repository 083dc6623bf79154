"""Where a trace comes from: a run writes the keys that `Provenance` declares, and no others."""

import json
from typing import get_type_hints

import numpy as np
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.trace.provenance import Provenance, ReconstructionFacts, SchedulerFacts

SOMETIMES = {"interrupted", "compiled", "missing", "out_of_memory", "reconstruction", "changed", "guided_by", "modules"}


def test_a_run_writes_every_declared_key_and_no_other():
    found = sdx.run(stable_diffusion(), "a cat", num_inference_steps=1, record=sdx.Record(decode=0)).provenance
    assert set(found) == set(get_type_hints(Provenance)) - SOMETIMES
    assert set(found["scheduler"]) == set(get_type_hints(SchedulerFacts))
    assert json.loads(json.dumps(found)) == found


def test_an_inversion_adds_how_well_it_reconstructs():
    picture = np.full((64, 64, 3), 128, np.uint8)
    found = sdx.invert(stable_diffusion(), picture, "a cat", num_inference_steps=2).provenance
    assert set(found) == set(get_type_hints(Provenance)) - SOMETIMES | {"reconstruction"}
    assert set(found["reconstruction"]) == set(get_type_hints(ReconstructionFacts))
