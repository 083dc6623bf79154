"""The configuration of a component as plain values, and the differences between two."""

from collections.abc import Mapping
from typing import Any

from diffusers import DiffusionPipeline
from torch import nn

from ...base.errors import InspectionError
from ...records.configs import Config, ConfigDiff, Difference
from ..components.pipeline_parts import part, parts
from ..families.family import unwrapped

# With *_file: they belong to this machine and not to the model.
PATHS = ("name_or_path", "is_local", "local_files_only")
DEEPEST = 6  # levels of nested values that are shown: more than any config has, and an end to cycles


def config(pipe: Any, component: str | None = None) -> Config:
    """The configuration of a pipeline's component, or of a component that is given itself.

    Without a name, it is the pipeline's own: the classes that the pipeline consists of.

    Raises:
        InspectionError: There is no such component, it is null, or it has no configuration.
    """
    owner = pipe if component is None else part(pipe, component)
    values = _plain_config(owner)
    if values is None:
        what = f"component {component!r}, a {_label(owner)}," if component else f"{owner!r:.80}"
        raise InspectionError(f"{what} has no configuration")
    return Config(component or "", _label(owner), values)


def config_diff(a: Any, b: Any) -> ConfigDiff:
    """The differences between two configurations: of pipelines (component by component), components or dicts.

    Raises:
        InspectionError: One of the two has no configuration, or only one of them is a pipeline.
    """
    pipelines = [isinstance(side, DiffusionPipeline) for side in (a, b)]
    if pipelines[0] != pipelines[1]:
        raise InspectionError(
            f"a {type(a).__name__} and a {type(b).__name__} have no keys in common; "
            "compare two pipelines, or a component of each: config_diff(one.unet, other.unet)"
        )
    first, second = _by_component(a, b) if all(pipelines) else (_comparable(a), _comparable(b))
    shared = [key for key in first if key in second]
    differing = [Difference(k, first[k], second[k]) for k in shared if not _equal(first[k], second[k])]
    only_a = [Difference(key, a=first[key]) for key in first if key not in second]
    only_b = [Difference(key, b=second[key]) for key in second if key not in first]
    same = len(shared) - len(differing)
    return ConfigDiff(_label(a), _label(b), (*differing, *only_a, *only_b), same)


def _plain_config(owner: Any) -> dict[str, object] | None:
    """Public keys of an object's configuration with plain values; None if it has no configuration."""
    if isinstance(owner, nn.Module):
        owner = unwrapped(owner)
    held: Any = owner if isinstance(owner, Mapping) else getattr(owner, "config", None)
    for source in (held, owner):  # transformers' configs and feature extractors have to_dict
        if not isinstance(held, Mapping) and callable(getattr(source, "to_dict", None)):
            held = source.to_dict()
    if not isinstance(held, Mapping):
        held = getattr(owner, "init_kwargs", None)  # tokenizers
    if not isinstance(held, Mapping):
        return None
    return {
        str(key): _plain(value)
        for key, value in held.items()
        if not str(key).startswith("_") and key not in PATHS and not str(key).endswith("_file")
    }


def _plain(value: object, depth: int = 0) -> object:
    """The value itself if JSON can hold it, else its text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth == DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        plain = [_plain(inner, depth + 1) for inner in value]
        return tuple(plain) if isinstance(value, tuple) else plain
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (foreign code)
        return f"a {type(value).__name__} without text"


def _by_component(a: Any, b: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Two pipelines' values as "component.key"; the class alone where only one of them has the component."""
    sides = (parts(a), parts(b))
    both: tuple[dict[str, object], dict[str, object]] = ({}, {})
    for name in dict.fromkeys((*sides[0], *sides[1])):
        alone = any(side.get(name) is None for side in sides)
        for side, values in zip(sides, both, strict=True):
            if name in side and alone:
                values[name] = None if side[name] is None else _label(side[name])
            elif name in side:
                held = {"class": _label(side[name]), **(_plain_config(side[name]) or {})}
                values.update({f"{name}.{key}": value for key, value in held.items()})
    return both


def _comparable(side: Any) -> dict[str, object]:
    """Keys and values to compare, the class among them."""
    if isinstance(side, Config):
        return {"class": side.class_name, **side}
    values = _plain_config(side)
    if values is None:
        raise InspectionError(f"{side!r:.80} has no configuration to compare")
    return values if isinstance(side, Mapping) else {"class": _label(side), **values}


def _label(side: Any) -> str:
    if isinstance(side, Config):
        return ": ".join(filter(None, (side.component, side.class_name)))
    return type(unwrapped(side) if isinstance(side, nn.Module) else side).__name__


def _equal(a: object, b: object) -> bool:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_equal, a, b))
    try:
        return bool(a == b) or (a != a and b != b)  # noqa: PLR0124  (NaN on both sides)
    except Exception:  # noqa: BLE001  (foreign code)
        return a is b
