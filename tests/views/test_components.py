"""What a pipeline is made of, as bars by size."""

import numpy as np
from boxes import again, boxes, equal, written

import sdexplore as sdx
from sdexplore import views
from sdexplore.records.components import Component, Components
from sdexplore.strings.wording import told

EVIL = "$x$ </script> 🌸"


def parts():
    entries = {
        "unet": Component("unet", "UNet", "diffusers", 3_000, ("float16",), ("cuda",), 6_000),
        "vae": Component("vae", "AutoencoderKL", "diffusers", 1_000, ("float32", "float16"), ("cpu",), 4_000),
        "tokenizer": Component("tokenizer", "CLIPTokenizer", "transformers"),
        "safety_checker": Component("safety_checker"),
    }
    return Components("StableDiffusionPipeline", entries, {"guidance": "not run yet", "latents": "4 × 64 × 64"})


def test_components_are_bars_by_parameters():
    picture = views.components(parts())
    widths = np.array([box.get_width() for box in boxes(picture)])
    np.testing.assert_allclose(widths / widths[0], [1, 1 / 3, 0, 0])
    assert {name: array.item() for name, array in picture.data.items()} == {
        "unet": 3_000,
        "vae": 1_000,
        "tokenizer": 0,
        "safety_checker": 0,
    }
    assert written(picture)[:14] == [
        *("unet", "UNet", "3,000", "float16, cuda", "5.9 KiB"),
        *("vae", "AutoencoderKL", "1,000", "float32, float16, cpu", "3.9 KiB"),
        *("tokenizer", "CLIPTokenizer"),
        *("safety_checker", "null"),
    ]
    faint = {text.get_text(): text.get_color() for text in picture.figure.axes[0].texts}
    assert faint["safety_checker"] != faint["tokenizer"] == faint["unet"]
    title = picture.figure.axes[0].get_title(loc="left")
    assert title == "StableDiffusionPipeline: 4,000 parameters, 9.8 KiB"
    assert picture.figure.get_supxlabel().endswith("guidance: not run yet\nlatents: 4 × 64 × 64")
    for said in ("StableDiffusionPipeline", "unet, UNet: 3,000 parameters, float16, cuda", "safety_checker, null"):
        assert said in picture.alt
    assert picture.caption.endswith(" unet.")
    equal(picture, again(picture, components=lambda _: parts()))


def test_facts_stand_beneath_in_the_language_that_is_set():
    facts = {
        told("components.fact.name.guidance"): told("components.fact.guidance.used", scale=7.5),
        told("components.fact.name.cross"): told(
            "components.fact.layers",
            layers=told("count.layer.other", n=2),
            where=(told("components.fact.layers.at", n=1, y=8, x=4), told("components.fact.layers.at", n=1, y=4, x=2)),
        ),
    }
    found = Components("StableDiffusionPipeline", parts().entries, facts)
    assert found.summary["guidance"] == "in use in the last run, guidance_scale 7.5"
    english = views.components(found).figure.get_supxlabel()
    assert english.endswith("guidance_scale 7.5\ncross-attention: 2 layers: 1 at 8 × 4, 1 at 4 × 2")
    with sdx.set_options(lang="ja"):
        japanese = views.components(found).figure.get_supxlabel()
        assert "in use in the last run" in repr(found)  # a repr stays English
    assert "クロスアテンション: 2 層（8 × 4 に 1 層、4 × 2 に 1 層）" in japanese
    assert "guidance:" not in japanese


def test_components_of_a_hostile_and_of_an_empty_pipeline():
    hostile = Components("Pipe", {EVIL: Component(EVIL, EVIL)}, {EVIL: EVIL})
    assert written(views.components(hostile)) == [r"\$x\$ </script> U+1F338"] * 2
    views.components(hostile).png(dpi=40)
    assert "without components" in views.components(Components("Pipe", {}, {})).alt
