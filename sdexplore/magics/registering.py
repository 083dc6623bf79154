"""Registers `%sdexplore` in a shell, and removes it again."""

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..base.errors import SdexploreError
from .command import Notebook
from .commands import command_of, help_of, overview
from .completion import matcher_of
from .parsing import parse


@magics_class
class SdexploreMagics(Magics):  # type: ignore[misc]  # IPython has no types
    """`%sdexplore` of one shell.

    Attributes:
        matcher: Its completion, kept for its removal.
    """

    def __init__(self, shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
        super().__init__(shell)
        self.matcher = matcher_of(shell.user_ns)

    @no_var_expand  # type: ignore[untyped-decorator]  # {cat} and $x are part of a prompt
    @line_cell_magic  # type: ignore[untyped-decorator]
    def sdexplore(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401, D102  (its docstring is set below)
        name, _, rest = line.strip().partition(" ")
        if name in ("", "help", "-h", "--help"):
            print(overview())  # noqa: T201  (help is printed)
            return None
        command = command_of(name)
        if rest.split()[:1] in (["--help"], ["-h"]):
            print(help_of(name))  # noqa: T201  (help is printed)
            return None
        asked = parse(name, command.options, rest, cell)
        if asked.text and not command.text:
            hint = "put a value of several words in quotes"
            raise UsageError(f"%sdexplore {name} takes no text, and there is {asked.text!r}; {hint}")
        try:
            result = command.call(Notebook(self.shell.user_ns), asked)
        except SdexploreError as error:
            raise UsageError(str(error)) from None
        variable = asked.options.get("output") or command.output
        if variable:
            self.shell.push({variable: result})
        return result


SdexploreMagics.sdexplore.__doc__ = overview()


def register(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """Registers the magic and its completion; a second call changes nothing."""
    unregister(shell)
    magics = SdexploreMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(magics.matcher)


def unregister(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """Removes the magic and its completion."""
    magics = shell.magics_manager.registry.pop("SdexploreMagics", None)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("sdexplore", None)
    if magics is not None and magics.matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(magics.matcher)
