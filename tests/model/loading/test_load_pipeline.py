"""Loading: one dtype, one device, every source; nothing is printed, and no setting of the user changes."""

import logging
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import diffusers
import huggingface_hub
import pytest
import torch
import transformers
from fake_hub import cached
from tiny_pipelines import pndm, stable_diffusion, stable_diffusion_xl, unet
from torch import nn
from unchecked import unchecked

from sdexplore import load
from sdexplore.base.errors import LoadError
from sdexplore.model.components.source_name import model_source
from sdexplore.model.loading import load_pipeline

CUDA = torch.cuda.is_available()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    stable_diffusion().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """Saved in float16, as most checkpoints on the hub; "half" plainly, "variant" with fp16 in the files' names."""
    folder = tmp_path_factory.mktemp("half")
    pipe = stable_diffusion().to(torch.float16, silence_dtype_warnings=True)
    pipe.save_pretrained(folder / "half")
    pipe.save_pretrained(folder / "variant", variant="fp16")
    return folder


def networks(pipe):
    return {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}


def kinds(pipe):
    """(dtype, device) of every floating-point number in a pipeline."""
    held = (tensor for part in networks(pipe).values() for tensor in (*part.parameters(), *part.buffers()))
    return {(tensor.dtype, tensor.device.type) for tensor in held if tensor.is_floating_point()}


class TestSources:
    def test_the_default_is_the_embedded_model(self):
        pipe = load(device="cpu")
        assert type(pipe) is diffusers.StableDiffusionPipeline
        assert list(networks(pipe)) == ["vae", "text_encoder", "unet"]
        assert kinds(pipe) == {(torch.float32, "cpu")}
        assert len(pipe.unet.attn_processors) == 32
        assert len(pipe.tokenizer) == 49408
        assert model_source(pipe) == "mini"
        assert str(Path(load_pipeline.__file__).parents[1]) not in repr(pipe)  # no path of this machine
        assert load("mini", device="cpu").unet is not pipe.unet

    @pytest.mark.parametrize("form", [str, Path, "relative", "home"])
    def test_a_folder_however_it_is_named_has_its_weights(self, saved, form, monkeypatch):
        monkeypatch.setenv("HOME", str(saved.parent))
        monkeypatch.chdir(saved.parent)
        source = {"relative": "tiny", "home": "~/tiny"}.get(form) or form(saved)
        pipe = load(source, device="cpu")
        assert model_source(pipe) == "tiny"
        for name, part in networks(stable_diffusion()).items():
            loaded = getattr(pipe, name).state_dict()
            assert all(torch.equal(loaded[key], tensor) for key, tensor in part.state_dict().items())

    def test_sdxl_loads_as_itself(self, tmp_path):
        stable_diffusion_xl().save_pretrained(tmp_path / "xl")
        pipe = load(tmp_path / "xl", device="cpu", dtype="float16")
        assert type(pipe) is diffusers.StableDiffusionXLPipeline
        assert len(networks(pipe)) == 4
        assert kinds(pipe) == {(torch.float16, "cpu")}

    def test_the_hub_s_cache_serves_without_a_connection(self, saved, tmp_path):
        snapshot = cached(tmp_path, "someone/a-model.v1", saved)
        pipe = load("someone/a-model.v1", cache_dir=tmp_path, device="cpu")
        assert kinds(pipe) == {(torch.float32, "cpu")}
        assert model_source(pipe) == "someone/a-model.v1"
        assert model_source(load(snapshot, device="cpu")) == "someone/a-model.v1"

    def test_a_revision_in_the_cache(self, saved, tmp_path):
        cached(tmp_path, "someone/model", saved, revision="fp16")
        assert load("someone/model", revision="fp16", cache_dir=tmp_path, device="cpu").unet
        with pytest.raises(LoadError, match="'someone/model' is not wholly on this machine"):
            load("someone/model", cache_dir=tmp_path)

    def test_the_article_s_model_is_found_where_it_is_now_with_one_notice(self, saved, tmp_path):
        cached(tmp_path, "stable-diffusion-v1-5/stable-diffusion-v1-5", saved)
        load_pipeline._tell_moved.cache_clear()
        with pytest.warns(UserWarning, match=r"^runwayml/stable-diffusion-v1-5 is gone from the hub; loading ") as said:
            pipe = load("runwayml/stable-diffusion-v1-5", cache_dir=tmp_path, device="cpu")
        assert len(said) == 1
        assert model_source(pipe) == "stable-diffusion-v1-5/stable-diffusion-v1-5"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load("runwayml/stable-diffusion-v1-5", cache_dir=tmp_path, device="cpu")

    def test_the_notice_points_at_the_user_s_line(self):
        free = unchecked("model.loading.load_pipeline")  # the checker's frames stand between otherwise
        with pytest.warns(UserWarning, match="gone from the hub") as said, pytest.raises(LoadError):
            free.load("runwayml/stable-diffusion-v1-5")
        assert said[0].filename == __file__

    def test_a_pipeline_of_no_source_is_unknown_and_no_path_is_told(self, tiny):
        assert model_source(tiny) == "unknown"
        assert model_source(object()) == "unknown"
        tiny.register_to_config(_name_or_path="/home/me/models/mine")
        assert model_source(tiny) == "mine"


