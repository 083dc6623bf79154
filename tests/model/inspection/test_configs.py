"""Configurations of every kind of component, and the differences between two."""

import json
import re
from html import unescape

import pytest
import torch
import transformers
from diffusers import DDIMScheduler
from tiny_families import stable_diffusion_2
from tiny_pipelines import pndm, stable_diffusion, stable_diffusion_xl, unet
from transformers import CLIPTokenizerFast

from sdexplore import config, config_diff, load
from sdexplore.base.errors import InspectionError
from sdexplore.records.configs import ABSENT

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def sd():
    return stable_diffusion()


@pytest.fixture(scope="module")
def xl():
    return stable_diffusion_xl()


class TestConfig:
    @pytest.mark.parametrize(
        ("component", "class_name", "known"),
        [
            ("unet", "UNet2DConditionModel", {"cross_attention_dim": 32, "block_out_channels": (32, 64)}),
            ("vae", "AutoencoderKL", {"scaling_factor": 0.18215, "latent_channels": 4}),
            ("text_encoder", "CLIPTextModel", {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 49408}),
            ("tokenizer", CLIPTokenizerFast.__name__, {"model_max_length": 77, "pad_token": "<|endoftext|>"}),
            ("scheduler", "PNDMScheduler", {"prediction_type": "epsilon", "skip_prk_steps": True}),
        ],
    )
    def test_every_component_tells_by_its_name_and_by_itself(self, sd, component, class_name, known):
        found = config(sd, component)
        assert known.items() <= dict(found).items()
        assert found.class_name == class_name
        assert repr(found).startswith(f"{component}: {class_name}\n")
        assert dict(config(getattr(sd, component))) == dict(found)

    def test_a_feature_extractor_tells_too(self):
        newest = getattr(transformers, "CLIPImageProcessorPil", None)  # where the plain name needs torchvision
        assert config((newest or transformers.CLIPImageProcessor)(crop_size=12))["crop_size"] == {
            "height": 12,
            "width": 12,
        }

    def test_diffusers_own_values_are_all_there_and_nothing_private(self, sd):
        expected = {key: value for key, value in sd.unet.config.items() if not key.startswith("_")}
        assert dict(config(sd, "unet")) == expected

    def test_without_a_name_it_is_the_pipeline_s_own(self, sd):
        found = config(sd)
        assert found["unet"] == ("diffusers", "UNet2DConditionModel")
        assert found["safety_checker"] == (None, None)

    def test_no_path_of_this_machine_is_told(self):
        pipe = load(device="cpu")
        for component in (None, *(name for name, part in pipe.components.items() if part is not None)):
            assert "site-packages" not in repr(config(pipe, component))
            assert not re.search(r"sdexplore/|/mini/", repr(config(pipe, component)))

    def test_a_compiled_network_bears_its_own_name(self, sd):
        assert config(torch.compile(sd.unet)).class_name == "UNet2DConditionModel"

    @pytest.mark.parametrize(
        ("component", "message"),
        [
            ("unett", "the StableDiffusionPipeline has no component 'unett'; did you mean 'unet'"),
            ("text_encoder_2", "no component 'text_encoder_2'; did you mean 'text_encoder'"),
            ("transformer", "no component 'transformer'; there is 'vae', 'text_encoder', 'tokenizer', 'unet'"),
            ("", "no component ''; there is 'vae'"),
            ("safety_checker", "component 'safety_checker' of this StableDiffusionPipeline is null"),
        ],
    )
    def test_a_component_that_is_not_there(self, sd, component, message):
        with pytest.raises(InspectionError, match=message):
            config(sd, component)

    def test_what_has_none_of_its_own(self):
        with pytest.raises(InspectionError, match="42 has no configuration"):
            config(42)
        with pytest.raises(
            InspectionError, match=r"a diffusers pipeline is needed, not a str; sdx.load\('mini'\) makes"
        ):
            config("mini", "unet")
        bare = stable_diffusion()
        bare.unet = torch.nn.Linear(1, 1)
        with pytest.raises(InspectionError, match="component 'unet', a Linear, has no configuration"):
            config(bare, "unet")

    def test_hostile_values_are_shown_and_harmless(self):
        class Rude:
            def __str__(self):
                raise RuntimeError

        endless = {}
        endless["again"] = endless
        owner = {EVIL: EVIL, "rude": Rude(), "endless": endless, "tensor": torch.zeros(9, 9), "long": "x" * 100_000}
        found = config(owner)
        assert found[EVIL] == EVIL
        assert found["rude"] == "a Rude without text"
        json.dumps(dict(found))  # plain values
        html = found._repr_html_()
        assert "<script>" not in html
        assert "&lt;/script&gt;" in html
        assert max(len(html), len(repr(found))) < 20_000

    def test_text_and_html_list_the_same_facts(self, sd, xl):
        for shown in (config(sd, "unet"), config(sd, "tokenizer"), config_diff(sd, xl), config_diff(sd, sd)):
            in_html = unescape(re.sub("<[^>]+>", " ", shown._repr_html_()))
            assert set(re.findall(r"\w+", in_html)) == set(re.findall(r"\w+", repr(shown)))


