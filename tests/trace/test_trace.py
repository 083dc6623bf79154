"""A Trace in memory: it is read-only, checked when it is made, and its errors say what it does not hold."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from synthetic import CHANNELS, DOWN, LENGTH, MID, SIGMAS, STEPS, X, Y
from unchecked import unchecked

from sdexplore.base.errors import TraceError
from sdexplore.text.tokenization import Tokenizations

AnyTrace = unchecked("trace.trace").Trace  # takes what no annotation allows
AnySteps = unchecked("trace.steps").StepsOfTrace
AnyAttention = unchecked("trace.layers").Attention


def fields_of(trace):
    return {field.name: getattr(trace, field.name) for field in dataclasses.fields(trace)}


def message(make, *args, **kwargs):
    with pytest.raises(TraceError) as raised:
        make(*args, **kwargs)
    return str(raised.value)


def test_every_array_is_read_only_and_the_caller_s_stays_writable():
    own = synthetic.trace()
    latents, pred, picture, probs = (np.array(a) for a in (own.latents, own.noise_pred, own.image, own.noise_pred_cond))
    trace = synthetic.trace(latents=latents, noise_pred=pred, image=picture, noise_preds={"cond": probs})
    for name, array in trace.arrays().items():
        assert not array.flags.writeable, name
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    for array in (latents, pred, picture, probs):
        array[...] = 0


def test_fields_and_mappings_of_arrays_cannot_be_exchanged():
    trace = synthetic.trace()
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.latents = None
    for mapping in (trace.noise_preds, trace.decoded, trace.decoded_x0):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["new"] = 0


F32 = np.float32


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"latents": np.zeros((STEPS, CHANNELS, Y, X), F32)},
            "latents is float32 of shape (6, 4, 8, 12); it must be float32 (step+1 channel y x), here step = 6",
        ),
        (
            {"noise_pred": np.zeros((STEPS, CHANNELS, X, Y), F32)},
            "(6, 4, 12, 8); it must be float32 (step channel y x), here step = 6, channel = 4, y = 8, x = 12",
        ),
        ({"sigmas": np.ones(5)}, "sigmas is float64 of shape (5,); it must be float64 (step), here step = 6"),
        ({"timesteps": np.array(3.0)}, "timesteps is float64 of shape (); it must be float64 (step)"),
        ({"timesteps": np.arange(6)}, "timesteps is int64 of shape (6,); it must be float64 (step)"),
        (
            {"latent_rgb": np.zeros((4, 3), F32)},
            "latent_rgb is float32 of shape (4, 3); it must be float32 (channel+1 3), here channel = 4",
        ),
        ({"latent_rgb": np.zeros((5, 4), F32)}, "latent_rgb is float32 of shape (5, 4); it must be"),
        ({"image": np.zeros((64, 96), np.uint8)}, "image is uint8 of shape (64, 96); it must be uint8 (Y X 3)"),
        ({"image": np.zeros((64, 96, 3), F32)}, "image is float32 of shape (64, 96, 3); it must be uint8 (Y X 3)"),
        (
            {"noise_preds": {"cond": np.zeros((5, CHANNELS, Y, X), F32)}},
            "['cond'] is float32 of shape (5, 4, 8, 12); it must be float32 (step channel y x), here step = 6,",
        ),
        (
            {"latents": None, "noise_preds": {"cond": np.zeros((5, CHANNELS, Y, X), F32)}},
            "noise_preds['cond'] is float32 of shape (5, 4, 8, 12)",
        ),
        ({"decoded": {6: np.zeros((64, 96, 3), np.uint8)}}, "decoded names step 6, beyond the 6 of the run"),
        ({"decoded_x0": {-1: np.zeros((64, 96, 3), np.uint8)}}, "decoded_x0 names step -1, beyond the 6 of the run"),
        ({"decoded_x0": {0: np.zeros((9, 96, 3), np.uint8)}}, "decoded_x0[0] is uint8 of shape (9, 96, 3)"),
    ],
)
def test_parts_that_do_not_fit_say_what_they_must_be(changes, expected):
    assert expected in message(AnyTrace, **fields_of(synthetic.trace()) | changes)


def test_attention_of_steps_beyond_the_run_is_refused():
    shorter = {"timesteps": np.zeros(4), "sigmas": None, "latents": None, "noise_pred": None, "noise_preds": {}}
    shorter |= {"pred_original_sample": None, "decoded": {}, "decoded_x0": {}}
    expected = f"attention of uncond at {DOWN} names steps beyond the 4 of the run"
    assert message(AnyTrace, **fields_of(synthetic.trace()) | shorter) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"probs": np.zeros((6, 8, 12, 9), F32)},
            "attention is float32 of shape (6, 8, 12, 9); it must be floats (call,",
        ),
        ({"probs": np.zeros((6, 1, 8, 12, 9), int)}, "attention is int64 of shape (6, 1, 8, 12, 9); it must be floats"),
        ({"steps": (0, 1)}, "attention of 6 calls names 2 steps"),
        ({"columns": ((0,),)}, "attention of 9 columns names 1"),
        ({"columns": (("x",),) * 9}, "attention names positions that are no whole numbers: (('x',),"),
        ({"tokenizer": 3}, "attention names 3 as its tokenizer; it must be a name"),
    ],
)
def test_attention_that_does_not_fit_is_refused(changes, expected):
    assert message(AnyAttention, **fields_of(synthetic.attention((8, 12))) | changes).startswith(expected)


def test_a_column_is_found_by_position_and_summed_padding_is_not():
    summed, apart = (synthetic.attention((2, 3), columns=columns) for columns in ("prompt", "all"))
    assert [summed.column(position) for position in range(8)] == list(range(8))
    assert [apart.column(position) for position in range(LENGTH)] == list(range(LENGTH))
    assert message(summed.column, 8) == (
        "position 8 was not recorded by itself: columns='prompt' sums the padding; "
        "record with Record(columns='all') to have it apart"
    )
    assert message(apart.column, 12) == "there is no position 12 in this attention: its columns hold 0 to 11"
    assert message(summed.column, -1) == "there is no position -1 in this attention: its columns hold 0 to 11"
    alone = dataclasses.replace(apart, columns=())
    assert message(alone.column, 0) == "there is no position 0 in this attention: it names no positions"


def test_attention_shows_itself_in_a_line():
    mean, heads = synthetic.attention((8, 12)), synthetic.attention((4, 6), heads=True, dtype=F32)
    assert repr(mean) == "Attention: 6 calls, mean over heads, 8 × 12 grid, 9 columns, float16"
    assert repr(heads) == "Attention: 6 calls, 2 heads, 4 × 6 grid, 9 columns, float32"
    assert "8 × 12 grid" in mean._repr_html_()


def test_scaled_latents_are_alike_on_either_scale():
    preserving, exploding = (synthetic.trace(space=f"variance {kind}") for kind in ("preserving", "exploding"))
    np.testing.assert_array_equal(preserving.scaled_latents(2), preserving.latents[2])
    for step in range(-STEPS, STEPS):
        found = exploding.scaled_latents(step)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, preserving.scaled_latents(step), atol=1e-5)
        expected = exploding.latents[step % STEPS] / np.sqrt(1 + SIGMAS[step] ** 2)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_unknown_scale_is_not_guessed():
    provenance = {"scheduler": {"class": "FlowMatchEulerDiscreteScheduler", "space": "unknown"}}
    trace = synthetic.trace(provenance=provenance, sigmas=None)
    said = (
        "this trace holds latents of FlowMatchEulerDiscreteScheduler on a scale that sdexplore does not know: 'unknown'"
    )
    assert message(trace.scaled_latents, 0) == said
    assert "FlowMatchEulerDiscreteScheduler" in repr(trace)


def test_steps_are_counted_from_either_end():
    trace = synthetic.trace()
    assert [trace.check_step(step) for step in (0, 5, -1, -6, np.int64(3))] == [0, 5, 5, 0, 3]
    assert type(trace.check_step(np.int64(3))) is int
    for step in (6, -7):
        assert message(trace.check_step, step) == f"there is no step {step}: the trace has 6, 0 to 5"
        assert message(trace.scaled_latents, step) == f"there is no step {step}: the trace has 6, 0 to 5"


def test_steps_are_named_one_or_several_or_as_a_slice():
    trace = synthetic.trace()
    last = trace.num_steps - 1
    assert trace.check_steps(None) == tuple(range(trace.num_steps))
    assert trace.check_steps(1) == (1,)
    assert trace.check_steps(slice(-2, None)) == (last - 1, last)
    assert trace.check_steps([-1, 0, last]) == (last, 0)
    for wrong in (1.5, "x", [0, 1.5], slice("a", None)):
        with pytest.raises(TraceError) as raised:
            AnySteps.check_steps(trace, wrong)
        assert str(raised.value).startswith(f"steps={wrong!r}: name a step (5), several ([0, 5, -1]) or a slice; the")


def test_what_was_not_recorded_says_how_to_record_it():
    empty = synthetic.trace(
        sigmas=None, latents=None, noise_pred=None, pred_original_sample=None, latent_rgb=None, image=None
    )
    hints = {
        "latents": "run with Record(latents=True)",
        "noise_pred": "run with Record(noise_pred=True)",
        "pred_original_sample": "it needs Record(latents=True, noise_pred=True)",
        "sigmas": "the noise levels of its scheduler are not known to sdexplore",
        "latent_rgb": "the pipeline has no VAE to fit it on, or the run was stopped",
        "image": "the run was stopped, or asked for output_type='latent'",
        "latnts": "there is no field 'latnts'",
    }
    for name, hint in hints.items():
        assert message(empty.recorded, name).startswith(f"this trace holds no {name}: {hint}")
    full = synthetic.trace()
    assert full.recorded("latents") is full.latents


def test_roles_that_were_not_recorded_say_which_were():
    trace = synthetic.trace()
    assert trace.noise_pred_cond is trace.noise_preds["cond"]
    assert trace.noise_pred_uncond is trace.noise_preds["uncond"]
    alone = synthetic.trace(noise_preds={"cond": trace.noise_pred_cond})
    said = "no noise prediction of role 'uncond' in this trace; recorded: 'cond'"
    assert message(lambda: alone.noise_pred_uncond) == said
    none = synthetic.trace(noise_preds={})
    assert message(lambda: none.noise_pred_cond).endswith("recorded: none (Record(noise_pred=False))")


def test_attention_that_was_not_recorded_says_how_to_record_it():
    trace = synthetic.trace()
    assert list(trace.attention()) == list(synthetic.LAYERS)
    only = synthetic.trace(cross_attention={"cond": trace.attention()})
    assert message(only.attention, "uncond") == (
        "no cross-attention of role 'uncond'; did you mean 'cond'? (Record(roles=…) says whose is kept)"
    )
    none = synthetic.trace(cross_attention={})
    assert message(none.attention) == "this trace holds no cross-attention: run with Record(cross_attention='mean')"


def test_the_prompt_is_what_the_first_tokenizer_got():
    trace = synthetic.trace()
    assert trace.prompt == "a cat and a rocketship"
    two = {"tokenizer": synthetic.tokenization("one"), "tokenizer_2": synthetic.tokenization("two", "tokenizer_2")}
    assert synthetic.trace(tokens={"cond": Tokenizations(two)}).prompt == "one"
    assert synthetic.trace(tokens={}).prompt is None


def test_the_fingerprint_follows_the_call_and_what_came_of_it():
    trace = synthetic.trace()
    assert len(trace.fingerprint) == 8
    int(trace.fingerprint, 16)
    assert synthetic.trace().fingerprint == trace.fingerprint
    assert synthetic.trace(heads=True, decoded={}).fingerprint == trace.fingerprint  # what is kept changes nothing

    def changed(name, place):
        array = np.array(getattr(trace, name))
        array[place] += 1
        return synthetic.trace(**{name: array}).fingerprint

    others = [
        changed("latents", -1),
        changed("image", (0, 0)),
        changed("image", (-1, 0)),
        changed("timesteps", 0),
        synthetic.trace(call=dict(trace.call) | {"seed": 1}).fingerprint,
        synthetic.trace(image=None).fingerprint,
        synthetic.trace(latents=None).fingerprint,
    ]
    assert len({trace.fingerprint, *others}) == 8
    assert changed("latents", 0) == trace.fingerprint


def test_arrays_have_their_file_names_and_bytes_are_their_sum():
    trace = synthetic.trace()
    arrays = trace.arrays()
    assert arrays[f"cross_attention/uncond/{MID}"] is trace.cross_attention["uncond"][MID].probs
    assert arrays["noise_preds/cond"] is trace.noise_preds["cond"]
    assert arrays["decoded_x0/3"] is trace.decoded_x0[3]
    assert len(arrays) == 7 + 2 + 2 * 5 + 2 * 3
    assert trace.nbytes == sum(array.nbytes for array in arrays.values())


def test_the_repr_says_what_was_called_and_lists_layers_of_one_shape_together():
    trace = synthetic.trace()
    text = repr(trace)
    lines = text.split("\n")
    assert lines[0] == f"Trace {trace.fingerprint}: run of synthetic, 'a cat and a rocketship'"
    assert lines[1].startswith("6 steps of DDIMScheduler, guidance_scale 7.5, seed 0, roles uncond, cond, ")
    rows = {line.split("  ")[0]: line.split()[-7:] for line in lines[4:]}
    assert list(rows)[:2] == ["timesteps", "sigmas"]
    assert "cross_attention/cond: 2 layers" in rows
    assert "cross_attention/uncond: 1 layer" in rows
    assert "decoded: 3 steps" in rows
    assert text.count("cross_attention/cond") == 3
    for line in lines[2:]:
        for cell in line.replace("─", "").split("  "):
            assert cell.strip() in trace._repr_html_().replace("&#x27;", "'")


def test_the_repr_of_a_stopped_an_unsafe_and_an_empty_trace():
    stopped = synthetic.trace(call={"stopped": True}, image=None)
    assert "Stopped after 6 steps; no picture was decoded." in repr(stopped)
    unsafe = synthetic.trace(flags={"nsfw_content_detected": True})
    assert "The safety checker found the picture unsafe and made it black." in repr(unsafe)
    assert "unsafe" not in repr(synthetic.trace(flags={"nsfw_content_detected": False}))
    empty = AnyTrace(kind="run", call={}, provenance={}, timesteps=np.zeros(0))
    assert repr(empty).split("\n")[0] == f"Trace {empty.fingerprint}: run of ?"
    assert "roles not recorded" in repr(empty)


def test_one_call_is_one_call():
    probs = np.zeros((1, 1, 2, 3, 1), np.float16)
    one = dataclasses.replace(synthetic.attention((2, 3)), probs=probs, steps=(0,), columns=((0,),))
    assert repr(one) == "Attention: 1 call, mean over heads, 2 × 3 grid, 1 column, float16"


def test_a_hostile_prompt_is_escaped_and_cut():
    trace = synthetic.trace(prompt="</script><script>alert(1)</script> " + "🌸" * 5000)
    assert "<script" not in trace._repr_html_()
    assert len(repr(trace).split("\n")[0]) < 200


def test_a_trace_in_memory_has_nothing_to_be_verified_against():
    said = "this trace does not come from a file: there is nothing to verify it against"
    assert message(synthetic.trace().verify) == said


def test_no_torch_is_needed_to_open_a_trace(tmp_path):
    path = synthetic.trace().save(tmp_path / "a.safetensors")
    code = f"""
import sys
from sdexplore.trace.trace import Trace
print(repr(Trace.load({str(path)!r}).verify()))
assert not {{"torch", "diffusers", "transformers", "matplotlib.pyplot"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
