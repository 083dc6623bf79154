"""The files of a component's weights: variants, shards, and the index that names them."""

import re
from pathlib import Path

from ...base.errors import LoadError
from .safetensors_headers import climbs_out, read_json


def weight_files(folder: Path, what: str) -> tuple[list[str], list[str]]:
    """Names of the safetensors files of a component, and of its other variants, as arguments of `load`.

    Raises:
        LoadError: An index of shards names a file outside of the folder, or one that is not there.
    """
    groups: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        # "model.safetensors", "model.fp16.safetensors", "model-00001-of-00002.safetensors", "model.fp16-00001-…"
        stem = re.sub(r"-\d+-of-\d+", "", path.name.removesuffix(".safetensors"))
        groups.setdefault(stem.partition(".")[2], []).append(path.name)
    for index in sorted(folder.glob("*.safetensors.index*.json")):
        named = read_json(index, f"{index.name} of {what}").get("weight_map")
        for file in sorted({str(value) for value in named.values()}) if isinstance(named, dict) else ():
            if climbs_out(file) or "/" in file:
                raise LoadError(f"{index.name} of {what} names a file that climbs out of its folder: {file[:80]!r}")
            if not (folder / file).is_file():
                raise LoadError(f"{index.name} of {what} names {file[:80]!r}, which is not there")
    if not groups:
        return [], []
    chosen = "" if "" in groups else min(groups)
    others = [f"variant={name!r}" if name else "the plain one" for name in sorted(groups) if name != chosen]
    return groups[chosen], others
