"""`run`: one call of a pipeline, observed. The picture is the one that the pipeline draws without us.

To the bit; within rounding where runs are compiled (`compile_denoiser`).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...changes.change import Change
from ...trace.collections import Traces
from ...trace.record import USUAL, Record
from ...trace.trace import Trace
from .call import Call
from .classifier_guidance import GuideFunction
from .progress import Progress
from .session import session


def run(  # noqa: PLR0913  (its own; the pipeline's come behind them)
    pipe: Any,
    prompt: str | list[str] | None = None,
    *,
    seed: int | np.integer[Any] = 0,
    record: Record = USUAL,
    on_step: Callable[[Progress], object] | None = None,
    guide: GuideFunction | None = None,
    guide_scale: float = 1.0,
    prompt_at: Mapping[int, str] | None = None,
    change: Change | Sequence[Change] | None = None,
    to: str | Path | None = None,
    **pipeline_arguments: Any,
) -> Trace | Traces:
    """The record of one call of `pipe`: a Trace for one image, Traces for several.

    The pipeline gets exactly what is given here, and for image i a CPU generator with seed + i. Its picture is
    the same without sdexplore, to the bit (within rounding after `compile_denoiser`). Runs of one pipeline wait for
    each other. The steps that the Record names are decoded when they are first looked at, by the pipeline's VAE: keep
    the pipeline, which the trace does not keep. With `to` they are decoded before the file is closed; if memory does
    not suffice for that, the trace says which steps are missing, and a warning does.

    Of a video (CogVideoX, Wan, AnimateDiff; from text) latents, predictions and x0 have an axis of frames, the trace
    holds `frames`, and `image` is the middle one. No attention is recorded: the default Record's "mean" asks for none
    there, and a Record that names heads, layers, queries or self-attention is refused. A step is decoded as its middle
    frame, for which a VAE of videos decodes all frames up to the last: as long as the video's own decoding, each step.

    Args:
        pipe: Any diffusers pipeline with a denoiser of a known family (`model/families/`).
        prompt: As the pipeline takes it; None gives it none.
        seed: Of the first image; the next has seed + 1.
        record: What to keep.
        on_step: A function that is called with a Progress after each step; it may call the Progress's `stop()`.
        guide: Classifier guidance: a function that is given a GuideStep (x_t, predicted x_0, its picture) at every call
            and returns log p, one number an image, or the gradient of log p with respect to x_t. ε becomes
            ε − √(1−ᾱ) s ∇ log p (Dhariwal & Nichol 2021, Algorithm 2), after classifier-free guidance; the trace keeps
            both. A guide changes the picture: such a run observes what the user made. `GuideStep` has the contract.
        guide_scale: Dhariwal & Nichol's s.
        prompt_at: Step -> the prompt that takes the place of the first from that step on. Attention to it is recorded
            under a role of its own, "cond@10" for step 10, with its own tokens.
        change: What the denoiser does otherwise: `Reweight`, `Ablate`, `Keep`, `Patch`, or several of them, made in the
            order Keep, Reweight, Ablate, Patch. The trace's call holds them, and provenance["changed"] how often each
            applied. Recorded attention is what the changed model computed. The sources of `Keep` and `Patch` ride along
            in the batch, which doubles the pipeline's work and memory. After `compile_denoiser`, such a run is made
            uncompiled, and says so.
        to: The file that the trace is written to while it is made, or the folder for several images. Memory then
            does not grow with the steps, and the trace that is returned reads from there, as after `save` and `load`.
            The file appears when the run ends or is stopped. Until then, and after an error, an older file of that
            name stays unchanged.
        pipeline_arguments: Anything the pipeline's own call takes: guidance_scale, num_inference_steps …

    Raises:
        RunError: `generator` is given beside the seed; the denoiser cannot be observed (`doctor` tells beforehand why);
            a change names a module, layer, head, role or step that is not there, or never applied;
            the guide returns neither log p nor a gradient; the prompt cannot be changed in this pipeline; the number of
            steps or images is below 1; roles, layers or self_attention of the Record name nothing in this run; the
            trace needs more memory or disk than is free (`cost` tells beforehand how much), or memory runs out during
            the run; `to` is not a name for a trace, or cannot be written to.
        InspectionError: The pipeline has no denoiser of a known family.
        TokenError: A change names a word that the prompt does not have.
        Stopped: `on_step` called `stop()`; the error holds the partial Trace.
    """
    call = Call(prompt, pipeline_arguments, seed, record, on_step, guide, guide_scale, prompt_at, to, change=change)
    with session(pipe, call, function="run") as running:
        return running.run(call)
