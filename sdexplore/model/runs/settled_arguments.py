"""What a pipeline settled of its arguments, beside what was typed, and which of them it ignored."""

from collections.abc import Mapping
from typing import Any

from ...base.parameters import parameters_of
from ...trace.provenance import UsedFacts
from ..capture.recorder import Recorder
from ..families import family_of
from .call import Call

_SEEDS = 2**64
_OF_UNCOND = ("negative_prompt", "negative_prompt_2", "negative_prompt_3", "negative_prompt_embeds", "guidance_rescale")
_OF_ROLE = {
    "pag_scale": "perturbed",
    "image_guidance_scale": "image",
    "true_cfg_scale": "uncond",
    "skip_guidance_layers": "skipped",
}


def used(pipe: Any, call: Call, recorder: Recorder) -> UsedFacts:
    """What was settled, without the size of the picture: steps, scale, eta, seeds, and what was ignored.

    Args:
        recorder: Of the finished run.
    """
    scale, ignored = _scale(pipe, call, recorder), _ignored(call, recorder)
    given = call.arguments.get("guidance_scale")
    if given is not None and scale == 1 and float(given) > 1:
        ignored.append("guidance_scale")
    return {
        "num_inference_steps": _number(recorder.settled.get("num_inference_steps"), len(recorder.steps)),
        "guidance_scale": scale,
        "eta": _float(recorder.settled.get("eta")),
        "seeds": [(call.seed + image) % _SEEDS for image in range(recorder.images)],
        "ignored": sorted(ignored),
        **_reading(recorder),
    }


def _reading(recorder: Recorder) -> UsedFacts:
    """By what the softmax of attention was normalised, and what was left out."""
    heard, found = recorder.heard, UsedFacts()
    if heard:
        by_kernel = sum(heard.values())
        mixed = f"kernel in {by_kernel} of {len(heard)} layers, softmax in the others"
        found["normaliser"] = "kernel" if by_kernel == len(heard) else mixed if by_kernel else "softmax"
    if recorder.skipped:
        found["skipped"] = {role: list(layers) for role, layers in recorder.skipped.items()}
    if recorder.reused:
        found["reused"] = recorder.reused
    return found


def given_or_default(pipe: Any, arguments: Mapping[str, Any], name: str) -> Any:
    """An argument as given, else the default of the pipeline's call; None where it takes none."""
    known = parameters_of(type(pipe).__call__)
    if name in arguments or name not in known:
        return arguments.get(name)
    default = known[name].default
    return None if default is known[name].empty else default


def _scale(pipe: Any, call: Call, recorder: Recorder) -> float | None:
    """The scale that the run was guided by; 1 where only the prompt's row was predicted."""
    told = recorder.steps[0].guidance.get("guidance_scale") if recorder.steps else None
    scale = _float(told if told is not None else given_or_default(pipe, call.arguments, "guidance_scale"))
    if scale is None or "uncond" in recorder.seen or family_of(pipe).embeds_guidance(pipe):
        return scale
    return 1.0


def _ignored(call: Call, recorder: Recorder) -> list[str]:
    """Names of arguments that were given and changed nothing."""
    given = {name: value for name, value in call.arguments.items() if value is not None}
    found: list[str] = []
    if "uncond" not in recorder.seen:
        found += [name for name in _OF_UNCOND if name in given and _says(given[name])]
    if "eta" in given and given["eta"] and recorder.settled.get("eta") is None:
        found.append("eta")
    if given.keys() & {"timesteps", "sigmas"} and "num_inference_steps" in given:
        found.append("num_inference_steps")
    if "denoising_start" in given and "strength" in given:
        found.append("strength")
    if "prompt_embeds" in given and "clip_skip" in given:
        found.append("clip_skip")
    for name, role in _OF_ROLE.items():
        if _says(given.get(name)) and role not in recorder.seen:
            found.append(name)
    return found


def _says(value: Any) -> bool:
    """Whether a value asks for anything: no empty text, and no zero."""
    return bool(value) if isinstance(value, str | int | float | list | tuple | None) else True


def _number(told: Any, steps: int) -> int:
    return int(told) if isinstance(told, int) else steps


def _float(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
