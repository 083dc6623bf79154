"""What a pipeline is made of, as bars by size."""

import numpy as np
from boxes import again, boxes, equal, written

from sdexplore import views
from sdexplore.records.components import Component, Components

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


def test_components_of_a_hostile_and_of_an_empty_pipeline():
    hostile = Components("Pipe", {EVIL: Component(EVIL, EVIL)}, {EVIL: EVIL})
    assert written(views.components(hostile)) == [r"\$x\$ </script> U+1F338"] * 2
    views.components(hostile).png(dpi=40)
    assert "without components" in views.components(Components("Pipe", {}, {})).alt
