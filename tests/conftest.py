"""Tiny random pipelines (seconds) and the embedded model (real pictures) for every test."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # torchvision is not needed, and is not missed
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub

import pytest


@pytest.fixture
def tiny():
    """A StableDiffusionPipeline of 1.6 M random parameters, four latent levels short, no progress bar."""
    from tiny_pipelines import stable_diffusion

    return stable_diffusion()
