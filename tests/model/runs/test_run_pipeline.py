"""A run draws the pipeline's own picture, to the bit, and its trace holds every step."""

import threading

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler
from diffusers.callbacks import SDCFGCutoffCallback
from diffusers.models.attention_processor import Attention, AttnProcessor
from plain_runs import PROMPT, assert_same_picture, hooks_of, plain
from tiny_pipelines import stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.model.families import family_of
from sdexplore.theory import guided, rescaled

CROSS = ("down_blocks.0.attentions.0", "up_blocks.1.attentions.0", "up_blocks.1.attentions.1", "mid_block.attentions.0")


@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
@pytest.mark.parametrize("size", [(64, 64), (64, 96), (72, 104)])
@pytest.mark.parametrize("images", [1, 2])
def test_the_picture_is_the_same_and_every_layer_and_call_was_captured(tiny, guidance_scale, size, images):
    arguments = {
        "height": size[0],
        "width": size[1],
        "guidance_scale": guidance_scale,
        "num_inference_steps": 3,
        "num_images_per_prompt": images,
    }
    expected = plain(tiny, images=images, seed=5, **arguments)
    record = sdx.Record(roles=("cond", "uncond"))
    found = sdx.run(tiny, PROMPT, seed=5, record=record, **arguments)
    traces = [found] if images == 1 else list(found)
    assert len(traces) == images
    for trace, picture in zip(traces, expected, strict=True):
        assert_same_picture(trace, picture)
        roles = {"cond"} if guidance_scale == 1 else {"cond", "uncond"}
        assert set(trace.noise_preds) == set(trace.cross_attention) == roles
        for role in roles:
            layers = trace.cross_attention[role]
            assert set(layers) == {f"{name}.transformer_blocks.0.attn2" for name in CROSS}
            for layer, attention in layers.items():
                y, x = size[0] // 8, size[1] // 8
                grid = (-(-y // 2), -(-x // 2)) if layer.startswith("mid") else (y, x)
                assert attention.probs.shape[:4] == (4, 1, *grid)  # PNDM makes 3 steps in 4 calls
                assert attention.steps == (0, 1, 2, 3)
                assert np.abs(attention.probs.astype(np.float32).sum(-1) - 1).max() < 5e-3
    if images == 2:
        assert not np.array_equal(traces[0].latents[0], traces[1].latents[0])
        alone = sdx.run(tiny, PROMPT, seed=6, **{**arguments, "num_images_per_prompt": 1})
        assert np.array_equal(alone.latents[0], traces[1].latents[0])  # image i draws from seed + i


def test_probabilities_are_the_naive_processors_own(tiny, monkeypatch):
    """Captured beside the model in the very run in which the naive processor computes them."""
    tiny.unet.set_attn_processor(AttnProcessor())
    modules = {layer.module: name for name, layer in family_of(tiny).attention_layers(tiny.unet).items()}
    own = {}
    scores = Attention.get_attention_scores

    def keep(self, *args):
        probs = scores(self, *args)
        if self in modules:
            own.setdefault(modules[self], []).append(probs.unflatten(0, (-1, self.heads)).numpy())
        return probs

    monkeypatch.setattr(Attention, "get_attention_scores", keep)
    record = sdx.Record(
        cross_attention="heads",
        columns="all",
        roles=("uncond", "cond"),
        self_attention=("",),
        dtype="float32",
        decode=0,
    )
    trace = sdx.run(tiny, PROMPT, record=record, num_inference_steps=2, height=64, width=96)
    assert len(own) == 8
    for name, calls in own.items():
        for row, role in enumerate(("uncond", "cond")):
            kind = trace.cross_attention if name.endswith("attn2") else trace.self_attention
            captured = kind[role][name].probs
            assert len(calls) == len(captured) == 3
            for mine, theirs in zip(captured, calls, strict=True):
                assert np.abs(mine.reshape(theirs[row].shape) - theirs[row]).max() < 1e-6


def test_prompt_columns_are_the_positions_and_the_sum_of_the_padding(tiny):
    arguments = {"num_inference_steps": 2, "seed": 1}
    every, few = (
        sdx.run(tiny, PROMPT, record=sdx.Record(columns=columns, dtype="float32", decode=0), **arguments)
        for columns in ("all", "prompt")
    )
    tokens = few.tokens["cond"]["tokenizer"]
    for layer, attention in few.cross_attention["cond"].items():
        full = every.cross_attention["cond"][layer].probs
        assert attention.columns == (
            *((i,) for i in range(tokens.first_end + 1)),
            tuple(range(tokens.first_end + 1, 77)),
        )
        assert np.array_equal(attention.probs[..., :-1], full[..., : tokens.first_end + 1])
        assert np.allclose(attention.probs[..., -1], full[..., tokens.first_end + 1 :].sum(-1), atol=1e-6)
    assert few.cross_attention["cond"][layer].column(2) == 2
    with pytest.raises(sdx.TraceError, match="columns='all'"):
        few.cross_attention["cond"][layer].column(70)


def test_heads_average_to_the_mean(tiny):
    mean, heads = (
        sdx.run(tiny, PROMPT, record=sdx.Record(cross_attention=kind, dtype="float32", decode=0), num_inference_steps=2)
        for kind in ("mean", "heads")
    )
    for layer, attention in heads.cross_attention["cond"].items():
        assert attention.probs.shape[1] == tiny.unet.get_submodule(layer).heads > 1
        one = mean.cross_attention["cond"][layer]
        assert one.head_mean
        assert not attention.head_mean
        assert np.allclose(attention.probs.mean(1, keepdims=True), one.probs, atol=1e-6)


def test_guidance_rebuilds_what_the_scheduler_got(tiny):
    trace = sdx.run(tiny, PROMPT, num_inference_steps=3, guidance_scale=4.0, guidance_rescale=0.6)
    for step in range(trace.num_steps):
        prediction = guided(trace.noise_pred_uncond[step], trace.noise_pred_cond[step], 4.0)
        prediction = rescaled(prediction, trace.noise_pred_cond[step], 0.6)
        assert np.allclose(prediction, trace.noise_pred[step], atol=2e-5)


def test_guidance_cut_off_leaves_rows_of_nan(tiny):
    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=0.5)
    arguments = {"num_inference_steps": 6, "guidance_scale": 5.0}
    tiny.scheduler = DDIMScheduler.from_config(tiny.scheduler.config)
    expected = plain(tiny, callback_on_step_end=cutoff, **arguments)
    record = sdx.Record(roles=("cond", "uncond"))
    trace = sdx.run(tiny, PROMPT, record=record, callback_on_step_end=cutoff, **arguments)
    assert_same_picture(trace, expected[0])
    gone = np.isnan(trace.noise_pred_uncond).all(axis=(1, 2, 3))
    assert gone.tolist() == [False] * 4 + [True] * 2
    assert not np.isnan(trace.noise_pred_cond).any()
    layer = next(iter(trace.cross_attention["cond"]))
    assert trace.cross_attention["uncond"][layer].steps == (0, 1, 2, 3)
    assert trace.cross_attention["cond"][layer].steps == (0, 1, 2, 3, 4, 5)
    assert np.array_equal(trace.noise_pred[4:], trace.noise_pred_cond[4:])
    assert "callback_on_step_end" in trace.call["arguments"]


def test_sdxl_two_tokenizers_and_zeroed_unconditional_embeddings():
    pipe = stable_diffusion_xl()
    arguments = {"height": 192, "width": 256, "num_inference_steps": 2, "guidance_scale": 5.0}
    expected = plain(pipe, **arguments)
    record = sdx.Record(roles=("cond", "uncond"), decode=2)
    trace = sdx.run(pipe, PROMPT, record=record, **arguments)
    assert_same_picture(trace, expected[0])
    assert trace.image.shape == (192, 256, 3)
    assert set(trace.tokens["cond"]) == {"tokenizer", "tokenizer_2"}
    assert trace.provenance["zeroed_roles"] == ["uncond"]
    cross = [name for name, layer in family_of(pipe).attention_layers(pipe.unet).items() if layer.to_words]
    assert set(trace.cross_attention["cond"]) == set(cross)
    assert len(cross) == 8
    for attention in trace.cross_attention["uncond"].values():
        assert attention.probs.shape[2:4] == (12, 16)
        assert attention.tokenizer == "tokenizer"
        single = attention.probs[..., 0].astype(np.float32)  # zeros give every position the same probability
        assert np.allclose(single, 1 / 77, atol=1e-5)


def test_sdxl_columns_reach_to_the_end_of_the_longer_prompt():
    pipe = stable_diffusion_xl()
    trace = sdx.run(
        pipe,
        "a cat",
        prompt_2="a much longer prompt of a dog",
        height=64,
        width=64,
        num_inference_steps=1,
        record=sdx.Record(decode=0),
    )
    longer = trace.tokens["cond"]["tokenizer_2"]
    assert longer.text == "a much longer prompt of a dog"
    for attention in trace.cross_attention["cond"].values():
        assert attention.column(longer.first_end) == longer.first_end


def test_several_prompts_each_have_their_own_columns_and_words(tiny):
    prompts = ["a cat", "a photo of three dogs in the snow"]
    expected = plain(tiny, prompts, images=4, num_images_per_prompt=2, num_inference_steps=2)
    traces = sdx.run(tiny, prompts, num_images_per_prompt=2, num_inference_steps=2, negative_prompt=["bad", "ugly hat"])
    assert len(traces) == 4
    expected = plain(
        tiny, prompts, images=4, num_images_per_prompt=2, num_inference_steps=2, negative_prompt=["bad", "ugly hat"]
    )
    for number, (trace, picture) in enumerate(zip(traces, expected, strict=True)):
        assert_same_picture(trace, picture)
        assert trace.prompt == prompts[number // 2]
        assert trace.tokens["uncond"]["tokenizer"].text == ["bad", "ugly hat"][number // 2]
        first_end = trace.tokens["cond"]["tokenizer"].first_end
        for attention in trace.cross_attention["cond"].values():
            assert attention.probs.shape[-1] == first_end + 2
    assert sdx.word_map(traces[3], "snow").shape == (8, 8)
    with pytest.raises(sdx.TokenError, match="no word 'snow'"):
        sdx.word_map(traces[0], "snow")


def test_embeddings_instead_of_a_prompt(tiny):
    embeds, negative = tiny.encode_prompt(PROMPT, "cpu", 1, do_classifier_free_guidance=True)
    arguments = {"prompt_embeds": embeds, "negative_prompt_embeds": negative, "num_inference_steps": 2}
    expected = plain(tiny, None, **arguments)
    trace = sdx.run(tiny, **arguments)
    assert_same_picture(trace, expected[0])
    assert trace.tokens == {}
    assert set(trace.noise_preds) == {"cond", "uncond"}
    assert sdx.word_map(trace, [2]).shape == (8, 8)
    with pytest.raises(sdx.TraceError, match="embeddings without a prompt"):
        sdx.word_map(trace, "cat")
    assert trace.call["arguments"]["prompt_embeds"]["tensor"] == [1, 77, 32]


def test_second_order_schedulers_have_a_row_for_each_call(tiny):
    tiny.scheduler = HeunDiscreteScheduler.from_config(tiny.scheduler.config)
    trace = sdx.run(tiny, PROMPT, num_inference_steps=3)
    assert trace.num_steps == 5
    assert len(set(trace.timesteps)) == 3
    assert trace.space == "variance exploding"
    assert list(trace.decoded) == [0, 1, 2, 3, 4]
    assert np.abs(trace.scaled_latents(0)).std() < 2 < trace.latents[0].std()


def test_latents_begin_with_the_noise_and_end_with_what_is_decoded(tiny):
    tiny.scheduler = EulerDiscreteScheduler.from_config(tiny.scheduler.config)
    trace = sdx.run(tiny, PROMPT, num_inference_steps=3)
    final = tiny(PROMPT, generator=torch.Generator().manual_seed(0), num_inference_steps=3, output_type="latent").images
    assert np.array_equal(trace.latents[-1], final[0].numpy())
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    assert np.allclose(trace.latents[0], (noise * tiny.scheduler.init_noise_sigma)[0].numpy(), rtol=1e-5)


def test_latents_as_output_give_a_trace_without_picture(tiny):
    trace = sdx.run(tiny, PROMPT, num_inference_steps=2, output_type="latent")
    assert trace.image is None
    with pytest.raises(sdx.TraceError, match="output_type='latent'"):
        trace.recorded("image")
    assert sdx.run(tiny, PROMPT, num_inference_steps=2, return_dict=False).image is not None


def test_records_leave_out_what_they_are_told(tiny):
    record = sdx.Record(latents=False, noise_pred=False, cross_attention=False, decode=0)
    trace = sdx.run(tiny, PROMPT, record=record, num_inference_steps=2)
    assert trace.latents is trace.noise_pred is trace.pred_original_sample is None
    assert trace.cross_attention == trace.decoded == {}
    record = sdx.Record(steps=(0, -1), layers=("mid_block",), self_attention=(8,), decode=(1, -1))
    trace = sdx.run(tiny, PROMPT, record=record, num_inference_steps=3)
    (attention,) = trace.cross_attention["cond"].values()
    assert attention.steps == (0, 3)
    assert {a.probs.shape[2:] for a in trace.self_attention["cond"].values()} == {(8, 8, 64)}
    assert list(trace.decoded) == [1, 3]
    with pytest.raises(sdx.RunError, match="no step 9"):
        sdx.run(tiny, PROMPT, record=sdx.Record(steps=(9,)), num_inference_steps=3)
    assert hooks_of(tiny.unet) == []


def test_stopping_keeps_what_was_recorded_and_leaves_the_pipeline_clean(tiny):
    seen = []

    def on_step(progress):
        seen.append((progress.step, progress.total, progress.latents().shape, progress.preview().shape))
        if progress.step == 2:
            progress.stop()

    before = plain(tiny, num_inference_steps=5)
    with pytest.raises(sdx.Stopped, match="stopped after 3 of 6 steps") as stopped:
        sdx.run(tiny, PROMPT, num_inference_steps=5, on_step=on_step)
    assert seen == [(step, 6, (4, 8, 8), (8, 8, 3)) for step in range(3)]
    trace = stopped.value.trace
    assert trace.num_steps == 3
    assert trace.image is None
    assert trace.call["stopped"]
    assert trace.decoded == {}
    assert len(sdx.word_map(trace, "cat")) == 8
    assert hooks_of(tiny.unet) == []
    assert "step" not in vars(tiny.scheduler)
    assert np.array_equal(before, plain(tiny, num_inference_steps=5))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_in_mid_run_leaves_the_pipeline_as_it_was(tiny, error):
    processors = dict(tiny.unet.attn_processors)

    def on_step(progress):
        if progress.step == 1:
            tiny.unet.set_attn_processor(AttnProcessor())  # what a pipeline may do and mend in its last lines
            raise error

    before = plain(tiny, num_inference_steps=3)
    with pytest.raises(error):
        sdx.run(tiny, PROMPT, num_inference_steps=3, on_step=on_step)
    assert all(tiny.unet.attn_processors[name] is processor for name, processor in processors.items())
    assert hooks_of(tiny.unet) == []
    assert "step" not in vars(tiny.scheduler)
    assert "encode_prompt" not in vars(tiny)
    assert np.array_equal(before, plain(tiny, num_inference_steps=3))
    assert_same_picture(sdx.run(tiny, PROMPT, num_inference_steps=3), before[0])  # and the lock is free


def test_runs_of_one_pipeline_queue_and_a_run_within_a_run_is_refused(tiny):
    expected = [plain(tiny, seed=seed, num_inference_steps=8)[0] for seed in range(3)]
    found = {}
    threads = [
        threading.Thread(target=lambda s=seed: found.update({s: sdx.run(tiny, PROMPT, seed=s, num_inference_steps=8)}))
        for seed in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, picture in enumerate(expected):
        assert_same_picture(found[seed], picture)
    with pytest.raises(sdx.RunError, match="in the middle of a run"):
        sdx.run(tiny, PROMPT, num_inference_steps=2, on_step=lambda _: sdx.run(tiny, PROMPT))


def test_what_cannot_be_observed_is_refused_before_the_run(tiny):
    with pytest.raises(sdx.RunError, match="give seed= instead"):
        sdx.run(tiny, PROMPT, generator=torch.Generator())
    with pytest.raises(sdx.RunError, match="seed is a whole number"):
        sdx.run(tiny, PROMPT, seed=True)
    with pytest.raises(sdx.InspectionError, match="UNet"):
        sdx.run(object(), PROMPT)
    tiny.unet.compile(backend="eager")
    with pytest.raises(sdx.RunError, match=r"compiled by torch\.compile"):
        sdx.run(tiny, PROMPT)


def test_a_pipelines_own_errors_come_through(tiny):
    with pytest.raises(sdx.RunError, match="takes no 'guidance_scal'; did you mean 'guidance_scale'"):
        sdx.run(tiny, PROMPT, guidance_scal=1)  # the pipeline itself would swallow it
    with pytest.raises(sdx.RunError, match=r"height=63.*divisible by 8"):
        sdx.run(tiny, PROMPT, height=63, width=64)
    assert hooks_of(tiny.unet) == []


def test_provenance_names_everything_and_no_local_path(tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "my model")
    pipe = sdx.load(tmp_path / "my model")
    pipe.set_progress_bar_config(disable=True)
    trace = sdx.run(pipe, PROMPT, num_inference_steps=1)
    assert trace.provenance["model"] == "my model"
    assert trace.provenance["components"]["unet"] == "UNet2DConditionModel"
    assert trace.provenance["scheduler"]["class"] == "PNDMScheduler"
    assert trace.provenance["dtype"] == "float32"
    assert str(tmp_path) not in repr(dict(trace.provenance)) + repr(dict(trace.call))


def test_an_image_to_image_pipeline_runs_and_shares_its_lock(tiny):
    from diffusers import StableDiffusionImg2ImgPipeline
    from PIL import Image

    pipe = StableDiffusionImg2ImgPipeline(**tiny.components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    expected = plain(pipe, image=picture, strength=0.5, num_inference_steps=6)
    trace = sdx.run(pipe, PROMPT, image=picture, strength=0.5, num_inference_steps=6)
    assert_same_picture(trace, expected[0])
    assert trace.call["arguments"]["image"]["image"] == [64, 64]
    assert trace.num_steps < 6
    for attention in trace.cross_attention["cond"].values():
        assert attention.steps == tuple(range(trace.num_steps))


def test_a_fresh_pipeline_of_each_test_is_alike():
    assert np.array_equal(
        plain(stable_diffusion(), num_inference_steps=1), plain(stable_diffusion(), num_inference_steps=1)
    )
