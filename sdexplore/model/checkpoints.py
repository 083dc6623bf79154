"""`inspect`: what a checkpoint is, from its headers and configurations; no tensor is read."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sdexplore.checkpoint import Checkpoint, CheckpointPart
from sdexplore.errors import LoadError

from .families import UNET, VAE, Family, family_of
from .geometry import component_configs, scheduler_config
from .headers import Tensor, read_header, read_json
from .single_files import header_of
from .sources import PICKLES, Source, cached_folder, check_folder, find, without_checker
from .weights import weight_files

_FLOATING = ("float", "bfloat")
_EMA = "model_ema."


def inspect(
    source: str | os.PathLike[str] = "mini",
    *,
    allow_pickle: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
) -> Checkpoint:
    """What a checkpoint is before it is loaded: family, parts, parameters, number formats, bytes, configurations.

    Headers and JSON files are read, no tensor. Of a hub id, what the cache on this machine holds.

    Args:
        source: "mini", a folder of a pipeline or of one component, a .safetensors file of any layout, or a hub id.
        allow_pickle: Whether names and shapes of a pickle are read, by torch's loader that runs no code.
        cache_dir: The hub's cache; by default its own.
        revision: Of a hub id.

    Raises:
        LoadError: It is none of these, it is damaged, or it is hostile: what is wrong with it.
    """
    found = find(source, allow_pickle=allow_pickle)
    if found.file:
        return _single(found, found.file)
    folder = found.folder or cached_folder(found, {"cache_dir": cache_dir, "revision": revision})
    if folder is None:
        raise LoadError(
            f"{found.name!r} is not in this machine's cache of the hub; load({found.name!r}) fetches it, once"
        )
    if not (folder / "model_index.json").is_file() and (folder / "config.json").is_file():
        return _component(found, folder)
    here = Source(found.name, str(folder), folder)
    check_folder(here, {**without_checker(here, {}), "variant": "whichever is there"}, whole=False)
    return _pipeline(found, folder)


def _single(source: Source, path: Path) -> Checkpoint:
    header = header_of(path, source.name)
    family = family_of(header, path.name)
    configs = component_configs(header, family) if family.pipeline else {}
    prefixes = {"unet": UNET, "vae": VAE, **family.text_encoders} if family.pipeline else {}
    left = dict(header.tensors)
    parts = {}
    for name, prefix in {**prefixes, "EMA copy": _EMA}.items():
        mine = {key: left.pop(key) for key in list(left) if key.startswith(prefix)}
        if mine:
            parts[name] = _part(name, mine.values(), (path.name,), configs.get(name, {}))
    if left:
        name = "the rest" if parts else "tensors"
        note = f"of which nothing is made: {', '.join(list(left)[:4])}{' …' * (len(left) > 4)}"  # noqa: PLR2004
        parts[name] = _part(name, left.values(), (path.name,), {}, note if parts else "")
    missing = [name for name in prefixes if name not in parts]
    notes = [*family.notes, *(f"it has no {name}: load needs {name}=" for name in missing)]
    if _EMA in "".join(key[: len(_EMA)] for key in header.tensors):
        notes.append("load leaves the averaged copy (EMA); extract_ema=True takes it")
    summary = dict(_summary(family)) if family.pipeline else {}
    return Checkpoint(
        source.name, "single file", family.name, family.pipeline, parts, summary, header.metadata, tuple(notes)
    )


def _summary(family: Family) -> Iterator[tuple[str, str]]:
    yield "predicts", family.prediction_type or "epsilon or v"
    yield "made for", f"{family.image_size} × {family.image_size} pixels"
    yield "scheduler", scheduler_config(family)["_class_name"]


def _pipeline(source: Source, folder: Path) -> Checkpoint:
    index = read_json(folder / "model_index.json", f"model_index.json of {source.name!r}")
    parts, notes = {}, []
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004  (library, class)
            continue
        if value[0] is None:
            notes.append(f"{name} is null")
        else:
            parts[name] = _of_folder(name, folder / name, str(value[1]), source.name)
    scheduler = parts["scheduler"].config if "scheduler" in parts else {}
    unet = parts["unet"].config if "unet" in parts else {}
    summary = {}
    if "prediction_type" in scheduler:
        summary["predicts"] = str(scheduler["prediction_type"])
    if "scheduler" in parts:
        summary["scheduler"] = parts["scheduler"].class_name
    pipeline = str(index["_class_name"])
    written = f"written by diffusers {index['_diffusers_version']}" if "_diffusers_version" in index else ""
    family = _family(pipeline, unet, scheduler)
    return Checkpoint(source.name, "folder", family, pipeline, parts, summary, {}, (*filter(None, (written,)), *notes))


def _component(source: Source, folder: Path) -> Checkpoint:
    config = read_json(folder / "config.json", f"config.json of {source.name!r}")
    made = config.get("_class_name") or next(iter(config.get("architectures") or ()), "network")
    part = _of_folder(folder.name, folder, str(made), source.name)
    return Checkpoint(source.name, "component", str(made), "", {folder.name: part})


def _family(pipeline: str, unet: Mapping[str, Any], scheduler: Mapping[str, Any]) -> str:
    """The family of a folder, by its UNet's configuration; the class of its pipeline where that says nothing."""
    width, channels = unet.get("cross_attention_dim"), unet.get("in_channels", 4)
    if unet.get("addition_embed_type") == "text_time":
        name = "SDXL refiner" if width == 1280 else "SDXL"  # noqa: PLR2004  (OpenCLIP's alone)
    elif width == 768:  # noqa: PLR2004  (CLIP's)
        name = "SD 1.x"
    elif width == 1024:  # noqa: PLR2004  (OpenCLIP's)
        name = "SD 2.x v" if scheduler.get("prediction_type") == "v_prediction" else "SD 2.x base"
    else:
        return pipeline.removesuffix("Pipeline") + (f" with text {width} wide" if width else "")
    purpose = {9: " inpainting", 8: " InstructPix2Pix", 5: " depth", 7: " upscaler"}.get(channels, "")
    return name.removesuffix(" base") + purpose if purpose else name


