"""Where a trace comes from, as JSON without local paths: the call as given, the model, the versions."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...changes.change import Change
from ...trace.provenance import DEFAULTS, Provenance
from ...trace.record import Record
from ..components.pipeline_parts import device_of
from ..components.source_name import model_source
from ..families import family_of
from ..schedulers import noise_levels

_SUMMARIES = ("tensor", "array", "image", "path", "object")
_SIZES = frozenset({"original_size", "target_size", "crops_coords_top_left"})
_PACKAGES = ("sdexplore", "torch", "diffusers", "transformers", "safetensors", "numpy")


def call_of(function: str, prompt: Any, seed: int, record: Record, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Every argument as the user gave it: plain values themselves, tensors and pictures by shape and hash."""
    return {
        "function": function,
        "prompt": described(prompt),
        "seed": seed,
        "record": record.to_json(),
        "arguments": {name: described(value) for name, value in arguments.items()},
    }


def described(value: Any) -> Any:
    """`value` as JSON: itself where JSON can hold it, else its kind and a hash of its content."""
    match value:
        case None | bool() | int() | str():
            return value
        case np.integer() | np.floating() | np.bool_():
            return described(value.item())
        case float():
            return value if np.isfinite(value) else repr(value)
        case Mapping():
            return {str(key): described(inner) for key, inner in value.items()}
        case list() | tuple():
            return [described(inner) for inner in value]
        case _:
            return _summary(value)


def given_again(name: str, value: Any) -> Any:
    """The argument of that name from its description. SDXL's sizes become tuples again, as diffusers needs them."""
    sized = name.removeprefix("negative_") in _SIZES and isinstance(value, list)
    return tuple(value) if sized else value


def is_summary(value: Any) -> bool:
    """Whether a description, or part of it, is a summary of a value that is not kept: tensor, picture, object."""
    match value:
        case Mapping():
            if any(key in value for key in _SUMMARIES) and not isinstance(value.get("image"), str):
                return True
            return any(map(is_summary, value.values()))
        case str():
            return False
        case Sequence():
            return any(map(is_summary, value))
    return False


def _summary(value: Any) -> dict[str, Any]:
    match value:
        case Change():  # which loses nothing
            return value.to_json()
        case torch.Tensor():
            array = value.detach().float().cpu().numpy()
            return {"tensor": list(value.shape), "dtype": str(value.dtype), "sha256": _hash(array.tobytes())}
        case np.ndarray():
            return {"array": list(value.shape), "dtype": str(value.dtype), "sha256": _hash(value.tobytes())}
        case Image.Image():
            return {"image": list(value.size), "mode": value.mode, "sha256": _hash(value.tobytes())}
        case Path():
            return {"path": value.name}
        case _:
            return {"object": getattr(value, "__qualname__", type(value).__qualname__)}


def provenance_of(pipe: Any, denoiser: torch.nn.Module, seconds: float, zeroed: tuple[str, ...]) -> Provenance:
    """Model source, component classes, scheduler with config, versions, size, device, dtype, seconds."""
    scheduler = pipe.scheduler
    device = device_of(pipe)
    identity = identity_of(pipe, denoiser)
    return {
        **identity,
        "scheduler": {
            **identity["scheduler"],
            "prediction_type": noise_levels.prediction_type(scheduler),
            "space": noise_levels.space(scheduler) or "unknown",
            "sigma_data": noise_levels.sigma_data(scheduler),
            "refusal": noise_levels.refusal(scheduler),
        },
        "versions": {name: _version(name) for name in _PACKAGES} | {"python": platform.python_version()},
        "image_size": _image_size(pipe),
        "device": device.type,
        "zeroed_roles": list(zeroed),
        "unconditional": family_of(pipe).unconditional(pipe),
        "seconds": round(seconds, 3),
    }


def identity_of(pipe: Any, denoiser: torch.nn.Module) -> Provenance:
    """What two runs of one pipeline have in common: source, classes, scheduler with config, dtype."""
    return {
        "model": model_source(pipe),
        "pipeline": type(pipe).__name__,
        "components": {name: type(part).__name__ for name, part in pipe.components.items() if part is not None},
        "scheduler": {"class": type(pipe.scheduler).__name__, "config": plain(dict(pipe.scheduler.config))},
        "dtype": str(next(denoiser.parameters()).dtype).removeprefix("torch."),
    }


def _image_size(pipe: Any) -> int | None:
    """Side in pixels of the pictures that the model was made for."""
    size, factor = family_of(pipe).sample_size(pipe), getattr(pipe, "vae_scale_factor", None)
    return size * factor if isinstance(size, int) and isinstance(factor, int) else None


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """A scheduler's config as JSON, without the path that it was read from; the same in every process."""
    found = {key: json.loads(json.dumps(described(value))) for key, value in config.items() if key != "_name_or_path"}
    return in_order(found)


def in_order(config: dict[str, Any]) -> dict[str, Any]:
    """A config whose list of defaults, which diffusers makes from a set, does not depend on the hash seed."""
    defaults = config.get(DEFAULTS)
    return {**config, DEFAULTS: sorted(defaults)} if isinstance(defaults, list) else config


@cache
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
