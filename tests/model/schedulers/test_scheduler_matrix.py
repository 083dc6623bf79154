"""x0 and ε are right, step by step, for every scheduler that runs in a Stable Diffusion pipeline, or are refused.

Two witnesses. A denoiser that knows the picture: x0 must come out as that picture at every call, ε as the noise it
answered with, whatever way the scheduler took. And the scheduler itself, where it tells its own x0: on a made-up
model, the closed form must agree with it.
"""

from itertools import product

import diffusers
import numpy as np
import oracle
import pytest
import torch

import sdexplore as sdx
from sdexplore.model.schedulers import noise_levels
from sdexplore.theory import pred_epsilon, pred_original_sample, variance_preserving

EVERY = tuple(name for name in dir(diffusers) if name.endswith("Scheduler"))
FITTING = (  # the classes that run there; the test below counts them
    *("CogVideoXDDIM", "CosineDPMSolverMultistep", "DDIM", "DDIMInverse", "DDIMParallel", "DDPM", "DDPMParallel"),
    *("DEISMultistep", "DPMSolverMultistep", "DPMSolverMultistepInverse", "DPMSolverSDE", "DPMSolverSinglestep"),
    *("EDMDPMSolverMultistep", "EDMEuler", "EulerAncestralDiscrete", "EulerDiscrete", "HeunDiscrete", "IPNDM"),
    *("KDPM2AncestralDiscrete", "KDPM2Discrete", "LCM", "LMSDiscrete", "PNDM", "SASolver", "TCD", "UniPCMultistep"),
)
FLOW = ("DEISMultistep", "DPMSolverMultistep", "DPMSolverSinglestep", "SASolver", "UniPCMultistep")
# Parametrisations that a scheduler refuses itself, in its own words.
NO_SAMPLE = (
    *("CosineDPMSolverMultistep", "DPMSolverSDE", "EDMDPMSolverMultistep", "EDMEuler", "EulerAncestralDiscrete"),
    *("KDPM2AncestralDiscrete", "KDPM2Discrete", "PNDM"),
)
SPACINGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
ROUNDED = (*SPACINGS, "use_lu_lambdas", "use_flow_sigmas")  # the UNet is told a whole timestep, and σ lies between
SPACED = (  # deterministic, so that the one noise that was given stays the answer at every σ
    *("DEISMultistep", "DPMSolverMultistep", "DPMSolverSinglestep", "EulerDiscrete", "HeunDiscrete", "KDPM2Discrete"),
    *("LMSDiscrete", "UniPCMultistep"),
)
# Inverse ones tell the UNet another level than the sample has, so that only an oracle of ε can answer.
STEADY = ("DDIMInverse", "DPMSolverMultistepInverse")
CASES = [
    *(
        (name, kind, {})
        for name, kind in product(FITTING, ("epsilon", "v_prediction", "sample"))
        if kind == "epsilon" or name not in STEADY
    ),
    *((name, "flow_prediction", {"use_flow_sigmas": True}) for name in FLOW),
    # Of UniPC's first flow step 1 − τ = 1e-6: ε cannot be told from x_t there in float32, whoever computes.
    *((name, "epsilon", {"use_flow_sigmas": True}) for name in FLOW if name != "UniPCMultistep"),
    *((name, "epsilon", {spacing: True}) for name, spacing in product(SPACED, SPACINGS)),
    *(("DPMSolverMultistep", "epsilon", options) for options in ({"use_lu_lambdas": True}, {"euler_at_final": True})),
    *((name, "epsilon", {"final_sigmas_type": "sigma_min"}) for name in ("DPMSolverMultistep", "UniPCMultistep")),
    ("DPMSolverMultistep", "epsilon", {"algorithm_type": "sde-dpmsolver++"}),
    ("DPMSolverMultistep", "epsilon", {"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min"}),
    *(
        (name, "v_prediction", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"})
        for name in ("DDPM", "DPMSolverMultistep", "EulerDiscrete", "TCD", "UniPCMultistep")
    ),
    ("PNDM", "epsilon", {"skip_prk_steps": True}),
]
BARE = sdx.Record(cross_attention=False, decode=0)


@pytest.fixture(scope="module")
def pipe():
    return oracle.pipeline()


def run(pipe, name, kind, options):
    """The trace of a run whose denoiser knows the picture, on the scheduler of that name."""
    chosen = pipe.scheduler = oracle.scheduler(f"{name}Scheduler", prediction_type=kind, **options)
    steps, arguments = 6, {}
    pipe.unet.prepare(chosen)
    if name == "SASolver" and "use_flow_sigmas" in options:
        chosen.tau_func = lambda _: 0.0  # adds no noise
    if name in STEADY or not options.keys().isdisjoint(ROUNDED):
        noise = torch.randn(oracle.SHAPE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        picture = torch.from_numpy(oracle.picture())
        chosen.set_timesteps(steps)
        if "use_flow_sigmas" in options:
            picture = (1 - chosen.sigmas[0].double()) * picture + chosen.sigmas[0].double() * noise
        elif name not in STEADY:  # those begin with the picture, or next to it
            picture = chosen.add_noise(picture, noise, chosen.timesteps[:1]) / chosen.init_noise_sigma
        elif name == "DPMSolverMultistepInverse":
            share = chosen.alphas_cumprod[chosen.timesteps[0]].double()
            picture = share**0.5 * picture + (1 - share) ** 0.5 * noise
        pipe.unet.prepare(chosen, noise.numpy())
        arguments["latents"] = picture.float()
    watched = []
    trace = sdx.run(
        pipe,
        "a cat",
        record=BARE,
        num_inference_steps=steps,
        guidance_scale=1.0,
        output_type="latent",
        on_step=lambda progress: watched.append(progress.latents()),
        **arguments,
    )
    return trace, watched


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind", "options"), CASES, ids=lambda value: str(value).replace(" ", ""))
def test_x0_and_epsilon_at_every_call(pipe, name, kind, options):
    if kind == "sample" and name in NO_SAMPLE:
        with pytest.raises((NotImplementedError, ValueError), match=r"(?i)prediction.type"):
            run(pipe, name, kind, options)
        return
    trace, watched = run(pipe, name, kind, options)
    assert trace.num_steps == len(pipe.scheduler.timesteps) == len(pipe.unet.noises)
    x0_error, epsilon_error = errors(trace, pipe.unet)
    assert x0_error < 1e-4 if "use_flow_sigmas" not in options else 1e-3
    assert epsilon_error < 1e-3
    # what a live view shows is the same sample on the same scale, one call later
    scaled = [trace.scaled_latents(step) for step in range(1, trace.num_steps)]
    np.testing.assert_allclose(watched[:-1], scaled, rtol=1e-4, atol=1e-4)
    check_against_its_own(name, kind, options)


def errors(trace, unet):
    """The largest errors of x0 and of ε over all calls; ε where there is noise."""
    sigma = trace.sigmas.reshape(-1, 1, 1, 1)
    x0, noisy = trace.pred_original_sample, trace.sigmas > 0
    epsilon = pred_epsilon(trace.latents[:-1][noisy], x0[noisy], sigma[noisy], trace.space)
    known = np.concatenate(unet.noises)[noisy]
    return float(np.abs(x0 - oracle.picture()).max()), float(np.abs(epsilon - known).max())


def check_against_its_own(name, kind, options):
    """The closed form on a made-up model against what the scheduler says of itself, where it does."""
    chosen = oracle.scheduler(f"{name}Scheduler", prediction_type=kind, **options)
    told = []
    if hasattr(chosen, "convert_model_output"):
        converts = chosen.convert_model_output
        chosen.convert_model_output = lambda *a, **k: told.append(converts(*a, **k)) or told[-1]
    chosen.set_timesteps(6)
    sample = torch.randn(oracle.SHAPE, generator=torch.Generator().manual_seed(0)) * chosen.init_noise_sigma
    for timestep in chosen.timesteps:
        output = torch.tanh(chosen.scale_model_input(sample, timestep)) + 0.1
        first = bool(getattr(chosen, "state_in_first_order", True))
        told.clear()
        result = chosen.step(output, timestep, sample)
        mark = noise_levels.StepMark(timestep, getattr(chosen, "step_index", None), first)
        (sigma,) = noise_levels.sigmas(chosen, [mark])
        space, meaning = noise_levels.space(chosen), noise_levels.prediction_type(chosen)
        x, data = sample.numpy(), noise_levels.sigma_data(chosen)
        mine = pred_original_sample(x, output.numpy(), sigma, meaning, space, data)
        own = getattr(result, "pred_original_sample", None)
        if own is None and told:
            own = told[0]
            if name == "DEISMultistep" or getattr(chosen.config, "algorithm_type", "").endswith("dpmsolver"):
                mine = pred_epsilon(x, mine, sigma, space)  # these convert to ε instead
        elif name == "LCM":  # mixed with x_t by the boundary condition of consistency models
            own = result.denoised
            skip, out = chosen.get_scalings_for_boundary_condition_discrete(timestep)
            mine = float(out) * mine + float(skip) * x
        elif name == "TCD":  # x0 and ε put together again at an earlier level
            own = result.pred_noised_sample
            index = chosen.step_index - 1
            before = int(chosen.timesteps[index + 1]) if index + 1 < len(chosen.timesteps) else 0
            share = float(chosen.alphas_cumprod[int((1 - 0.3) * before)])  # its default eta
            mine = share**0.5 * mine + (1 - share) ** 0.5 * pred_epsilon(x, mine, sigma, space)
        if own is not None:
            within = 2e-3 if "use_flow_sigmas" in options else 1e-4  # 1/(1 − τ) is 1000 at its first step
            assert np.abs(mine - own.numpy()).max() <= within * max(1.0, float(own.abs().max()))
        else:
            assert name in ("PNDM", "IPNDM")  # the only ones that say nothing: the known picture alone vouches
        sample = result.prev_sample


@pytest.mark.filterwarnings("ignore")
def test_no_scheduler_that_runs_is_left_out(pipe):
    """All 49 of diffusers: those that run in a Stable Diffusion pipeline are known or refused with a reason."""
    ran, refused = set(), {}
    four = {"num_inference_steps": 4, "guidance_scale": 1.0, "output_type": "latent"}
    for name in EVERY:
        try:
            pipe.scheduler = oracle.scheduler(name)
            pipe.unet.prepare(pipe.scheduler)
            pipe("a", **four)
        except Exception:  # noqa: BLE001, S112  (diffusers' own refusals, each in its own way)
            continue
        pipe.scheduler = oracle.scheduler(name)
        pipe.unet.prepare(pipe.scheduler)
        trace = sdx.run(pipe, "a", record=BARE, **four)  # what runs in the pipeline runs when it is watched
        ran.add(name.removesuffix("Scheduler"))
        if trace.pred_original_sample is None:
            refused[name] = trace.provenance["scheduler"]["refusal"]
            with pytest.raises(sdx.TraceError, match="a consistency model answers with the picture itself"):
                trace.recorded("pred_original_sample")
    assert ran - {"CMStochasticIterative"} == set(FITTING)
    assert list(refused) == ["CMStochasticIterativeScheduler"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"prediction_type": "v_prediction", "use_flow_sigmas": True}, "two readings"),
        ({"prediction_type": "flow_prediction"}, "without use_flow_sigmas"),
    ],
)
def test_what_has_no_right_x0_is_refused_with_the_reason(pipe, options, reason):
    pipe.scheduler = oracle.scheduler("UniPCMultistepScheduler", **options)
    pipe.unet.prepare(pipe.scheduler)
    trace = sdx.run(pipe, "a", record=BARE, num_inference_steps=2, guidance_scale=1.0, output_type="latent")
    assert trace.pred_original_sample is None
    assert trace.sigmas is None
    with pytest.raises(sdx.TraceError, match=reason):
        trace.recorded("pred_original_sample")


def test_a_variance_exploding_sample_is_shown_on_the_scale_of_the_others(pipe):
    spreads = []
    for name in ("DDIMScheduler", "EulerDiscreteScheduler", "EDMEulerScheduler"):
        pipe.scheduler = oracle.scheduler(name)
        pipe.unet.prepare(pipe.scheduler)
        trace = sdx.run(pipe, "a", record=BARE, num_inference_steps=4, guidance_scale=1.0, output_type="latent")
        spreads.append([float(trace.scaled_latents(step).std()) for step in range(4)])
    np.testing.assert_allclose(spreads, 1.0, atol=0.25)
    flow = np.full((1, 4, 2, 2), 3.0)  # τ = 1/2: (x0 + ε)/2, whose spread is 1/√2 of the others'
    np.testing.assert_allclose(variance_preserving(flow, 1.0, "flow matching"), 3.0 * 2**0.5)