class TestDiff:
    def test_two_schedulers(self):
        found = config_diff(pndm(), DDIMScheduler(beta_start=0.00085, beta_end=0.012))
        assert (found["beta_schedule"].a, found["beta_schedule"].b) == ("scaled_linear", "linear")
        assert found["skip_prk_steps"].only_in == "a"
        assert found["skip_prk_steps"].b is ABSENT
        assert found["clip_sample"].only_in == "b"
        assert found["class"].a == "PNDMScheduler"
        assert "beta_start" not in [row.key for row in found]
        assert [row.only_in for row in found] == sorted((row.only_in for row in found), key=lambda side: side or "")
        both = set(pndm().config) & set(DDIMScheduler().config)
        assert found.same + sum(row.only_in is None for row in found) == len({k for k in both if k[0] != "_"}) + 1

    def test_two_pipelines_go_component_by_component(self, sd, xl):
        found = config_diff(sd, xl)
        assert found["unet.cross_attention_dim"].a == 32
        assert found["unet.cross_attention_dim"].b == 64
        assert (found["text_encoder_2"].only_in, found["text_encoder_2"].b) == ("b", "CLIPTextModelWithProjection")
        assert (found["safety_checker"].only_in, found["safety_checker"].a) == ("a", None)
        assert found["vae.scaling_factor"].b == 0.13025  # SDXL's
        assert "vae.latent_channels" not in [row.key for row in found]
        assert "StableDiffusionPipeline against StableDiffusionXLPipeline" in repr(found)
        second = config_diff(sd, stable_diffusion_2())
        assert second["scheduler.class"].b == "DDIMScheduler"
        assert second["unet.block_out_channels"].b == (32, 64, 96)

    def test_the_same_twice_is_no_difference(self, sd):
        found = config_diff(sd, sd)
        assert not found
        assert found.same > 100
        assert "0 differ" in repr(found)

    def test_lists_and_tuples_of_equal_values_are_equal_and_so_is_no_number(self):
        a = {"size": (1, [2, 3]), "eps": float("nan"), "same": None, "kind": True}
        b = {"size": [1, (2, 3)], "eps": float("nan"), "same": None, "kind": "yes"}
        assert [row.key for row in config_diff(a, b)] == ["kind"]
        assert config_diff(a, b).same == 3

    def test_records_and_objects_mix(self, sd):
        assert not config_diff(config(sd, "unet"), sd.unet)
        assert not config_diff(sd.unet, torch.compile(sd.unet))
        assert [row.key for row in config_diff(sd.unet, unet(sample_size=16))] == ["sample_size"]

    @pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
    def test_a_pipeline_and_a_component_have_nothing_in_common(self, sd, order):
        one, other = (sd, sd.unet)[order]
        with pytest.raises(InspectionError, match=r"have no keys in common; .*config_diff\(one\.unet, other\.unet\)"):
            config_diff(one, other)

    def test_what_has_none(self, sd):
        with pytest.raises(InspectionError, match="'mini' has no configuration to compare"):
            config_diff("mini", sd.unet)
