"""The safety checker is kept as the checkpoint has it; its verdict stands in the trace and in the picture's note."""

import shutil
import warnings

import pytest
import torch
from checkpoint_layouts import edit
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from tiny_pipelines import stable_diffusion
from transformers import CLIPConfig, CLIPImageProcessor
from witness import untraced

import sdexplore as sdx


def checker(verdict):
    """A tiny checker that finds every picture unsafe, or none."""
    torch.manual_seed(12)
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 16, "patch_size": 8, "projection_dim": 8}
    found = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8)).eval()
    # A concept is found where the cosine with its embedding is above its threshold.
    found.concept_embeds_weights.data.fill_(-2.0 if verdict else 2.0)
    found.special_care_embeds_weights.data.fill_(2.0)
    return found


@pytest.fixture(params=[True, False], ids=["unsafe", "safe"])
def saved(request, tmp_path):
    """(folder of a checkpoint with a checker and its processor, in an old layout's names; the verdict)."""
    pipe = stable_diffusion()
    processor = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    pipe.register_modules(safety_checker=checker(request.param), feature_extractor=processor)
    pipe.register_to_config(requires_safety_checker=True)
    folder = tmp_path / "checked"
    pipe.save_pretrained(folder)
    edit(folder / "model_index.json", feature_extractor=["transformers", "CLIPFeatureExtractor"])
    edit(folder / "feature_extractor" / "preprocessor_config.json", feature_extractor_type="CLIPFeatureExtractor")
    return folder, request.param


def test_it_is_kept_and_its_verdict_is_in_trace_and_picture(saved):
    folder, unsafe = saved
    pipe = sdx.load(folder, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    assert isinstance(pipe.safety_checker, StableDiffusionSafetyChecker)
    arguments = {"prompt": "a cat", "num_inference_steps": 1, "height": 64, "width": 64}
    expected = untraced(pipe, 1, **arguments)[0]
    trace = sdx.run(pipe, **arguments, seed=5)
    assert trace.flags == {"nsfw_content_detected": unsafe}
    assert (expected == 0).all() == (trace.image == 0).all() == unsafe
    assert ("The safety checker found the picture unsafe and made it black." in repr(trace)) == unsafe
    assert ("a picture that the safety checker made black" in sdx.views.denoising(trace).alt) == unsafe
    for picture in (sdx.views.denoising(trace), sdx.views.attention(trace, ["cat"])):
        texts = [picture.figure.get_suptitle(), *(text.get_text() for text in picture.figure.texts)]
        assert any("made black by the safety checker" in text for text in texts) == unsafe


def test_before_loading_it_is_told(saved):
    folder, _ = saved
    said = sdx.inspect(folder)
    assert said["safety_checker"].class_name == "StableDiffusionSafetyChecker"
    assert said["safety_checker"].parameters > 0
    assert said["feature_extractor"].class_name == "CLIPFeatureExtractor"


def test_without_its_folder_the_rest_loads_with_a_word(saved):
    folder, _ = saved
    shutil.rmtree(folder / "safety_checker")
    with pytest.warns(UserWarning, match="has no folder 'safety_checker', which its model_index.json names"):
        pipe = sdx.load(folder, device="cpu")
    assert pipe.safety_checker is None
    assert sdx.inspect(folder)["safety_checker"].note
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sdx.load(folder, device="cpu", safety_checker=None).safety_checker is None