class TestDtype:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            (None, torch.float32),
            ("float16", torch.float16),
            ("torch.bfloat16", torch.bfloat16),
            (torch.float16, torch.float16),
            (torch.float32, torch.float32),
        ],
    )
    def test_all_components_of_a_half_precision_checkpoint_end_in_one(self, half, asked, expected):
        pipe = load(half / "half", dtype=asked, device="cpu")
        assert kinds(pipe) == {(expected, "cpu")}

    def test_diffusers_own_word_works_too(self, saved):
        assert kinds(load(saved, torch_dtype=torch.float16, device="cpu")) == {(torch.float16, "cpu")}

    def test_a_component_that_was_handed_over_is_brought_to_it(self, half):
        own = unet().to(torch.float16)
        pipe = load(half / "half", unet=own, device="cpu")
        assert pipe.unet is own
        assert kinds(pipe) == {(torch.float32, "cpu")}

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("float61", "dtype 'float61' is no format for weights; did you mean 'float64' or 'float16'"),
            ("int8", "dtype 'int8' is no format for weights; there is 'float16', 'bfloat16', 'float32', 'float64'"),
            (torch.int64, "dtype torch.int64 is no format for weights"),
            ("Tensor", "dtype 'Tensor' is no format"),
        ],
    )
    def test_another_is_refused(self, asked, message):
        with pytest.raises(LoadError, match=message):
            load(dtype=asked)


