"""Which family a denoiser is of; what is of none is refused by name; nobody else knows what a denoiser is called."""

import ast
import re
from pathlib import Path

import pytest
import torch
from tiny_pipelines import ddpm, stable_diffusion, unet
from tiny_transformers import unknown

import sdexplore as sdx
from sdexplore.model.families import family_of

ROOT = Path(sdx.__file__).parent
# A record's field may be called so: the parts of a checkpoint, an architecture.
RECORDS = ("records", "views", "model/loading")
NAMES = ("unet", "transformer")
OUTSIDE = ("model/families", "mini/training", "mini/evaluation", *RECORDS)


def test_unets_are_one_family():
    pipe = stable_diffusion()
    assert family_of(pipe) is family_of(ddpm()) is family_of(unet())
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    assert family_of(pipe) is family_of(pipe.unet)
    assert family_of(pipe).denoiser(pipe) is pipe.unet._orig_mod


UNKNOWN = r"the FluxPipeline has a transformer of class CogView3PlusTransformer2DModel.*known families: unet"


@pytest.mark.parametrize(
    "asked",
    [
        lambda pipe: sdx.run(pipe, "a cat"),
        lambda pipe: sdx.cost(pipe, prompt="a cat"),
        sdx.compile_denoiser,
        sdx.pipeline_architecture,
    ],
)
def test_a_denoiser_of_no_family_is_refused_by_name(asked):
    with pytest.raises(sdx.InspectionError, match=UNKNOWN):
        asked(unknown())


def test_the_doctor_and_a_tree_tell_of_a_denoiser_of_no_family():
    (obstacle,) = sdx.doctor(unknown()).obstacles
    assert re.search(UNKNOWN, obstacle)
    assert sdx.tree(unknown()).root.class_name == "CogView3PlusTransformer2DModel"


def test_a_bare_transformer_is_of_no_family():
    with pytest.raises(
        sdx.InspectionError, match=r"CogView3PlusTransformer2DModel is of no known family.*known families: unet"
    ):
        family_of(unknown().transformer)


def test_components_and_a_named_tree_need_no_family():
    pipe = unknown()
    assert "known families: unet" in sdx.components(pipe).summary["attention"]
    assert sdx.tree(pipe, "transformer").root.class_name == "CogView3PlusTransformer2DModel"


def test_nobody_else_writes_what_a_denoiser_is_called():
    wrong = [
        f"{path.relative_to(ROOT)}, line {node.lineno}: {ast.unparse(node)}"
        for path in sorted(ROOT.rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(OUTSIDE)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in NAMES
    ]
    assert not wrong


def test_nobody_else_asks_for_the_class_of_an_attention_module():
    wrong = [
        f"{path.relative_to(ROOT)}"
        for path in sorted(ROOT.rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith("model/families")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and any(alias.name == "Attention" for alias in node.names)
        and "diffusers" in (node.module or "")
    ]
    assert not wrong
