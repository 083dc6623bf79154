"""`look` where the scheduler is flow matching's: x_t = (1 − τ) x0 + τ ε, and one step to x0."""

import numpy as np
import pytest
import torch
from transformer_matrix import PROMPT, SUBJECTS

import sdexplore as sdx
from sdexplore.model.components import decoding

FLOW = sorted(SUBJECTS.keys() - {"pixart", "hunyuandit"})
ALONE = ("height", "width", "text_encoder_out_layers", "use_resolution_binning", "max_sequence_length", "system_prompt")
RECORD = sdx.Record(dtype="float32", decode=0)


def picture(size):
    return np.random.default_rng(0).integers(0, 255, (size["height"], size["width"], 3), np.uint8)


@pytest.mark.parametrize("name", FLOW)
def test_x_t_is_the_pictures_latents_and_noise_and_x0_is_one_euler_step_away(name):
    subject = SUBJECTS[name]
    pipe, given = subject.make(), {key: value for key, value in subject.call.items() if key in ALONE}
    given |= {"guidance_scale": 0.0} if name == "zimage" else {}  # it is guided by 1 too
    own = pipe.scheduler
    image, tau = picture(subject.size), 0.4
    trace = sdx.look(pipe, image, PROMPT, t=400, seed=3, record=RECORD, **subject.size, **given)
    assert pipe.scheduler is own
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    z = decoding.encode(pipe, pixels)
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
    expected = ((1 - tau) * z + tau * noise)[0].numpy()
    assert np.abs(trace.latents[0] - expected).max() < 1e-5
    x0 = trace.latents[0] - tau * trace.noise_pred[0]
    assert np.abs(trace.latents[1] - x0).max() < 1e-5
    assert np.abs(trace.pred_original_sample[0] - x0).max() < 1e-5
    assert trace.sigmas[0] == pytest.approx(tau / (1 - tau))
    assert trace.timesteps[0] == 400
    assert np.array_equal(trace.image, image)
    assert set(trace.noise_preds) == {"cond"}
    assert tuple(trace.cross_attention["cond"]) == subject.layers


def test_noise_alone_is_a_timestep_of_flow_matching_and_beyond_it_is_none():
    pipe, size = SUBJECTS["sd3"].make(), SUBJECTS["sd3"].size
    first, last = sdx.look(pipe, picture(size), PROMPT, t=[0, 1000], record=RECORD, **size)
    assert first.sigmas[0] == 0
    assert np.array_equal(first.latents[0], first.latents[1])
    assert np.isinf(last.sigmas[0])
    assert np.isfinite(last.latents).all()
    with pytest.raises(sdx.RunError, match="0 to 1000"):
        sdx.look(pipe, picture(size), PROMPT, t=1001, **size)


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_an_inversion_by_ddim_is_refused_by_name(name):
    pipe, size = SUBJECTS[name].make(), SUBJECTS[name].size
    with pytest.raises(sdx.RunError, match=r"invert goes DDIM's way.*FlowMatchEulerDiscreteScheduler"):
        sdx.invert(pipe, picture(size), PROMPT, num_inference_steps=2, **size)
