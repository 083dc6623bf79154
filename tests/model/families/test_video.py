"""Videos: what each family's run holds, against the plain pipeline's own calls and the formulas written out."""

import copy
import pickle

import numpy as np
import pytest
import torch
from tiny_videos import EVERY, SIZES, cogvideox, wan_of_two

import sdexplore as sdx

PROMPT, NEGATIVE = "a cat on a mat", "a dog"
STEPS, SEED = 3, 7
CHANNELS = {"cogvideox": 4, "wan": 16, "animatediff": 4}
FRAMES = {"cogvideox": 3, "wan": 3, "animatediff": 3}  # of the latents


class Recorded:
    """A tiny pipeline, what it draws and calls by itself, and the trace of the same call."""

    def __init__(self, name):
        self.family = name.replace(",", "").split()[0]
        self.pipe = EVERY[name]()
        self.call = {**SIZES[self.family], "num_inference_steps": STEPS, "guidance_scale": 4.0}
        self.call |= {"negative_prompt": NEGATIVE} | ({"guidance_scale_2": 2.0} if name == "wan of two" else {})
        self.predicted = {"cond": [], "uncond": []}
        hooks = [one.register_forward_hook(self._note, with_kwargs=True) for one in self.networks]
        self.plain = self.draw()
        for hook in hooks:
            hook.remove()
        self.trace = sdx.run(self.pipe, PROMPT, seed=SEED, **self.call)

    def draw(self):
        made = self.pipe(PROMPT, generator=torch.Generator().manual_seed(SEED), output_type="np", **self.call)
        return (np.asarray(made.frames[0]) * 255).round().astype(np.uint8)

    @property
    def networks(self):
        names = ("transformer", "transformer_2", "unet")
        return [found for name in names if (found := getattr(self.pipe, name, None)) is not None]

    def _embeddings(self, text):
        length = {"max_sequence_length": self.call["max_sequence_length"]} if "max_sequence_length" in self.call else {}
        if self.family == "animatediff":
            return self.pipe.encode_prompt(text, "cpu", 1, do_classifier_free_guidance=False)[0]
        return self.pipe.encode_prompt(text, do_classifier_free_guidance=False, **length)[0]

    def _note(self, _, __, kwargs, output):
        """Files each row of a call under the text whose embeddings it was given."""
        made = output[0] if isinstance(output, tuple) else output.sample
        made = made.transpose(1, 2) if self.family == "cogvideox" else made
        embeds = kwargs["encoder_hidden_states"]
        for row, own in zip(made, embeds[:: len(embeds) // len(made)], strict=True):
            (role,) = (
                role
                for role, text in (("cond", PROMPT), ("uncond", NEGATIVE))
                if torch.equal(self._embeddings(text)[0], own)
            )
            self.predicted[role].append(row[:, -FRAMES[self.family] :].numpy())  # without frames put in front


@pytest.fixture(scope="module", params=list(EVERY))
def recorded(request):
    return Recorded(request.param)


def test_the_frames_are_those_that_the_pipeline_draws_by_itself(recorded):
    trace, plain = recorded.trace, recorded.plain
    assert np.array_equal(trace.frames, plain)
    assert np.array_equal(trace.image, plain[len(plain) // 2])
    assert trace.video
    assert "missing" not in trace.provenance
    assert np.array_equal(recorded.draw(), plain)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in recorded.networks)


def test_arrays_have_an_axis_of_frames_behind_the_channels(recorded):
    trace, shape = recorded.trace, (CHANNELS[recorded.family], FRAMES[recorded.family], 2, 4)
    assert trace.latents.shape == (STEPS + 1, *shape)
    each = [trace.noise_pred, trace.pred_original_sample, *trace.noise_preds.values()]
    assert {one.shape for one in each} == {(STEPS, *shape)}
    assert trace.frames.shape == (recorded.call["num_frames"], 16, 32, 3)
    assert not trace.cross_attention


def test_each_role_holds_what_was_predicted_for_its_text(recorded):
    assert set(recorded.trace.noise_preds) == {"cond", "uncond"}
    for role, rows in recorded.predicted.items():
        assert np.array_equal(recorded.trace.noise_preds[role], np.stack(rows))
    assert not np.array_equal(recorded.trace.noise_pred_cond, recorded.trace.noise_pred_uncond)


def test_the_halves_make_the_guided_prediction_to_the_bit(recorded):
    found = sdx.guidance_steps(recorded.trace)
    assert not found.residual.any()
    assert not found.unexplained
    assert found.difference.shape == (STEPS, FRAMES[recorded.family], 2, 4)


def test_the_second_transformer_has_its_own_scale(recorded):
    late = recorded.trace.timesteps < 800
    scales = np.where(late & ("guidance_scale_2" in recorded.call), 2.0, 4.0)
    assert sdx.guidance_steps(recorded.trace).guidance_scale.tolist() == scales.tolist()


def test_a_scale_that_changes_from_step_to_step_is_each_steps_own():
    trace = sdx.run(cogvideox(), PROMPT, use_dynamic_cfg=True, num_inference_steps=4, **SIZES["cogvideox"])
    found = sdx.guidance_steps(trace)
    assert len(set(found.guidance_scale)) == 4
    assert not found.residual.any()


def test_x0_follows_from_latents_and_prediction_by_the_familys_formula(recorded):
    trace, scheduler = recorded.trace, recorded.pipe.scheduler
    for step in range(STEPS):
        x, predicted = (values[step].astype(np.float64) for values in (trace.latents, trace.noise_pred))
        if recorded.family == "wan":
            expected = x - float(scheduler.sigmas[step]) * predicted
        else:
            share = float(scheduler.alphas_cumprod[int(trace.timesteps[step])])
            a, b = share**0.5, (1 - share) ** 0.5
            expected = a * x - b * predicted if recorded.family == "cogvideox" else (x - b * predicted) / a
        assert np.allclose(trace.pred_original_sample[step], expected, rtol=1e-4, atol=1e-4)
    assert np.allclose(trace.pred_original_sample[-1], trace.latents[-1], atol=1e-5)  # the last step goes all the way


def test_a_step_is_decoded_as_its_middle_frame(recorded):
    last = STEPS - 1
    assert set(recorded.trace.decoded) == set(range(STEPS))
    difference = np.abs(recorded.trace.decoded_x0[last].astype(int) - recorded.trace.image)
    assert difference.max() <= 1  # as the pipeline decodes, but for the order of a product
    assert not np.array_equal(recorded.trace.decoded[0], recorded.trace.decoded_x0[0])
    assert recorded.trace.latent_rgb.shape == (CHANNELS[recorded.family] + 1, 3)


def test_a_file_a_pickle_and_a_copy_hold_the_same(recorded, tmp_path):
    trace = recorded.trace
    again = sdx.Trace.load(trace.save(tmp_path / "trace.safetensors")).verify()
    for other in (again, pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):  # noqa: S301  (our own)
        assert other.fingerprint == trace.fingerprint
        found, expected = other.arrays(), trace.arrays()
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_run_to_a_file_is_the_run_in_memory(recorded, tmp_path):
    written = sdx.run(recorded.pipe, PROMPT, seed=SEED, to=tmp_path / "run.safetensors", **recorded.call)
    assert written.path == tmp_path / "run.safetensors"
    assert written.fingerprint == recorded.trace.fingerprint
    assert np.array_equal(written.frames, recorded.trace.frames)
    assert np.array_equal(written.decoded_x0[0], recorded.trace.decoded_x0[0])


def test_cost_is_the_bytes_of_the_arrays(recorded):
    recorded.trace.decode()
    told = sdx.cost(recorded.pipe, prompt=PROMPT, **recorded.call).parts
    uncounted = ("timesteps", "sigmas", "latent_rgb")  # too small
    made = {}
    for name, part in recorded.trace.parts().items():
        field = name if name.startswith("noise_preds") else name.partition("/")[0]
        made[field] = made.get(field, 0) + part.nbytes
    assert {name: size for name, size in made.items() if name not in uncounted} == told


def test_named_axes_in_xarray(recorded):
    tree = recorded.trace.to_xarray()
    assert tree["latents"].dims == ("point", "channel", "frame", "y", "x")
    assert tree["noise_pred_cond"].dims == ("step", "channel", "frame", "y", "x")
    assert tree["frames"].dims == ("video_frame", "row", "column", "rgb")


def test_another_output_is_the_same_record(recorded):
    returned = {"output_type": "pt", "return_dict": False}
    trace = sdx.run(recorded.pipe, PROMPT, seed=SEED, record=sdx.Record(decode=0), **recorded.call, **returned)
    assert np.array_equal(trace.frames, recorded.trace.frames)
    bare = sdx.run(recorded.pipe, PROMPT, seed=SEED, record=sdx.Record(decode=0), output_type="latent", **recorded.call)
    assert bare.frames is bare.image is None
    assert bare.video
    assert np.array_equal(bare.latents, recorded.trace.latents)


def test_latents_that_a_callback_changes_last_are_those_that_were_decoded(recorded):
    given = []

    def halve(_, step, __, values):
        if step == STEPS - 1:
            given.append(values["latents"].clone())
        return {"latents": values["latents"] / 2 if step == STEPS - 1 else values["latents"]}

    trace = sdx.run(recorded.pipe, PROMPT, seed=SEED, callback_on_step_end=halve, **recorded.call)
    (last,) = given
    last = last[0].transpose(0, 1) if recorded.family == "cogvideox" else last[0]
    assert np.allclose(trace.latents[-1], last[:, -FRAMES[recorded.family] :] / 2, rtol=1e-6, atol=1e-7)
    assert not np.array_equal(trace.frames, recorded.trace.frames)


def test_two_prompts_are_two_traces(recorded):
    both = sdx.run(recorded.pipe, [NEGATIVE, PROMPT], seed=SEED - 1, **{**recorded.call, "negative_prompt": None})
    assert [one.prompt for one in both] == [NEGATIVE, PROMPT]
    assert np.allclose(both[1].latents[0], recorded.trace.latents[0])  # the second draws its noise from seed + 1
    assert np.array_equal(both[1].image, both[1].frames[len(both[1].frames) // 2])


def test_a_run_that_is_stopped_keeps_what_it_did(recorded):
    seen = []

    def stop(progress):
        seen.append((progress.latents().shape, progress.preview().shape))
        progress.stop()

    with pytest.raises(sdx.Stopped) as raised:
        sdx.run(recorded.pipe, PROMPT, seed=SEED, on_step=stop, **recorded.call)
    partial = raised.value.trace
    assert seen == [((CHANNELS[recorded.family], FRAMES[recorded.family], 2, 4), (2, 4, 3))]
    assert np.array_equal(partial.latents, recorded.trace.latents[:2])
    assert partial.frames is None
    assert partial.pred_original_sample.shape == (1, *seen[0][0])


def test_several_runs_are_compared(recorded):
    given = {name: value for name, value in recorded.call.items() if name != "guidance_scale"}
    found = sdx.compare(recorded.pipe, PROMPT, seed=SEED, over={"guidance_scale": [2.0, 4.0]}, **given)
    assert np.array_equal(found.traces[1].frames, recorded.trace.frames)
    apart = sdx.difference(*found.traces)
    assert apart.parted == 0
    assert apart.x0.shape == (STEPS, FRAMES[recorded.family], 2, 4)


def test_a_pipeline_is_told_about(recorded):
    pipe = recorded.pipe
    assert sdx.doctor(pipe).observable
    assert "not recorded" in sdx.doctor(pipe).facts["attention"]
    assert sdx.components(pipe).pipeline == type(pipe).__name__
    assert "over frames" in sdx.components(pipe).summary["attention"]
    assert any(node.output for node in sdx.tree(pipe).root.walk())
    assert sdx.schedule(pipe).timesteps.size
    assert sdx.text_encoding(pipe, PROMPT)
    assert sdx.tokens(pipe, PROMPT)["tokenizer"].words[1].text == "cat"


def test_the_second_transformer_is_left_as_it_was_after_an_error():
    pipe = wan_of_two()
    call = {**SIZES["wan"], "num_inference_steps": STEPS, "guidance_scale": 4.0}
    hook = pipe.transformer_2.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sdx.run(pipe, PROMPT, **call)
    hook.remove()
    assert not pipe.transformer_2._forward_hooks
    assert not pipe.transformer_2._forward_pre_hooks
    assert len(sdx.run(pipe, PROMPT, **call).noise_preds["cond"]) == STEPS