def _of_folder(name: str, folder: Path, class_name: str, source: str) -> CheckpointPart:
    configs = sorted(path for path in folder.glob("*config.json") if path.name != "generation_config.json")
    own = next((path for path in configs if path.name in ("config.json", "scheduler_config.json")), None)
    own = own or next(iter(configs), None)
    config = read_json(own, f"{name}/{own.name} of {source!r}") if own else {}
    files, variants = weight_files(folder, f"{name!r} in {source!r}")
    headers = [read_header(folder / file, f"{source}/{name}/{file}") for file in files]
    tensors = [tensor for header in headers for tensor in header.tensors.values()]
    pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
    note = f"other variants: {', '.join(variants)}" if variants else ""
    if not any(folder.glob("*")):
        note = "its folder is missing, or empty"
    if pickled and not files:
        note = f"pickled weights ({', '.join(pickled[:3])}), not looked into"
    return _part(name, tensors, tuple(files) or tuple(pickled), config, note, class_name)


def _part(
    name: str,
    tensors: Iterable[Tensor],
    files: tuple[str, ...],
    config: Mapping[str, Any],
    note: str = "",
    class_name: str = "",
) -> CheckpointPart:
    found = list(tensors)
    dtypes: Counter[str] = Counter()
    for tensor in found:
        dtypes[tensor.dtype] += tensor.numbers
    made = class_name or str(config.get("_class_name") or next(iter(config.get("architectures") or ()), ""))
    return CheckpointPart(
        name,
        made,
        files,
        len(found),
        sum(tensor.numbers for tensor in found if tensor.dtype.startswith(_FLOATING)) if found else None,
        dict(dtypes.most_common()),
        sum(tensor.bytes for tensor in found),
        {key: value for key, value in config.items() if not key.startswith("_")},
        note,
    )
