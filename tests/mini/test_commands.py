"""The command lines of the miniature: their help, their refusals, and the settings that they pass on."""

import runpy
import sys
from dataclasses import replace
from unittest import mock

import pytest
import torch

from sdexplore.base.errors import LoadError
from sdexplore.mini import PIPELINE
from sdexplore.mini.evaluation import measure
from sdexplore.mini.training import __main__ as train
from sdexplore.mini.training import finetune
from sdexplore.mini.training.networks import build, load, save
from sdexplore.mini.training.optimization import Budget
from sdexplore.mini.training.stage_alignment import Finetuning
from sdexplore.mini.training.stages import Training

REFUSED = [
    (train, ["--scenes", "0"], "cannot train on 0 scenes; give 1 or more"),
    (train, ["--vae-seconds", "0"], "0.0 seconds"),
    (train, ["--out", str(PIPELINE)], "the package carries; give another folder"),
    (train, ["--out", __file__], "cannot make the folder '"),
    (finetune, ["--held-out", "0"], "unrecognized arguments: --held-out 0"),
    (finetune, ["--scenes", "0"], "cannot learn from 0 scenes and score 60"),
    (finetune, ["--pipeline", "東京"], "'東京' has no vae and no unet and no text_encoder; give a folder with"),
    (measure, ["--scenes", "-1"], "cannot measure on -1 scenes; give 1 or more"),
    (measure, ["--pipeline", "</script>"], "'</script>' has no vae"),
]


@pytest.mark.parametrize(("module", "arguments", "message"), REFUSED)
def test_impossible_settings_are_refused_before_anything_is_computed(module, arguments, message, tmp_path, capsys):
    out = [] if module is measure or "--out" in arguments else ["--out", str(tmp_path / "new")]
    with pytest.raises(SystemExit) as stopped:
        module.main([*out, *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_pipeline_is_refused(tmp_path):
    (tmp_path / "vae").mkdir()
    with pytest.raises(LoadError, match=r"has no vae and no unet and no text_encoder; .*sdexplore\.mini\.training"):
        load(tmp_path)
    save(build(Training.smoke().architecture), tmp_path)
    (tmp_path / "unet" / "config.json").unlink()
    with pytest.raises(LoadError, match="has no unet; give"):
        load(tmp_path)


def test_options_reach_the_training(tmp_path):
    with mock.patch.object(train, "train") as called:
        train.main(["--out", str(tmp_path), "--device", "cpu", "--alignment", "0", "--max-steps", "7", "--no-compile"])
    (training, out, device), _ = called.call_args
    assert (out, device) == (tmp_path, torch.device("cpu"))
    assert training.unet == replace(Training().unet, alignment=0.0, budget=Budget(1080.0, steps=7), compile=False)
    assert training.vae == replace(Training().vae, budget=Budget(300.0, steps=7), compile=False)
    with mock.patch.object(finetune, "finetune") as called:
        finetune.main(["--out", str(tmp_path), "--local-seconds", "0", "--polish-seconds", "5", "--batch", "3"])
    (finetuning, folder, _), _ = called.call_args
    assert folder == PIPELINE
    polish = replace(Finetuning().polish, budget=Budget(5.0, warmup=0))
    assert finetuning == replace(Finetuning(), local=None, polish=polish, batch=3)


OPTIONS = {"training": "--vae-seconds", "training.finetune": "--joint-share", "evaluation.measure": "--scenes"}


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # this process has imported it before
@pytest.mark.parametrize("name", OPTIONS)
def test_command_lines_explain_themselves(name, monkeypatch, capsys):
    """As `python -m` runs them, in this process, which has torch loaded."""
    monkeypatch.setattr(sys, "argv", ["-m", "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(f"sdexplore.mini.{name}", run_name="__main__", alter_sys=True)
    said = capsys.readouterr().out
    assert stopped.value.code == 0
    assert f"python -m sdexplore.mini.{name}" in said
    assert OPTIONS[name] in said
