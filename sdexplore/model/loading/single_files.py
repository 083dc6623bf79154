"""A pipeline from one file in the original layout, offline: its header tells the configurations.

diffusers' own `from_single_file` converts the weights. It is given a folder of configurations, written for each file,
and CLIP's tokenizer, which comes with the embedded model.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import diffusers
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTokenizerFast

from ...base.errors import LoadError, did_you_mean
from ...base.user_warnings import warn_user
from ..components.source_name import MINI
from .checkpoint_families import CLIP, CLIP_XL, UNET, Family, family_of, predicting
from .configs_from_shapes import component_configs, scheduler_config
from .networks_from_configs import network_of
from .safetensors_headers import Header, Tensor, read_header
from .sources import PICKLES, Source
from .tensors_of_single_files import check_tensors

V_SPREAD = 0.09  # ComfyUI's threshold between SD 2 base and v
PREDICTIONS = ("epsilon", "v_prediction", "sample")
_CLIP_PARTS = ("embeddings.", "encoder.", "final_layer_norm.")  # of its text encoder, below `text_model.`
_DEEPEST = 4  # dictionaries in dictionaries that a pickle may hold its tensors in
_OWN = ("prediction_type", "extract_ema")
_LIBRARIES = {"unet": "diffusers", "vae": "diffusers", "scheduler": "diffusers"}
_IGNORED = ("use_safetensors", "variant", "revision", "token", "cache_dir", "local_files_only", "force_download")


def load_single_file(source: Source, arguments: Mapping[str, Any]) -> DiffusionPipeline:
    """The pipeline of a single file, on the CPU.

    Args:
        source: A source with a file.
        arguments: `dtype`; components that replace the file's, such as vae= or safety_checker=; prediction_type,
            where the header leaves it open; extract_ema, to take the copy that was averaged in training.

    Raises:
        LoadError: It is no checkpoint of Stable Diffusion, or lacks a part; the message says what it is.
    """
    if source.file is None:
        raise LoadError(f"{source.name!r} is no single file")
    given = {name: value for name, value in arguments.items() if name not in ("dtype", *_IGNORED)}
    held = _held(source.file, source.name)
    header = named_in_full(held)
    family = family_of(header, source.file.name)
    if not family.pipeline:
        raise LoadError("; ".join((f"{source.name!r} is no checkpoint to load: {family.name}", *family.notes)))
    family = _decided(family, source, header, given.pop("prediction_type", None))
    cls = getattr(diffusers, family.pipeline)
    parts = _parts(cls, family, given, source.name)
    configs = component_configs(header, family)
    _complete(configs, family, parts, source.name)
    for name in configs.keys() - given.keys():
        check_tensors(name, configs[name], header, family, source.name)
    for name, prefix in family.text_encoders.items():
        if name in configs.keys() - given.keys() and any(
            key.startswith(prefix + _CLIP_PARTS[0]) for key in held.tensors
        ):
            parts[name] = _bare_clip(source, configs[name], prefix, arguments["dtype"])
    ema = {"extract_ema": True} if given.pop("extract_ema", False) else {}
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), family, configs)
        pipe: DiffusionPipeline = cls.from_single_file(
            str(source.file),
            config=folder,
            local_files_only=True,
            torch_dtype=arguments["dtype"],
            **parts,
            **ema,
        )
    pipe.register_to_config(_name_or_path=source.file.name)  # no path of this machine
    return pipe


def header_of(path: Path, name: str) -> Header:
    """The header of a file; of a pickle, names and shapes, read by torch's loader that runs no code.

    Some tools write CLIP's names without `text_model.`; here they have it.
    """
    return named_in_full(_held(path, name))


def _held(path: Path, name: str) -> Header:
    if path.suffix.lower() not in PICKLES:
        return read_header(path, name)
    found = _tensors_in(_unpickled(path, name, "meta"))
    tensors = {
        key: Tensor(str(value.dtype).removeprefix("torch."), tuple(value.shape), value.nbytes) for key, value in found
    }
    return Header(tensors, {})


def _tensors_in(held: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors by dotted name, however they are nested: the webui's embeddings and hypernetworks, IP-Adapter's .bin."""
    if isinstance(held, torch.Tensor):
        yield name, held
    elif isinstance(held, Mapping | list | tuple) and depth < _DEEPEST:
        for key, inner in held.items() if isinstance(held, Mapping) else enumerate(held):
            yield from _tensors_in(inner, f"{name}.{key}" if name else str(key), depth + 1)


def named_in_full(header: Header) -> Header:
    """The header with `text_model.` added to those names of CLIP that lack it."""
    bare = tuple(prefix + part for prefix in (CLIP, CLIP_XL) for part in _CLIP_PARTS)
    own = "transformer."
    names = {key: key.replace(own, f"{own}text_model.", 1) if key.startswith(bare) else key for key in header.tensors}
    return replace(header, tensors={names[key]: tensor for key, tensor in header.tensors.items()})


def _unpickled(path: Path, name: str, device: str) -> dict[Any, Any]:
    try:
        held = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise LoadError(
            f"{name!r} holds more than weights, or is damaged ({type(error).__name__}), and is not opened even with "
            "allow_pickle=True; a safetensors version of it loads"
        ) from error
    while isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict):
        raise LoadError(f"{name!r} holds a {type(held).__name__}, no weights by name")
    return held


