"""Networks without weights, and layers that are not there, are refused by name before anything is computed."""

import numpy as np
import pytest
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

import sdexplore as sdx

PICTURE = np.zeros((64, 64, 3), np.uint8)
CALLS = {
    "unet": {
        "run": lambda pipe: sdx.run(pipe, "a cat", num_inference_steps=1),
        "look": lambda pipe: sdx.look(pipe, PICTURE, "a cat", t=3),
        "invert": lambda pipe: sdx.invert(pipe, PICTURE, "a cat", num_inference_steps=1),
        "time_embedding": sdx.time_embedding,
    },
    "vae": {
        "reconstruction": lambda pipe: sdx.reconstruction(pipe, PICTURE),
        "latent_statistics": lambda pipe: sdx.latent_statistics(pipe, [PICTURE]),
        "run": lambda pipe: sdx.run(pipe, "a cat", num_inference_steps=1),
    },
    "text_encoder": {
        "text_encoding": lambda pipe: sdx.text_encoding(pipe, "a cat"),
        "run": lambda pipe: sdx.run(pipe, "a cat", num_inference_steps=1),
    },
}


@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in CALLS.items() for call in calls])
def test_networks_on_the_meta_device_are_named(name, call):
    pipe = stable_diffusion()
    setattr(pipe, name, getattr(pipe, name).to("meta"))
    with pytest.raises(sdx.SdexploreError, match=rf"'{name}' of this .* has shapes and no weights"):
        CALLS[name][call](pipe)


def test_what_needs_them_not_goes_on():
    pipe = stable_diffusion()
    pipe.text_encoder.to("meta")
    assert sdx.reconstruction(pipe, PICTURE).image.shape == (64, 64, 3)
    assert sdx.tree(pipe, "text_encoder").root.children


@pytest.mark.parametrize(("maker", "most"), [(stable_diffusion, 2), (stable_diffusion_xl, 1)])
@pytest.mark.parametrize("given", [-1, 3, True, "1"])
def test_a_clip_skip_beyond_the_layers_is_refused_before_the_run(maker, most, given):
    with pytest.raises(sdx.RunError, match=rf"^run\(clip_skip={given!r}\): 0 to {most} layers"):
        sdx.run(maker(), "a cat", num_inference_steps=1, clip_skip=given)
