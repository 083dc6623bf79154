"""What an article remembers between sessions: the number of each key, its pieces, and its pages as written."""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..base import json_text
from ..base.display import clip
from ..base.errors import PublishError
from .article_facts import are_facts
from .places import Place
from .sidecars import as_json

SCHEMA = 1
FILE = "manifest.json"
_NUMBERED = re.compile(r"([0-9]{3,9})\.[a-z0-9]+")
_MOST_NUMBER = 10**9  # a file's name has at most nine digits


@dataclass(kw_only=True)
class Entry:
    """A published picture: its lasting number; its file and words; `captioned`: the caption was given by hand."""

    number: int
    file: str
    alt: str
    caption: str
    width: int | None = None
    note: str = ""
    captioned: bool = False

    def __post_init__(self) -> None:
        known = [(self.file, str), (self.alt, str), (self.caption, str), (self.note, str), (self.width, int | None)]
        whole = isinstance(self.number, int) and isinstance(self.captioned, bool)
        if not whole or not all(isinstance(value, kind) for value, kind in known):
            raise TypeError("an entry has values of other types")
        match = _NUMBERED.fullmatch(self.file)
        if match is None or int(match[1]) != self.number:
            raise ValueError(f"{clip(repr(self.file))} is not the file of picture {self.number}")


@dataclass(kw_only=True)
class Manifest:
    """The state of an article; its file lies beside the pictures.

    Attributes:
        facts: Title, emoji, type, topics, published, address.
        pictures: Key -> Entry.
        pieces: The article in order: {"picture": key}, {"text": …} or {"code": …, "language": …}, some with a "key".
        pages: Name of the site -> the page as last written: its "sha256", "blocks" as [name, Markdown], and "files".
        following: The number of the next new key; it never falls.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Entry] = field(default_factory=dict)
    pieces: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    following: int = 1

    def number_of(self, key: str, folder: Path) -> int:
        """The number of `key`; a new key gets a number that no key and no file in `folder` has had."""
        if key in self.pictures:
            return self.pictures[key].number
        taken = [int(match[1]) for file in folder.iterdir() if (match := _NUMBERED.fullmatch(file.name))]
        number = max([self.following, *(one + 1 for one in taken)])
        self.following = number + 1
        return number

    def content(self) -> bytes:
        """The content of its file, FILE."""
        return as_json({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def load(cls, place: Place, folder: PurePosixPath) -> "Manifest":
        """The manifest in `folder`; a new one if there is none.

        Raises:
            PublishError: The file is damaged.
        """
        content = place.read(folder / FILE)
        if content is None:
            return cls()
        try:
            return cls._of(json_text.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise PublishError(
                f"{str(folder / FILE)!r} is damaged ({type(error).__name__}: {clip(str(error))}). It holds "
                "the number of each picture, so nothing was written: repair it, or take an older version of it"
            ) from error

    @classmethod
    def _of(cls, read: dict[str, Any]) -> "Manifest":
        if read.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        pictures = {key: Entry(**entry) for key, entry in read.pop("pictures").items()}
        made = cls(pictures=pictures, **read)
        numbers = [entry.number for entry in pictures.values()]
        if len(set(numbers)) != len(numbers):
            raise ValueError("two keys have the same number")
        if isinstance(made.following, bool) or not isinstance(made.following, int) or made.following >= _MOST_NUMBER:
            raise ValueError(f"following={clip(repr(made.following), 80)} is not the number of a picture")
        made.following = max([made.following, *(number + 1 for number in numbers)])
        if not are_facts(made.facts):
            raise ValueError(f"facts={clip(repr(made.facts), 80)} are not those of an article")
        if not isinstance(made.pieces, list) or not isinstance(made.pages, dict):
            raise TypeError("its pieces or its pages have another type")
        for piece in made.pieces:
            if not _is_piece(piece, pictures):
                raise ValueError(f"{clip(repr(piece))} is not a piece")
        for page in made.pages.values():
            if not _is_page(page):
                raise ValueError("a page has no sha256, or a block is not a pair")
        return made


def _is_piece(piece: object, pictures: dict[str, Entry]) -> bool:
    """Whether `piece` is a known picture, a text, or code in a language."""
    if not isinstance(piece, dict) or not all(isinstance(value, str) for value in piece.values()):
        return False
    kinds = piece.keys() - {"key"}
    return kinds in ({"text"}, {"code", "language"}) or (kinds == {"picture"} and piece["picture"] in pictures)


def _is_page(page: object) -> bool:
    """Whether `page` has a hash, and blocks that are pairs of texts, and the names of files by key."""
    if not isinstance(page, dict) or not isinstance(page.get("sha256"), str):
        return False
    blocks, files = page.get("blocks"), page.get("files", {})
    return (
        isinstance(blocks, list)
        and all(isinstance(block, list) and [*map(type, block)] == [str, str] for block in blocks)
        and isinstance(files, dict)
        and all(isinstance(file, str) for file in files.values())
    )
