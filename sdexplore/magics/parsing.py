"""What was typed after `%sdexplore COMMAND`: options at either end, and free text that is kept as typed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from ..base.errors import did_you_mean

# A word, or the text between two equal quotes; a quote within a word (it's) opens nothing.
_WORD = re.compile(r'"[^"]*"(?=\s|$)|\'[^\']*\'(?=\s|$)|\S+')
_LONGEST_VALUE = 3  # words; a known value of several words needs no quotes
_LOOKS_LIKE_AN_OPTION = re.compile(r"--[A-Za-z]|-[A-Za-z]$")


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        flags: As typed: ("--steps",), ("-o", "--output").
        name: Its name in `Asked.options`.
        kind: Makes the value from the typed text; None for an option without a value, which is then True.
        help: What it means, in the help of the command.
        values: What completion offers.
        many: Whether it may be given several times.
    """

    flags: tuple[str, ...]
    name: str
    kind: Callable[[str], Any] | None
    help: str
    values: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class Asked:
    """What a line asks for.

    Attributes:
        text: The free text as typed, without one pair of quotes around all of it; of a cell magic, the cell.
        options: Name -> value of the given options.
    """

    text: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The words of the text; a phrase in quotes is one word."""
        return [unquoted(word) for word in _WORD.findall(self.text)]


def parse(name: str, options: Sequence[Option], line: str, cell: str | None = None) -> Asked:
    """Splits a line into the options before or after the text, and the text.

    Raises:
        UsageError: An option is unknown, stands inside the text, has no value, or has a value that is not valid.
    """
    words = list(_WORD.finditer(line))
    begin, first = _leading(words, options)
    end, last = _trailing(words, options, begin)
    between = words[begin:end]
    for word in between:
        if _LOOKS_LIKE_AN_OPTION.match(word.group()):
            raise UsageError(_astray(name, word.group(), options))
    text = line[between[0].start() : between[-1].end()] if between else ""
    if cell is not None:
        if text:
            raise UsageError(f"%%sdexplore {name} takes its text from the cell: take {text!r} out of the first line")
        text = cell.strip("\n")
    else:
        text = unquoted(text)
    parser = parser_of(name, options)
    found = vars(parser.parse_args([*first, *last]))
    return Asked(text, _given(found))


def parse_arguments(name: str, options: Sequence[Option], arguments: Sequence[str]) -> Asked:
    """What the arguments of a command line ask for, which the shell has split; the text is what is no option.

    Raises:
        UsageError: An option is unknown, has no value, or has a value that is not valid.
    """
    parser = parser_of(name, options)
    parser.add_argument("text", nargs="*")
    flags = [flag for option in options for flag in option.flags]
    for argument in arguments:
        flag = argument.partition("=")[0]
        if _LOOKS_LIKE_AN_OPTION.match(argument) and flag not in flags:
            raise UsageError(f"%sdexplore {name} has no option {flag}; {did_you_mean(flag, flags)}")
    found = vars(parser.parse_intermixed_args(list(arguments)))
    text = " ".join(found.pop("text"))
    return Asked(text, _given(found))


def _given(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None and value is not False}


def parser_of(name: str, options: Sequence[Option]) -> Any:  # noqa: ANN401  (IPython's parser)
    """A parser of the options, without the text; it raises UsageError, and its help is that of the command."""
    parser = MagicArgumentParser(prog=f"%sdexplore {name}", add_help=False)
    parser.allow_abbrev = False  # else --st would be --steps for it, but text for us
    for option in options:
        more: dict[str, Any] = (
            {"action": "store_true"}
            if option.kind is None
            else {"type": option.kind, "metavar": option.name.upper(), "action": "append" if option.many else "store"}
        )
        parser.add_argument(*option.flags, dest=option.name, help=option.help, **more)
    return parser


def unquoted(text: str) -> str:
    """`text` without one pair of quotes around all of it."""
    inner = text[1:-1]
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in inner
    return inner if quoted else text


def _leading(words: list[re.Match[str]], options: Sequence[Option]) -> tuple[int, list[str]]:
    """How many of the first words are options with their values; and these words, for the parser."""
    position, found = 0, list[str]()
    while position < len(words) and (taken := _option(words, position, options)):
        found += taken
        read = 1 if len(taken) == 1 else 1 + max(1, _words_in(taken[1], words, position + 1))
        position = min(position + read, len(words))
    return position, found


def _words_in(value: str, words: list[re.Match[str]], position: int) -> int:
    """How many words, from `position` on, make up the value of an option."""
    quoted = position < len(words) and unquoted(words[position].group()) == value
    return 1 if quoted else len(value.split())


def _trailing(words: list[re.Match[str]], options: Sequence[Option], begin: int) -> tuple[int, list[str]]:
    """The position at which the last options begin; and their words, for the parser."""
    for start in range(begin, len(words)):
        if _of(words[start].group(), options) is None:
            continue
        length, found = _leading(words[start:], options)
        if length == len(words) - start:
            return start, found
    return len(words), []


def _option(words: list[re.Match[str]], position: int, options: Sequence[Option]) -> list[str]:
    """The option at `position` and its value, for the parser; empty if there is none."""
    word = words[position].group()
    option = _of(word, options)
    if option is None:
        return []
    if "=" in word:
        flag, _, value = word.partition("=")
        return [f"{flag}={unquoted(value)}"]
    if option.kind is None:
        return [word]
    followers = [follower.group() for follower in words[position + 1 : position + 1 + _LONGEST_VALUE]]
    for length in range(len(followers), 1, -1):  # --scheduler DPM++ 2M, without quotes
        if " ".join(followers[:length]) in option.values:
            return [word, " ".join(followers[:length])]
    return [word, *map(unquoted, followers[:1])]


def _of(word: str, options: Sequence[Option]) -> Option | None:
    flag = word.partition("=")[0]
    return next((option for option in options if flag in option.flags), None)


def _astray(name: str, word: str, options: Sequence[Option]) -> str:
    flag = word.partition("=")[0]
    flags = [flag for option in options for flag in option.flags]
    cell = f"%%sdexplore {name} takes the cell as it is"
    if flag in flags:
        return f"{flag} stands inside the text: options stand before or after it, each with its value; {cell}"
    near = did_you_mean(flag, flags)
    near += "" if near.endswith("?") else "."
    return f"%sdexplore {name} has no option {flag}; {near} If it belongs to the text: {cell}"
