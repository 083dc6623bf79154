"""Components, module trees and attention layers of real pipelines; looking at them changes nothing."""

import gc
import os
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import diffusers
import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from tiny_families import controlnet, inpaint, lora_weights, stable_diffusion_2, wide
from tiny_pipelines import stable_diffusion, stable_diffusion_xl, unet
from torch import nn
from transformers import CLIPTokenizerFast
from unchecked import unchecked

import sdexplore as sdx
from sdexplore import components, load, tree
from sdexplore.base.display import Line, Tree
from sdexplore.base.errors import InspectionError
from sdexplore.model.components.pipeline_parts import attention_layers, latent_grid

EVIL = "</script><script>alert(1)</script>"
GOLDEN = Path(__file__).parents[2] / "golden" / "tiny_unet.txt"  # OVERWRITE_GOLDEN=1 pytest ... writes it anew


@pytest.fixture(scope="module")
def sd():
    """For those who only look."""
    return stable_diffusion()


@pytest.fixture(scope="module")
def xl():
    return stable_diffusion_xl()


@pytest.fixture(scope="module")
def seen(sd):
    """The tree of the tiny UNet."""
    return tree(sd)


def words(text):
    return set(re.findall(r"\w+", unescape(re.sub("<[^>]+>", " ", text))))


def counted(module):
    return sum(parameter.numel() for parameter in module.parameters())


class TestComponents:
    def test_every_component_has_its_row(self, sd):
        found = components(sd)
        assert list(found) == list(sd.components)
        for name in ("unet", "vae", "text_encoder"):
            part, row = getattr(sd, name), found[name]
            assert row.class_name == type(part).__name__
            assert row.parameters == counted(part)
            assert (row.dtypes, row.devices) == (("float32",), ("cpu",))
            assert row.bytes == 4 * counted(part) + sum(b.numel() * b.element_size() for b in part.buffers())
        assert found["unet"].library == "diffusers"
        assert found["text_encoder"].library == "transformers"
        assert (found["tokenizer"].class_name, found["tokenizer"].parameters) == (CLIPTokenizerFast.__name__, None)
        assert found["safety_checker"].class_name is None
        assert found.parameters == sum(map(counted, (sd.unet, sd.vae, sd.text_encoder)))
        assert "8 components, 3 of them null" in repr(found)
        assert re.search(r"safety_checker +null\n", repr(found))

    def test_the_summary_says_what_the_article_looks_up(self, sd):
        assert dict(components(sd).summary) == {
            "guidance": "not run yet",
            "scheduler": "PNDMScheduler",
            "prediction type": "epsilon",
            "latents": "4 channels of 8 × 8 for an image of 64 × 64 pixels",
            "cross-attention": "4 layers: 3 at 8 × 8, 1 at 4 × 4",
            "self-attention": "4 layers: 3 at 8 × 8, 1 at 4 × 4",
        }

    @pytest.mark.parametrize(("scale", "says"), [(3.5, "in use"), (1.0, "not in use")])
    def test_after_a_run_it_says_whether_guidance_was_in_use(self, tiny, scale, says):
        tiny("a cat", num_inference_steps=1, guidance_scale=scale, output_type="latent")
        assert components(tiny).summary["guidance"] == f"{says} in the last run, guidance_scale {scale}"

    def test_the_embedded_model(self):
        found = components(load(device="cpu"))
        assert found.summary["latents"] == "4 channels of 32 × 32 for an image of 256 × 256 pixels"
        assert found.summary["cross-attention"].startswith("16 layers: 5 at 32 × 32, 5 at 16 × 16")

    def test_other_families(self, xl):
        found = components(xl)
        assert found["text_encoder_2"].class_name == "CLIPTextModelWithProjection"
        assert found.summary["cross-attention"] == "8 layers: 8 at 4 × 4"
        assert components(stable_diffusion_2()).summary["prediction type"] == "v_prediction"
        assert components(inpaint(9)).summary["latents"].endswith("; the UNet takes 9 channels")
        assert components(controlnet())["controlnet"].parameters > 100_000

    def test_dtypes_devices_and_bytes_of_a_mixture(self, tiny):
        before = components(tiny)
        tiny.vae.encoder.half()
        tiny.unet.to("meta")
        found = components(tiny)
        assert found["vae"].dtypes == ("float32", "float16")
        assert found["vae"].bytes == before["vae"].bytes - 2 * counted(tiny.vae.encoder)
        assert found["unet"].devices == ("meta",)
        assert found["unet"].bytes == before["unet"].bytes

    def test_shared_parameters_count_once(self, tiny):
        tiny.unet.again = tiny.unet.conv_in
        assert components(tiny)["unet"].parameters == counted(tiny.unet) == counted(unet())

    def test_without_a_unet_the_rest_is_told(self, tiny):
        tiny.unet = None
        found = components(tiny)
        assert found["unet"].class_name is None
        assert found.summary["attention"].startswith("the StableDiffusionPipeline has no denoiser")

    def test_what_is_no_pipeline(self, sd):
        with pytest.raises(InspectionError, match=r"not a str; sdx\.load\('mini'\) makes one"):
            unchecked("model.inspection.components").components("mini")
        with pytest.raises(InspectionError, match=r"a diffusers pipeline is needed, not a UNet2DConditionModel$"):
            unchecked("model.inspection.components").components(sd.unet)

    def test_print_stays_diffusers_own(self, sd):
        components(sd)
        assert type(sd).__repr__ is diffusers.DiffusionPipeline.__repr__
        assert repr(sd).startswith("StableDiffusionPipeline {")