def _decided(family: Family, source: Source, header: Header, asked: str | None) -> Family:
    """The family with its prediction type: the user's, else the header's, else a guess by one tensor's spread."""
    if asked is not None:
        if asked not in PREDICTIONS:
            raise LoadError(f"prediction_type={asked!r}; {did_you_mean(str(asked), PREDICTIONS)}")
        return predicting(family, asked)
    if family.prediction_type:
        for note in family.notes:
            if "file's name" in note:
                warn_user(f"{source.name!r}: {note}")
        return family
    found = "v_prediction" if _spread(source, header) > V_SPREAD else "epsilon"
    warn_user(
        f"{source.name!r} is taken to predict {found}: its header does not say, and one tensor's spread is "
        f"a guess; prediction_type= decides"
    )
    return predicting(family, found)


def _spread(source: Source, header: Header) -> float:
    """Standard deviation of the tensor by which ComfyUI tells SD 2's v from its base; infinity without it.

    Source: ComfyUI, comfy/supported_models.py, SD20.model_type: "not sure how well this will actually work".
    """
    ends = [n for n in header.tensors if n.startswith(f"{UNET}output_blocks.") and n.endswith("0.norm1.bias")]
    if not ends or source.file is None:
        return float("inf")
    last = max(ends, key=lambda name: int(name.removeprefix(f"{UNET}output_blocks.").partition(".")[0]))
    if source.file.suffix.lower() in PICKLES:
        tensor = _unpickled(source.file, source.name, "cpu")[last]
    else:
        with safe_open(source.file, framework="pt") as file:
            tensor = file.get_tensor(last)
    return float(tensor.float().std(correction=0))


def _parts(cls: Any, family: Family, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The parts of the pipeline that are no networks of the file, and the user's own components."""
    takes = set(cls._get_signature_keys(cls)[0]) | set(cls._get_signature_keys(cls)[1])
    for argument in given:
        if argument not in takes and argument not in _OWN:
            hint = did_you_mean(argument, sorted({*takes, *_OWN}))
            raise LoadError(f"load({name!r}, {argument}=…): a single file takes no {argument!r}; {hint}")
    defaults: dict[str, Any] = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
    defaults["requires_safety_checker"] = given.get("safety_checker") is not None
    paddings = {"tokenizer": "!" if family.name.startswith("SD 2") else None, "tokenizer_2": "!"}
    if "Img2Img" in family.pipeline:  # the refiner has only the second
        del paddings["tokenizer"]
        defaults |= {"text_encoder": None, "tokenizer": None}
        defaults |= {"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False}
    needed = {part: padding for part, padding in paddings.items() if part in takes and part not in given}
    defaults |= {part: tokenizer(padding) for part, padding in needed.items()}
    scheduler = scheduler_config(family)
    defaults["scheduler"] = getattr(diffusers, scheduler.pop("_class_name")).from_config(scheduler)
    parts = {argument: value for argument, value in given.items() if argument not in _OWN}
    return {argument: value for argument, value in defaults.items() if argument in takes} | parts


def tokenizer(padding: str | None) -> CLIPTokenizerFast:
    """CLIP's tokenizer, of OpenAI (padding None: the end token) or as OpenCLIP's models use it (padding "!")."""
    more = {"pad_token": padding} if padding else {}
    found: CLIPTokenizerFast = CLIPTokenizerFast.from_pretrained(MINI / "tokenizer", **more)
    return found


def _complete(configs: Mapping[str, Any], family: Family, parts: Mapping[str, Any], name: str) -> None:
    for component in ("vae", *family.text_encoders):
        if component not in configs and parts.get(component) is None:
            raise LoadError(
                f"{name!r}, {family.name}, has no {component}: give {component}=, "
                f"such as another pipeline's: load({name!r}, {component}=other.{component})"
            )


def _write(folder: Path, family: Family, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """A folder of configurations as from_single_file reads them."""
    index: dict[str, Any] = {"_class_name": family.pipeline, "_diffusers_version": diffusers.__version__}
    for component, config in configs.items():
        (folder / component).mkdir()
        (folder / component / "config.json").write_text(json.dumps(config))
        cls = config["architectures"][0] if "architectures" in config else config["_class_name"]
        index[component] = [_LIBRARIES.get(component, "transformers"), cls]
    (folder / "model_index.json").write_text(json.dumps(index))


def _bare_clip(source: Source, config: Mapping[str, Any], prefix: str, dtype: Any) -> torch.nn.Module:
    """A text encoder whose tensors lack `text_model.`; diffusers does not recognise one by these names."""
    path = cast("Path", source.file)
    if path.suffix.lower() in PICKLES:
        held = _unpickled(path, source.name, "cpu")
    else:
        with safe_open(path, framework="pt") as file:
            held = {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118
    network = type(network_of(config))(CLIPTextConfig(**config))
    own = network.state_dict()
    given = {key.removeprefix(prefix): tensor for key, tensor in held.items() if key.startswith(prefix)}
    named = {key if key in own else f"text_model.{key}": tensor for key, tensor in given.items()}
    lacking = own.keys() - named.keys()
    if lacking:
        raise LoadError(f"{source.name!r} has no tensor {prefix + min(lacking)!r}")
    network.load_state_dict({key: tensor for key, tensor in named.items() if key in own})
    return network.to(dtype).eval()
