"""All commands of `%sdexplore`, and their help. A new command is an entry in the file of its subject."""

from collections.abc import Mapping

from IPython.core.error import UsageError

from ..base.errors import did_you_mean
from .command import Command
from .file_commands import FILE_COMMANDS
from .model_commands import MODEL_COMMANDS
from .parsing import parser_of
from .question_commands import QUESTION_COMMANDS
from .run_commands import RUN_COMMANDS
from .show_commands import SHOW_COMMANDS

COMMANDS: Mapping[str, Command] = {
    **MODEL_COMMANDS,
    **RUN_COMMANDS,
    **SHOW_COMMANDS,
    **QUESTION_COMMANDS,
    **FILE_COMMANDS,
}
"""Name -> command, in the order of the help."""


def command_of(name: str) -> Command:
    """The command of that name.

    Raises:
        UsageError: There is none; the message names similar ones.
    """
    if name not in COMMANDS:
        raise UsageError(f"%sdexplore has no command {name!r}; {did_you_mean(name, COMMANDS)}")
    return COMMANDS[name]


def help_of(name: str, command: Command | None = None) -> str:
    """The help of one command; of `command`, if that stands in its place."""
    command = command or command_of(name)
    text = f" TEXT\n\nTEXT: {command.text}" if command.text else ""
    lines = parser_of(name, command.options).format_help().partition("options:")[2].rstrip()
    kept = f"\nThe result becomes the variable `{command.output}`, or the one that -o names." if command.output else ""
    return f"%sdexplore {name} [options]{text}\n\nGives {command.summary}.{kept}\n\noptions:{lines}"


def listing(commands: Mapping[str, Command]) -> str:
    """Names and summaries, a line each."""
    width = max(map(len, commands))
    return "\n".join(f"  {name:{width}}  {command.summary}" for name, command in commands.items())


def overview() -> str:
    """The help of all commands, a line each."""
    return (
        "Looks inside a Stable Diffusion pipeline: %sdexplore COMMAND [options] [text]\n\n"
        f"{listing(COMMANDS)}\n\n"
        "`%sdexplore COMMAND --help` shows the options of a command. Options stand before or after the text, which is\n"
        "kept as typed; one pair of quotes around all of it is removed. The prompt of `%%sdexplore run` is the cell.\n"
        "The current pipeline and trace are the variables `pipe` and `trace`. The result of a command is the value of\n"
        "the cell.\n\n"
        "  %sdexplore load mini\n"
        "  %sdexplore run a cat and a rocket in space --seed 3 --steps 25\n"
        "  %sdexplore attention cat rocket --step 5:\n"
    )