class TestDevice:
    def test_the_default_is_the_fastest_that_is_there(self, saved):
        mps = torch.backends.mps.is_available()
        expected = ("cuda", torch.float16) if CUDA else ("mps", torch.float16) if mps else ("cpu", torch.float32)
        assert kinds(load(saved)) == {expected[::-1]}

    @pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "cpu:0"])
    def test_every_way_to_say_it(self, saved, device):
        assert kinds(load(saved, device=device)) == {(torch.float32, "cpu")}

    @pytest.mark.parametrize(
        ("device", "message"),
        [
            ("gpu", r"no device is called 'gpu'; here is .*cpu$"),
            ("cuda:99", r"device 'cuda:99' cannot be used \(.*\); here is .*cpu$"),
            ("meta", "device 'meta' holds no weights"),
            ("", "no device is called ''"),
        ],
    )
    def test_another_is_refused_before_anything_is_read(self, device, message):
        with pytest.raises(LoadError, match=message):
            load("no/such", device=device)

    def test_the_weights_stay_where_diffusers_places_them(self, saved):
        pipe = load(saved, device_map="cpu")
        assert pipe.hf_device_map
        assert kinds(pipe) == {(torch.float16 if CUDA else torch.float32, "cpu")}
        with pytest.raises(LoadError, match="device='cpu' and device_map= both place the weights; give one"):
            load(saved, device="cpu", device_map="cpu")

    def test_too_small_a_device_is_told_with_the_way_out(self, saved, monkeypatch):
        def full(*_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

        monkeypatch.setattr(diffusers.DiffusionPipeline, "to", full)
        with pytest.raises(LoadError, match=r"does not fit on cpu; float16 takes half .*enable_model_cpu_offload\(\)"):
            load(saved, device="cpu")


class TestScheduler:
    def test_by_name_it_takes_the_config_of_the_pipeline_s_own(self, saved):
        pipe = load(saved, scheduler="DDIM", device="cpu")
        assert type(pipe.scheduler) is diffusers.DDIMScheduler
        assert pipe.components["scheduler"] is pipe.scheduler
        assert torch.equal(pipe.scheduler.alphas_cumprod, pndm().alphas_cumprod)
        assert pipe.scheduler.config.steps_offset == 1

    def test_an_object_is_taken_as_it_is(self, saved):
        own = pndm(beta_schedule="linear")
        assert load(saved, scheduler=own, device="cpu").scheduler is own

    def test_a_wrong_name_costs_no_download(self):
        with pytest.raises(LoadError, match="no scheduler that fits is called 'DDIN'; did you mean 'DDIM'"):
            load("no/such", scheduler="DDIN")

    def test_a_class_is_none(self):
        message = "a scheduler is a name such as 'DDIM' or an object, not <class '.*DDIMScheduler'>"
        with pytest.raises(LoadError, match=message):
            unchecked("model.loading.load_pipeline").load(scheduler=diffusers.DDIMScheduler)


class TestArguments:
    def test_a_variant_is_found_by_its_name(self, half):
        assert kinds(load(half / "variant", variant="fp16", device="cpu")) == {(torch.float32, "cpu")}
        with pytest.raises(
            LoadError, match=r"'text_encoder' in '.*variant' has its weights as a variant; give variant="
        ):
            load(half / "variant")
        with pytest.raises(LoadError, match=r"half' could not be loaded: .*`variant=ema`"):
            load(half / "half", variant="ema")

    def test_a_component_can_be_left_out(self, half, tmp_path):
        folder = shutil.copytree(half / "half", tmp_path / "broken")
        shutil.rmtree(folder / "vae")
        assert load(folder, vae=None, device="cpu").vae is None

    @pytest.mark.parametrize("name", ["trust_remote_code", "custom_pipeline", "custom_revision"])
    def test_remote_code_is_never_run(self, saved, name):
        with pytest.raises(LoadError, match=f"{name}= would run code from the hub; remote code is never run"):
            load(saved, **{name: "someone/else"})
        assert load(saved, device="cpu", **{name: None})

    def test_pickles_are_refused_unless_insisted_on(self, half, tmp_path):
        folder = tmp_path / "pickled"
        load(half / "half", device="cpu").save_pretrained(folder, safe_serialization=False)
        with pytest.raises(
            LoadError, match=r"'\w+' in '.*pickled' has pickled weights only, .*\.bin\. .*allow_pickle=True"
        ):
            load(folder)
        with pytest.raises(LoadError, match="use_safetensors=False asks for pickles"):
            load(folder, use_safetensors=False)
        for how in ({}, {"use_safetensors": False}):
            assert kinds(load(folder, allow_pickle=True, device="cpu", **how)) == {(torch.float32, "cpu")}


class TestQuiet:
    def test_mini_prints_nothing_and_a_folder_shows_its_progress(self, saved):
        """As users run it: with no word from the environment on what transformers may say."""
        script = f"import sys, sdexplore as sdx; sdx.load(); print('then', file=sys.stderr); sdx.load({str(saved)!r})"
        free = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=free)
        before, _, after = done.stderr.partition("then\n")
        # of diffusers 0.36 itself, while it is imported where torch could use a GPU and there is none
        before = re.sub(r".*autocast_mode.py:\d+: UserWarning: User provided device_type.*\n.*\n", "", before)
        assert (done.stdout, before) == ("", "")
        assert "Loading pipeline components" in after
        assert "torchvision" not in after

    def test_the_user_s_logging_is_as_it_was(self, saved, monkeypatch):
        monkeypatch.setattr(transformers.utils.logging, "_tqdm_active", False)

        def state():
            loggers = [logging.root, *map(logging.getLogger, sorted(logging.root.manager.loggerDict))]
            flags = [lib.utils.logging.is_progress_bar_enabled() for lib in (diffusers, transformers)]
            return (
                [(x.name, x.level, x.propagate, x.disabled, [*x.handlers], [*x.filters]) for x in loggers],
                [*flags, huggingface_hub.utils.are_progress_bars_disabled()],
                [*warnings.filters],
                {key: os.environ[key] for key in os.environ if key.startswith(("HF_", "TRANSFORMERS_"))},
            )

        load(device="cpu")  # what the libraries set up at first use is theirs
        assert not any(load_pipeline._worth_saying in logging.getLogger(name).filters for name in load_pipeline.CHATTY)
        before = state()
        load(device="cpu")
        load(saved, device="cpu")
        with pytest.raises(LoadError):
            load("no/such")
        assert state() == before

    def test_torch_s_random_numbers_are_not_drawn(self, saved):
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        load(saved, device="cpu")
        assert torch.equal(torch.rand(2), expected)
