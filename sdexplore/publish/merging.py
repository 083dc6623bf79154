"""A page that its author may have edited: new blocks come in, and what the author wrote stays."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from .manifest import Entry
from .sidecars import sha256

Block: TypeAlias = tuple[str, str]
"""The name of a piece, and its Markdown."""

_NEVER_WRITTEN: Mapping[str, Any] = {"sha256": "", "blocks": [], "files": {}}


def reconciled(
    there: bytes | None,
    last: Mapping[str, Any] | None,
    fresh: str,
    blocks: Sequence[Block],
    pictures: Mapping[str, Entry],
    *,
    overwrite: bool,
) -> tuple[str, list[str]]:
    """The page to write, in which what the author edited is kept; and notes for the author.

    Args:
        there: The page as it stands in its file; None if there is no file.
        last: What the manifest remembers of the page as it was last written; None if it never was.
        fresh: The page as it would be written anew.
        blocks: The blocks of `fresh`.
        pictures: Key -> entry of the manifest.
        overwrite: Whether an edited page is written anew as well.
    """
    last = last or _NEVER_WRITTEN
    if there is None or overwrite or sha256(there) == last["sha256"]:
        now = {name for name, _ in blocks}
        gone = [name for name, _ in last["blocks"] if name.startswith("picture") and name not in now]
        return fresh, [f"{name} is no longer in the page; its file stays" for name in gone]
    renamed = {
        file: pictures[key].file
        for key, file in last.get("files", {}).items()
        if key in pictures and pictures[key].file != file
    }
    before = [(name, block) for name, block in last["blocks"]]
    content, notes = merged(there.decode("utf-8", "replace"), before, blocks, renamed)
    edited = "it was edited by hand, and the edits stay; save(overwrite=True) replaces the page"
    return content, [edited, *notes]


def merged(
    page: str, before: Sequence[Block], after: Sequence[Block], renamed: Mapping[str, str]
) -> tuple[str, list[str]]:
    """`page` with the blocks of `before` replaced by those of `after`; and notes on the blocks that are not.

    A block that stands unchanged in the page is replaced. A block that the author edited stays, except that the file
    of a picture gets its new ending. A new block goes to the end.

    Args:
        renamed: File of a picture as the page names it -> its name now.
    """
    notes = []
    for old, new in renamed.items():
        page = re.sub(rf"(?<=[/(\"]){re.escape(old)}(?=[\s)\"])", new, page)
    known = dict(before)
    fresh = []
    for name, block in after:
        if name not in known:
            fresh.append(block)
        elif known[name] != block and block not in page:
            if page.count(known[name]) == 1:
                page = page.replace(known[name], block)
            else:
                notes.append(f"{name} was edited in the page, and stays as edited")
    if fresh:
        page = "\n\n".join((page.rstrip("\n"), *fresh)) + "\n"
    return page, notes
