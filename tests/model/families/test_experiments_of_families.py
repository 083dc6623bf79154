"""What other functions make of diffusion transformers: the same words as for a UNet, or a refusal that is true."""

import inspect
import warnings

import numpy as np
import pytest
from transformer_matrix import PROMPT, STEPS, SUBJECTS

import sdexplore as sdx
from sdexplore import views
from sdexplore.browser.provenance_facts import provenance_facts

ENCODED = ("sd3", "flux", "pixart", "hunyuandit", "auraflow", "chroma")  # the others put a template around the prompt
PLAIN = sdx.Record(cross_attention=False, decode=0)


def drawn(name, **more):
    subject = SUBJECTS[name]
    pipe = subject.make()
    given = {**subject.size, **subject.call, "num_inference_steps": STEPS, **more}
    return pipe, sdx.run(pipe, PROMPT, seed=5, **given)


@pytest.mark.parametrize("name", ENCODED)
def test_tokens_are_those_that_are_fed_and_hidden_states_those_that_the_denoiser_is_given(name):
    subject = SUBJECTS[name]
    pipe, fed = subject.make(), {}
    for encoder, _ in subject.encoders.values():

        def keep(_, args, given, output, encoder=encoder):
            fed.setdefault(encoder, []).append((args[0] if args else given["input_ids"], output))

        getattr(pipe, encoder).register_forward_hook(keep, with_kwargs=True)
    unused = {"max_sequence_length", "use_resolution_binning"}
    given = {key: value for key, value in subject.call.items() if key not in unused}
    takes = inspect.signature(type(pipe).__call__).parameters
    size = {"use_resolution_binning": False} if "use_resolution_binning" in takes else {}
    pipe(prompt=PROMPT, num_inference_steps=1, **subject.size, **given, **size)
    fed = {encoder: list(calls) for encoder, calls in fed.items()}
    found, read = sdx.text_encoding(pipe, PROMPT), sdx.tokens(pipe, PROMPT)
    for tokenizer, (encoder, _) in subject.encoders.items():
        ids = list(read[tokenizer].ids)
        (output, *_) = [output for rows, output in fed[encoder] for row in rows.tolist() if row == ids]
        words = [token.position for token in read[tokenizer].tokens if token.kind == "text"]
        own = output.hidden_states[-1] if output.get("last_hidden_state") is None else output.last_hidden_state
        assert np.abs(found[encoder].last_hidden_state[words] - own[0].numpy()[words]).max() < 1e-5
    assert not read.notes
    assert "UNet" not in repr(found)


@pytest.mark.parametrize("name", sorted(SUBJECTS.keys() - ENCODED))
def test_a_template_around_the_prompt_is_encoded_with_it(name):
    subject = SUBJECTS[name]
    pipe, fed = subject.make(), []
    pipe.text_encoder.register_forward_hook(
        lambda _, args, given, output: fed.append((args[0] if args else given["input_ids"], output)), with_kwargs=True
    )
    takes = inspect.signature(type(pipe).__call__).parameters
    size = {"use_resolution_binning": False} if "use_resolution_binning" in takes else {}
    own = {key: value for key, value in subject.call.items() if key == "text_encoder_out_layers"}
    pipe(prompt=[PROMPT], num_inference_steps=1, **subject.size, **size, **own)
    there = list(fed)
    found = sdx.text_encoding(pipe, PROMPT)["text_encoder"]
    ids = list(found.tokens.ids)
    states = [
        (output.last_hidden_state if "last_hidden_state" in output else output.hidden_states[-1])[
            row, : len(ids)
        ].numpy()
        for rows, output in there
        for row, own in enumerate(rows.tolist())
        if own[: len(ids)] == ids
    ]
    assert states, "what was encoded is what the pipeline encodes"
    assert np.abs(found.last_hidden_state - states[0]).max() < 1e-5
    words = [token for token in found.tokens.tokens if token.kind == "text"]
    assert 0 < len(words) < len(ids)
    assert found.tokens.text == PROMPT


@pytest.mark.parametrize("name", ["sd3", "flux2"])
def test_words_are_left_out_of_latents_as_the_pipeline_takes_them_without_a_warning(name):
    pipe, trace = drawn(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = sdx.occlusion(pipe, trace, ["cat"], steps=[0])  # at τ = 1, where the timestep is 1000
    assert "cat" in repr(found)


def test_a_pipeline_that_may_be_given_a_picture_is_refused_for_what_it_is():
    pipe, trace = drawn("flux2", record=PLAIN)
    with pytest.raises(sdx.RunError, match="of flow matching"):
        sdx.invert(pipe, trace.image, PROMPT, num_inference_steps=2)


@pytest.mark.parametrize("name", ["sd3", "pixart"])
def test_other_words_are_refused_without_asking_for_another_run_first(name):
    pipe, trace = drawn(name, record=PLAIN)
    with pytest.raises(sdx.RunError, match="open_word_map: layer") as error:
        sdx.open_word_map(pipe, trace, "a dog")
    assert "queries" not in str(error.value)


def test_embeddings_that_are_not_clip_s_are_refused_with_the_way_out():
    pipe = SUBJECTS["sd3"].make()
    with pytest.raises(sdx.InspectionError, match=r"interpolation: text_encoder_3, a T5.*are mixed.*prompt_embeds"):
        sdx.interpolation(pipe, PROMPT, "a dog")
    with pytest.raises(sdx.InspectionError, match=r"clip_skip_embeds: .*a T5.*layers are left out"):
        sdx.clip_skip_embeds(pipe, PROMPT, 1)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_tree_tells_shapes_kinds_and_grids_as_a_run_has_them(name):
    subject = SUBJECTS[name]
    pipe = subject.make()
    found = sdx.tree(pipe)
    assert "without output shapes" not in found.note
    assert found.root.output is not None
    kinds = {layer.name: layer.kind for layer in found.attention_layers}
    assert {kinds[layer] for layer in subject.layers} == {"joint" if subject.joint else "cross"}
    assert {kinds[layer] for layer in subject.alone} <= {"self"}
    told = {layer.name: layer.grid for layer in sdx.doctor(pipe).layers}
    for layer in found.attention_layers:
        if layer.name in (*subject.layers, *subject.alone):
            assert layer.resolution == told[layer.name]
    assert views.tree(found).data


def test_a_page_names_the_denoiser():
    _, trace = drawn("sd3", record=PLAIN)
    assert ["denoiser", "SD3Transformer2DModel"] in provenance_facts(trace)


@pytest.mark.parametrize("name", ["flux", "qwenimage"])
def test_a_run_without_two_halves_names_the_scale_that_makes_them(name):
    _, trace = drawn(name, negative_prompt=None)
    with pytest.raises(sdx.TraceError, match="negative_prompt, true_cfg_scale above 1"):
        sdx.guidance_steps(trace)
