"""Comparisons: one argument changes, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_pipelines
import torch
from artists import again, equal, panels, same_scale, shown
from diffusers import DDIMScheduler
from diffusers.callbacks import SDCFGCutoffCallback
from tiny_families import lora, lora_fused, merging
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.model.capture.prompts import swaps_of
from sdexplore.model.series.rerun import rerun

PROMPT = "a photo of a cat"
BLOCK = "mid_block.attentions.0.transformer_blocks.0"
FEW = sdx.Record(decode=0)


def test_guidance_on_and_off_begin_with_the_same_noise(tiny):
    found = sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 7.5]}, seed=3, record=FEW, num_inference_steps=3)
    off, on = found
    assert np.array_equal(off.latents[0], on.latents[0])
    assert not np.array_equal(off.image, on.image)
    assert "uncond" not in off.noise_preds
    assert found.at(guidance_scale=7.5) is on
    alone = sdx.run(tiny, PROMPT, seed=3, guidance_scale=7.5, num_inference_steps=3)
    assert np.array_equal(alone.image, on.image)


def test_schedulers_by_name_are_exchanged_and_the_own_comes_back(tiny):
    own = tiny.scheduler
    found = sdx.compare(tiny, PROMPT, over={"scheduler": ["DDIM", "Euler"]}, record=FEW, num_inference_steps=3)
    assert [t.provenance["scheduler"]["class"] for t in found] == ["DDIMScheduler", "EulerDiscreteScheduler"]
    assert tiny.scheduler is own
    with pytest.raises(sdx.SdexploreError, match="Eular"):
        sdx.compare(tiny, PROMPT, over={"scheduler": ["DDIM", "Eular"]}, record=FEW, num_inference_steps=1)
    assert tiny.scheduler is own


def test_a_grid_of_two_arguments(tiny, tmp_path):
    over = {"seed": [0, 1], "prompt": ["a cat", "a dog", "a fox"]}
    found = sdx.compare(tiny, over=over, record=FEW, num_inference_steps=1)
    assert [(t.call["seed"], t.prompt) for t in found] == [(s, p) for s in (0, 1) for p in over["prompt"]]
    again = sdx.Comparison.load(found.save(tmp_path / "grid"))
    assert [t.fingerprint for t in again] == [t.fingerprint for t in found]
    assert again.over == {"seed": (0, 1), "prompt": ("a cat", "a dog", "a fox")}
    with pytest.raises(sdx.TraceError, match="3 cells have"):
        found.at(seed=0)


def test_what_is_no_comparison_is_named_and_said_what_makes_one(tiny):
    several = sdx.run(tiny, PROMPT, record=FEW, num_inference_steps=1, num_images_per_prompt=2)
    for module, view in {"_comparison": "comparison", "_strip": "strip"}.items():
        with pytest.raises(sdx.TraceError, match=rf"^{view}\(Traces\): it draws a Comparison, as sdx.compare makes"):
            getattr(unchecked(f"views.{module}"), view)(several)


def test_what_cannot_be_compared_says_why(tiny):
    with pytest.raises(sdx.RunError, match="name at least one argument"):
        sdx.compare(tiny, PROMPT, over={})
    with pytest.raises(sdx.RunError, match="name at least one argument"):
        unchecked("model.series.comparison").compare(tiny, PROMPT, over={"seed": 3})
    with pytest.raises(sdx.RunError, match="'guidance_scale' is given as 3"):
        sdx.compare(tiny, PROMPT, over={"guidance_scale": [1, 2]}, guidance_scale=3)
    with pytest.raises(sdx.RunError, match=r"compare: .* 2 images"):
        sdx.compare(tiny, PROMPT, over={"seed": [0]}, num_images_per_prompt=2, num_inference_steps=1)
    with pytest.raises(sdx.RunError, match="takes no 'guidance'"):
        sdx.compare(tiny, PROMPT, over={"guidance": [1]})


# a folder that a comparison is kept in


OVER = {"guidance_scale": [1, 4], "seed": [0, 1]}


def watched(tiny, folder, **changes):
    """Runs the comparison into a folder; which cells were really run, with what."""
    cells = []
    arguments = {"over": OVER, "record": FEW, "num_inference_steps": 1, "to": folder, **changes}
    found = sdx.compare(tiny, PROMPT, on_step=lambda p: cells.append((p.cell, p.cells, p.settings)), **arguments)
    return found, cells


def test_a_comparison_goes_on_where_it_stopped(tiny, tmp_path):
    folder = tmp_path / "grid"

    def stop(progress):
        if progress.cell == 2:
            progress.stop()

    with pytest.raises(sdx.Stopped):
        sdx.compare(tiny, PROMPT, over=OVER, record=FEW, num_inference_steps=1, to=folder, on_step=stop)
    with pytest.raises(sdx.TraceError, match="2 of its runs are there, and compare"):
        sdx.Comparison.load(folder)
    found, cells = watched(tiny, folder)
    assert list(dict.fromkeys(cell for cell, _, _ in cells)) == [2, 3]
    assert {count for _, count, _ in cells} == {4}
    assert cells[0][2] == {"guidance_scale": 4, "seed": 0}
    alone = sdx.compare(tiny, PROMPT, over=OVER, record=FEW, num_inference_steps=1)
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
    assert [trace.fingerprint for trace in sdx.Comparison.load(folder)] == [trace.fingerprint for trace in alone]


def test_a_damaged_cell_is_run_again(tiny, tmp_path):
    folder = tmp_path / "grid"
    before, cells = watched(tiny, folder)
    assert len({cell for cell, _, _ in cells}) == 4
    pictures = [np.array(trace.image) for trace in before]
    content = bytearray((folder / "001.safetensors").read_bytes())
    content[-1] ^= 255
    (folder / "001.safetensors").unlink()  # its old content may still be open
    (folder / "001.safetensors").write_bytes(content)
    (folder / "003.safetensors").unlink()
    found, cells = watched(tiny, folder)
    assert {cell for cell, _, _ in cells} == {1, 3}
    for picture, trace in zip(pictures, found, strict=True):
        np.testing.assert_array_equal(trace.image, picture)


def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path):
    folder = tmp_path / "grid"
    watched(tiny, folder)
    with pytest.raises(sdx.RunError, match="holds another comparison, with other arguments"):
        watched(tiny, folder, num_inference_steps=2)
    with pytest.raises(sdx.RunError, match="with other over"):
        watched(tiny, folder, over={"seed": [0]})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("chapter 1")
    with pytest.raises(sdx.RunError, match="there is something else already"):
        watched(tiny, tmp_path / "mine")
    with pytest.raises(sdx.RunError, match="cannot be written down"):
        watched(tiny, tmp_path / "new", over={"scheduler": [tiny.scheduler]})
    assert not (tmp_path / "new").exists()


# words left out, prompts that change on the way


def test_a_folder_refuses_functions_which_it_could_not_tell_apart(tiny, tmp_path):
    for given in ({"guide": lambda _: None}, {"over": {"guide": [lambda _: None]}}, {"callback_on_step_end": print}):
        with pytest.raises(sdx.RunError, match=r"compare\(to=…\): .* is a function"):
            watched(tiny, tmp_path / "cells", **given)
    assert not (tmp_path / "cells").exists()


def test_a_word_left_out_is_the_prompt_without_it(tiny):
    found = sdx.compare(tiny, PROMPT, over={"without": [None, "cat"]}, record=FEW, num_inference_steps=1)
    assert [trace.prompt for trace in found] == [PROMPT, "a photo of a"]
    with pytest.raises(sdx.TokenError, match="no word 'dog' in the prompt"):
        sdx.compare(tiny, PROMPT, over={"without": ["dog"]}, record=FEW, num_inference_steps=1)


@pytest.mark.parametrize("name", ["sd", "xl"])
def test_a_prompt_that_changes_on_the_way(tiny, name):
    pipe = tiny if name == "sd" else tiny_pipelines.stable_diffusion_xl()
    sizes = {} if name == "sd" else {"height": 64, "width": 64}
    seen = []

    def own(_, step, __, values):
        seen.append(step)
        return values

    keep = sdx.run(pipe, "a cat", num_inference_steps=3, **sizes)
    swapped = sdx.run(
        pipe, "a cat", num_inference_steps=3, prompt_at={2: "a big fox"}, callback_on_step_end=own, **sizes
    )
    assert seen == list(range(keep.num_steps))
    found = sdx.difference(keep, swapped)
    assert found.parted == 2
    assert set(found.words) == {"a"}  # "cat" they share only before they part
    np.testing.assert_array_equal(swapped.noise_pred[:2], keep.noise_pred[:2])
    assert {role: next(iter(layers.values())).steps for role, layers in swapped.cross_attention.items()} == {
        "cond": (0, 1),
        "cond@2": tuple(range(2, keep.num_steps)),
    }
    assert sdx.word_map(swapped, "fox", role="cond@2").shape == (8, 8)
    # what the second prompt does at a step is what it does as the first prompt, at the same x_t
    direct = sdx.run(pipe, "a big fox", num_inference_steps=3, prompt_at={2: "a cat"}, **sizes)
    assert not np.array_equal(direct.noise_pred[0], keep.noise_pred[0])
    assert swapped.call["arguments"]["prompt_at"] == {"2": "a big fox"}


def test_a_changing_prompt_is_made_again_from_its_own_call(tiny):
    trace = sdx.run(tiny, "a cat", num_inference_steps=2, record=FEW, prompt_at={1: "a dog"})
    source = {"fingerprint": "x", "kind": "run", "call": trace.call, "provenance": trace.provenance}
    source = json.loads(json.dumps(source))
    np.testing.assert_array_equal(rerun(tiny, source, {}).image, trace.image)


def test_a_prompt_exchanged_by_itself_changes_nothing(tiny):
    keep = sdx.run(tiny, "a cat", num_inference_steps=3, record=FEW)
    same = sdx.run(tiny, "a cat", num_inference_steps=3, record=FEW, prompt_at={1: "a cat"})
    assert sdx.difference(keep, same).parted is None
    np.testing.assert_array_equal(keep.image, same.image)


def test_prompts_at_no_step_are_refused(tiny):
    with pytest.raises(sdx.RunError, match="name steps from 1"):
        sdx.run(tiny, "a cat", prompt_at={0: "a dog"})
    with pytest.raises(sdx.RunError, match="give the first prompt as text"):
        sdx.run(tiny, prompt_at={1: "a dog"}, prompt_embeds=torch.zeros(1, 77, 32))
    for wrong in ({"five": "a dog"}, {1: 5}, ["a dog"]):
        with pytest.raises(sdx.RunError, match="name steps from 1"):
            swaps_of(tiny, "a cat", wrong, {}, 1)


# two runs


def test_a_difference_is_measured_on_one_scale(tiny):
    a, b = sdx.compare(tiny, PROMPT, over={"guidance_scale": [2, 9]}, num_inference_steps=3)
    found = sdx.difference(a, b)
    assert found.parted == 0
    assert found.distances[0] == 0
    np.testing.assert_allclose(
        found.distances[1:-1],
        [np.sqrt(np.square(b.latents[i].astype(float) - a.latents[i]).mean()) for i in range(1, a.num_steps)],
    )
    assert set(found.words) == {"a", "photo", "of", "cat"}
    assert list(found.words.values()) == sorted(found.words.values(), reverse=True)
    assert sdx.difference(a, b, beyond=1e9).parted is None
    assert "part at step 0" in repr(found)
    with pytest.raises(sdx.TraceError, match="at other timesteps"):
        sdx.difference(a, sdx.run(tiny, PROMPT, num_inference_steps=2, record=FEW))


def test_views_of_two_runs_and_of_a_grid(tiny):
    found = sdx.compare(tiny, PROMPT, over={"seed": [0, 1], "guidance_scale": [1, 4, 9]}, num_inference_steps=2)
    grid = sdx.views.comparison(found)
    assert [ax.get_title() for ax in panels(grid)[:3]] == [f"guidance_scale {scale}" for scale in (1, 4, 9)]
    assert [ax.get_ylabel() for ax in panels(grid)[::3]] == ["seed 0", "seed 1"]
    equal(grid, again(grid, comparison=found))
    signed = sdx.views.comparison(found, against={"seed": 0, "guidance_scale": 1})
    changes = [(t.image.astype(np.float32) - found.traces[0].image).mean(axis=-1) for t in found]
    for ax, change in zip(panels(signed)[1:], changes[1:], strict=True):
        np.testing.assert_allclose(shown(ax)[0], change)
    reach = max(np.abs(change).max() for change in changes)
    same_scale([image for ax in panels(signed)[1:] for image in ax.get_images()], -reach, reach)
    equal(signed, again(signed, comparison=found))
    a, b = found.at(seed=0, guidance_scale=4), found.at(seed=0, guidance_scale=9)
    picture = sdx.views.difference(a, b)
    np.testing.assert_allclose(picture.figure.axes[-1].lines[0].get_ydata(), sdx.difference(a, b).distances)
    assert "part at step 0" in picture.caption
    cut = sdx.run(tiny, PROMPT, num_inference_steps=2, callback_on_step_end=SDCFGCutoffCallback(cutoff_step_ratio=0.5))
    assert "callback_on_step_end SDCFGCutoffCallback" in sdx.views.difference(a, cut).figure.get_suptitle()
    equal(picture, again(picture, a=a, b=b))


def begun(tiny, folder, **more):
    """A comparison whose first cell is there: its process was killed in the second."""

    def stop(progress):
        if progress.cell == 1:
            progress.stop()

    with pytest.raises(sdx.Stopped):
        goes_on(tiny, folder, on_step=stop, **more)
    return (folder / "000.safetensors").stat().st_mtime_ns


def goes_on(tiny, folder, **more):
    over = {"guidance_scale": [1, 7.5]}
    return sdx.compare(tiny, PROMPT, over=over, record=FEW, num_inference_steps=1, to=folder, **more)


@pytest.mark.parametrize(
    "prepare",
    [
        lambda pipe: pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4),
        lambda pipe: setattr(pipe.unet.get_submodule(BLOCK), "__class__", merging("ToMeBlock", use_rand=False)),
        lora,
        lora_fused,
    ],
)
def test_what_was_made_under_other_conditions_is_not_taken_for_these(tiny, tmp_path, prepare):
    begun(tiny, tmp_path / "plain")
    prepare(tiny)
    with pytest.raises(sdx.RunError, match=r"holds another comparison, with other (foreign|adapters)"):
        goes_on(tiny, tmp_path / "plain")
    made = begun(tiny, tmp_path / "under")
    goes_on(tiny, tmp_path / "under")
    assert (tmp_path / "under" / "000.safetensors").stat().st_mtime_ns == made


def test_a_strength_that_changed_is_another_comparison(tiny, tmp_path):
    lora(tiny)
    begun(tiny, tmp_path / "a")
    tiny.set_adapters("style", 0.5)
    with pytest.raises(sdx.RunError, match="with other adapters"):
        goes_on(tiny, tmp_path / "a")


def test_a_cell_that_was_made_under_other_conditions_is_made_again(tiny, tmp_path):
    made = begun(tiny, tmp_path / "a")
    tiny.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    strange = sdx.run(tiny, PROMPT, record=FEW, num_inference_steps=1, guidance_scale=1)
    strange.save(tmp_path / "a" / "000.safetensors")
    tiny.disable_freeu()
    found = goes_on(tiny, tmp_path / "a")
    assert (tmp_path / "a" / "000.safetensors").stat().st_mtime_ns > made
    assert found.traces[0].provenance["foreign"]["freeu"] is None


def test_a_folder_refuses_hooks_which_it_could_not_tell_apart(tiny, tmp_path):
    hook = tiny.unet.mid_block.register_forward_hook(lambda *_: None)
    with pytest.raises(sdx.RunError, match=r"compare\(to=…\): unet.mid_block has a hook"):
        goes_on(tiny, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    hook.remove()
    goes_on(tiny, tmp_path / "a")


ANOTHER_PROCESS = """
import os, sys
from test_comparison import compared_into
compared_into(sys.argv[1], lambda progress: progress.cell == 1 and os._exit(9))
"""


def compared_into(folder, on_step):
    """Two cells, with conditions that must be the same in every process."""
    return sdx.compare(
        tiny_pipelines.stable_diffusion(DDIMScheduler()),
        "a cat",
        over={"guidance_scale": [1, 7.5]},
        to=folder,
        on_step=on_step,
        record=sdx.Record(decode=0, cross_attention=False),
        num_inference_steps=1,
    )


def test_a_comparison_of_a_killed_process_goes_on_in_another_one_with_another_hash_seed(tmp_path):
    folders = (Path(sdx.__file__).parents[1], Path(tiny_pipelines.__file__).parent, Path(__file__).parent)
    here = os.environ.get("PYTHONHASHSEED", "random")
    killed = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, str(tmp_path / "a")],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "PYTHONHASHSEED": "1" if here != "1" else "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == 9, killed.stderr
    first = (tmp_path / "a" / "000.safetensors").stat().st_mtime_ns
    run = []
    compared_into(tmp_path / "a", lambda progress: run.append(progress.cell))
    assert set(run) == {1}
    assert (tmp_path / "a" / "000.safetensors").stat().st_mtime_ns == first
    assert len(sdx.Comparison.load(tmp_path / "a")) == 2
