"""Fitting: the choices for each machine, that they are applied and printed, and that pictures do not change."""

import accelerate
import numpy as np
import pytest
import torch
from checkpoint_layouts import LAYOUTS, tiny_networks
from diffusers.models.attention_processor import SlicedAttnProcessor
from original_layout import networks, state_dict, write_sparse
from witness import untraced

import sdexplore as sdx
from sdexplore.base.errors import LoadError
from sdexplore.model.loading import fit_to_machine, load_pipeline
from sdexplore.model.loading.fit_to_machine import Room, needs_of, plan

GIB = 2**30
CUDA, CPU, MPS = (torch.device(name) for name in ("cuda", "cpu", "mps"))


@pytest.fixture(scope="module")
def needs(tmp_path_factory):
    """What the real SD 1.5 and SDXL take."""
    found = {}
    for family in ("SD 1.x", "SDXL base"):
        path = tmp_path_factory.mktemp("full") / "model.safetensors"
        write_sparse(state_dict(family, networks(family, tiny=False)), path)
        found[family] = needs_of(sdx.inspect(path))
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return LAYOUTS["folder"]("SD 1.x", tiny_networks("SD 1.x"), tmp_path_factory.mktemp("fit"))[0]


@pytest.mark.parametrize(
    ("family", "device", "free", "host", "chosen"),
    [
        ("SD 1.x", CUDA, 8, 16, "float16"),
        ("SD 1.x", CUDA, 2.4, 16, "float16, slicing, tiling, model offload"),
        ("SD 1.x", CUDA, 1.2, 16, "float16, slicing, tiling, sequential offload"),
        ("SDXL base", CUDA, 24, 32, "float16"),
        ("SDXL base", CUDA, 9.8, 32, "float16, slicing, tiling"),
        ("SDXL base", CUDA, 7.5, 32, "float16, slicing, tiling, model offload"),
        ("SDXL base", CUDA, 4, 32, "float16, slicing, tiling, sequential offload"),
        ("SD 1.x", CPU, 16, 16, "float32"),
        ("SD 1.x", CPU, 3.5, 3.5, "bfloat16"),
        ("SDXL base", CPU, 9, 9, "bfloat16, slicing, tiling"),
        ("SDXL base", MPS, 32, 32, "float16"),
        ("SDXL base", MPS, 9.8, 9.8, "float16, slicing, tiling"),
    ],
)
def test_the_cheapest_way_that_fits(needs, family, device, free, host, chosen):
    found = plan(needs[family], Room(device, int(free * GIB), int(host * GIB)))
    assert ", ".join(found.names) == chosen
    assert found.needed <= 0.9 * free * GIB
    run = max(found.parts["denoising"], found.parts["decoding"])
    assert found.needed == found.parts["weights"] + run + found.parts.get("overhead", 0)
    assert all(choice.cost in repr(found) for choice in found.choices)


def test_weights_are_counted_exactly(needs):
    found = plan(needs["SD 1.x"], Room(CUDA, 80 * GIB, 80 * GIB))
    assert found.parts["weights"] == 2 * (859_520_964 + 83_653_863 + 123_060_480)


