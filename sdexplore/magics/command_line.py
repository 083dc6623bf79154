"""`sdexplore` in a terminal: the commands of `%sdexplore` that need no notebook."""

import os
import sys
from collections.abc import Sequence

from IPython.core.error import UsageError

from ..base.errors import SdexploreError, did_you_mean
from .command import OUTPUT, PIPE, TRACE, Command, Notebook
from .commands import help_of, listing
from .file_commands import FILE_COMMANDS
from .parsing import parse_arguments

_OF_A_NOTEBOOK = (OUTPUT, PIPE, TRACE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and prints its result.

    Args:
        arguments: As typed in a terminal; None for those of this process.

    Raises:
        SystemExit: With 2 if what was typed is not valid, with 1 if the command fails; stderr says why.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns that torchvision is missing; nothing needs it
    name, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        said = overview() if name in ("help", "-h", "--help") else _result(name, rest)
    except UsageError as error:
        _end(error, 2)
    except SdexploreError as error:
        _end(error, 1)
    sys.stdout.write(f"{said}\n")


def overview() -> str:
    """The help of the command line."""
    return (
        "Looks inside a Stable Diffusion pipeline: sdexplore COMMAND [options] [text]\n\n"
        f"{listing(FILE_COMMANDS)}\n\n"
        "`sdexplore COMMAND --help` shows the options of a command. In a notebook, `%load_ext sdexplore` has more.\n\n"
        "  sdexplore inspect v1-5-pruned-emaonly.safetensors\n"
        "  sdexplore doctor mini\n"
        "  sdexplore page cat.safetensors --to cat.html"
    )


def _result(name: str, arguments: Sequence[str]) -> str:
    """What one command says.

    Raises:
        UsageError: There is no such command; or it takes other options, or a text.
    """
    command = FILE_COMMANDS.get(name)
    if command is None:
        raise UsageError(f"%sdexplore has no command {name!r} in a terminal; {did_you_mean(name, FILE_COMMANDS)}")
    alone = _alone(command)
    if {"-h", "--help"} & set(arguments):
        return help_of(name, alone).replace("%sdexplore", "sdexplore")
    asked = parse_arguments(name, alone.options, arguments)
    if not asked.text:
        raise UsageError(f"%sdexplore {name} needs a text: {alone.text}")
    return str(alone.call(Notebook({}), asked))


def _alone(command: Command) -> Command:
    """The command without what only a notebook has: variables, and a default that is one."""
    options = tuple(option for option in command.options if option not in _OF_A_NOTEBOOK)
    return Command(command.summary, command.text.partition(" (default")[0], options, command.call)


def _end(error: Exception, status: int) -> None:
    sys.stderr.write(f"{str(error).replace('%sdexplore', 'sdexplore')}\n")
    raise SystemExit(status) from None
