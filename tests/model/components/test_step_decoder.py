"""What decodes a run's steps: the bits of the pipeline's own VAE, which it does not keep alive, or a reason."""

import gc
import re
import weakref

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from tiny_pipelines import ddpm, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore import views
from sdexplore.model.components import decoding

PROMPT = "a photo of a cat"
SHORT = {"num_inference_steps": 3, "record": sdx.Record(cross_attention=False, decode=2)}
NAMES = ("decoded", "decoded_x0")


@pytest.fixture
def trace(tiny):
    return sdx.run(tiny, PROMPT, **SHORT)


def little(channels=4):
    torch.manual_seed(0)
    blocks = {"encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)}
    blocks |= {"num_encoder_blocks": (1, 1), "num_decoder_blocks": (1, 1)}
    return AutoencoderTiny(latent_channels=channels, upsampling_scaling_factor=2, **blocks)


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl, ddpm])
def test_a_picture_has_the_bits_of_one_decoded_at_once(make, tmp_path):
    pipe = make()
    given = {"prompt": None} if make is ddpm else {"prompt": PROMPT}
    trace = sdx.run(pipe, **given, **SHORT)
    assert trace.decoded.made == ()
    step = list(trace.decoded)[-1]
    np.testing.assert_array_equal(trace.decoded_x0[step], decoding.decode(pipe, trace.pred_original_sample[step]))
    np.testing.assert_array_equal(trace.decoded[step], decoding.decode(pipe, trace.scaled_latents(step)))
    filed = sdx.run(pipe, **given, **SHORT, to=tmp_path / "trace.safetensors")
    for name in NAMES:
        assert getattr(filed, name).keys() == getattr(trace, name).keys()
        for step, picture in getattr(filed, name).items():
            np.testing.assert_array_equal(picture, getattr(trace, name)[step])


@pytest.mark.parametrize(
    "draw",
    [
        lambda trace: views.guidance(trace).screen(dpi=40.0),
        lambda trace: views.guidance(trace, steps=[1, 2]).screen(dpi=40.0),
        lambda trace: views.attention_steps(trace, "cat").screen(dpi=40.0),
        lambda trace: views.attention_steps(trace, "cat", steps=[1]).screen(dpi=40.0),
        lambda trace: sdx.animation(trace, "cat", steps=[1]).frames[0].tobytes(),
    ],
)
def test_a_figure_is_the_same_whatever_was_looked_at_before(tiny, draw):
    given = {"seed": 0, "num_inference_steps": 3, "height": 64, "width": 64, "record": sdx.Record(decode=2)}
    fresh, looked_at = (sdx.run(tiny, PROMPT, **given) for _ in range(2))
    views.denoising(looked_at, steps=[0, 1, 2])
    assert draw(fresh) == draw(looked_at)


def test_a_view_that_decodes_nothing_says_what_it_shows(tiny):
    trace = sdx.run(tiny, PROMPT, num_inference_steps=3, height=64, width=64, record=sdx.Record(decode=2))
    assert "(linear)" in views.guidance(trace, decode=False).alt
    trace.decode(with_=tiny.vae)
    assert "(linear)" in views.guidance(trace, decode=False).alt  # of the Record's steps alone
    trace.decode([0, 1, 2], with_=tiny.vae)
    assert "(AutoencoderKL" in views.guidance(trace).alt
    trace.decode(1)
    assert "(decoded)" in views.guidance(trace).alt  # of one kind


def test_the_trace_keeps_no_pipeline_alive():
    pipe = stable_diffusion()
    trace = sdx.run(pipe, PROMPT, **SHORT)
    gone = weakref.ref(pipe.vae)
    del pipe
    gc.collect()
    assert gone() is None
    with pytest.raises(sdx.TraceError, match="the pipeline is not there any more"):
        trace.decoded[0]
    assert 0 in trace.decoded
    assert "by the linear preview (the pipeline is not there any more)" in views.denoising(trace).alt
    with sdx.set_options(lang="ja"):
        assert "線形プレビュー（パイプラインがもう存在しない）" in views.denoising(trace).alt


def in_place(pipe):
    with torch.no_grad():
        pipe.vae.decoder.conv_in.weight[0, 0, 0, 0] += 1


