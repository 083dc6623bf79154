"""Every view drawn once, from one tiny pipeline: for tests that hold of all of them."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import study_sources
from tiny_pipelines import stable_diffusion
from tiny_transformers import flux

import sdexplore as sdx
from sdexplore import views
from sdexplore.records.benchmark import Benchmark

PROMPT = "a cat and a dog"
CALL = {"num_inference_steps": 2, "height": 64, "width": 64}
RECORD = sdx.Record(
    cross_attention="heads",
    self_attention=(8,),
    features=("mid_block", "up_blocks.0"),
    decode=1,
    roles=("cond", "uncond"),
)


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
    def measured(self) -> sdx.Trace:
        return sdx.run(
            self.pipe, PROMPT, seed=5, record=sdx.Record(statistics=True, decode=0, roles=("cond", "uncond")), **CALL
        )

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
    def attributions(self) -> Any:
        by_gradient = sdx.attribution(self.pipe, self.trace, ["cat", "dog"], region=(0, 0, 32, 64), step=1, last=2)
        knocked_out = sdx.attribution(
            self.pipe, self.trace, ["cat", "dog"], region=(0, 0, 32, 64), step=1, method="knock-out"
        )
        return by_gradient, knocked_out

    @cached_property
    def calibration(self) -> Any:
        return sdx.calibrate(self.pipe, scenes=2, seed=3, timesteps=(200,), causal=False)

    @cached_property
    def equation_checks(self) -> Any:
        return sdx.equation_checks(self.pipe, num_inference_steps=20, seed=4)

    @cached_property
    def head_effects(self) -> Any:
        return sdx.head_effects(self.pipe, self.trace, "cat", layers="mid_block")

    @cached_property
    def occlusion(self) -> Any:
        return sdx.occlusion(self.pipe, self.trace, ["cat", "dog"], steps=0)

    @cached_property
    def schedules(self) -> Any:
        return (
            sdx.schedule(self.pipe, num_inference_steps=5),
            sdx.schedule(self.pipe, scheduler="Euler"),
            sdx.schedule(self.other),
        )

    @cached_property
    def text_encoding(self) -> Any:
        return sdx.text_encoding(self.pipe, PROMPT)["text_encoder"]

    @cached_property
    def comparison(self) -> sdx.Comparison:
        return sdx.compare(self.pipe, PROMPT, over={"guidance_scale": [1, 7.5]}, seed=1, **CALL)


DRAWN: dict[str, Callable[[World], Any]] = {
    "activation_statistics": lambda w: views.activation_statistics(w.measured, step=0, role="uncond"),
    "architecture": lambda w: views.architecture(sdx.pipeline_architecture(w.pipe, height=64)),
    "attention": lambda w: views.attention(w.trace, ["cat", 5], steps=range(1), heads=[0], scale="each"),
    "attention_compare": lambda w: views.attention_compare(w.trace, w.other, ["dog"], role="cond", layers=8),
    "attention_layers": lambda w: views.attention_layers(w.trace, "cat", -1, by_head=True),
    "attention_mass": lambda w: views.attention_mass(w.trace, role="uncond", steps=slice(0, 2)),
    "attention_steps": lambda w: views.attention_steps(w.trace, "a", occurrence=1),
    "attribution": lambda w: views.attribution(*w.attributions),
    "calibration": lambda w: views.calibration(w.calibration, over="layers", timestep=200),
    "comparison": lambda w: views.comparison(w.comparison, against={"guidance_scale": 1}),
    "components": lambda w: views.components(sdx.components(w.pipe)),
    "concepts": lambda w: views.concepts(w.concepts, steps=-1, scale="each"),
    "denoising": lambda w: views.denoising(w.trace, steps=[1]),
    "difference": lambda w: views.difference(w.trace, w.other),
    "equation_checks": lambda w: views.equation_checks(w.equation_checks),
    "feature_components": lambda w: views.feature_components(w.trace, "up_blocks.0", step=0, role="uncond"),
    "feature_similarity": lambda w: views.feature_similarity(w.trace, (20, 40), "mid_block", step=0),
    "guidance": lambda w: views.guidance(w.trace),
    "guidance_steps": lambda w: views.guidance_steps(w.trace),
    "head_effects": lambda w: views.head_effects(w.head_effects),
    "latent_statistics": lambda w: views.latent_statistics(sdx.latent_statistics(w.pipe, w.pictures)),
    "latents": lambda w: views.latents(w.trace, steps=0),
    "occlusion": lambda w: views.occlusion(w.occlusion, most=1),
    "reconstruction": lambda w: views.reconstruction(sdx.reconstruction(w.pipe, w.pictures[0])),
    "region": lambda w: views.region(w.trace, (8, 8, 40, 30), "cat"),
    "schedule": lambda w: views.schedule(w.trace, *w.schedules),
    "segmentation": lambda w: views.segmentation(w.trace, ["cat", "dog"]),
    "self_attention": lambda w: views.self_attention(w.trace, 8, (2, 3), 2, steps=1),
    "story": lambda w: views.story(w.trace, ["cat", "dog"]),
    "strip": lambda w: views.strip(w.comparison),
    "study_distribution": lambda w: views.study_distribution(
        w.study, "ink", over="run.guidance_scale", clusters="seed"
    ),
    "study_ends": lambda w: views.study_ends(w.study, "ink", count=2),
    "study_pairs": lambda w: views.study_pairs(w.study, "ink", over="seed", levels=[0, 1], where={"error": None}),
    "study_pictures": lambda w: views.study_pictures(w.study, columns="run.guidance_scale", where={"seed": [0]}),
    "text_attention": lambda w: views.text_attention(w.text_encoding, heads=[0]),
    "text_norms": lambda w: views.text_norms(w.text_encoding, padding=1),
    "text_similarity": lambda w: views.text_similarity(w.text_encoding, [0, -1]),
    "time_embedding": lambda w: views.time_embedding(sdx.time_embedding(w.pipe, [0, 500, 999])),
    "tokens": lambda w: views.tokens(sdx.tokens(w.pipe, "it's `so`")["tokenizer"]),
    "tree": lambda w: views.tree(sdx.tree(w.pipe, "unet")["mid_block"], depth=1),
    "unet_comparison": lambda w: views.unet_comparison(sdx.pipeline_architecture(w.pipe, width=128).beside_2015),
}

NOT_AGAIN: dict[str, Callable[[World], Any]] = {
    "benchmark": lambda _: views.benchmark(a_benchmark()),
    "maps": lambda w: views.maps(w.trace, {"own": np.eye(4, dtype=np.float32)}),
}
"""Views whose line of code is refused by `sdx.reproduce`."""


def a_benchmark():
    return Benchmark.load(Path(__file__).parents[2] / "images" / "benchmark" / "benchmark.json")
