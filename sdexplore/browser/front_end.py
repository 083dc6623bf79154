"""The front end's source: the modules of `js/` joined into one, the same for the notebook and for a page.

Modules import each other, and tests import them one by one; a notebook and a page can load only one. So the modules are
written in the part of JavaScript that can be joined by plain text: every import is `import { names } from "./file.mjs"`,
or `import NAME from "./file.css"` for a text, at the start of a line; only declarations are exported, by their own
names; and no two modules declare the same name at their top. What does not keep to that is an error, here or in the
browser's own reading of a module.
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Final

ENTRY: Final = "mounting.mjs"
_IMPORT = re.compile(r'^import (?:\{[\w\s,]+\}|(\w+)) from "\./([\w-]+\.(?:mjs|css))";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function\*?|class) \w)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@cache
def front_end() -> str:
    """The JavaScript module that shows a packed trace; it exports `mount`, `mountPage`, and anywidget's default.

    Raises:
        ValueError: A module cannot be joined: it imports itself in a circle, or in a way that is not described above.
    """
    folder = files(__package__).joinpath("js")
    return joined({file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()})


def joined(sources: dict[str, str], entry: str = ENTRY) -> str:
    """The entry and all that it imports, file name -> text, as one module that exports what the entry exports.

    Raises:
        ValueError: As `front_end`; or a file that is imported is missing.
    """
    parts: dict[str, str] = {}
    _collect(sources, entry, (), parts)
    return "\n".join(parts.values())


def _collect(sources: dict[str, str], name: str, importers: tuple[str, ...], parts: dict[str, str]) -> None:
    """Adds a module to `parts`, behind those that it imports."""
    if name in importers:
        raise ValueError(f"modules import each other in a circle: {' → '.join((*importers, name))}")
    if name in parts:
        return
    if name not in sources:
        raise ValueError(f"{importers[-1]} imports {name}, and there is no such file")
    text = sources[name]
    for found in _IMPORT.finditer(text):
        bound, imported = found.groups()
        if imported.endswith(".css"):
            _collect_text(sources, imported, bound, (*importers, name), parts)
        else:
            _collect(sources, imported, (*importers, name), parts)
    alone = _IMPORT.sub("", text)
    if importers:
        alone = _EXPORT.sub("", alone)
    for line in _OTHER.findall(alone):
        if importers or line.startswith("import"):
            raise ValueError(f"{name} cannot be joined to the other modules because of this line: {line}")
    parts[name] = alone


def _collect_text(
    sources: dict[str, str], name: str, bound: str, importers: tuple[str, ...], parts: dict[str, str]
) -> None:
    """Adds a file that is no JavaScript, as a constant that holds its text."""
    if name not in sources or bound is None:
        raise ValueError(f"{importers[-1]} imports {name}, which must be a file and be imported under one name")
    parts[name] = f"const {bound} = {json.dumps(sources[name])};\n"
