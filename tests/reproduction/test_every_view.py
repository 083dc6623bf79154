"""Every view: its published picture is made again, the same to the byte, or refused in words."""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import study_sources
from tiny_pipelines import stable_diffusion
from tiny_transformers import flux

import sdexplore as sdx
from sdexplore import views
from sdexplore.base.errors import PublishError, RunError
from sdexplore.records.benchmark import Benchmark
from sdexplore.views.made_from import MADE_FROM

SLUG = "every-view-again"
PROMPT = "a cat and a dog"
CALL = {"num_inference_steps": 2, "height": 64, "width": 64}
RECORD = sdx.Record(
    cross_attention="heads",
    self_attention=(8,),
    features=("mid_block", "up_blocks.0"),
    statistics=True,
    decode=1,
    roles=("cond", "uncond"),
)
GIVEN_LATER = ("reconstruction", "latent_statistics")
REFUSED = ("benchmark", "maps")


class World:
    """One tiny pipeline, and what is made with it when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.pipe, self.folder = stable_diffusion(), folder
        rng = np.random.default_rng(0)
        self.pictures = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(2)]
        self.mask = np.zeros((16, 16), bool)
        self.mask[3:9, 4:12] = True

    @cached_property
    def trace(self) -> sdx.Trace:
        return sdx.run(self.pipe, PROMPT, seed=5, record=RECORD, **CALL)

    @cached_property
    def study(self) -> sdx.Study:
        runs = sdx.grid(prompt=["a cat", "a dog"], seed=range(2), guidance_scale=[1, 7.5])
        made = sdx.Study(
            study_sources.numbers, runs=runs, measure=study_sources.ink, keep="thumbnails", to=self.folder / "study"
        )
        made.run()
        return made

    @cached_property
    def other(self) -> sdx.Trace:
        return sdx.run(self.pipe, "a dog and a house", seed=5, record=RECORD, **CALL)

    @cached_property
    def flux(self) -> Any:
        return flux()

    @cached_property
    def concepts(self) -> sdx.Trace:
        record = sdx.Record(concepts=("sky", "a cat"), decode=0)
        return sdx.run(self.flux, PROMPT, seed=5, record=record, max_sequence_length=16, **CALL)

    @cached_property
    def comparison(self) -> sdx.Comparison:
        return sdx.compare(self.pipe, PROMPT, over={"guidance_scale": [1, 7.5]}, seed=1, **CALL)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


DRAWN: dict[str, Callable[[World], Any]] = {
    "activation_statistics": lambda w: views.activation_statistics(w.trace, step=0, role="uncond"),
    "architecture": lambda w: views.architecture(sdx.pipeline_architecture(w.pipe, height=64)),
    "attention": lambda w: views.attention(w.trace, ["cat", 5], steps=range(1), heads=[0], scale="each"),
    "attention_compare": lambda w: views.attention_compare(w.trace, w.other, ["dog"], role="cond", layers=8),
    "attention_layers": lambda w: views.attention_layers(w.trace, "cat", -1, by_head=True),
    "attention_mass": lambda w: views.attention_mass(w.trace, role="uncond", steps=slice(0, 2)),
    "attention_steps": lambda w: views.attention_steps(w.trace, "a", occurrence=1),
    "attribution": lambda w: views.attribution(
        sdx.attribution(w.pipe, w.trace, ["cat", "dog"], region=(0, 0, 32, 64), step=1, last=2),
        sdx.attribution(w.pipe, w.trace, ["cat", "dog"], region=(0, 0, 32, 64), step=1, method="knock-out"),
    ),
    "calibration": lambda w: views.calibration(
        sdx.calibrate(w.pipe, scenes=2, seed=3, timesteps=(200,), causal=False), over="layers", timestep=200
    ),
    "comparison": lambda w: views.comparison(w.comparison, against={"guidance_scale": 1}),
    "components": lambda w: views.components(sdx.components(w.pipe)),
    "concepts": lambda w: views.concepts(w.concepts, steps=-1, scale="each"),
    "denoising": lambda w: views.denoising(w.trace, steps=[1]),
    "difference": lambda w: views.difference(w.trace, w.other),
    "equation_checks": lambda w: views.equation_checks(sdx.equation_checks(w.pipe, num_inference_steps=20, seed=4)),
    "feature_components": lambda w: views.feature_components(w.trace, "up_blocks.0", step=0, role="uncond"),
    "feature_similarity": lambda w: views.feature_similarity(w.trace, (20, 40), "mid_block", step=0),
    "guidance": lambda w: views.guidance(w.trace),
    "guidance_steps": lambda w: views.guidance_steps(w.trace),
    "head_effects": lambda w: views.head_effects(sdx.head_effects(w.pipe, w.trace, "cat", layers="mid_block")),
    "latent_statistics": lambda w: views.latent_statistics(sdx.latent_statistics(w.pipe, w.pictures)),
    "latents": lambda w: views.latents(w.trace, steps=0),
    "occlusion": lambda w: views.occlusion(sdx.occlusion(w.pipe, w.trace, ["cat", "dog"], steps=0), most=1),
    "reconstruction": lambda w: views.reconstruction(sdx.reconstruction(w.pipe, w.pictures[0])),
    "region": lambda w: views.region(w.trace, (8, 8, 40, 30), "cat"),
    "schedule": lambda w: views.schedule(
        w.trace,
        sdx.schedule(w.pipe, num_inference_steps=5),
        sdx.schedule(w.pipe, scheduler="Euler"),
        sdx.schedule(w.other),
    ),
    "segmentation": lambda w: views.segmentation(w.trace, ["cat", "dog"]),
    "self_attention": lambda w: views.self_attention(w.trace, 8, (2, 3), 2, steps=1),
    "strip": lambda w: views.strip(w.comparison),
    "study_distribution": lambda w: views.study_distribution(
        w.study, "ink", over="run.guidance_scale", clusters="seed"
    ),
    "study_ends": lambda w: views.study_ends(w.study, "ink", count=2),
    "study_pairs": lambda w: views.study_pairs(w.study, "ink", over="seed", levels=[0, 1], where={"error": None}),
    "study_pictures": lambda w: views.study_pictures(w.study, columns="run.guidance_scale", where={"seed": [0]}),
    "text_attention": lambda w: views.text_attention(sdx.text_encoding(w.pipe, PROMPT)["text_encoder"], heads=[0]),
    "text_norms": lambda w: views.text_norms(sdx.text_encoding(w.pipe, PROMPT)["text_encoder"], padding=1),
    "text_similarity": lambda w: views.text_similarity(sdx.text_encoding(w.pipe, PROMPT)["text_encoder"], [0, -1]),
    "time_embedding": lambda w: views.time_embedding(sdx.time_embedding(w.pipe, [0, 500, 999])),
    "tokens": lambda w: views.tokens(sdx.tokens(w.pipe, "it's `so`")["tokenizer"]),
    "tree": lambda w: views.tree(sdx.tree(w.pipe, "unet")["mid_block"], depth=1),
    "unet_comparison": lambda w: views.unet_comparison(sdx.pipeline_architecture(w.pipe, width=128).beside_2015),
}


def published(tmp_path, thing):
    """The sidecar of a thing, alone in an article."""
    sdx.Article(SLUG, root=tmp_path).add(thing, key="a")
    return tmp_path / "images" / SLUG / "001.json"


def test_every_view_says_what_its_line_is_made_from_and_is_tried_here():
    assert set(MADE_FROM) == set(views.__all__) == {*DRAWN, *REFUSED}
    assert {view for view, made_from in MADE_FROM.items() if made_from.refusal} == set(REFUSED)


@pytest.mark.parametrize("view", DRAWN)
def test_a_published_view_is_made_again(tmp_path, world, view):
    sidecar = published(tmp_path, DRAWN[view](world))
    given = {"reconstruction": {"image": world.pictures[0]}, "latent_statistics": {"images": world.pictures}}
    given |= {name: {"study": world.study} for name in DRAWN if name.startswith("study_")}
    pipe = world.flux if view == "concepts" else world.pipe
    scheduler = pipe.scheduler
    made = sdx.reproduce(sidecar, pipe, **given.get(view, {}))
    assert (made.verdict, made.same) == ("same", True), made
    assert made.found[-1] == "The file is the same, to the byte."
    assert pipe.scheduler is scheduler


@pytest.mark.parametrize("view", REFUSED)
def test_what_is_measured_and_what_is_the_user_s_own_is_refused_in_words(tmp_path, world, view):
    drawn = {
        "benchmark": lambda: views.benchmark(a_benchmark()),
        "maps": lambda: views.maps(world.trace, {"own": np.eye(4, dtype=np.float32)}),
    }
    with pytest.raises(PublishError, match=rf"sdx\.views\.{view} is not made again: "):
        sdx.reproduce(published(tmp_path, drawn[view]()), world.pipe)


def a_benchmark():
    return Benchmark.load(Path(__file__).parents[2] / "images" / "benchmark" / "benchmark.json")


@pytest.mark.parametrize("view", GIVEN_LATER)
def test_pictures_that_the_sidecar_does_not_hold_are_asked_for(tmp_path, world, view):
    (name,) = (source for source in MADE_FROM[view].sources if source != "pipeline")
    sidecar = published(tmp_path, DRAWN[view](world))
    with pytest.raises(PublishError, match=rf"does not hold '{name}': give it as {name}="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(PublishError, match=r"reproduce\(colour=…\).*leave it out"):
        sdx.reproduce(sidecar, world.pipe, colour="red", **{name: world.pictures})


def test_another_image_than_then_is_refused(tmp_path, world):
    sidecar = published(tmp_path, DRAWN["reconstruction"](world))
    with pytest.raises(PublishError, match="the image given is not the one that was drawn"):
        sdx.reproduce(sidecar, world.pipe, image=world.pictures[1])


def test_a_region_by_a_mask_is_made_again_with_that_mask(tmp_path, world):
    sidecar = published(tmp_path, views.region(world.trace, world.mask, ["cat"]))
    assert sdx.reproduce(sidecar, world.pipe, mask=world.mask).same
    with pytest.raises(PublishError, match="give it as mask="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(PublishError, match="the mask given is not the one that was drawn"):
        sdx.reproduce(sidecar, world.pipe, mask=~world.mask)


def test_a_schedule_of_a_scheduler_of_one_s_own_is_made_again_with_it(tmp_path, world):
    own = diffusers.EulerDiscreteScheduler.from_config(world.pipe.scheduler.config)
    drawn = views.schedule(sdx.schedule(world.pipe), sdx.schedule(world.pipe, scheduler=own))
    sidecar = published(tmp_path, drawn)
    assert sdx.reproduce(sidecar, world.pipe, scheduler_1=own).same
    with pytest.raises(PublishError, match="give it as scheduler_1="):
        sdx.reproduce(sidecar, world.pipe)


def test_a_schedule_that_nobody_made_for_a_pipeline_is_refused(tmp_path, world):
    by_hand = sdx.Schedule(
        scheduler="Own", space="variance preserving", timesteps=np.array([9.0, 1.0]), sigmas=np.array([3.0, 0.5])
    )
    with pytest.raises(PublishError, match="does not hold 'schedule'"):
        sdx.reproduce(published(tmp_path, views.schedule(by_hand)), world.pipe)


@pytest.mark.parametrize("kind", ["look", "invert"])
def test_what_was_seen_in_a_given_picture_is_made_again_with_the_picture(tmp_path, world, kind):
    if kind == "look":
        trace = sdx.look(world.pipe, world.pictures[0], PROMPT, t=400, seed=3)
    else:
        trace = sdx.invert(world.pipe, world.pictures[0], PROMPT, num_inference_steps=2)
    sidecar = published(tmp_path, views.attention(trace, ["cat"]))
    made = sdx.reproduce(sidecar, world.pipe, image=world.pictures[0])
    assert made.same, made
    assert made.traces[0].fingerprint == trace.fingerprint
    with pytest.raises(RunError, match=f"is a {kind} at a picture, which the sidecar does not hold.*image="):
        sdx.reproduce(sidecar, world.pipe)
    with pytest.raises(RunError, match="the image given is not the one"):
        sdx.reproduce(sidecar, world.pipe, image=world.pictures[1])


def test_what_was_drawn_from_an_inversion_is_made_again_with_the_inversion(tmp_path, world):
    inversion = sdx.invert(world.pipe, world.pictures[0], PROMPT, num_inference_steps=2)
    drawn = sdx.redraw(world.pipe, inversion, "a dog", guidance_scale=2.0)
    sidecar = published(tmp_path, views.denoising(drawn))
    assert sdx.reproduce(sidecar, world.pipe, inversion=inversion).same
    for wrong in ({}, {"inversion": drawn}):
        with pytest.raises(RunError, match=f"from the inversion {inversion.fingerprint}.*as inversion="):
            sdx.reproduce(sidecar, world.pipe, **wrong)


def test_a_strip_between_two_prompts_or_down_the_layers_is_made_again(tmp_path, world):
    between = sdx.interpolation(world.pipe, "a cat", "a dog", [0.0, 0.4], seed=2, guidance_scale=3.0, **CALL)
    down = sdx.clip_skip_ladder(world.pipe, "a cat", [0, 1], seed=2, **CALL)
    for number, several in enumerate((between, down)):
        sidecar = published(tmp_path / str(number), views.strip(several))
        made = sdx.reproduce(sidecar, world.pipe)
        assert made.same, made
        assert [one.fingerprint for one in made.traces] == [one.fingerprint for one in several.traces]


def test_the_calibration_is_run_again_with_the_words_left_out(tmp_path, world):
    found = sdx.calibrate(world.pipe, scenes=1, seed=3, timesteps=(200,))
    made = sdx.reproduce(published(tmp_path, views.calibration(found, score="inside")), world.pipe)
    assert made.same, made
    assert "causal=True" in made.picture.call
    assert made.traces == ()


def test_a_line_calls_only_what_its_own_view_is_made_from(tmp_path, world):
    sidecar = published(tmp_path, DRAWN["tokens"](world))
    facts = json.loads(sidecar.read_text())
    for code in (
        "sdx.views.tokens(sdx.calibrate(pipe, scenes=1))",
        "sdx.views.tokens(sdx.tokens(pipe, 'a').__class__)",
        "sdx.views.tokens(sdx.tokens(pipe, 'a')['tokenizer']['x'])",
        "sdx.views.tokens(sdx.tokens(pipe, 'a', 'b', 'c', 'd', 'e', 'f'))",
        "sdx.views.tokens(sdx.tokens(pipe, 'a')['nothing'])",
    ):
        sidecar.write_text(json.dumps(facts | {"code": code}))
        with pytest.raises(sdx.SdexploreError):
            sdx.reproduce(sidecar, world.pipe)