def test_where_nothing_fits_it_is_said_before_anything_is_loaded(needs):
    with pytest.raises(LoadError, match=r"sequential offload would still need .* on cuda, where 512.0 MiB are free"):
        plan(needs["SDXL base"], Room(CUDA, GIB // 2, 64 * GIB))
    with pytest.raises(LoadError, match=r"finds no way"):  # what is offloaded must be somewhere
        plan(needs["SDXL base"], Room(CUDA, 4 * GIB, 4 * GIB))
    assert plan(needs["SD 1.x"], Room(CPU, 40 * GIB, 40 * GIB), torch.float64).names == ("float64",)


@pytest.mark.parametrize(("share", "dtype"), [(100, "float32"), (1.6, "float32"), (0.8, "bfloat16")])
def test_what_was_chosen_is_done_said_and_traced(saved, share, dtype, monkeypatch, capsys):
    """A machine that has `share` of what float32 takes; the picture of a traced run is that of an untraced one."""
    monkeypatch.setattr(fit_to_machine, "_LIBRARIES", 0)  # they are more than all of a tiny model
    usual = plan(needs_of(sdx.inspect(saved)), Room(CPU, 10**12, 10**12)).needed
    free = int(usual * share / 0.9)
    monkeypatch.setattr(load_pipeline, "room_of", lambda device: Room(device, free, free))
    pipe = sdx.load(saved, device="cpu", fit=True)
    found = fit_to_machine.fit_of(pipe)
    assert found.names[0] == dtype
    assert capsys.readouterr().out.strip() == str(found)
    assert sdx.components(pipe).summary["fit"] == str(found)
    assert {str(p.dtype) for p in pipe.unet.parameters()} == {f"torch.{found.names[0]}"}
    same_picture(pipe)


def same_picture(pipe):
    pipe.set_progress_bar_config(disable=True)
    arguments = {"prompt": "a cat", "num_inference_steps": 2, "height": 64, "width": 96}
    expected = untraced(pipe, 1, **arguments)[0]
    trace = sdx.run(pipe, **arguments, seed=5, record=sdx.Record(decode=0))
    assert np.array_equal(trace.image, (expected * 255).round().astype(np.uint8))
    assert len(trace.cross_attention["cond"]) == len(pipe.unet.attn_processors) // 2
    assert all(len(layer.steps) == len(trace.timesteps) for layer in trace.cross_attention["cond"].values())


@pytest.mark.parametrize("choices", ["tiling", "slicing", "attention slicing", "slicing, tiling, attention slicing"])
def test_every_choice_of_the_cpu_is_traced_as_it_is_untraced(saved, choices):
    pipe = sdx.load(saved, device="cpu")
    fit = plan(needs_of(sdx.inspect(saved)), Room(CPU, 10**12, 10**12))
    asked = (fit_to_machine._TILING, fit_to_machine._SLICING, fit_to_machine._ATTENTION)
    kept = tuple(choice for choice in asked if choice.name in choices.split(", "))
    pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 1024, 128
    assert not fit_to_machine.apply(pipe, fit_to_machine.Fit("cpu", 1, 1, {}, (*fit.choices, *kept)), CPU)
    assert pipe.vae.use_tiling == ("tiling" in choices)
    sides = (pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size)
    assert sides == ((512, 64) if "tiling" in choices else (1024, 128))
    assert pipe.vae.use_slicing == (choices.split(", ")[0] == "slicing")
    sliced = any(isinstance(one, SlicedAttnProcessor) for one in pipe.unet.attn_processors.values())
    assert sliced == ("attention" in choices)
    if "tiling" in choices:  # small tiles, so that the test's small picture has several
        pipe.vae.tile_sample_min_size, pipe.vae.tile_latent_min_size = 32, 4
    same_picture(pipe)


@pytest.mark.parametrize("kind", ["model offload", "sequential offload"])
def test_offload_is_asked_of_diffusers_and_traced_as_untraced(saved, kind, monkeypatch):
    """diffusers insists on an accelerator, so the device is checked and accelerate's own hooks stand in, on the CPU."""
    pipe = sdx.load(saved, device="cpu")
    asked = []

    def offload(name):
        def instead(*, device):
            asked.append((name, device))
            for part in (pipe.unet, pipe.vae, pipe.text_encoder):
                if name == "model":
                    accelerate.cpu_offload_with_hook(part, CPU)
                else:
                    accelerate.cpu_offload(part, CPU)

        return instead

    monkeypatch.setattr(pipe, "enable_model_cpu_offload", offload("model"))
    monkeypatch.setattr(pipe, "enable_sequential_cpu_offload", offload("sequential"))
    fit = fit_to_machine.Fit("cuda", 1, 1, {}, (fit_to_machine.Choice("float32", ""), fit_to_machine.Choice(kind, "")))
    assert fit_to_machine.apply(pipe, fit, CUDA)
    assert asked == [(kind.partition(" ")[0], CUDA)]
    same_picture(pipe)


def test_it_and_device_map_exclude_each_other(saved):
    with pytest.raises(LoadError, match="fit=True and device_map= both place the weights; give one"):
        sdx.load(saved, fit=True, device_map="cpu")


def test_a_source_that_is_not_there_is_explained_as_ever():
    with pytest.raises(LoadError, match="there is no file"):
        sdx.load("gone.safetensors", fit=True)
    with pytest.raises(LoadError, match="is not wholly on this machine"):
        sdx.load("some/where", fit=True, device="cpu")
