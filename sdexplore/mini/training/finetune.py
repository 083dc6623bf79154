"""Aligns a miniature's cross-attention: `python -m sdexplore.mini.training.finetune --out FOLDER`.

With the defaults it takes about two hours on two CPU cores. `--smoke` runs one step of each stage.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sdexplore.base.errors import SdexploreError
from sdexplore.mini import PIPELINE
from sdexplore.mini.training.optimization import Budget
from sdexplore.mini.training.stage_alignment import AlignmentStage, Finetuning, finetune


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.training.finetune",
        description="Teaches the words of a miniature to look at the things that they name.",
    )
    whole = Finetuning()
    parser.add_argument("--out", type=Path, required=True, help="folder to write the pipeline to")
    parser.add_argument("--pipeline", type=Path, default=PIPELINE, help="folder to start from")
    parser.add_argument(
        "--smoke", action="store_true", help="one step of each stage; it ignores the options for sizes and times"
    )
    for stage in ("local", "joint", "polish"):
        parser.add_argument(
            f"--{stage}-seconds",
            type=float,
            default=getattr(whole, stage).budget.seconds,
            help="0 skips the stage",
        )
    parser.add_argument("--joint-share", type=float, default=whole.joint_share)
    parser.add_argument("--polish-share", type=float, default=whole.polish_share)
    parser.add_argument("--scenes", type=int, default=whole.scenes)
    parser.add_argument("--batch", type=int, default=whole.batch)
    parser.add_argument("--workers", type=int, default=whole.workers)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="[%(relativeCreated)7.0f ms] %(message)s")
    try:
        finetuning = Finetuning.smoke() if chosen.smoke else _finetuning(whole, chosen)
        finetune(finetuning, chosen.pipeline, chosen.out)
    except SdexploreError as error:
        parser.error(str(error))


def _finetuning(whole: Finetuning, chosen: argparse.Namespace) -> Finetuning:
    return replace(
        whole,
        local=_timed(whole.local, chosen.local_seconds),
        joint=_timed(whole.joint, chosen.joint_seconds),
        joint_share=chosen.joint_share,
        polish=_timed(whole.polish, chosen.polish_seconds),
        polish_share=chosen.polish_share,
        scenes=chosen.scenes,
        batch=chosen.batch,
        workers=chosen.workers,
    )


def _timed(stage: AlignmentStage | None, seconds: float) -> AlignmentStage | None:
    return replace(stage, budget=Budget(seconds, warmup=0)) if stage and seconds else None


if __name__ == "__main__":
    main()