def behind_the_counter(pipe):
    pipe.vae.decoder.conv_in.bias.data.mul_(1.5)


def turned(pipe):
    weight = pipe.vae.decoder.conv_in.weight
    weight.data = weight.data.flip(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (in_place, r"weights of the VAE were changed since the run: decoder\.conv_in\.weight"),
        (behind_the_counter, r"weights of the VAE were changed since the run: decoder\.conv_in\.bias"),
        (turned, r"weights of the VAE were changed"),
        (lambda pipe: pipe.vae.register_to_config(scaling_factor=0.5), r"scaling_factor was .* and is 0\.5"),
        (lambda pipe: pipe.vae.to(torch.bfloat16), r"the VAE is bfloat16 now and was float32"),
        (lambda pipe: setattr(pipe, "vae", stable_diffusion().vae), r"pipe\.vae is another one than in the run"),
    ],
)
def test_a_vae_that_was_changed_is_noticed_and_named(tiny, trace, change, said):
    kept, first = tiny.vae, trace.decoded[0]
    change(tiny)
    with pytest.raises(sdx.TraceError, match=f"step [03] cannot be decoded: .*{said}"):
        trace.decode()
    assert trace.decoded[0] is first
    assert "linear preview (" in views.denoising(trace).alt
    with sdx.set_options(lang="ja"):
        alt = views.denoising(trace).alt
    assert re.search("線形プレビュー（[^）]*[\u3040-\u30ff]", alt)
    assert "trace.decode" not in alt  # what to do about it stands in the error
    assert kept is not None


def test_a_vae_that_was_changed_and_put_back_decodes_again(tiny, trace):
    expected = decoding.decode(tiny, trace.scaled_latents(0))
    own = tiny.vae
    tiny.vae = None
    assert trace.undecodable
    tiny.vae = own
    tiny.vae.half().float()  # loses bits
    with pytest.raises(sdx.TraceError, match="changed"):
        trace.decoded[0]
    other = sdx.run(tiny, PROMPT, **SHORT)
    tiny.vae.double().float()  # loses none
    assert other.decoded[0].shape == expected.shape


def test_decoding_waits_for_the_pipelines_turn_and_is_refused_within_its_own_run(tiny, trace):
    said = []

    def on_step(progress):
        with pytest.raises(sdx.RunError, match="in the middle of a run of this thread") as refused:
            trace.decoded[0]
        said.append(str(refused.value))
        progress.stop()

    with pytest.raises(sdx.Stopped):
        sdx.run(tiny, PROMPT, **SHORT, on_step=on_step)
    assert said
    assert trace.decoded[0].shape == (64, 64, 3)


def test_a_stopped_run_names_no_steps_and_decodes_those_that_are_asked_for(tiny):
    with pytest.raises(sdx.Stopped) as stopped:
        sdx.run(tiny, PROMPT, **SHORT, on_step=lambda progress: progress.stop())
    trace = stopped.value.trace
    assert list(trace.decoded) == []
    assert trace.decode(0).decoded[0].shape == (64, 64, 3)


def test_each_of_several_images_decodes_its_own_steps(tiny):
    traces = sdx.run(tiny, PROMPT, num_images_per_prompt=2, **SHORT)
    for trace in traces:
        np.testing.assert_array_equal(trace.decoded[0], decoding.decode(tiny, trace.scaled_latents(0)))
    assert (traces[0].decoded[0] != traces[1].decoded[0]).any()


def test_another_decoder_is_named_wherever_its_pictures_are_shown(tiny, trace, tmp_path):
    found = trace.decode(with_=little())
    assert found.decoder == "AutoencoderTiny"
    assert found.decoded_x0[3].dtype == np.uint8
    assert trace.decoded.made == ()  # what is approximate never passes as the VAE's
    picture = views.denoising(trace)
    assert {ax.get_xlabel() for ax in picture.figure.axes if ax.get_xlabel()} == {"AutoencoderTiny"}
    assert "Not decoded by the VAE: all steps by AutoencoderTiny." in picture.alt
    assert trace.decoded.made == ()
    loaded = sdx.Trace.load(trace.save(tmp_path / "trace.safetensors"))
    np.testing.assert_array_equal(loaded.decoded[0], decoding.decode(tiny, trace.scaled_latents(0)))
    assert "Not decoded" not in views.denoising(trace).alt  # the VAE's are there now
    other = loaded.decode(1, with_=little())
    assert other.decoded[1].shape[-1] == 3
    assert "step 1 by AutoencoderTiny" in views.denoising(loaded, steps=[0, 1]).alt


