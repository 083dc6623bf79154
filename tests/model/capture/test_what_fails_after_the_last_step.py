"""Whatever fails after the last step costs that part, and never the trace."""

import functools

import numpy as np
import pytest
import tiny_kinds
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.capture import trace_builder

PROMPT = "a photo of a cat"
FEW = sdx.Record(cross_attention=False)


@pytest.mark.filterwarnings("ignore:run. the run is whole")
def test_a_picture_in_another_field_of_the_output_is_found():
    trace = sdx.run(tiny_kinds.depth_beside(), PROMPT, num_inference_steps=2, output_type="np", record=FEW)
    assert trace.image.shape == (64, 64, 3)
    assert trace.num_steps > 1


@pytest.mark.filterwarnings("ignore:run. the run is whole")
def test_an_output_without_pictures_costs_the_picture_alone(tiny, monkeypatch, tmp_path):
    class Prediction(dict):
        prediction = None

    own = type(tiny).__call__

    @functools.wraps(own)
    def predicts(*args, **kwargs):
        own(*args, **kwargs)
        return Prediction()

    monkeypatch.setattr(type(tiny), "__call__", predicts)
    for to in (None, tmp_path / "trace.safetensors"):
        trace = sdx.run(tiny, PROMPT, num_inference_steps=2, record=FEW, to=to)
        assert trace.image is None
        assert "Prediction holds no images" in trace.provenance["missing"]["image"]
        assert trace.latents is not None


def test_a_variance_that_is_predicted_too_is_left_out_and_x0_is_the_schedulers_own(tmp_path):
    pipe = tiny_kinds.learned_variance()
    seen, step = [], pipe.scheduler.step

    def noting(*args, **kwargs):
        seen.append(step(*args, **{**kwargs, "return_dict": True}))
        return seen[-1]

    pipe.scheduler.step = noting
    trace = sdx.run(pipe, num_inference_steps=3, record=FEW, to=tmp_path / "trace.safetensors")
    assert trace.noise_pred.shape[1] == trace.latents.shape[1] == 3
    for mine, theirs in zip(trace.pred_original_sample, seen, strict=True):
        np.testing.assert_allclose(mine, theirs.pred_original_sample[0].numpy(), atol=1e-3)


@pytest.mark.filterwarnings("ignore:run. the run is whole")
@pytest.mark.parametrize("filed", [False, True])
def test_predictions_of_more_channels_than_the_latents_cost_themselves_alone(tiny, monkeypatch, tmp_path, filed):
    forward = tiny.unet.forward

    def five(*args, **kwargs):
        made = forward(*args, **kwargs)
        whole = made[0] if isinstance(made, tuple) else made.sample
        import torch

        return (torch.cat([whole, whole[:, :1]], dim=1),)

    step = type(tiny.scheduler).step
    monkeypatch.setattr(tiny.unet, "forward", five)
    monkeypatch.setattr(type(tiny.scheduler), "step", lambda self, out, *a, **k: step(self, out[:, :4], *a, **k))
    from sdexplore.model.families.unet import UNet

    monkeypatch.setattr(UNet, "latent_channels", lambda *_: 5)
    to = tmp_path / "trace.safetensors" if filed else None
    trace = sdx.run(tiny, PROMPT, num_inference_steps=2, record=FEW, to=to)
    assert trace.latents.shape[1] == 4
    assert trace.image is not None
    assert trace.noise_pred is None
    assert dict(trace.noise_preds) == {}
    assert {"noise_pred", "noise_preds/cond", "pred_original_sample"} <= trace.provenance["missing"].keys()


@pytest.mark.filterwarnings("ignore:run. the run is whole")
def test_a_formula_that_fails_costs_its_array_alone(monkeypatch):
    def fails(*_):
        raise ZeroDivisionError("no such step")

    monkeypatch.setattr(trace_builder, "pred_original_sample", fails)
    trace = sdx.run(stable_diffusion(), PROMPT, num_inference_steps=2, record=FEW)
    assert trace.pred_original_sample is None
    assert trace.provenance["missing"] == {"pred_original_sample": "ZeroDivisionError: no such step"}
    assert trace.image is not None
    assert trace.decoded
