"""Sources of changes ride along in the batch of a run: a row of each role for each image and each source."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ...base.errors import RunError
from ...changes.source import Source
from ...trace.provenance import ChangedFacts
from ..capture.recorder import Recorder
from .call import Call
from .provenance import described

_NEGATIVE = ("negative_prompt", "negative_prompt_2", "negative_prompt_3")
_APART = frozenset({"output_type", "return_dict", "num_images_per_prompt", "callback_on_step_end"})
_FOR_ALL = frozenset({*_NEGATIVE, "latents", "callback_on_step_end_tensor_inputs", "callback_on_step_end"})
_SECOND = ("prompt_2", "prompt_3")


def check_riding(pipe: Any, call: Call, sources: Sequence[Source]) -> None:
    """Refuses a call beside which no source can ride.

    Raises:
        RunError: The prompt is no text; an argument is for each image, or may do something else with more rows; or the
            run of a source had other arguments.
    """
    if not sources:
        return
    texts = call.prompt if isinstance(call.prompt, list) else [call.prompt]
    if not all(isinstance(one, str) for one in texts):
        raise RunError(
            f"change=…: the source rides along in the batch; give the prompt as text, here {call.prompt!r:.80}"
        )
    for name in ("guide", "prompt_at"):
        if getattr(call, name) is not None:
            raise RunError(
                f"change=…: the source rides along in the batch, beside which {name}= is not known; leave one out"
            )
    for name, value in call.arguments.items():
        if name == "latents" and any(one.seed is not None for one in sources):
            raise RunError(
                "change=…: the source begins with the noise of its seed, and this run with latents; leave one out"
            )
        if name in _SECOND and value is not None:
            raise RunError(f"change=…: the source rides along with its prompt for every text encoder; leave {name} out")
        if name not in _FOR_ALL and not _plain(value):
            raise RunError(
                f"change=…: the source rides along in the batch, and {name}={value!r:.60} is for the images alone; "
                f"{type(pipe).__name__} begins with noise and plain arguments there"
            )
    for one in sources:
        _check_alike(call, one)


def _plain(value: Any) -> bool:
    """Whether an argument says the same for every row: numbers, texts, and lists of numbers (sizes, times)."""
    if isinstance(value, list | tuple):
        return all(isinstance(one, int | float | np.number) for one in value)
    if isinstance(value, Mapping):
        return all(map(_plain, value.values()))
    return value is None or isinstance(value, str | int | float | np.number | np.bool_)


def _check_alike(call: Call, source: Source) -> None:
    """RunError where the trace of a source was made with other arguments than this run."""
    if source.record is None:
        return
    then: Mapping[str, Any] = source.record.call.get("arguments", {})
    now = {name: described(value) for name, value in call.arguments.items()}
    for name in sorted((then.keys() | now.keys()) - _APART):
        if then.get(name) != now.get(name):
            raise RunError(
                f"change=…: the source {source.trace} was made with {name}={then.get(name)!r:.60}, and this run has "
                f"{now.get(name)!r:.60}: it rides along in the batch with this run's arguments; give the same"
            )


def with_riders(call: Call, given: Mapping[str, Any], sources: Sequence[Source], images: int) -> dict[str, Any]:
    """The arguments of the pipeline's call with the sources' rows behind the user's."""
    more = dict(given)
    per_prompt = int(more.pop("num_images_per_prompt", None) or 1)

    def by_image(value: Any) -> list[Any]:
        return [value[image // per_prompt] if isinstance(value, list) else value for image in range(images)]

    more["prompt"] = by_image(call.prompt) + [one.prompt for one in sources for _ in range(images)]
    for name in _NEGATIVE:
        if more.get(name) is not None:
            more[name] = by_image(more[name]) * (1 + len(sources))
    if isinstance(latents := more.get("latents"), torch.Tensor):
        more["latents"] = latents.repeat(1 + len(sources), *[1] * (latents.ndim - 1))
    seeds = [call.seed + image for image in range(images)]
    seeds += [call.seed + image if one.seed is None else one.seed for one in sources for image in range(images)]
    return {**more, "generator": [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]}


def changed_facts(recorder: Recorder) -> list[ChangedFacts]:
    """What provenance says of each change; of a source that has a trace, how far its row ended from it."""
    changing = recorder.changing
    if changing is None:
        return []
    facts = changing.facts()
    for edit, one in zip(changing.edits, facts, strict=True):
        source: Source | None = getattr(edit.change, "run", None)
        then = None if source is None or source.record is None else source.record.latents
        if source is None or then is None or recorder.last is None:
            continue
        row = recorder.last[recorder.images * (1 + changing.sources.index(source))]
        if row.shape == then[-1].shape:
            one["deviation"] = float(np.abs(row.float().cpu().numpy() - then[-1]).max())
    return facts
