"""The embedded model, loaded and traced as users do it: it draws its prompt, and words look at their things."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import sdexplore as sdx

PROMPT = "a red circle and a blue square on a white background"
STEPS = 10


@pytest.fixture(scope="module")
def pipe():
    found = sdx.load()
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def trace(pipe):
    return sdx.run(pipe, PROMPT, seed=0, num_inference_steps=STEPS, guidance_scale=5.0)


def test_the_picture_is_the_pipelines_own(pipe, trace):
    generator = torch.Generator().manual_seed(0)
    own = pipe(PROMPT, num_inference_steps=STEPS, guidance_scale=5.0, generator=generator).images[0]
    assert np.array_equal(trace.image, np.asarray(own))
    assert len(trace.cross_attention["cond"]) == 16
    assert all(a.steps == tuple(range(STEPS)) for a in trace.cross_attention["cond"].values())
    assert trace.provenance["model"] == "mini"


def test_it_draws_what_it_is_told(trace):
    """The colours say it: one place is red, another is blue, and the corners are white."""
    rgb = trace.image.astype(int)
    red = (rgb[..., 0] > 150) & (rgb[..., 1] < 110) & (rgb[..., 2] < 110)
    blue = (rgb[..., 2] > 150) & (rgb[..., 0] < 110)
    assert 0.01 < red.mean() < 0.5
    assert 0.01 < blue.mean() < 0.5
    assert (rgb[[0, 0, -1, -1], [0, -1, 0, -1]] > 200).all()


def test_words_look_where_their_objects_are(trace):
    rgb = trace.image.astype(int)
    red = (rgb[..., 0] > 150) & (rgb[..., 1] < 110) & (rgb[..., 2] < 110)
    blue = (rgb[..., 2] > 150) & (rgb[..., 0] < 110)
    for phrase, mask, other in (("red circle", red, blue), ("blue square", blue, red)):
        pixels = sdx.word_map(trace, phrase)
        inside, elsewhere = (m.reshape(32, 8, 32, 8).mean(axis=(1, 3)) for m in (mask, other))
        peak = np.unravel_index(pixels.argmax(), pixels.shape)
        assert inside[peak] > 0.5
        assert (pixels * inside).sum() / inside.sum() > 3 * (pixels * elsewhere).sum() / elsewhere.sum()


def test_the_linear_preview_resembles_the_picture(trace):
    small = trace.image.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3)) / 255
    z = np.moveaxis(trace.latents[-1], 0, -1)
    preview = np.clip(z @ trace.latent_rgb[:-1] + trace.latent_rgb[-1], 0, 1)
    unexplained = np.square(preview - small).sum() / np.square(small - small.mean(axis=(0, 1))).sum()
    assert unexplained < 0.25


def test_the_last_predicted_picture_is_the_picture(trace):
    last = trace.decoded_x0[STEPS - 1].astype(int)
    assert np.abs(last - trace.image).mean() < 4  # of 255; DDIM's last step goes to the smallest noise level, not to 0


def test_saved_and_opened_it_is_drawn_without_torch(trace, tmp_path):
    path = trace.save(tmp_path / "shapes.safetensors")
    script = (
        "import sys; sys.modules['torch'] = sys.modules['diffusers'] = sys.modules['transformers'] = None;"
        "import sdexplore as sdx; t = sdx.Trace.load(sys.argv[1]).verify();"
        "v = sdx.views; views = (v.attention, v.denoising, v.latents, v.guidance);"
        "[view(t).save(f'{i}.png') for i, view in enumerate(views)]; print(t.fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == trace.fingerprint
    assert len(list(tmp_path.glob("*.png"))) == 4
