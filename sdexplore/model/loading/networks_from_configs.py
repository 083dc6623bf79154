"""Networks made of their configurations alone, on the meta device: without weights, without memory."""

import os
from collections.abc import Mapping
from typing import Any

import diffusers
import torch
import transformers
from diffusers import ModelMixin
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from torch import nn
from transformers import PreTrainedModel

from ...base.atomic_files import named
from ...base.errors import InspectionError, did_you_mean
from ..components.meta_networks import from_config
from .safetensors_headers import read_json
from .sane_configs import absurd

# Model type -> class, for old files that name no class.
_BY_TYPE = {"clip_text_model": "CLIPTextModel", "clip": "CLIPModel", "t5": "T5EncoderModel"}


def configured(source: str | os.PathLike[str], component: str | None) -> tuple[str, nn.Module]:
    """(name, network) of a configuration: a config.json, a component's folder, or a pipeline's folder.

    Args:
        source: The file or folder.
        component: A component of a pipeline's folder; by default "unet", else "transformer".

    Raises:
        InspectionError: There is no such file, or it is no configuration of a network.
        LoadError: The file is damaged.
    """
    given = os.fspath(source)
    path = named(given)
    if path.is_dir() and (path / "model_index.json").is_file():
        folders = sorted(found.parent.name for found in path.glob("*/config.json"))
        name = component or next((one for one in ("unet", "transformer") if one in folders), "unet")
        if name not in folders:
            hint = did_you_mean(name, folders)
            raise InspectionError(f"the pipeline in {given!r} has no network {name!r}; {hint}")
        path /= name
    elif component is not None:
        raise InspectionError(f"{given!r} is one component's, and {component!r} was asked for; leave it out")
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise InspectionError(
            f"there is no configuration {given!r}: a config.json is needed, a folder that holds one, or a pipeline, "
            f"as sdx.load({given!r}) makes one"
        )
    config = read_json(file, repr(given))
    name = component or (file.parent.name if path.is_dir() else "")
    return name, _network(config, given)


def _network(config: Mapping[str, Any], given: str) -> nn.Module:
    try:
        return network_of(config)
    except InspectionError as error:
        raise InspectionError(f"{given!r} {error}") from None
    except Exception as error:
        raise InspectionError(f"no network can be made of {given!r}: {type(error).__name__}: {error}") from error


def network_of(config: Mapping[str, Any]) -> nn.Module:
    """The network of a configuration, on the meta device; InspectionError where it is not that of a network."""
    if (why := absurd(config)) is not None:
        raise InspectionError(f"is damaged, or hostile: {why}")
    made = config.get("_class_name")
    if made is not None:
        model = getattr(diffusers, str(made), None)
        if isinstance(model, type) and issubclass(model, ModelMixin):
            return from_config(model, config)
        raise InspectionError(f"is of a {made!r}, which is no network of diffusers {diffusers.__version__}")
    named = next(iter(config.get("architectures") or ()), None) or _BY_TYPE.get(str(config.get("model_type")))
    checker = named == "StableDiffusionSafetyChecker"
    cls: Any = StableDiffusionSafetyChecker if checker else getattr(transformers, str(named), None)
    if not (isinstance(cls, type) and issubclass(cls, PreTrainedModel)):
        raise InspectionError(f"names no network of diffusers or transformers (it says {named!r})")
    own: Any = getattr(cls, "config_class", None)
    nested = config.get("text_config")
    if config.get("model_type") != own.model_type and isinstance(nested, Mapping):
        config = nested  # the configuration of the whole CLIP, saved with its text encoder
    with torch.device("meta"):
        network: nn.Module = cls(own.from_dict(dict(config)))
    return network.eval()
