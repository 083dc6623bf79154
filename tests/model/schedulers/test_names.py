"""Schedulers by name: every usual spelling, and errors that name near misses."""

import diffusers
import pytest
import torch
from diffusers.schedulers import KarrasDiffusionSchedulers
from tiny_pipelines import pndm, stable_diffusion

from sdexplore.base.errors import LoadError
from sdexplore.model.schedulers.names import MORE, UNFIT, class_name, meant, scheduler_from_name


@pytest.fixture(scope="module")
def built():
    return stable_diffusion()


@pytest.fixture
def tiny(built):
    """One pipeline for all tests here, each time with a new scheduler of Stable Diffusion 1.5."""
    built.scheduler = pndm()
    return built


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DDIM", "DDIMScheduler"),
        ("DDIMScheduler", "DDIMScheduler"),
        ("ddim", "DDIMScheduler"),
        ("Euler", "EulerDiscreteScheduler"),
        ("EulerDiscrete", "EulerDiscreteScheduler"),
        ("euler a", "EulerAncestralDiscreteScheduler"),
        ("Euler-Ancestral", "EulerAncestralDiscreteScheduler"),
        ("dpm++", "DPMSolverMultistepScheduler"),
        ("DPM++ 2M", "DPMSolverMultistepScheduler"),
        ("DPMSolver", "DPMSolverMultistepScheduler"),
        ("DPMSolverSinglestep", "DPMSolverSinglestepScheduler"),
        ("DPM2 a", "KDPM2AncestralDiscreteScheduler"),
        ("UniPC", "UniPCMultistepScheduler"),
        ("LCM", "LCMScheduler"),
        ("TCD", "TCDScheduler"),
    ],
)
def test_a_name_finds_its_class(tiny, name, expected):
    assert type(scheduler_from_name(tiny, name)).__name__ == expected


def test_the_new_scheduler_has_the_config_of_the_old_and_leaves_the_pipeline_alone(tiny):
    own = tiny.scheduler
    found = scheduler_from_name(tiny, "Euler")
    assert tiny.scheduler is own
    for key in ("beta_start", "beta_end", "beta_schedule", "steps_offset", "num_train_timesteps"):
        assert found.config[key] == own.config[key]
    assert torch.equal(found.alphas_cumprod, own.alphas_cumprod)


def test_the_same_class_again_is_a_new_object(tiny):
    assert scheduler_from_name(tiny, "PNDM") is not tiny.scheduler


@pytest.mark.parametrize("name", ["LCMScheduler", "EulerDiscreteScheduler", "DDIMScheduler"])
def test_there_is_a_way_back(tiny, name):
    tiny.scheduler = scheduler_from_name(tiny, name)
    back = scheduler_from_name(tiny, "PNDM")
    assert torch.equal(back.alphas_cumprod, pndm().alphas_cumprod)
    assert back.config.skip_prk_steps is True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*(kind.name for kind in KarrasDiffusionSchedulers), *MORE])
def test_every_scheduler_that_is_offered_steps(tiny, name):
    if name == UNFIT:
        with pytest.raises(LoadError, match="no scheduler that fits"):
            scheduler_from_name(tiny, name)
        return
    scheduler = scheduler_from_name(tiny, name)
    scheduler.set_timesteps(3)
    sample = first = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        noise_pred = 0.1 * scheduler.scale_model_input(sample, timestep)
        sample = scheduler.step(noise_pred, timestep, sample).prev_sample
    assert bool(torch.isfinite(sample).all())
    assert not torch.equal(sample, first)


def test_an_unknown_name_names_the_near_miss(tiny):
    with pytest.raises(LoadError, match=r"no scheduler that fits is called 'Eular'; did you mean '[^']*Euler"):
        scheduler_from_name(tiny, "Eular")


def test_near_misses_fit_and_bear_the_names_that_people_use(tiny):
    with pytest.raises(LoadError, match=r"'DPM'; did you mean 'DPM\+\+ 2M' or 'DPMSolver' or 'DDPM'\?"):
        scheduler_from_name(tiny, "DPM")
    with pytest.raises(LoadError, match="'nonsense'; there is") as raised:  # before a pipeline is known
        meant("nonsense")
    assert "'TCD', 'DPM++ 2M', 'Euler a'" in str(raised.value)
    assert not {"Amused", "CogVideoXDDIM"} & set(str(raised.value).split("'"))


@pytest.mark.parametrize("name", ["DPM++ 2M Karras", "dpm++_2m_karras", "DPMSolverMultistep Karras "])
def test_karras_noise_levels_are_an_option_of_a_scheduler(tiny, name):
    found = scheduler_from_name(tiny, name)
    assert type(found).__name__ == "DPMSolverMultistepScheduler"
    assert found.config.use_karras_sigmas
    assert not scheduler_from_name(tiny, "DPM++ 2M").config.use_karras_sigmas


def test_a_scheduler_without_karras_noise_levels_says_which_have_them(tiny):
    with pytest.raises(LoadError, match=r"'DDIM Karras': DDIMScheduler has no use_karras_sigmas; LMS, Euler, .* have"):
        scheduler_from_name(tiny, "DDIM Karras")
    with pytest.raises(LoadError, match="is called 'Eular Karras'; did you mean 'Euler'"):
        scheduler_from_name(tiny, "Eular Karras")


def test_without_a_near_miss_all_short_names_are_listed(tiny):
    with pytest.raises(LoadError, match="'DDIM', 'DDPM', 'PNDM', 'LMS', 'Euler', 'Heun'"):
        scheduler_from_name(tiny, "")


def test_an_ambiguous_name_is_refused():
    with pytest.raises(LoadError, match="'x' could be 'XDiscreteScheduler' or 'XMultistepScheduler'; give its whole"):
        class_name("x", ["XDiscreteScheduler", "XMultistepScheduler"])


def test_flow_matching_does_not_fit_stable_diffusion_nor_the_other_way(tiny):
    with pytest.raises(LoadError, match="no scheduler that fits is called 'FlowMatchEulerDiscrete'"):
        scheduler_from_name(tiny, "FlowMatchEulerDiscrete")
    tiny.scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    with pytest.raises(LoadError, match="no scheduler that fits is called 'DDIM'"):
        scheduler_from_name(tiny, "DDIM")


def test_a_missing_package_is_named_with_the_extra(tiny, monkeypatch):
    def refuse(*_, **__):
        raise ImportError("\nLMSDiscreteScheduler requires the scipy library but it was not found")

    monkeypatch.setattr(diffusers.LMSDiscreteScheduler, "from_config", refuse)
    with pytest.raises(LoadError, match=r"pip install 'sdexplore\[schedulers\]' \(LMSDiscrete.* requires the scipy"):
        scheduler_from_name(tiny, "LMS")