def rows(blocks):
    """(its own parameters, the sum below as told, children) of a tree's blocks, read from what is shown."""

    def told(facts):
        total = re.search(r"([\d,]+) parameters", facts)
        own = re.search(r"([\d,]+) its own", facts)
        return tuple(int(hit[1].replace(",", "")) if hit else 0 for hit in (total, own))

    def row(branch):
        return (*told(branch.facts), [row(child) for child in branch.children])

    lines = [block for block in blocks if isinstance(block, Line)]
    return (*told(lines[1].text), [row(block) for block in blocks if isinstance(block, Tree)])


def sums_to_its_total(row):
    total, own, children = row
    return not children or (
        total == own + sum(child[0] for child in children) and all(map(sums_to_its_total, children))
    )


class TestTree:
    def test_golden_text(self, seen):
        shown = "".join(f"depth={depth}\n{replace(seen, depth=depth)}\n\n" for depth in (0, 1, 2))
        shown += f"{replace(seen, depth=9)['mid_block']}\n"
        if os.environ.get("OVERWRITE_GOLDEN"):
            GOLDEN.write_text(shown, encoding="utf-8")
        assert shown == GOLDEN.read_text(encoding="utf-8")

    @pytest.mark.parametrize("component", ["unet", "vae", "text_encoder", "text_encoder_2"])
    def test_shown_parameters_sum_to_the_total_at_any_depth(self, xl, component):
        found = tree(xl, component)
        for depth in range(9):
            shown = rows(found.blocks(depth))
            assert shown[0] == counted(getattr(xl, component)) == found.parameters
            assert sums_to_its_total(shown)
            assert bool(shown[2]) is (depth > 0)

    def test_every_module_is_a_node_with_its_own_count(self, sd, seen):
        modules = dict(sd.unet.named_modules())
        assert sorted(node.name for node in seen) == sorted(modules)
        assert [child.name for child in seen.root.children] == [
            *("time_proj", "time_embedding", "conv_in", "down_blocks", "mid_block", "up_blocks"),
            *("conv_norm_out", "conv_act", "conv_out"),
        ]
        assert all(node.parameters == counted(modules[node.name]) for node in seen)
        assert all(node.class_name == type(modules[node.name]).__name__ for node in seen)

    def test_output_shapes_are_those_of_a_real_run(self, sd, seen):
        real = {}

        def note(name):
            return lambda _, __, output: real.update({name: tuple(getattr(output, "sample", output).shape)})

        leaves = {name: module for name, module in sd.unet.named_modules() if not [*module.children()]}
        hooks = [module.register_forward_hook(note(name)) for name, module in leaves.items()]
        with torch.no_grad():
            sd.unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 77, 32))
        for hook in hooks:
            hook.remove()
        assert len(real) > 100
        assert {node.name: node.output for node in seen if node.name in real} == real
        assert seen["mid_block"].root.output == (1, 64, 4, 4)

    def test_attention_layers_name_resolution_heads_and_widths(self, seen):
        node = seen["mid_block.attentions.0.transformer_blocks.0.attn2"].root
        assert str(node.attention) == "cross-attention, 4 heads of 16, keys of 32, 4 × 4"
        assert "cross-attention, 4 heads of 16, keys of 32, 4 × 4" in seen._repr_html_()

    def test_stable_diffusion_1_5_on_the_meta_device(self):
        with torch.device("meta"):
            real = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        found = tree(real, depth=1)
        assert found.parameters == 859_520_964
        cross = [layer for layer in found.attention_layers if layer.kind == "cross"]
        assert len(cross) == 16
        assert {layer.key_dim for layer in cross} == {768}
        sizes = [layer.resolution for layer in cross]
        assert {size: sizes.count(size) for size in sizes} == {(64, 64): 5, (32, 32): 5, (16, 16): 5, (8, 8): 1}
        assert {(layer.resolution, layer.heads, layer.head_dim) for layer in cross} == {
            ((64, 64), 8, 40),
            ((32, 32), 8, 80),
            ((16, 16), 8, 160),
            ((8, 8), 8, 160),
        }
        assert sums_to_its_total(rows(found.blocks()))
        assert len(found._repr_html_()) < 400_000

    def test_vae_and_text_encoders(self, xl):
        assert "shapes for sample (1, 3, 64, 64)" in repr(tree(xl, "vae"))
        middle = tree(xl, "vae")["encoder.mid_block.attentions.0"].root.attention
        assert (middle.kind, middle.heads, middle.resolution) == ("self", 1, (8, 8))
        layers = tree(xl, "text_encoder_2").attention_layers
        assert [str(layer) for layer in layers] == ["self-attention, 4 heads of 8, keys of 32"] * 2
        assert tree(xl, "text_encoder").root.output == (1, 77, 32)

    def test_odd_sizes_stay_odd(self):
        pipe = wide(sample_size=(65, 49))
        assert {layer.resolution for layer in tree(pipe).attention_layers} == {(65, 49), (33, 25), (17, 13)}
        assert tree(pipe, "vae").root.output == (1, 3, 65 * 8, 49 * 8)

    def test_bare_modules(self, sd, seen):
        bare = tree(sd.unet, depth=1)
        assert repr(bare).startswith("UNet2DConditionModel\n")
        assert bare.attention_layers == seen.attention_layers
        part = tree(sd.unet.mid_block)
        assert part.parameters == counted(sd.unet.mid_block)
        assert "without output shapes: UNetMidBlock2DCrossAttn has no config" in repr(part)
        plain = tree(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        assert repr(plain).endswith("0: Linear  9 parameters\n1: ReLU")
        assert tree(nn.Identity()).parameters == 0

    def test_a_network_with_arguments_of_its_own_goes_without_shapes(self):
        text = repr(tree(controlnet(), "controlnet", depth=0))
        assert re.search(r"[\d,]+ parameters · without output shapes: .*'controlnet_cond'", text)

    def test_shared_modules_and_parameters_count_once(self):
        net = nn.Module()
        net.first, net.tied = nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        net.tied.weight = net.first.weight
        net.again = net.first
        found = tree(net)
        assert found.parameters == counted(net) == 12
        assert found["tied"].parameters == 0
        assert found["again"].root.shared_with == "first"

    def test_what_was_changed_after_the_config_was_written(self, tiny):
        tiny.load_lora_weights(lora_weights(tiny))
        tiny.unet.conv_out = nn.Conv2d(32, 7, 1)
        found = tree(tiny)
        assert found.parameters == counted(tiny.unet)
        assert found["conv_out"].root.output is None
        assert found["conv_in"].root.output == (1, 32, 8, 8)
        assert len(found.attention_layers) == 8
        compiled = torch.compile(unet())
        assert tree(compiled).root.class_name == "UNet2DConditionModel"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("unett",), "has no component 'unett'; did you mean 'unet'"),
            (("safety_checker",), "component 'safety_checker' of this StableDiffusionPipeline is null"),
            (
                ("tokenizer",),
                r"'tokenizer' is a CLIPTokenizer(Fast)?, no network with modules; config\(pipe, 'tokenizer'\)",
            ),
            (("unet", -1), "depth=-1 is no number of levels; 0 shows the root alone"),
        ],
    )
    def test_what_has_no_tree(self, sd, arguments, message):
        with pytest.raises(InspectionError, match=message):
            tree(sd, *arguments)

    def test_what_is_no_pipeline(self, sd):
        with pytest.raises(InspectionError, match=r"a pipeline, as sdx\.load\('mini'\) makes one"):
            tree("mini")
        with pytest.raises(InspectionError, match="a diffusers pipeline is needed, not a UNet2DConditionModel"):
            tree(sd.unet, "mid_block")


