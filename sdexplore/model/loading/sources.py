"""Sources of a pipeline: "mini", a hub id, a folder, a file; and what is checked before one is loaded."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
from safetensors import SafetensorError, safe_open

from ...base.errors import LoadError, did_you_mean
from ..components.source_name import HUB_ID, MINI
from .safetensors_headers import climbs_out, read_json
from .sane_configs import absurd
from .weight_files import weight_files

EMBEDDED = "sdx.load() loads the embedded model without any download"
PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
WEIGHTS = (*PICKLES, ".safetensors", ".onnx", ".msgpack", ".flashpack")
VOCABULARIES = ("tokenizer.json", "*vocab*", "*.model")
PICKLE_RISK = (
    "Pickles can run any code when they are opened. If you trust them: allow_pickle=True, "
    "and pipe.save_pretrained(folder) then writes safetensors"
)
# Repositories that are gone from the hub -> those that hold the same weights now.
MOVED = {
    "runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "runwayml/stable-diffusion-inpainting": "stable-diffusion-v1-5/stable-diffusion-inpainting",
}


@dataclass(frozen=True)
class Source:
    """A source that was checked and may be loaded.

    Attributes:
        name: The source as the user gave it.
        place: The source as diffusers is given it: an absolute path or a hub id.
        folder: The folder; None for the hub and for a file.
        file: The single file; None for all others.
        moved_from: The hub id that the user gave, where the repository has moved.
    """

    name: str
    place: str
    folder: Path | None = None
    file: Path | None = None
    moved_from: str | None = None


def find(source: str | os.PathLike[str], *, allow_pickle: bool) -> Source:
    """The source that the user names. Nothing is loaded or downloaded.

    Raises:
        LoadError: It is no source, or of a kind that is not loaded.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise LoadError(f"a source is 'mini', a hub id, a folder or a file, not {source!r:.80}")
    name = os.fspath(source)
    if name == "mini":
        return Source(name, str(MINI), MINI)
    if re.match(r"https?://", name):
        page = re.match(rf"https?://(?:huggingface\.co|hf\.co)/({HUB_ID.pattern})", name)
        hint = f"; did you mean {page[1]!r}?" if page else ""
        raise LoadError(f"{name!r} is an address, and a hub id looks like 'owner/name'{hint}")
    try:
        path = Path(name).expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long, a folder without access, "~nobody"
        reason = getattr(error, "strerror", None) or error
        raise LoadError(f"{name[:80]!r} cannot be looked up: {reason}") from None
    if name and is_folder:
        return Source(name, str(path.resolve()), path.resolve())
    if is_file or path.suffix.lower() in (*PICKLES, ".safetensors"):
        return Source(name, str(path.resolve()), file=_checked_file(name, path, allow_pickle=allow_pickle))
    if HUB_ID.fullmatch(name):
        now = MOVED.get(name, name)
        return Source(now, now, moved_from=name if now != name else None)
    tail = did_you_mean(name, ["mini"])
    raise LoadError(
        f"there is no folder {name!r}, and a hub id looks like 'owner/name'; "
        + (tail if tail.startswith("did") else EMBEDDED)
    )


def _checked_file(name: str, path: Path, *, allow_pickle: bool) -> Path:
    if not path.exists():
        raise LoadError(f"there is no file {name!r}")
    if path.name in ("model_index.json", "config.json"):
        raise LoadError(f"{name!r} is a configuration, without weights; load the folder that it stands in")
    if path.suffix.lower() in PICKLES:
        if not allow_pickle:
            raise LoadError(
                f"{name!r} is a pickle file, which can run any code when it is opened. Load a safetensors version of "
                "the model; or, if you trust it, make one: load(file, allow_pickle=True).save_pretrained(folder)"
            )
    elif path.suffix.lower() not in (".safetensors", ".sft"):
        raise LoadError(f"{name!r} is no file of weights: those end in .safetensors")
    return path.resolve()


def cached_folder(source: Source, arguments: Mapping[str, Any]) -> Path | None:
    """The folder of a hub id in the cache; None where it is not there."""
    known = {name: arguments[name] for name in ("cache_dir", "revision") if arguments.get(name)}
    try:
        path = huggingface_hub.try_to_load_from_cache(source.place, "model_index.json", **known)
    except (OSError, ValueError):
        return None
    return Path(path).parent if isinstance(path, str) else None


def without_checker(source: Source, arguments: Mapping[str, Any]) -> dict[str, None]:
    """Arguments that leave out the safety checker, where its folder was deleted; empty where it is there."""
    folder, checker = source.folder, ("safety_checker", "feature_extractor")
    if folder is None or checker[0] in arguments or not (folder / "model_index.json").is_file():
        return {}
    entries = _index(source.name, folder / "model_index.json")
    gone = [part for part in checker if _named(entries.get(part)) and not any((folder / part).glob("*"))]
    return dict.fromkeys(gone) if checker[0] in gone else {}


def _named(entry: object) -> bool:
    """Whether an entry of model_index.json names a class."""
    return isinstance(entry, list) and bool(entry) and entry[0] is not None


def check_folder(source: Source, arguments: Mapping[str, Any], *, whole: bool = True) -> None:
    """Raises LoadError where a folder is no pipeline, brings code, or cannot be loaded with these arguments.

    Args:
        source: A source; one without a folder passes.
        arguments: Those that `from_pretrained` will be given.
        whole: Whether every component must be there; a download that stopped lacks some.
    """
    for part in check_index(source, arguments):
        if whole and not any(part.glob("*")):
            raise LoadError(f"{part.name!r} in {source.name!r} is missing, or empty; copy the whole folder")
        _check_weights(source.name, part, arguments)


