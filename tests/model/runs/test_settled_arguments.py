"""`call` is what was typed; provenance["used"] is what the pipeline settled, and names what it ignored."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from diffusers import TCDScheduler
from tiny_families import img2img, latent_consistency, pag, picture
from tiny_pipelines import ddpm, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

PROMPT = "a photo of a cat"
FEW = sdx.Record(decode=0, cross_attention=False)


@dataclass(frozen=True)
class Ignoring:
    """A call with an argument that changes nothing.

    Attributes:
        ignored: Names of the arguments that the run must name.
        used: What must stand in provenance["used"].
    """

    make: Any
    given: dict[str, Any]
    ignored: tuple[str, ...] = ()
    used: dict[str, Any] = field(default_factory=dict)


CALLS = {
    "a negative prompt without guidance": Ignoring(
        stable_diffusion, {"negative_prompt": "ugly", "guidance_scale": 1.0}, ("negative_prompt",)
    ),
    "guidance_rescale without guidance": Ignoring(
        stable_diffusion, {"guidance_rescale": 0.7, "guidance_scale": 0.0}, ("guidance_rescale",)
    ),
    "LCM takes the scale as an input, and no negative prompt": Ignoring(
        latent_consistency, {"guidance_scale": 8.5}, (), {"guidance_scale": 8.5}
    ),
    "eta without a scheduler that takes it": Ignoring(stable_diffusion, {"eta": 0.5}, ("eta",), {"eta": None}),
    "timesteps beside a number of steps": Ignoring(
        lambda: _with(stable_diffusion(), TCDScheduler),
        {"timesteps": [900, 500, 100], "num_inference_steps": 20},
        ("num_inference_steps",),
        {"num_inference_steps": 3, "eta": 0.0},
    ),
    "perturbed-attention guidance off": Ignoring(
        lambda: pag(()), {"pag_scale": 3.0}, ("pag_scale",), {"guidance_scale": 7.5}
    ),
    "no argument at all": Ignoring(
        stable_diffusion, {}, (), {"height": 64, "width": 64, "guidance_scale": 7.5, "num_inference_steps": 2}
    ),
    "one side, which SDXL completes": Ignoring(
        stable_diffusion_xl, {"height": 96}, (), {"height": 96, "width": 64, "guidance_scale": 5.0}
    ),
    "fewer steps by strength": Ignoring(
        img2img, {"image": picture(72, 64), "strength": 0.5}, (), {"height": 72, "width": 64, "num_inference_steps": 2}
    ),
}


def _with(pipe, scheduler):
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
    return pipe


@pytest.mark.filterwarnings("ignore:run. .* ignored")
@pytest.mark.parametrize("name", CALLS)
def test_what_was_settled_stands_beside_what_was_typed(name):
    asked = CALLS[name]
    given = {"num_inference_steps": 2, **asked.given}
    trace = sdx.run(asked.make(), PROMPT, seed=7, record=FEW, **given)
    used = trace.provenance["used"]
    assert tuple(used["ignored"]) == asked.ignored
    assert {key: used[key] for key in asked.used} == asked.used
    assert list(used["seeds"]) == [7]
    assert set(trace.call["arguments"]) == set(given)
    for key in given.keys() - {"image"}:
        assert trace.call["arguments"][key] == given[key]
    json.dumps(used)


def test_an_ignored_argument_is_told_once_the_run_is_over(tiny):
    with pytest.warns(UserWarning, match=r"run: StableDiffusionPipeline ignored negative_prompt in this call"):
        sdx.run(tiny, PROMPT, negative_prompt="ugly", guidance_scale=1.0, num_inference_steps=1, record=FEW)


def test_the_negative_seed_is_settled_as_torch_takes_it_and_a_pipeline_without_scale_has_none():
    trace = sdx.run(ddpm(), seed=-1, num_inference_steps=2, record=FEW)
    used = trace.provenance["used"]
    assert (list(used["seeds"]), used["guidance_scale"], used["height"]) == ([2**64 - 1], None, 16)
