"""Pictures of steps in a dashboard: previews at once, decoded one at a time, and named by what made them."""

import threading

import numpy as np
import pytest
import synthetic
from dashboards import PROMPT, Page

import sdexplore as sdx


@pytest.fixture
def slow(monkeypatch, tiny):
    """The pipeline's VAE decodes steps in the background once the event is set; and the list of what it decoded so."""
    real, go, decoded = type(tiny.vae).decode, threading.Event(), []

    def waiting(self, z, *given, **options):
        if "decoding" in threading.current_thread().name:
            go.wait(30)
            decoded.append(z)
        return real(self, z, *given, **options)

    monkeypatch.setattr(type(tiny.vae), "decode", waiting)
    yield go, decoded
    go.set()


@pytest.fixture
def little(tiny):
    from diffusers import AutoencoderTiny

    channels = tiny.unet.config.in_channels
    return AutoencoderTiny(
        latent_channels=channels,
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    ).eval()


def opened(tiny, **options):
    record = sdx.Record(decode=2)
    return sdx.explore(tiny, prompt=PROMPT, num_inference_steps=3, record=record, section="Denoising", **options)


def test_denoising_shows_previews_at_once_and_then_the_steps_one_after_the_other(tiny, slow):
    go, _ = slow
    explorer = opened(tiny)
    page = Page(explorer)
    trace = explorer.run(wait=True)
    page.wait_for(lambda: "linear" in page.section_message.lower())
    assert "linear preview" in page.text
    assert len(trace.undecoded) == 2
    assert "linear preview" in explorer.figure().alt
    assert "decode=False" in page.figure_code
    go.set()
    assert explorer.wait(60.0)
    assert trace.undecoded == ()
    assert page.section_message == ""
    assert "decoded by the VAE" in page.text
    assert "linear" not in explorer.figure().alt
    assert "decode=False" not in page.figure_code
    again = trace.decode(0)
    assert np.array_equal(explorer.figure().data["x_t/0"], again.decoded[0])
    explorer.close()


def test_denoising_that_was_left_is_up_to_date_when_it_is_opened_again(tiny, slow):
    go, _ = slow
    explorer = opened(tiny)
    page = Page(explorer)
    trace = explorer.run(wait=True)
    page.wait_for(lambda: "linear" in page.section_message.lower())
    page.open("Attention")
    go.set()
    assert explorer.wait(60.0)
    assert trace.undecoded == ()
    page.open("Denoising")
    assert page.section_message == ""
    assert "linear preview" not in page.text
    assert "linear" not in explorer.figure().alt
    explorer.close()


def test_a_run_that_interrupts_the_decoding_is_named(tiny, slow):
    go, _ = slow
    explorer = opened(tiny)
    page = Page(explorer)
    trace = explorer.run(wait=True)
    page.wait_for(lambda: "until they are decoded" in page.section_message)
    explorer.run()  # it waits for its turn: the decoding holds the pipeline
    page.wait_for(lambda: "after the run" in page.section_message)
    go.set()
    assert explorer.wait(60.0)
    assert page.section_message == ""
    assert trace.undecoded
    explorer.close()


@pytest.mark.parametrize("ending", ["run", "close", "other"])
def test_the_decoding_stops_for_a_new_run_at_the_end_and_for_another_trace(tiny, slow, ending):
    go, decoded = slow
    explorer = opened(tiny)
    page = Page(explorer)
    first = explorer.run(wait=True)
    page.wait_for(lambda: explorer.board.decoding.said_of(first))
    if ending == "run":
        explorer.run()
    elif ending == "close":
        explorer.close()
    else:
        explorer.show(synthetic.trace())
    before = len(decoded)
    go.set()
    explorer.wait(60.0)
    assert first.undecoded  # at most the picture that was being made is there
    assert before == 0
    assert ending == "run" or len(decoded) == 1
    if ending == "run":
        assert explorer.trace is not first
        assert explorer.trace.undecoded == ()
    explorer.close()