def check_index(source: Source, arguments: Mapping[str, Any]) -> list[Path]:
    """Folders of the components that will be read; LoadError where the index is of no pipeline, or brings code."""
    folder, name = source.folder, source.name
    if folder is None:
        return []
    index = folder / "model_index.json"
    if not index.is_file():
        raise LoadError(f"folder {name!r} is no pipeline: no model_index.json{_instead(folder)}")
    entries = _index(name, index)
    pipeline = entries.get("_class_name")
    if isinstance(pipeline, list):
        raise LoadError(f"{name!r} brings its own code ({pipeline!r}); remote code is never run")
    if not isinstance(pipeline, str):
        raise LoadError(f"model_index.json of {name!r} names no class of pipeline")
    if not hasattr(diffusers, pipeline):
        known = [one for one in dir(diffusers) if one.endswith("Pipeline")]
        raise LoadError(
            f"{name!r} is a {pipeline!r}, which diffusers {diffusers.__version__} does not have; "
            f"{did_you_mean(pipeline, known, most=3)}"
        )
    parts = []
    for part, value in entries.items():
        if _named(value) and part not in arguments:
            if climbs_out(part) or "/" in part:
                raise LoadError(
                    f"model_index.json of {name!r} names a part that climbs out of its folder: {part[:80]!r}"
                )
            _refuse_code(name, folder / part, value[0])
            _check_sizes(name, folder / part)
            parts.append(folder / part)
    return parts


def check_vocabularies(source: Source, arguments: Mapping[str, Any]) -> None:
    """Raises LoadError for a tokenizer without vocabulary, for which transformers' own errors are misleading."""
    for part in check_index(source, arguments):
        files = [path.name for path in part.glob("*")]
        there = any(fnmatch(file, pattern) for file in files for pattern in VOCABULARIES)
        if part.name.startswith("tokenizer") and files and not there:
            raise LoadError(f"{part.name!r} in {source.name!r} has no vocabulary; load or copy it again")


def _index(name: str, index: Path) -> dict[str, Any]:
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"model_index.json of {name!r} is damaged: {error}") from None
    if not isinstance(parts, dict):
        raise LoadError(f"model_index.json of {name!r} holds a {type(parts).__name__}, not an object")
    return parts


def _instead(folder: Path) -> str:
    """What a folder without model_index.json is instead, as the end of a message."""
    if (folder.parent / "model_index.json").is_file():
        return f"; it is the {folder.name!r} of a pipeline: load the folder above it"
    if (folder / "snapshots").is_dir():
        hub_id = folder.name.removeprefix("models--").replace("--", "/", 1)
        return f"; it is the cache of {hub_id!r}: load that id"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        cls = config.get("_class_name") or config["architectures"][0]
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        files = sorted(path.name for path in folder.iterdir())
        more = f" and {len(files) - 5} more" if len(files) > 5 else ""  # noqa: PLR2004
        return f"; it holds {', '.join(files[:5])}{more}" if files else "; it is empty"
    return f"; it holds a single {cls}"


def _refuse_code(source: str, folder: Path, library: object) -> None:
    known = library in ("diffusers", "transformers") or hasattr(diffusers.pipelines, str(library))
    if not known or (folder / f"{library}.py").exists():
        raise LoadError(
            f"component {folder.name!r} of {source!r} comes from {library!r}, neither diffusers "
            "nor transformers; remote code is never run"
        )


def _check_sizes(source: str, folder: Path) -> None:
    for path in (folder / "config.json", folder / "scheduler_config.json"):
        what = f"{folder.name}/{path.name} of {source!r}"
        try:
            why = absurd(read_json(path, what)) if path.is_file() else None
        except LoadError:  # diffusers meets it too, and `damage` names it
            continue
        if why is not None:
            raise LoadError(f"{what} is damaged, or hostile: {why}")


def _check_weights(source: str, folder: Path, arguments: Mapping[str, Any]) -> None:
    weight_files(folder, f"{folder.name!r} in {source!r}")
    files = sorted(path.name for path in folder.glob("*"))
    weights = [name for name in files if name.endswith(".safetensors")]
    pickled = [name for name in files if name.endswith(PICKLES)]
    what = f"{folder.name!r} in {source!r}"
    if pickled and not weights and arguments.get("use_safetensors"):
        raise LoadError(f"{what} has pickled weights only, {', '.join(pickled[:3])}. {PICKLE_RISK}")
    if "config.json" in files and not any(name.endswith(WEIGHTS) for name in files):
        raise LoadError(f"{what} has no weights; it holds {', '.join(files[:5])}")
    variants = [re.search(r"\.(\w+?)(-\d+-of-\d+)?\.safetensors$", name) for name in weights]
    if weights and arguments.get("variant") is None and all(variants):
        have = sorted({f"variant={match[1]!r}" for match in variants if match})
        raise LoadError(f"{what} has its weights as a variant; give {' or '.join(have)}")


def damage(folder: Path) -> Iterator[str]:
    """Files of a pipeline's folder that cannot be read, with the reason."""
    for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*/*")):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="numpy"):
                    pass
        except (OSError, ValueError, SafetensorError, RecursionError) as error:
            yield f"{path.relative_to(folder)} ({error})"
