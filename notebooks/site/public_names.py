"""Directives that write what is public from the docstrings, room by room, without a list of names.

`.. rooms:: trace.trace changes` has every name of `sdx` whose home is in those rooms; of a room that is itself a name
of `sdx`, as `views`, all its names. `:others:` has the classes of the rooms that are no names of `sdx`.
`.. commands::` has those of the magic.
"""

import importlib
import inspect
import pkgutil
from types import ModuleType

from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import sdexplore as sdx

NAMES = {name: getattr(sdx, name) for name in sdx.__all__}


def entries(room):
    """(full name, value) of each public name that has its home in the room."""
    found = []
    for name, value in NAMES.items():
        if isinstance(value, ModuleType):
            if name == room:
                found.append((f"sdexplore.{name}", value))
                names = getattr(value, "__all__", ())
                values = {inner: getattr(value, inner) for inner in names}
                found += [(f"sdexplore.{name}.{one}", of) for one, of in values.items() if of is not NAMES.get(one)]
        elif f"{value.__module__}.".startswith(f"sdexplore.{room}."):
            found.append((f"sdexplore.{name}", value))
    return found


def others(room):
    """(full name, class) of each class of the room that is no name of `sdx`."""
    package = importlib.import_module(f"sdexplore.{room}")
    found = []
    for one in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(one.name)
        for name, value in vars(module).items():
            own = inspect.isclass(value) and value.__module__ == module.__name__
            if own and not name.startswith("_") and value not in NAMES.values():
                found.append((f"{module.__name__}.{name}", value))
    return found


def _lines(name, value):
    if isinstance(value, ModuleType):
        return [f".. automodule:: {name}", ""]
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, Exception) else "class"
        return [f".. auto{kind}:: {name}", "   :members:", ""]
    if callable(value) and hasattr(value, "__code__"):
        return [f".. autofunction:: {name}", ""]
    return [f".. autodata:: {name}", "   :no-value:", ""]


class Rooms(SphinxDirective):
    """Every public name of some rooms."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"others": directives.flag}

    def run(self):
        """The nodes of all entries."""
        lines = []
        for room in self.arguments[0].split():
            found = others(room) if "others" in self.options else entries(room)
            if not found:
                raise self.error(f"no public name has its home in {room!r}")
            lines += [line for name, value in found for line in _lines(name, value)]
        return self.parse_text_to_nodes(StringList(lines, "rooms"))


class Commands(SphinxDirective):
    """Every command of `%sdexplore`, with its help."""

    def run(self):
        """The nodes of all commands."""
        from sdexplore.magics.commands import COMMANDS, help_of
        from sdexplore.magics.file_commands import FILE_COMMANDS

        lines = []
        for name in COMMANDS:
            where = " (in a terminal too)" if name in FILE_COMMANDS else ""
            lines += [f".. rubric:: {name}{where}", "", ".. code-block:: text", ""]
            lines += [f"   {line}" for line in help_of(name).splitlines()] + [""]
        return self.parse_text_to_nodes(StringList(lines, "commands"))


def setup(app):
    """Adds the directives."""
    app.add_directive("rooms", Rooms)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
