"""The pieces of an article in order: pictures, passages of text, blocks of code, and their Markdown."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from .manifest import Entry
from .merging import Block
from .sites.markdown import fenced
from .sites.site import Shot

Piece: TypeAlias = dict[str, str]
"""{"picture": key}, {"text": …} or {"code": …, "language": …}; text and code may have a "key" too."""


def put(pieces: list[Piece], piece: Piece) -> None:
    """Adds `piece` at the end, or puts it in the place of an equal piece or of the one with its key."""
    for number, known in enumerate(pieces):
        if known == piece or ("key" in piece and known.get("key") == piece["key"]):
            pieces[number] = piece
            return
    pieces.append(piece)


def amended(before: Iterable[Piece], new: Iterable[Piece]) -> list[Piece]:
    """The pieces of `before`, with each of `new` put in its place or at the end."""
    pieces = list(before)
    for piece in new:
        put(pieces, piece)
    return pieces


def blocks_of(pieces: Sequence[Piece], pictures: Mapping[str, Entry], show: Callable[[Shot], str]) -> Iterator[Block]:
    """(name, Markdown) of each piece, in order.

    Args:
        pictures: Key -> entry of the manifest.
        show: Writes a picture as the site wants it.
    """
    count = {"text": 0, "code": 0}
    for piece in pieces:
        if "picture" in piece:
            key = piece["picture"]
            entry = pictures[key]
            shot = Shot(key=key, file=entry.file, alt=entry.alt, caption=entry.caption, width=entry.width)
            yield f"picture {key!r}", show(shot)
            continue
        kind = "text" if "text" in piece else "code"
        count[kind] += 1
        body = piece["text"] if kind == "text" else fenced(piece["code"], piece["language"])
        yield f"{kind} {count[kind]}", body
