"""Trains the miniature: `python -m sdexplore.mini.training --out FOLDER`.

With the defaults it takes about 25 minutes on one GPU. `--smoke` runs the same stages with tiny networks, in seconds on
a CPU.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from sdexplore.base.errors import SdexploreError
from sdexplore.mini.training.optimization import Budget
from sdexplore.mini.training.stages import Training, train


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sdexplore.mini.training", description="Trains the miniature from nothing."
    )
    whole = Training()
    parser.add_argument("--out", type=Path, required=True, help="folder to write the pipeline to")
    parser.add_argument(
        "--smoke", action="store_true", help="tiny networks and a few steps; it ignores the options for sizes and times"
    )
    parser.add_argument("--vae-seconds", type=float, default=whole.vae.budget.seconds)
    parser.add_argument("--unet-seconds", type=float, default=whole.unet.budget.seconds)
    parser.add_argument("--max-steps", type=int, help="of each stage, also where time is left")
    parser.add_argument("--scenes", type=int, default=whole.scenes)
    parser.add_argument("--vae-batch", type=int, default=whole.vae.batch)
    parser.add_argument("--batch", type=int, default=whole.unet.batch)
    parser.add_argument("--rate", type=float, default=whole.unet.rate, help="highest learning rate of stage 2")
    parser.add_argument(
        "--alignment",
        type=float,
        default=whole.unet.alignment,
        help="weight of the alignment loss; 0 trains without it",
    )
    parser.add_argument("--vae-from", type=Path, help="folder of a pipeline whose VAE is used; skips stage 1")
    parser.add_argument("--init-from", type=Path, help="folder of a pipeline from which stage 2 starts")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 0)
    parser.add_argument("--device", help="default: cuda, else cpu")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="[%(relativeCreated)7.0f ms] %(message)s")
    device = torch.device(chosen.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    try:
        training = Training.smoke() if chosen.smoke else _training(chosen)
        train(training, chosen.out, device)
    except SdexploreError as error:
        parser.error(str(error))


def _training(chosen: argparse.Namespace) -> Training:
    whole = Training(
        scenes=chosen.scenes,
        workers=chosen.workers,
        vae_from=chosen.vae_from,
        init_from=chosen.init_from,
    )
    vae = replace(
        whole.vae,
        budget=Budget(chosen.vae_seconds, chosen.max_steps),
        batch=chosen.vae_batch,
        compile=chosen.compile,
    )
    unet = replace(
        whole.unet,
        budget=Budget(chosen.unet_seconds, chosen.max_steps),
        batch=chosen.batch,
        rate=chosen.rate,
        alignment=chosen.alignment,
        compile=chosen.compile,
    )
    return replace(whole, vae=vae, unet=unet)


if __name__ == "__main__":
    main()
