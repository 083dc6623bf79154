"""The way from noise to picture, as it is drawn."""

import numpy as np
import pytest
import synthetic
from artists import equal, panels, shown
from synthetic import SIGMAS, STEPS

from sdexplore import views
from sdexplore.theory import linear_preview


def test_denoising_draws_the_decoded_steps_and_the_picture(trace):
    picture = views.denoising(trace)
    axes = panels(picture)
    assert len(axes) == 2 * (3 + 1)
    for row, (name, decoded) in enumerate((("x_t", trace.decoded), ("predicted x0", trace.decoded_x0))):
        assert axes[4 * row].get_ylabel() == name
        for column, step in enumerate((0, 3, 5)):
            np.testing.assert_array_equal(shown(axes[4 * row + column])[0], decoded[step])
            np.testing.assert_array_equal(picture.data[f"{name}/{step}"], decoded[step])
            assert axes[4 * row + column].get_xlabel() == ""
        np.testing.assert_array_equal(shown(axes[4 * row + 3])[0], trace.image)
    assert [ax.get_title() for ax in axes[:4]] == [
        *("step 0\nt 999\nσ 14.6", "step 3\nt 400\nσ 1.4", "step 5\nt 0\nσ 0.1", "picture")
    ]
    np.testing.assert_array_equal(picture.data["image"], trace.image)
    for told in ("steps 0, 3, 5 of 6", "from noise to the final picture", "'a cat and a rocketship'"):
        assert told in picture.alt


def test_denoising_of_an_image_to_image_run_begins_with_its_image(trace):
    provenance = {**trace.provenance, "pipeline": "StableDiffusionImg2ImgPipeline"}
    given = synthetic.trace(provenance=provenance, call={**trace.call, "arguments": {"strength": 0.5}})
    picture = views.denoising(given)
    assert ", from a given picture noised to t = 999 (strength 0.5) to the final picture," in picture.alt
    assert ", from an image noised to t = 999 (strength 0.5)" in picture.figure.get_suptitle()
    own = synthetic.trace(provenance=provenance)  # the pipeline's own strength, which no argument names
    assert ", from a given picture noised to t = 999 to the final picture," in views.denoising(own).alt


@pytest.mark.parametrize("space", ["variance preserving", "variance exploding"])
def test_steps_that_were_not_decoded_are_linear_previews_and_say_so(space):
    trace = synthetic.trace(space=space)
    picture = views.denoising(trace, steps=[3, -2])
    first = panels(picture)[:3]
    assert [ax.get_xlabel() for ax in first] == ["", "linear", ""]
    scaled = trace.latents[4] / (np.sqrt(1 + SIGMAS[4] ** 2) if space == "variance exploding" else 1)
    np.testing.assert_array_equal(shown(first[1])[0], linear_preview(scaled.astype(np.float32), trace.latent_rgb))
    x0 = shown(panels(picture)[4])[0]
    np.testing.assert_array_equal(x0, linear_preview(trace.pred_original_sample[4], trace.latent_rgb))


def test_denoising_of_a_run_with_nothing_decoded_previews_eight_steps():
    trace = synthetic.trace(decoded={}, decoded_x0={}, image=None)
    picture = views.denoising(trace)
    assert len(panels(picture)) == 2 * STEPS
    assert all(ax.get_xlabel() == "linear" for ax in panels(picture))
    assert "to the last latents" in picture.alt
    stopped = trace.altered(call={**trace.call, "stopped": True})
    assert "to where the run was stopped" in views.denoising(stopped).alt


@pytest.mark.parametrize("view", [views.denoising, views.latents, views.guidance])
def test_steps_are_named_as_attention_names_them(trace, view):
    equal(view(trace, steps=1), view(trace, steps=[1]))
    equal(view(trace, steps=slice(0, 2)), view(trace, steps=[0, 1]))


def test_denoising_without_x0_has_one_row():
    trace = synthetic.trace(pred_original_sample=None, noise_pred=None)
    assert len(panels(views.denoising(trace))) == 4
