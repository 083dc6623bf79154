"""Where a pipeline is, and with how many steps a dashboard begins."""

from diffusers import LCMScheduler
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.mini import PIPELINE
from sdexplore.model.inspection.situation import call_defaults, suitable_steps


def test_steps_begin_at_a_number_that_suits_the_model():
    pipe = stable_diffusion()
    usual = call_defaults(pipe)["num_inference_steps"]
    assert suitable_steps(pipe) == usual
    assert sdx.explore(pipe).state.num_inference_steps == usual
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    assert suitable_steps(pipe) == 4
    assert sdx.explore(pipe, num_inference_steps=7).state.num_inference_steps == 7


def test_the_embedded_model_begins_with_as_many_as_its_pictures_need():
    pipe = stable_diffusion()
    pipe.register_to_config(_name_or_path=str(PIPELINE))
    assert suitable_steps(pipe) == sdx.explore(pipe).state.num_inference_steps == 20