class TestAttentionLayers:
    @pytest.mark.parametrize(("height", "width"), [(None, None), (520, 392)])
    def test_grids_are_those_of_a_real_run(self, height, width):
        pipe, real = wide(), {}
        y, x = latent_grid(pipe, height, width)
        for name, module in pipe.unet.named_modules():
            if isinstance(module, Attention):
                module.to_q.register_forward_hook(lambda _, args, __, name=name: real.update({name: args[0].shape[1]}))
        with torch.no_grad():
            pipe.unet(torch.zeros(1, 4, y, x), 1, torch.zeros(1, 77, 32))
        layers = attention_layers(pipe, height, width)
        assert {layer.name: layer.resolution[0] * layer.resolution[1] for layer in layers} == real
        assert layers[0].resolution == (y, x)

    def test_facts_are_those_of_the_layers(self, xl):
        for layer in attention_layers(xl):
            module = xl.unet.get_submodule(layer.name)
            assert layer.kind == ("cross" if layer.name.endswith("attn2") else "self")
            assert layer.heads == module.heads
            assert layer.heads * layer.head_dim == module.to_q.out_features
            assert layer.key_dim == module.to_k.in_features

    @pytest.mark.parametrize("size", [(7, 64), (64, 0), (-64, 64)])
    def test_an_image_without_latents(self, sd, size):
        with pytest.raises(InspectionError, match=r"an image of height=.* has no latents: one latent is 8 × 8 pixels"):
            attention_layers(sd, *size)

    def test_layers_that_the_config_does_not_describe(self, tiny):
        tiny.unet.extra = Attention(8, heads=2, dim_head=4)
        with pytest.raises(InspectionError, match="layers that its config does not describe, such as 'extra'"):
            attention_layers(tiny)


