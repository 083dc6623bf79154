"""The schedule of a run or of a pipeline: one row for each call, on the training schedule by closed form."""

import re

import diffusers
import numpy as np
import pytest
import synthetic
from artists import again, equal, texts
from tiny_pipelines import pndm, stable_diffusion
from tiny_transformers import sd3

import sdexplore as sdx
from sdexplore import theory, views
from sdexplore.figures.titles import step_title
from sdexplore.model.schedulers.names import scheduler_from_name


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.mark.parametrize(
    "options",
    [
        {"beta_schedule": "linear"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "rescale_betas_zero_snr": True},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_betas_are_those_of_diffusers(options):
    scheduler = diffusers.DDIMScheduler(**options)
    found = theory.betas(**options)
    np.testing.assert_allclose(found, scheduler.betas.numpy(), rtol=2e-3, atol=2e-7)  # theirs are float32
    bars = np.cumprod(1 - found)
    np.testing.assert_allclose(bars, scheduler.alphas_cumprod.numpy(), rtol=2e-3, atol=1e-6)
    a, b = theory.signal_and_noise(theory.sigma_of_alpha_bar(bars))
    np.testing.assert_allclose(a**2, bars, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(b**2, 1 - bars, rtol=1e-9)


def test_an_unknown_beta_schedule_is_named():
    with pytest.raises(ValueError, match="no beta_schedule 'wavy'"):
        theory.betas("wavy")


@pytest.mark.parametrize(("name", "calls"), [("DDIM", 6), ("Heun", 11), ("DPM2", 11), ("PNDM", 7), ("UniPC", 6)])
def test_a_row_is_a_call_and_stands_where_a_run_goes(pipe, name, calls):
    pipe.scheduler = pndm()
    found = sdx.schedule(pipe, num_inference_steps=6, scheduler=name)
    assert len(found) == calls
    with_it = stable_diffusion(scheduler_from_name(pipe, name))
    bare = sdx.Record(cross_attention=False, decode=0)
    trace = sdx.run(with_it, "a", num_inference_steps=6, record=bare, guidance_scale=1.0, output_type="latent")
    np.testing.assert_array_equal(found.timesteps, trace.timesteps)
    np.testing.assert_allclose(found.sigmas, trace.sigmas)
    again_from_trace = sdx.schedule(trace)
    np.testing.assert_allclose(again_from_trace.train_sigmas, found.train_sigmas)
    # on the training schedule: where a timestep is whole, σ is the curve's
    whole = found.timesteps == found.timesteps.round()
    on_curve = found.train_sigmas[found.timesteps[whole].astype(int)]
    np.testing.assert_allclose(found.sigmas[whole], on_curve, rtol=2e-3)


def test_the_table_has_the_same_number_four_ways(pipe):
    pipe.scheduler = pndm()
    found = sdx.schedule(pipe, num_inference_steps=4, scheduler="Euler")
    np.testing.assert_allclose(found.snr, 1 / found.sigmas**2)
    np.testing.assert_allclose(np.exp(found.log_snr), found.snr)
    np.testing.assert_allclose(found.alphas_cumprod / (1 - found.alphas_cumprod), found.snr)
    assert f"{found.sigmas[0]:.4g}" in repr(found)
    assert (
        "EulerDiscreteScheduler of StableDiffusionPipeline: 4 calls of the denoiser, samples variance exploding"
        in repr(found)
    )
    assert f"{found.sigmas[0]:.4g}" in found._repr_html_()


def test_the_pipeline_is_as_it_was(pipe):
    own = pipe.scheduler = pndm()
    before = dict(vars(own))
    sdx.schedule(pipe, num_inference_steps=3)
    assert pipe.scheduler is own
    assert vars(own).keys() == before.keys()
    assert own.num_inference_steps == before["num_inference_steps"]


def test_what_has_no_schedule_says_why(pipe):
    pipe.scheduler = pndm()
    with pytest.raises(sdx.RunError, match="a consistency model answers with the picture"):
        sdx.schedule(pipe, scheduler=diffusers.CMStochasticIterativeScheduler())
    with pytest.raises(sdx.RunError, match="give a Trace, or a pipeline"):
        sdx.schedule("mini")
    with pytest.raises(sdx.RunError, match="leave both out"):
        sdx.schedule(synthetic.trace(), num_inference_steps=3)
    with pytest.raises(sdx.TraceError, match="holds no sigmas"):
        sdx.schedule(synthetic.trace(sigmas=None))


def test_the_view_draws_the_curve_and_the_runs_own_points(pipe):
    pipe.scheduler = pndm()
    two = [sdx.schedule(pipe, num_inference_steps=5, scheduler=name) for name in ("DDIM", "Heun")]
    picture = views.schedule(*two)
    beta, bar, sigma, log, calls = picture.figure.axes
    curve, *points = sigma.lines
    np.testing.assert_array_equal(curve.get_ydata(), two[0].train_sigmas)  # one curve: both were trained on it
    for line, one in zip(points, two, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), one.timesteps)
        np.testing.assert_array_equal(line.get_ydata(), one.sigmas)
    assert [len(line.get_xdata()) for line in calls.lines] == [5, 9]
    np.testing.assert_array_equal(beta.lines[0].get_ydata(), two[0].train_betas)
    np.testing.assert_allclose(bar.lines[1].get_ydata(), two[0].alphas_cumprod)
    np.testing.assert_allclose(log.lines[2].get_ydata(), two[1].log_snr)
    assert "HeunDiscrete, 9 calls" in picture.alt
    assert "training timestep t" in texts(picture)
    equal(picture, again(picture, pipe=pipe))


def test_the_only_step_of_a_run_lies_on_the_training_schedule(pipe):
    pipe.scheduler = pndm()
    one = sdx.schedule(pipe, num_inference_steps=1, scheduler="DDIM")
    assert one.timesteps.tolist() == [1.0]
    axes = views.schedule(one).figure.axes
    assert [len(ax.lines) for ax in axes] == [2, 2, 2, 2, 1]
    np.testing.assert_array_equal(axes[2].lines[0].get_ydata(), one.train_sigmas)
    assert all(float(tick).is_integer() for tick in axes[4].get_xticks())
    continuous = diffusers.EulerDiscreteScheduler(timestep_type="continuous", prediction_type="v_prediction")
    assert sdx.schedule(pipe, num_inference_steps=3, scheduler=continuous).train_sigmas is None


def test_points_that_lie_on_no_training_step_are_drawn_by_call_alone():
    edm = sdx.Schedule(
        scheduler="EDMEulerScheduler",
        space="variance exploding",
        timesteps=np.array([1.1, 0.2, -1.5]),
        sigmas=np.array([80.0, 3.0, 0.0]),
    )
    picture = views.schedule(edm)
    assert not any(ax.lines for ax in picture.figure.axes[:4])
    assert len(picture.figure.axes[4].lines) == 1
    assert "(1 not drawn)" in picture.alt
    with pytest.raises(sdx.TraceError, match="schedule of 0 sources"):
        views.schedule()


def test_pipelines_of_two_models_have_two_names_in_the_line_of_code(pipe):
    other = sd3()
    other.register_to_config(_name_or_path="another model")
    one, two = (sdx.schedule(each, num_inference_steps=3) for each in (pipe, other))
    both = views.schedule(one, two)
    assert [name in both.call for name in ("schedule(pipe_0,", "schedule(pipe_1,", "schedule(pipe,")] == [1, 1, 0]
    alone = views.schedule(one, one)
    assert alone.call.count("schedule(pipe,") == 2


def test_noise_alone_is_written_as_infinity():
    pure = sdx.schedule(sd3(), num_inference_steps=3)
    assert np.isinf(pure.sigmas[0])
    trace = synthetic.trace(sigmas=np.array([np.inf, *np.linspace(5, 0.5, synthetic.trace().num_steps - 1)]))
    for text in (repr(pure), pure._repr_html_(), views.schedule(pure).alt, step_title(trace, 0)):
        assert "∞" in text
        assert not re.search(r"\binf\b", text)
    assert "−∞" in repr(pure) or "-∞" in repr(pure)
