"""The front end's source: the modules of `js/` joined into one, the same for the notebook and for a page.

Two runs side by side, which only a notebook shows, are another file, joined from the same modules.

Tests import the modules one by one; a notebook and a page can load only one file. So the modules keep to the part of
JavaScript that can be joined as plain text. An import is `import { names } from "./file.mjs"`, or for a text
`import NAME from "./file.css"`, at the start of a line. An export is a declaration. No two modules declare the same
name outside of functions. `joined` raises an error where an import or export has another form; a name that is declared
twice is a SyntaxError of the joined module, which a test reads with node.
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Final

ENTRY: Final = "mounting.mjs"
PAIR: Final = "pairing.mjs"
_IMPORT = re.compile(
    r'^import (?:\{\s*\w+(?:,\s*\w+)*,?\s*\} from "\./(?P<module>[\w-]+\.mjs)"'
    r'|(?P<name>\w+) from "\./(?P<text>[\w-]+\.css)");\n',
    re.MULTILINE,
)
_EXPORT = re.compile(r"^export (?=(?:const|function\*?|class) \w)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@cache
def front_end(entry: str = ENTRY) -> str:
    """The JavaScript module that shows a packed trace; it exports `mount`, `mountPage`, and anywidget's default.

    Args:
        entry: ENTRY; or PAIR for the module that shows two, which exports `Pair` and anywidget's default.

    Raises:
        ValueError: A module cannot be joined, since modules import each other in a circle, or since an import or export
            has a form that is not described above.
    """
    folder = files(__package__).joinpath("js")
    return joined({file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.is_file()}, entry)


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
        if found["module"]:
            _collect(sources, found["module"], (*importers, name), parts)
        else:
            parts[found[0]] = _constant(sources, found["name"], found["text"], name)
    alone = _IMPORT.sub("", text)
    if importers:
        alone = _EXPORT.sub("", alone)
    for line in _OTHER.findall(alone):
        if importers or line.startswith("import"):
            raise ValueError(f"{name} cannot be joined to the other modules because of this line: {line}")
    parts[name] = alone


def _constant(sources: dict[str, str], name: str, file: str, importer: str) -> str:
    """The text of a file as a constant of JavaScript."""
    if file not in sources:
        raise ValueError(f"{importer} imports {file}, and there is no such file")
    return f"const {name} = {json.dumps(sources[file])};\n"
