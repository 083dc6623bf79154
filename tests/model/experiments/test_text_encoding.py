"""Hidden states and self-attention of the text encoders, against transformers' own."""

import numpy as np
import pytest
import torch
from tiny_pipelines import ddpm, latent_diffusion_text, stable_diffusion, stable_diffusion_xl
from tiny_transformers import flux

import sdexplore as sdx

PROMPT = "a photo of an astronaut riding a horse"
GUIDANCE_OFF = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
MAKERS = {"SD": stable_diffusion, "SDXL": stable_diffusion_xl, "LDM": latent_diffusion_text}


@pytest.fixture(scope="module", params=MAKERS)
def encoded(request):
    pipe = MAKERS[request.param]()
    return pipe, sdx.text_encoding(pipe, PROMPT)


def eager(pipe, name, one):
    """The encoder's own output, attention included, by its eager implementation."""
    encoder = getattr(pipe, name)
    ids = torch.tensor([one.tokens.ids])
    with torch.no_grad():
        if name == "bert":  # it has one implementation
            return encoder(ids, output_hidden_states=True, output_attentions=True)
        encoder.set_attn_implementation("eager")
        try:
            return encoder(ids, output_hidden_states=True, output_attentions=True)
        finally:
            encoder.set_attn_implementation("sdpa")


def hooked(encoder):
    """Projections with a hook; transformers keeps hooks of its own on whole layers."""
    return [name for name, module in encoder.named_modules() if name.endswith("_proj") and module._forward_hooks]


def test_every_layer_is_the_encoder_s_own(encoded):
    pipe, found = encoded
    assert list(found) == [name for name in pipe.components if name.startswith("text_encoder") or name == "bert"]
    for name, one in found.items():
        own = eager(pipe, name, one)
        assert one.num_layers == 2
        np.testing.assert_allclose(one.hidden_states, torch.cat(own.hidden_states).numpy(), atol=2e-5)
        np.testing.assert_allclose(one.last_hidden_state, own.last_hidden_state[0].numpy(), atol=2e-5)
        assert one.attention.shape == (2, 4, 77, 77)
        np.testing.assert_allclose(one.attention, torch.cat(own.attentions).numpy(), atol=1e-6)
        np.testing.assert_allclose(one.attention.sum(-1), 1, atol=1e-5)


def test_the_pooled_vector_is_the_projected_one_where_there_is_one(encoded):
    pipe, found = encoded
    for name, one in found.items():
        own = eager(pipe, name, one)
        pooled = getattr(own, "text_embeds", getattr(own, "pooler_output", None))
        assert (one.pooled is None) == (pooled is None) == (name == "bert")
        if pooled is not None:
            np.testing.assert_allclose(one.pooled, pooled[0].numpy(), atol=2e-5)


def test_causality_is_measured_not_assumed(encoded):
    _, found = encoded
    for name, one in found.items():
        assert one.causal == (name != "bert")
        later = np.triu(np.ones((77, 77), bool), 1)
        assert (one.attention[..., later] == 0).all() == one.causal
        assert (one.attention[..., ~later] > 0).all()
        assert ("only tokens before it" in repr(one)) == one.causal


def test_what_the_unet_is_given_is_said_as_it_is(encoded):
    pipe, found = encoded
    if type(pipe).__name__ == "LDMTextToImagePipeline":
        return  # encodes within its call
    alone = len(found) == 1
    with torch.no_grad():
        embeds = pipe.encode_prompt(PROMPT, **({"device": "cpu"} | GUIDANCE_OFF if alone else {}))[0]
    given = []
    for one in found.values():
        number = int(one.to_unet.split("hidden state ")[1].split(",")[0])
        given.append(one.last_hidden_state if "after the final" in one.to_unet else one.hidden_states[number])
    np.testing.assert_allclose(embeds[0].numpy(), np.concatenate(given, axis=-1), atol=1e-6)


def test_the_encoder_is_as_it_was(tiny):
    encoder = tiny.text_encoder
    before = encoder.config._attn_implementation
    first, second = (sdx.text_encoding(tiny, PROMPT)["text_encoder"] for _ in range(2))
    assert encoder.config._attn_implementation == before == "sdpa"
    assert not hooked(encoder)
    np.testing.assert_array_equal(first.hidden_states, second.hidden_states)


def test_an_encoder_that_fails_keeps_no_hooks(tiny, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of memory")

    flat = getattr(tiny.text_encoder, "text_model", tiny.text_encoder)  # as it is since transformers 5.6
    monkeypatch.setattr(flat.final_layer_norm, "forward", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        sdx.text_encoding(tiny, PROMPT)
    assert not hooked(tiny.text_encoder)
    monkeypatch.undo()
    assert sdx.text_encoding(tiny, PROMPT)  # and the lock is free


def test_similarity_and_norms_are_torch_s(tiny):
    one = sdx.text_encoding(tiny, PROMPT, attention=False)["text_encoder"]
    assert one.attention is None
    for layer in (0, 1, -1):
        states = torch.from_numpy(one.hidden_states[layer].copy())
        expected = torch.nn.functional.cosine_similarity(states[:, None], states[None], dim=-1)
        np.testing.assert_allclose(one.similarity(layer), expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(one.norms, torch.from_numpy(one.hidden_states.copy()).norm(dim=-1).numpy(), rtol=1e-5)


def test_positions_are_named_by_their_tokens(tiny):
    one = sdx.text_encoding(tiny, "a cat")["text_encoder"]
    assert [one.label(p) for p in one.shown_positions(1)] == ["⟨start⟩", "a", "cat", "⟨end⟩", "⟨padding⟩"]


def test_there_must_be_an_encoder_a_layer_and_a_name(tiny):
    with pytest.raises(sdx.InspectionError, match="DDPMPipeline has no tokenizer"):
        sdx.text_encoding(ddpm(), PROMPT)
    found = sdx.text_encoding(tiny, PROMPT)
    with pytest.raises(sdx.TokenError, match=r"no hidden state 3: there are 0 \(embeddings\) to 2"):
        found["text_encoder"].similarity(3)
    with pytest.raises(sdx.TokenError, match="no text encoder 'text_encodr'; did you mean 'text_encoder'"):
        found["text_encodr"]
    assert found.get("text_encoder_2") is None
    tiny.text_encoder = None
    with pytest.raises(sdx.InspectionError, match="has no text encoder"):
        sdx.text_encoding(tiny, PROMPT)


def test_a_prompt_is_shown_escaped(tiny):
    found = sdx.text_encoding(tiny, "<b>cat</b>")
    assert "<b>cat" not in found._repr_html_()
    assert "&lt;b&gt;cat" in found._repr_html_()
    assert "layer 2" in repr(found)


def test_an_empty_prompt_is_encoded_where_its_end_is_the_first_token():
    found = sdx.text_encoding(flux(), "")
    assert found["text_encoder_2"].tokens.first_end == 0
    assert not found["text_encoder_2"].causal
    assert found["text_encoder"].causal
