"""The sidecar beside a published picture: how the picture was made, as JSON."""

import hashlib
import importlib.metadata
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base import json_text
from ..base.atomic_files import named
from ..base.display import clip, short
from ..base.errors import PublishError, did_you_mean
from ..base.options import LANGUAGES, THEMES
from ..figures.code_lines import summary
from .material import Material

SCHEMA = 1
# A path on a machine. /images/… is an address on a site; "1/2", "and/or" and https:// do not begin like a path.
_BEGIN = r"(?:file:(?://[\w.-]*)?/+(?:[A-Za-z]:/)?|~(?:[A-Za-z_][\w.-]*)?[\\/]|[A-Za-z]:[\\/]+|\\\\|/(?!images/|/)(?=[^\\/\n]+/))"
_USER = r"(?:home|[Uu]sers|Documents and Settings)[\\/]+[^\\/\n]{1,60}"
_WHOLE = re.compile(
    rf"{_BEGIN}(?:[^\\/\n:<>\"]*[^\\/\s:<>\"][\\/]+)*(?P<name>[^\\/\n:<>\"]+)[\\/]*"
)  # the whole text is a path, which may have spaces
_WITHIN = re.compile(  # a path in a sentence, with spaces only in the user's name
    rf"(?<![\w./\\]){_BEGIN}(?:{_USER}[\\/]+)?(?:[^\s\\/\"'<>]+[\\/]+)*(?P<name>[^\s\\/\"'<>]+)[\\/]*"
)
_HOME = re.compile(rf".*[\\/]{_USER}[\\/]*")


def sidecar_of(material: Material, *, key: str, file: str, most_bytes: int | None) -> dict[str, Any]:
    """The facts of a published picture as JSON, without local paths."""
    content = material.encoded.content
    sources = [without_paths(source) for source in material.sources]
    return {
        "schema": SCHEMA,
        "key": key,
        "file": file,
        "sha256": sha256(content),
        "bytes": len(content),
        "pixels": list(material.encoded.pixels),
        "alt": material.alt,
        "caption": material.caption,
        "code": material.code,
        "theme": material.theme,
        **({} if material.lang == "en" else {"lang": material.lang}),
        "most_bytes": most_bytes,
        "note": material.encoded.note,
        "drawn_with": {name: _version(name) for name in ("sdexplore", "matplotlib", "pillow", "numpy")},
        **summary(sources),
        "traces": sources,
        "over": without_paths(material.over),
        **({"given": dict(material.given)} if material.given else {}),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def sha256(content: bytes) -> str:
    """The SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def drawn_otherwise(facts: Mapping[str, Any]) -> list[str]:
    """The packages that drew the picture and have another version now, in words."""
    then = facts.get("drawn_with")
    if not isinstance(then, dict):
        return []
    now = {name: _version(str(name)) for name in then}
    return [f"{name} {version} then, {now[name]} now" for name, version in then.items() if version != now[name]]


def as_json(facts: Mapping[str, Any]) -> bytes:
    """Indented JSON in UTF-8; characters that no encoding takes are escaped."""
    text = json_text.dumps(facts, indent=1, default=_as_text)
    try:
        return (text + "\n").encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair in a prompt
        return (json_text.dumps(facts, indent=1, ascii_only=True, default=_as_text) + "\n").encode("ascii")


def _as_text(value: object) -> str:
    return short(value, str)


def read_sidecar(path: str | Path) -> dict[str, Any]:
    """The facts in the sidecar at `path`, which may also name the picture beside it.

    Raises:
        PublishError: There is no sidecar, or it is damaged or has another schema.
    """
    path = named(path, PublishError)
    path = path if path.suffix == ".json" else path.with_suffix(".json")
    try:
        facts = json_text.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PublishError(f"no sidecar at {str(path)!r}: give the .json file beside the picture") from error
    except (OSError, ValueError, RecursionError) as error:
        raise PublishError(f"{path.name!r} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        raise PublishError(f"{path.name!r} is no sidecar of a picture, or its schema is not {SCHEMA}")
    code, traces, over = facts.get("code"), facts.get("traces"), facts.get("over")
    if (
        "code" not in facts
        or not isinstance(code, str | None)
        or not all(isinstance(facts.get(name), str | None) for name in ("alt", "caption"))
        or not isinstance(traces, list)
        or not all(map(_is_source, traces))
        or not (over is None or _has_cells(over, len(traces)))
        or not isinstance(facts.get("given", {}), dict)
    ):
        raise PublishError(f"{path.name!r} is damaged: it does not say how its picture was made")
    if (theme := facts.get("theme", "light")) not in THEMES:
        raise PublishError(f"{path.name!r} is damaged: its theme is {clip(repr(theme), 80)}")
    if (lang := facts.get("lang", "en")) not in LANGUAGES:
        raise PublishError(
            f"{path.name!r}: its language {clip(repr(lang), 80)} is not known; {did_you_mean(str(lang), LANGUAGES)}"
        )
    return facts


def _is_source(facts: object) -> bool:
    """Whether `facts` can be the facts of a trace."""
    if not isinstance(facts, dict):
        return False
    call, provenance = facts.get("call"), facts.get("provenance")
    return (
        all(isinstance(facts.get(name), str) for name in ("fingerprint", "kind"))
        and isinstance(call, dict)
        and isinstance(provenance, dict)
        and all(isinstance(call.get(name, {}), dict) for name in ("arguments", "record"))
        and all(isinstance(provenance.get(name, {}), dict) for name in ("scheduler", "versions"))
    )


def _has_cells(over: object, count: int) -> bool:
    """Whether `over` can be the axes of a Comparison of `count` traces."""
    return (
        isinstance(over, dict)
        and bool(over)
        and all(isinstance(values, list) for values in over.values())
        and math.prod(map(len, over.values())) == count
    )


def without_paths(value: Any, name: str = "") -> Any:  # noqa: ANN401  (JSON)
    """`value`, which is JSON, with each local path cut to its last name; prompts stay unchanged."""
    if isinstance(value, Mapping):
        return {key: without_paths(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(inner, name) for inner in value]
    if isinstance(value, str) and "prompt" not in name:
        whole = _WHOLE.fullmatch(value)
        return _last_name(whole) if whole else _WITHIN.sub(_last_name, value)
    return value


def _last_name(path: re.Match[str]) -> str:
    """The last name of a path; "~" for a home folder, whose last name is that of the user."""
    return "~" if _HOME.fullmatch(path[0]) else path["name"]
