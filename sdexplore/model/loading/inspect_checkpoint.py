"""`inspect`: what a checkpoint is, from its headers and configurations; no tensor is read."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from ...base.errors import LoadError
from ...records.checkpoint import Checkpoint, CheckpointPart
from .checkpoint_families import UNET, VAE, Family, family_of
from .configs_from_shapes import component_configs, scheduler_config
from .hub_headers import INDEX, outlined
from .quantized_weights import refusal
from .safetensors_headers import Header, Tensor, read_header, read_json
from .single_files import header_of, named_in_full
from .sources import PICKLES, Source, check_folder, find, without_checker
from .tensors_of_single_files import check_tensors
from .weight_files import weight_files

_FLOATING = ("float", "bfloat")
_EMA = "model_ema."
_REFUSED = "load refuses it"
ReadHeader = Callable[[Path, str], Header]


def inspect(
    source: str | os.PathLike[str] = "mini",
    *,
    allow_pickle: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Checkpoint:
    """What a checkpoint is before it is loaded: family, parts, parameters, number formats, bytes, configurations.

    It reads headers and JSON files, and no tensor. It looks up a hub id in the cache on this machine. Where the cache
    lacks it, the hub sends headers and JSON files alone: for Stable Diffusion, less than a megabyte; the notes say how
    much.

    Args:
        source: "mini", a folder of a pipeline, of one component or of single files, a .safetensors file of any
            layout, or a hub id.
        allow_pickle: Whether to read names and shapes of a pickle, with torch's loader that runs no code.
        cache_dir: The folder of the hub's cache; by default huggingface_hub's own.
        revision: Of a hub id.
        token: Of the hub, for private and gated repositories.

    Raises:
        LoadError: The source is none of these, damaged or hostile; the message says which.
    """
    found = find(source, allow_pickle=allow_pickle)
    if found.file:
        return _single(found.name, header_of(found.file, found.name), found.file.name)
    where = {"cache_dir": cache_dir, "revision": revision}
    folder = found.folder or _cached(found, where)
    if folder is not None:
        return _folder(found.name, folder, read_header)
    with outlined(found, token=token, **where) as outline:
        said = _folder(found.name, outline.folder, outline.read_header)
        return replace(said, notes=(*said.notes, str(outline)))


def _cached(source: Source, where: Mapping[str, Any]) -> Path | None:
    """The folder of a hub id in the cache; None where it holds neither a pipeline nor weights."""
    known = {name: value for name, value in where.items() if value}
    try:  # the index alone: `load` fetches what it needs, and leaves other variants on the hub
        folder = Path(snapshot_download(source.place, local_files_only=True, allow_patterns=INDEX, **known))
    except (OSError, ValueError):
        return None
    there = (folder / INDEX).is_file() or any(folder.glob("*.safetensors"))
    return folder if there else None


def _folder(name: str, folder: Path, read: ReadHeader) -> Checkpoint:
    """What a folder holds: a pipeline, one component, or single files.

    Args:
        name: The source as the user gave it.
        folder: The folder itself, or the outline of one on the hub.
        read: Returns the header of one of its files.
    """
    singles = sorted(path.name for path in folder.glob("*.safetensors"))
    if (folder / INDEX).is_file():
        here = Source(name, str(folder), folder)
        check_folder(here, {**without_checker(here, {}), "variant": "whichever is there"}, whole=False)
        said = _pipeline(name, folder, read)
        beside = f"beside it, single files: {', '.join(singles[:3])}{' …' * (len(singles) > 3)}"  # noqa: PLR2004
        return replace(said, notes=(*said.notes, beside)) if singles else said
    if (folder / "config.json").is_file():
        return _component(name, folder, read)
    if not singles:
        if pickled := sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES):
            raise LoadError(f"{name!r} holds pickled weights only, {', '.join(pickled[:3])}, not looked into")
        check_folder(Source(name, str(folder), folder), {})
    headers = {file: named_in_full(read(folder / file, f"{name}/{file}")) for file in singles}
    way = "load takes the path of one file, once it is on this machine"
    if len(headers) == 1:
        said = _single(name, *next((header, file) for file, header in headers.items()))
        return replace(said, notes=(*said.notes, way))
    parts, families = {}, []
    for file, header in headers.items():
        family = family_of(header, file)
        families.append(family.name)
        parts[file] = _part(file, header.tensors.values(), (file,), {}, "; ".join((family.name, *family.notes)))
    return Checkpoint(name, "single files", ", ".join(dict.fromkeys(families)), "", parts, notes=(way,))


def _single(name: str, header: Header, file: str) -> Checkpoint:
    family = family_of(header, file)
    configs = component_configs(header, family) if family.pipeline else {}
    prefixes = {"unet": UNET, "vae": VAE, **family.text_encoders} if family.text_encoders else {}
    left = dict(header.tensors)
    parts = {}
    for part, prefix in {**prefixes, "EMA copy": _EMA}.items():
        mine = {key: left.pop(key) for key in list(left) if key.startswith(prefix)}
        if mine:
            parts[part] = _part(part, mine.values(), (file,), configs.get(part, {}))
    if left:
        rest = "the rest" if parts else "tensors"
        note = f"of which nothing is made: {', '.join(list(left)[:4])}{' …' * (len(left) > 4)}"  # noqa: PLR2004
        parts[rest] = _part(rest, left.values(), (file,), {}, note if parts else "")
    missing = [part for part in prefixes if part not in parts]
    notes = [*family.notes, *(f"it has no {part}: load needs {part}=" for part in missing)]
    if _EMA in "".join(key[: len(_EMA)] for key in header.tensors):
        notes.append("load leaves the averaged copy (EMA); extract_ema=True takes it")
    summary = dict(_summary(family)) if family.pipeline else {}
    pipeline = family.pipeline
    try:
        for part, config in configs.items():
            check_tensors(part, config, header, family, name, notes.append)
    except LoadError as error:
        pipeline = ""
        notes.append(f"{_REFUSED}: {error}")
    return Checkpoint(name, "single file", family.name, pipeline, parts, summary, header.metadata, tuple(notes))


def _summary(family: Family) -> Iterator[tuple[str, str]]:
    yield "predicts", family.prediction_type or "epsilon or v"
    yield "made for", f"{family.image_size} × {family.image_size} pixels"
    yield "scheduler", scheduler_config(family)["_class_name"]


def _pipeline(source: str, folder: Path, read: ReadHeader) -> Checkpoint:
    index = read_json(folder / INDEX, f"{INDEX} of {source!r}")
    parts, notes = {}, []
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004  (library, class)
            continue
        if value[0] is None:
            notes.append(f"{name} is null")
        else:
            parts[name] = _of_folder(name, folder / name, str(value[1]), source, read)
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
    pipeline = "" if any(part.note.startswith(_REFUSED) for part in parts.values()) else pipeline
    return Checkpoint(source, "folder", family, pipeline, parts, summary, {}, (*filter(None, (written,)), *notes))


def _component(source: str, folder: Path, read: ReadHeader) -> Checkpoint:
    config = read_json(folder / "config.json", f"config.json of {source!r}")
    made = config.get("_class_name") or next(iter(config.get("architectures") or ()), "network")
    name = Path(source).name or folder.name
    return Checkpoint(source, "component", str(made), "", {name: _of_folder(name, folder, str(made), source, read)})


def _family(pipeline: str, unet: Mapping[str, Any], scheduler: Mapping[str, Any]) -> str:
    """The family of a folder by its UNet's configuration; by the class of its pipeline where that does not tell."""
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


def _of_folder(name: str, folder: Path, class_name: str, source: str, read: ReadHeader) -> CheckpointPart:
    configs = sorted(path for path in folder.glob("*config.json") if path.name != "generation_config.json")
    own = next((path for path in configs if path.name in ("config.json", "scheduler_config.json")), None)
    own = own or next(iter(configs), None)
    config = read_json(own, f"{name}/{own.name} of {source!r}") if own else {}
    files, variants = weight_files(folder, f"{name!r} in {source!r}")
    headers = [read(folder / file, f"{source}/{name}/{file}") for file in files]
    note = ""
    tensors = [tensor for header in headers for tensor in header.tensors.values()]
    pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
    if not config.get("quantization_config") and (why := next(filter(None, map(refusal, headers)), None)):
        note = f"{_REFUSED}: {why}"
    elif variants:
        note = f"other variants: {', '.join(variants)}"
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