def test_another_decoder_must_be_one_of_such_latents(trace):
    with pytest.raises(sdx.TraceError, match="takes latents of 3 channels, and the trace has 4"):
        trace.decode(with_=little(3))
    with pytest.raises(sdx.TraceError, match=r"decode\(with_='taesd'\): give an autoencoder of diffusers"):
        trace.decode(with_="taesd")


def test_a_vae_that_was_cast_can_be_given_as_it_is(tiny, trace):
    tiny.vae.to(torch.bfloat16)
    assert trace.decode(with_=tiny.vae).decoder == "AutoencoderKL (bfloat16)"


@pytest.mark.parametrize("images", [1, 2])
def test_a_trace_in_a_file_decodes_what_its_file_does_not_hold(tiny, tmp_path, images):
    alone = sdx.run(tiny, PROMPT, **SHORT, num_images_per_prompt=images)
    filed = sdx.run(
        tiny, PROMPT, **SHORT, num_images_per_prompt=images, to=tmp_path / ("a.safetensors" if images == 1 else "a")
    )
    for one, other in [(alone, filed)] if images == 1 else zip(alone, filed, strict=True):
        assert other.undecodable is None
        assert other.decoded.made == tuple(one.decoded)
        beyond = next(step for step in range(one.num_steps) if step not in one.decoded)
        for name in NAMES:
            np.testing.assert_array_equal(
                getattr(other.decode(beyond), name)[beyond], getattr(one.decode(beyond), name)[beyond]
            )
        assert "Not decoded" not in views.denoising(other, [beyond]).alt


def test_a_comparison_in_a_folder_decodes_what_its_files_do_not_hold(tiny, tmp_path):
    found = sdx.compare(tiny, PROMPT, over={"seed": [0]}, **SHORT, to=tmp_path / "seeds")
    assert list(found.traces[0].decode(1).decoded) == [1]


def test_decoding_into_a_file_shows_its_progress(tiny, tmp_path, monkeypatch):
    totals, real = [], type(tiny).progress_bar

    def told(self, iterable=None, total=None):
        totals.append(total)
        return real(self, iterable, total)

    monkeypatch.setattr(type(tiny), "progress_bar", told)
    trace = sdx.run(tiny, PROMPT, **SHORT, to=tmp_path / "a.safetensors")
    assert totals[-1] == len(trace.decoded) + len(trace.decoded_x0)
    trace.decode([0, 1], with_=little())
    assert totals[-1] == 4


@pytest.mark.parametrize("condition", ["tiled", "hooked"])
def test_a_vae_that_decodes_otherwise_is_noticed(tiny, trace, condition, monkeypatch):
    hook = None
    if condition == "tiled":
        tiny.vae.enable_tiling()
        assert trace.decode(1).decoder == "VAE"  # latents as small as a tile are decoded at once
        monkeypatch.setattr(tiny.vae, "tile_latent_min_size", 4)
    else:
        hook = tiny.vae.decoder.register_forward_hook(lambda *given: given[-1] * 0)
    try:
        with pytest.raises(sdx.TraceError, match=r"tiles|hook"):
            trace.decode(0)
    finally:
        tiny.vae.disable_tiling()
        if hook is not None:
            hook.remove()
    assert trace.decode(0).decoder == "VAE"


def test_steps_are_in_the_order_that_was_asked_for_whatever_was_there_before(trace):
    trace.decode(2)
    assert list(trace.decode([0, 2, 1]).decoded) == [0, 2, 1]


def test_a_trace_without_latents_says_that_there_is_nothing_to_decode(tiny):
    bare = sdx.run(
        tiny, PROMPT, num_inference_steps=2, record=sdx.Record(cross_attention=False, latents=False, decode=0)
    )
    for asked in (None, 1):
        with pytest.raises(sdx.TraceError, match="holds no latents"):
            bare.decode(asked)
