"""The cost that is estimated before a run is what the run takes."""

import dataclasses

import pytest
import tiny_families as families
import torch
from diffusers import DDIMScheduler, DDPMScheduler, HeunDiscreteScheduler, StableDiffusionUpscalePipeline
from tiny_pipelines import ddpm, latent_diffusion, stable_diffusion, stable_diffusion_xl, unet, vae
from tiny_transformers import flux
from tiny_videos import animatediff

import sdexplore as sdx
from sdexplore.model.runs.call_outline import Outline
from sdexplore.trace.declaration import Kind, declared, with_arrays

PROMPT = "a photo of a cat in the snow"


@pytest.mark.parametrize("make", [stable_diffusion, stable_diffusion_xl])
@pytest.mark.parametrize(
    ("record", "arguments"),
    [
        (sdx.Record(), {}),
        (sdx.Record(cross_attention="heads", columns="all", roles=("cond", "uncond"), dtype="float32"), {}),
        (sdx.Record(self_attention=(12, 6), steps=(0, 1), decode=3), {"height": 64, "width": 96}),
        (sdx.Record(latents=False, cross_attention=False, decode=0), {"guidance_scale": 1.0}),
        (sdx.Record(layers=("mid_block",)), {"num_images_per_prompt": 2}),
    ],
)
def test_cost_is_what_the_run_takes(make, record, arguments):
    pipe = make()
    if make is stable_diffusion_xl and not arguments.get("height"):
        arguments = {**arguments, "height": 64, "width": 64}
    arguments = {"num_inference_steps": 3, **arguments}
    told = sdx.cost(pipe, record, prompt=PROMPT, **arguments)
    found = sdx.run(pipe, PROMPT, record=record, **arguments)
    traces = list(found) if isinstance(found, sdx.Traces) else [found]
    for trace in traces:
        if trace.undecoded:
            trace.decode()  # pictures of steps are there once they are looked at
    taken = sum(trace.nbytes for trace in traces)
    small = sum(
        t.timesteps.nbytes + t.sigmas.nbytes + (0 if t.latent_rgb is None else t.latent_rgb.nbytes) for t in traces
    )
    assert told.host + small == taken
    assert told.images == len(traces)
    assert told.steps == traces[0].num_steps


def heun():
    pipe = stable_diffusion()
    pipe.scheduler = HeunDiscreteScheduler.from_config(pipe.scheduler.config)
    return pipe


def upscaler():
    """The x4 upscaler, whose latents have the small picture's size and whose picture is four times as large."""
    parts = {name: part for name, part in stable_diffusion().components.items() if part is not None}
    made = StableDiffusionUpscalePipeline(
        **parts
        | {
            "unet": unet(in_channels=7, num_class_embeds=100),
            "vae": vae(
                block_out_channels=(16, 32, 32),
                down_block_types=("DownEncoderBlock2D",) * 3,
                up_block_types=("UpDecoderBlock2D",) * 3,
            ),
            "scheduler": DDIMScheduler(clip_sample=False),
        },
        low_res_scheduler=DDPMScheduler(),
        max_noise_level=90,
    )
    made.set_progress_bar_config(disable=True)
    return made


INPAINT = {"image": families.picture(), "mask_image": families.mask()}
CALLS = {
    "two prompts": (stable_diffusion, {"prompt": ["a cat", PROMPT], "num_images_per_prompt": 2}),
    "half of SDXL": (stable_diffusion_xl, {"height": 64, "width": 64, "denoising_end": 0.5}),
    "second order": (heun, {"negative_prompt": "ugly hat"}),
    "img2img": (families.img2img, {"image": families.picture(64, 96), "strength": 0.5}),
    "inpaint": (families.inpaint, INPAINT),
    "InstructPix2Pix": (families.instruct_pix2pix, {"image": families.picture()}),
    "ControlNet": (families.controlnet, {"image": families.picture(64, 96)}),
    "LCM, its own steps": (families.latent_consistency, {"num_inference_steps": None}),
    "upscaler": (upscaler, {"image": families.picture(16, 24)}),
    "perturbed": (families.pag, {}),
    "unconditional": (ddpm, {"prompt": None}),
    "unconditional, latent, two": (latent_diffusion, {"prompt": None, "batch_size": 2}),
    "a prompt on the way": (stable_diffusion, {"prompt_at": {2: "a dog"}}),
    "guided": (stable_diffusion, {"guide": lambda step: torch.zeros_like(step.latents)}),
    "latents out": (stable_diffusion, {"output_type": "latent"}),
}


