"""Every family in every layout opens, is recognised, loses no number, and draws the picture of the original."""

import functools
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from checkpoint_layouts import FAMILIES, LAYOUTS, pipeline_of, tiny_networks
from tiny_families import mask, picture
from torch import nn

import sdexplore as sdx

UNREAD = r".*its text_encoder has no place for 'text_projection.weight'; left unread"
MISSING = r".*has no folder 'safety_checker'"
# The architectures come in every layout; what differs in header, input channels and scheduler alone, as single files.
ARCHITECTURES = ("SD 1.x", "SD 2.x v", "SDXL base", "SDXL refiner")
OF_CLIP = ("single file of a fine-tune", "single file with bare names")  # where OpenAI's CLIP is
MATRIX = [
    (family, layout)
    for family in FAMILIES
    for layout in (LAYOUTS if family in ARCHITECTURES else ["single file"])
    if layout not in OF_CLIP or family in ("SD 1.x", "SDXL base")
]
DRAWN = (*ARCHITECTURES, "SD 1.x inpainting")


@functools.cache
def made(family):
    """The tiny networks of a family, once for all layouts."""
    return tiny_networks(family)


@pytest.mark.parametrize(("family", "layout"), MATRIX)
def test_it_opens_whole_and_says_what_it_is(family, layout, tmp_path):
    parts = made(family)
    base, _, pipeline, scheduler, prediction, side = FAMILIES[family]
    path, how = LAYOUTS[layout](family, parts, tmp_path)
    told = pytest.warns(UserWarning, match=UNREAD) if "fine-tune" in layout else nullcontext()
    with warnings.catch_warnings(), told:
        warnings.filterwarnings("ignore", MISSING)
        pipe = sdx.load(path, device="cpu", **how)
    assert type(pipe).__name__ == pipeline
    assert type(pipe.scheduler).__name__ == scheduler
    assert pipe.scheduler.config.prediction_type == prediction
    found = {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}
    assert set(found) == set(parts)
    for name, network in parts.items():
        tensors, loaded = network.state_dict(), found[name].state_dict()
        assert set(tensors) == set(loaded)
        half = how.get("dtype") == "float16"
        assert all(torch.equal(t.half() if half else t, loaded[key]) for key, t in tensors.items())
    for name, encoder in (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")):
        if encoder in parts:
            padding = "!" if base == "SD 2.x" or name == "tokenizer_2" else "<|endoftext|>"
            ids = getattr(pipe, name)("a cat", padding="max_length", max_length=77).input_ids
            assert ids[:4] == [49406, 320, 2368, 49407]
            assert set(ids[4:]) == {0 if padding == "!" else 49407}
    said = sdx.inspect(path)
    assert said.pipeline == pipeline
    assert said.summary["predicts"] == prediction
    assert said.summary["scheduler"] == scheduler
    for name in ("unet", "vae"):
        assert said[name].parameters == sum(p.numel() for p in parts[name].parameters())
    if "single" in layout:
        assert said.family == family
        assert said["unet"].dtypes.keys() == {"float16" if "float16" in layout else "float32"}
        # The configuration's side is the family's, so that a call without height and width draws what it was made for.
        assert pipe.unet.config.sample_size * 8 == side


@pytest.mark.parametrize("family", DRAWN)
def test_the_picture_of_a_single_file_is_that_of_its_origin(family, tmp_path):
    parts = made(family)
    path, _ = LAYOUTS["single file"](family, parts, tmp_path)
    arguments = {"prompt": "a cat", "num_inference_steps": 2, "output_type": "np"}
    if "Inpaint" in FAMILIES[family][2] or "Img2Img" in FAMILIES[family][2]:
        arguments |= {"image": picture()} | ({"mask_image": mask()} if "Inpaint" in FAMILIES[family][2] else {})
        arguments |= {"strength": 1.0} if "Img2Img" in FAMILIES[family][2] else {}
    if "Inpaint" in FAMILIES[family][2] or "image" not in arguments:
        arguments |= {"height": 64, "width": 64}
    pictures = []
    for pipe in (pipeline_of(family, parts), sdx.load(path, device="cpu")):
        pipe.set_progress_bar_config(disable=True)
        pictures.append(pipe(**arguments, generator=torch.Generator().manual_seed(3)).images[0])
    assert np.array_equal(*pictures)
    assert pictures[0].std() > 0
