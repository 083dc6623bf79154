"""What classifier-free guidance did: the two halves of each step, apart and against each other."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float32

from ..errors import TraceError
from ..theory import PredictionType, pred_original_sample
from ..trace import Trace


@dataclass(frozen=True)
class Halves:
    """The unconditional and the conditional half of a run.

    Attributes:
        steps: Steps at which both were computed.
        x0_uncond, x0_cond: x0 as each half alone predicts it, on the variance-preserving scale.
        difference: Root mean square over channels of noise_pred_cond − noise_pred_uncond: where the prompt
            (against the negative prompt) changes the prediction.
    """

    steps: tuple[int, ...]
    x0_uncond: Float32[np.ndarray, "step channel y x"]
    x0_cond: Float32[np.ndarray, "step channel y x"]
    difference: Float32[np.ndarray, "step y x"]


def halves(trace: Trace) -> Halves:
    """Both halves of every step that had them.

    Raises:
        TraceError: The run had no guidance, or its noise predictions or noise levels are not there.
    """
    if "uncond" not in trace.noise_preds:
        raise TraceError(
            "this run had no classifier-free guidance: the unconditional half was never computed. "
            "Run with guidance_scale above 1 and Record(noise_pred=True)"
        )
    uncond, cond = trace.noise_pred_uncond, trace.noise_pred_cond
    steps = tuple(i for i in range(trace.num_steps) if not (np.isnan(uncond[i]).any() or np.isnan(cond[i]).any()))
    if not steps:
        raise TraceError("no step of this run computed both halves of guidance")
    rows = list(steps)
    sigma = trace.recorded("sigmas")[rows].reshape(-1, 1, 1, 1)
    kind: PredictionType = trace.provenance.get("scheduler", {}).get("prediction_type")
    if kind not in get_args(PredictionType):
        raise TraceError(f"this trace does not say how its model predicts: prediction_type is {kind!r}")
    sample = trace.recorded("latents")[rows]
    x0_uncond, x0_cond = (
        pred_original_sample(sample, half[rows], sigma, kind, trace.space).astype(np.float32) for half in (uncond, cond)
    )
    difference = np.sqrt(np.square(cond[rows] - uncond[rows]).mean(axis=1))
    return Halves(steps, x0_uncond, x0_cond, difference)