class TestLooking:
    def test_leaves_nothing_behind(self, tiny):
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")

        def state():
            modules = [
                (part, inner) for part in ("unet", "vae", "text_encoder") for inner in getattr(tiny, part).modules()
            ]
            return (
                [[*vars(inner)] for _, inner in modules],
                [(inner.training, *(len(getattr(inner, hook)) for hook in hooks)) for _, inner in modules],
                [id(p) for part, _ in modules[:1] for p in tiny.unet.parameters()],
                [*vars(tiny)],
                tiny.unet.config,
                torch.get_rng_state().tolist(),
                torch.is_grad_enabled(),
            )

        tiny.unet.train()
        before, weights = state(), {key: tensor.clone() for key, tensor in tiny.unet.state_dict().items()}
        components(tiny)
        for component in ("unet", "vae", "text_encoder"):
            assert repr(tree(tiny, component))
        attention_layers(tiny, 72, 56)
        assert state() == before
        assert all(torch.equal(weights[key], tensor) for key, tensor in tiny.unet.state_dict().items())

    def test_no_network_is_kept_alive(self, sd):
        def alive():
            gc.collect()
            return sum(type(thing) is UNet2DConditionModel for thing in gc.get_objects())

        before = alive()
        assert tree(sd)
        assert attention_layers(sd, 72, 48)
        assert alive() == before

    def test_text_and_html_list_the_same_facts(self, sd, xl, seen):
        for shown in (components(sd), components(xl)):
            assert words(repr(shown)) == words(shown._repr_html_())
        for shown in (seen, tree(sd, "vae"), tree(sd, "text_encoder")):
            assert words(repr(replace(shown, depth=99))) == words(shown._repr_html_())

    def test_html_folds_without_script(self, seen):
        html = seen._repr_html_()
        assert html.count("<details") == html.count("</details>") > 20
        assert "<script" not in html

    def test_hostile_names_and_values_are_harmless(self, tiny):
        hostile = type(EVIL, (nn.Linear,), {"__module__": EVIL})
        tiny.unet.add_module("<b>", hostile(1, 1))
        tiny.register_modules(vae=hostile(2, 2))
        tiny.scheduler.register_to_config(prediction_type=EVIL)
        for shown in (components(tiny), tree(tiny, depth=1), tree(tiny, "vae")):
            html = shown._repr_html_()
            assert "<script>" not in html
            assert "<b>" not in html
            assert "&lt;/script&gt;" in html
            assert "</script>" in repr(shown)


def test_fused_copies_are_no_parameters(tiny):
    before = sdx.components(tiny), sdx.tree(tiny).parameters, sdx.pipeline_architecture(tiny).parameters
    tiny.fuse_qkv_projections()
    after = sdx.components(tiny), sdx.tree(tiny).parameters, sdx.pipeline_architecture(tiny).parameters
    assert after[0].parameters == before[0].parameters
    assert after[0].bytes > before[0].bytes  # they take memory all the same
    assert after[1:] == before[1:]
