"""How much each word attends to each pixel, where both share one softmax: kept when asked, read by one argument."""

import numpy as np
import pytest
import torch
from kernel_witness import witnessing
from tiny_pipelines import stable_diffusion
from transformer_matrix import GRID, PROMPT, SIZE, STEPS, SUBJECTS, TEXT
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.model.capture import probabilities
from sdexplore.model.families import ways_in

CALL = {**SIZE, "num_inference_steps": STEPS, "max_sequence_length": TEXT}
RECORD = sdx.Record(dtype="float32", word_attention=True, decode=0)


@pytest.fixture(scope="module", params=["sd3", "flux"])
def seen(request):
    """(subject, trace, what each layer's kernel was given call by call) of one run."""
    subject = SUBJECTS[request.param]
    pipe = subject.make()
    with pytest.MonkeyPatch.context() as patch, witnessing(pipe, patch) as witness:
        trace = sdx.run(pipe, PROMPT, seed=5, record=RECORD, **CALL)
    return subject, trace, witness.calls


def word_to_picture(seen, word):
    """The mean over layers, steps, heads and the word's tokens, by hand, on the layers' own grid."""
    subject, trace, calls = seen
    found = next(iter(trace.word_attention["cond"].values()))
    keys = sorted({first + one for name, first in found.read_by for one in trace.tokens["cond"][name].positions(word)})
    each = [
        given.naive()[-1, :, subject.words, subject.picture][:, keys].mean((0, 1)).unflatten(0, GRID)
        for call in calls
        for name, given in call.items()
        if name in trace.word_attention["cond"]
    ]
    return torch.stack(each).mean(0).numpy()


def test_a_words_map_is_the_mean_over_its_own_queries(seen):
    _, trace, _ = seen
    own = word_to_picture(seen, "rocket")
    found = sdx.word_map(trace, "rocket", queries="words")
    assert found.shape == trace.latents.shape[2:]
    middle = found.reshape(GRID[0], 2, GRID[1], 2)
    assert middle.mean((1, 3)).mean() == pytest.approx(own.mean(), rel=0.03)  # resized between
    one_step = sdx.word_map(trace, "rocket", queries="words", steps=0, layers=next(iter(trace.word_attention["cond"])))
    assert not np.allclose(one_step, sdx.word_map(trace, "rocket"), rtol=0.05)
    assert one_step.sum() <= 4.2  # at most all of it, on a grid of four latents a pixel


def test_the_view_says_who_looks(seen):
    _, trace, _ = seen
    picture = sdx.views.attention(trace, ["cat", "rocket"], queries="words")
    assert set(picture.data) == {"cat", "rocket"}
    assert np.array_equal(picture.data["cat"], sdx.word_map(trace, "cat", queries="words"))
    assert "of words to the picture" in picture.alt
    assert "queries='words'" in picture.call
    texts = [text.get_text() for text in picture.figure.findobj(lambda one: hasattr(one, "get_text"))]
    assert any("the words look at the picture" in text for text in texts)
    assert any("that the word gives the pixel" in text for text in texts)


def test_it_is_saved_verified_and_named_in_xarray(seen, tmp_path):
    _, trace, _ = seen
    again = sdx.Trace.load(trace.save(tmp_path / "a.safetensors")).verify()
    for name, found in trace.word_attention["cond"].items():
        assert np.array_equal(found.probs, again.word_attention["cond"][name].probs)
        assert found.columns == again.word_attention["cond"][name].columns
        group = again.to_xarray()[f"word_attention/cond/{name}"]
        assert group["probs"].dims == ("call", "head", "key_y", "key_x", "query")
        assert "rocket" in "".join(str(text).strip() for text in group["token"].values)
    assert "word_attention/cond" in repr(again)


@pytest.mark.parametrize("columns", ["prompt", "all"])
def test_without_the_kernels_normaliser_it_is_computed_in_pieces(columns, monkeypatch):
    subject = SUBJECTS["flux"]
    pipe = subject.make()
    monkeypatch.setattr(ways_in, "_hands_out_normaliser", lambda *_: False)
    monkeypatch.setattr(probabilities, "SCORES", 5 * 4 * 2 * (12 + TEXT))  # five queries at a time
    record = sdx.Record(dtype="float32", word_attention=True, cross_attention=False, columns=columns, decode=0)
    with witnessing(pipe, monkeypatch) as witness:
        trace = sdx.run(pipe, PROMPT, seed=5, record=record, **CALL)
    assert not trace.cross_attention
    for name, found in trace.word_attention["cond"].items():
        asking = [position for (position,) in found.columns]
        assert (len(asking) == TEXT) is (columns == "all")
        for made, call in zip(found.probs, witness.calls, strict=True):
            own = call[name].naive()[-1, :, subject.words, subject.picture][:, asking].mean(0).mT.unflatten(0, GRID)
            assert np.abs(made[0] - own.numpy()).max() < 1e-6


def test_a_denoiser_whose_words_have_no_queries_refuses_before_the_run(monkeypatch):
    pipe = stable_diffusion()
    monkeypatch.setattr(type(pipe), "prepare_latents", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.RunError, match=r"word_attention=True.*queries of the picture alone"):
        sdx.run(pipe, PROMPT, record=sdx.Record(word_attention=True))
    with pytest.raises(sdx.RunError, match=r"word_attention=True"):
        sdx.cost(pipe, sdx.Record(word_attention=True))
    assert any("word_attention=True" in text for text in sdx.doctor(pipe, sdx.Record(word_attention=True)).warnings)


def test_what_was_not_kept_or_cannot_be_read_so_is_said(seen):
    _, trace, _ = seen
    with pytest.raises(sdx.TraceError, match=r"Record\(word_attention=True\)"):
        sdx.word_map(trace.altered(word_attention={}), "cat", queries="words")
    with pytest.raises(sdx.TraceError, match="'uncond'"):
        sdx.word_map(trace, "cat", queries="words", role="uncond")
    with pytest.raises(sdx.TraceError, match="queries='tokens'"):
        unchecked("analysis.attention").word_map(trace, "cat", queries="tokens")
    with pytest.raises(sdx.TraceError, match="method='amd'"):
        sdx.word_map(trace, "cat", queries="words", method="amd")


def test_older_calls_stay_as_they_were_written():
    assert "word_attention" not in sdx.Record().to_json()
    asked = sdx.Record(word_attention=True)
    assert asked.to_json()["word_attention"] is True
    assert sdx.Record.from_json(asked.to_json()) == asked
