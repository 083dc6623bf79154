"""Every class of pipeline in diffusers is sorted in one table; a class that is not in it fails here.

`tests/support/pipeline_classes.json` has five groups: "run" is recorded whole; "in part" with
Record(cross_attention=False), since its layers attend with projections of their own; "refused by name" and "refused
without a denoiser" before the run; "by family" is recorded where `model/families` knows the transformer's class.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import tiny_kinds
from family_matrix import MATRIX
from plain_runs import assert_same_picture, plain
from tiny_families import picture
from tiny_pipelines import ddpm, latent_diffusion, latent_diffusion_text

import sdexplore as sdx
from sdexplore.model.families.pipelines import refusal

TABLE = json.loads((Path(__file__).parents[2] / "support" / "pipeline_classes.json").read_text())
BY_NAME = {name: group for group, names in TABLE.items() for name in names}
PROMPT = "a photo of a cat"
PARTS = ("IF", "Kandinsky")  # their layers have projections for added keys and values

# Ways of calling the denoiser beside those of the matrix of families, each as (pipeline, arguments, a prompt or None).
WAYS: dict[str, tuple[Any, dict[str, Any], str | None]] = {
    "a gradient's call aside": (
        tiny_kinds.attend_and_excite,
        {"token_indices": [2], "max_iter_to_alter": 1, "thresholds": {}, "attn_res": (32, 32)},
        PROMPT,
    ),
    "rows of edits": (tiny_kinds.semantic, {"editing_prompt": "a dog", "edit_warmup_steps": 1}, PROMPT),
    "a row of a concept": (tiny_kinds.safe, {"sld_guidance_scale": 1000}, PROMPT),
    "a control branch within": (tiny_kinds.controlnet_xs, {"image": picture()}, PROMPT),
    "a picture as class": (tiny_kinds.unclip_of_pictures, {"image": picture()}, None),
    "a picture as text": (tiny_kinds.image_variation, {"image": picture()}, None),
    "a picture beside the latents": (tiny_kinds.upscaler, {"image": picture(16, 16)}, PROMPT),
    "an example to paint": (
        tiny_kinds.paint_by_example,
        {"example_image": picture(), "image": picture(), "mask_image": picture().convert("L")},
        None,
    ),
    "a second call on blurred latents": (tiny_kinds.self_attention_guided, {}, PROMPT),
    "a variance": (tiny_kinds.learned_variance, {}, None),
    "pixels": (ddpm, {}, None),
    "latents of a VQ-VAE": (latent_diffusion, {}, None),
    "text of a BERT": (latent_diffusion_text, {}, PROMPT),
}


def classes() -> dict[str, type]:
    """Every class of pipeline that has a call."""
    found = {name: getattr(diffusers, name, None) for name in dir(diffusers)}
    return {
        name: one
        for name, one in found.items()
        if inspect.isclass(one) and issubclass(one, diffusers.DiffusionPipeline)
        if any("__call__" in vars(base) for base in one.__mro__)
    }


def group_of(cls: type) -> str:
    """The group of a class, from its name and the signature of its parts alone."""
    parts = inspect.signature(cls.__init__).parameters
    if refusal(cls, {}, 1) is not None:
        return "refused by name"
    if "unet" in parts:
        return "in part" if cls.__name__.startswith(PARTS) else "run"
    return "by family" if "transformer" in parts else "refused without a denoiser"


def test_every_class_is_in_the_table_and_the_rules_say_the_same():
    known = classes()
    assert len(known) > 280
    strange = known.keys() - BY_NAME.keys()
    assert not strange, f"sort these into pipeline_classes.json: {sorted(strange)}"
    assert {name: group_of(cls) for name, cls in known.items()} == {name: BY_NAME[name] for name in known}
    assert sum(map(len, TABLE.values())) == len(BY_NAME)  # each once


def test_at_least_25_ways_of_calling_the_denoiser_are_run():
    same = ("LoRA", "fused", "group", "model CPU", "sequential", "scale", "64", "72", "104")  # the same call
    of_matrix = {name for name in MATRIX if not name.startswith(same)}
    assert len(of_matrix) + len(WAYS) >= 25


@pytest.mark.parametrize("name", WAYS)
def test_each_way_of_calling_draws_the_pipelines_own_picture(name):
    make, given, prompt = WAYS[name]
    pipe = make()
    given = {"num_inference_steps": 2, **given}
    expected = plain(pipe, prompt, seed=5, **given)
    trace = sdx.run(make(), prompt, seed=5, record=sdx.Record(decode=0), **given)
    assert BY_NAME[type(pipe).__name__] == "run"
    assert_same_picture(trace, np.asarray(expected)[0])
    assert trace.num_steps >= 2
    assert all(np.isfinite(one).all() for one in trace.noise_preds.values())