@pytest.mark.parametrize("case", CALLS)
def test_each_array_is_reckoned_for_every_kind_of_call(case):
    make, arguments = CALLS[case]
    given = {"prompt": PROMPT, "num_inference_steps": 4, **arguments}
    given = {name: value for name, value in given.items() if value is not None}
    roles = ("cond", "uncond", "image", "perturbed")
    record = sdx.Record(cross_attention="heads", roles=roles, queries=True, self_attention=("",), decode=2)
    pipe = make()
    told, found = sdx.cost(pipe, record, **given), sdx.run(pipe, record=record, **given)
    taken = dict.fromkeys(told.parts, 0)
    for trace in found if isinstance(found, sdx.Traces) else [found]:
        assert told.steps == trace.num_steps
        for name, array in trace.arrays().items():
            kind, _, rest = name.partition("/")
            part = kind if kind.startswith("decoded") else f"{kind}/{rest.partition('/')[2]}" if "/" in rest else name
            if part not in ("timesteps", "sigmas", "latent_rgb"):
                taken[part] = taken.get(part, 0) + array.nbytes
    assert taken == dict(told.parts)


def test_every_declared_field_is_counted_or_said_to_be_small():
    """What `cost` counts under other names than those of declared fields would be forgotten by the next field."""
    given = {"prompt": PROMPT, "num_inference_steps": 2, "guide": lambda step: torch.zeros_like(step.latents)}
    record = sdx.Record(queries=True, self_attention=("",), features=("mid_block",), statistics=True, decode=1)
    joint = sdx.Record(word_attention=True, concepts=("sky",), decode=0)
    several = [sdx.cost(stable_diffusion(), record, **given), sdx.cost(flux(), joint, prompt=PROMPT)]
    several.append(sdx.cost(animatediff(), num_inference_steps=2))
    told = {name.partition("/")[0] for one in several for name in one.parts}
    fields = with_arrays(sdx.Trace)
    assert told == {one.name for one in fields if one.kind is Kind.BY_LAYER or one.note.when is not None}
    small = [one for one in fields if one.name not in told]
    assert all(one.axes in {("step",), ("channel+1", "3")} for one in small)


def test_what_a_field_needs_is_a_choice_of_the_record_or_known_of_the_call():
    known = {field.name for of in (sdx.Record, Outline) for field in dataclasses.fields(of)}
    for one in declared(sdx.Trace):
        assert set(one.note.when or ()) <= known
        assert not (one.note.live and one.note.when is None)


def test_cost_of_a_prompt_that_is_not_known_is_that_of_the_longest(tiny):
    assert sdx.cost(tiny).host > sdx.cost(tiny, prompt=PROMPT).host
    assert sdx.cost(tiny).host == sdx.cost(tiny, sdx.Record(columns="all"), prompt=PROMPT).host


def test_cost_shows_itself_and_leaves_the_pipeline_alone(tiny):
    tiny.scheduler.set_timesteps(3)
    before = tiny.scheduler.timesteps.clone()
    shown = sdx.cost(tiny, num_inference_steps=7)
    assert "8 steps" in repr(shown)  # PNDM's extra call
    assert "host" in shown._repr_html_()
    assert (tiny.scheduler.timesteps == before).all()


def test_cost_of_stable_diffusion_1_5_by_hand():
    """The figure of the field: head mean, conditional half, all positions, 4.1 MB a step in float16."""
    pipe = stable_diffusion()
    with torch.device("meta"):
        pipe.unet = unet(
            sample_size=64,
            block_out_channels=(320, 640, 1280, 1280),
            down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
            up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
            layers_per_block=2,
            attention_head_dim=8,
            norm_num_groups=32,
        )
    told = sdx.cost(pipe, sdx.Record(columns="all", decode=0), num_inference_steps=50)
    attention = sum(amount for name, amount in told.parts.items() if name.startswith("cross_attention"))
    queries = 5 * 64**2 + 5 * 32**2 + 5 * 16**2 + 8**2
    assert attention == 51 * queries * 77 * 2