def test_a_section_without_pictures_of_steps_decodes_none(tiny):
    explorer = opened(tiny)
    explorer.state.section = "Attention"
    page = Page(explorer)
    trace = explorer.run(wait=True)
    for title in ("Pixels", "Guidance", "Tokens", "Components", "Compare", "Export", "Attention"):
        page.open(title)
    page.set("figure", "by step")
    explorer.snapshot()
    explorer._repr_mimebundle_()
    assert explorer.wait(60.0)
    assert len(trace.undecoded) == 2
    page.open("Denoising")
    assert explorer.wait(60.0)
    assert trace.undecoded == ()
    explorer.close()


def test_pixels_shows_decoded_steps_once_a_step_is_looked_at(tiny):
    explorer = opened(tiny)
    explorer.state.section = "Pixels"
    page = Page(explorer)
    explorer.run(wait=True)
    (linked,) = (one for one in page.tab if hasattr(one, "facts"))
    assert linked.facts["pictures"]["x0"] == {}
    linked.state = {**linked.state, "view": "x0", "step": 1}
    assert explorer.wait(60.0)
    assert len(linked.facts["pictures"]["x0"]) == 2
    assert linked.state["view"] == "x0"
    explorer.close()


def test_a_little_decoder_makes_the_previews_and_is_named(tiny, little, slow):
    go, _ = slow
    explorer = opened(tiny, preview=little)
    page, seen, captions = Page(explorer), [], []
    page.caption_box.observe(lambda change: captions.append(change["new"]), "value")
    explorer.picture.picture.observe(lambda change: seen.append(change["new"]), "value")
    trace = explorer.run(wait=True)
    assert any("decoded by AutoencoderTiny" in one for one in captions)
    assert len({bytes(one) for one in seen}) >= 2  # a preview, and the picture
    page.wait_for(lambda: "decoded by the AutoencoderTiny" in page.text)
    assert trace.undecoded
    page.wait_for(lambda: "AutoencoderTiny" in explorer.figure().alt)
    go.set()
    assert explorer.wait(60.0)
    assert "decoded by the VAE" in page.text
    explorer.close()


def test_a_little_decoder_shows_the_steps_of_a_stored_trace(tiny, little, tmp_path):
    record = sdx.Record(decode=0)
    path = sdx.run(tiny, PROMPT, num_inference_steps=2, record=record).save(tmp_path / "one.safetensors")
    explorer = sdx.explore(str(path), section="Denoising", preview=little)
    assert explorer.wait(60.0)
    assert "decoded by the AutoencoderTiny" in Page(explorer).text
    explorer.close()


def test_a_little_decoder_that_fails_costs_neither_the_run_nor_the_vaes_pictures(tiny, little, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("it fell over")

    monkeypatch.setattr(little, "decode", failing)
    explorer = opened(tiny, preview=little)
    trace = explorer.run(wait=True)
    assert explorer.wait(60.0)
    assert trace.undecoded == ()
    assert "it fell over" in Page(explorer).section_message
    explorer.close()


def test_a_little_decoder_of_other_latents_is_refused(tiny):
    from diffusers import AutoencoderTiny

    with pytest.raises(sdx.RunError, match=r"explore\(preview=.* 16 channels, and the pipeline's have 4"):
        sdx.explore(tiny, preview=AutoencoderTiny(latent_channels=16))


def test_what_is_no_decoder_is_refused(tiny):
    with pytest.raises(sdx.RunError, match=r"explore\(preview='taesd'\): give an autoencoder"):
        sdx.explore(tiny, preview="taesd")


def test_a_vae_that_was_changed_is_said_and_previews_stay(tiny):
    import torch

    explorer = opened(tiny)
    explorer.state.section = "Tokens"
    page = Page(explorer)
    trace = explorer.run(wait=True)
    parameter = next(tiny.vae.decoder.parameters())
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter += 1
    page.open("Denoising")
    assert explorer.wait(60.0)
    assert "Not decoded" in page.section_message
    assert "linear preview" in page.text
    with torch.no_grad():
        parameter.copy_(before)
    assert trace.undecoded
    explorer.close()
