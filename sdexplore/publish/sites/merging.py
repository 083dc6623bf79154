"""A page that its author may have edited: what is new comes in, what they wrote stays."""

import re
from collections.abc import Sequence

Block = tuple[str, str]  # the name of a piece, and its Markdown


def merged(
    page: str, before: Sequence[Block], after: Sequence[Block], renamed: dict[str, str]
) -> tuple[str, list[str]]:
    """`page` with the blocks of `before` replaced by those of `after`, and what could not be done, in words.

    A block that stands in the page as it was written is replaced. One that its author changed stays as they left it,
    but for a picture's file that has another ending now. A block that is new goes to the end.

    Args:
        renamed: File of a picture as the page has it -> as it is called now.
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
                notes.append(f"{name} was edited in the page, and stays as it stands there")
    if fresh:
        page = "\n\n".join((page.rstrip("\n"), *fresh)) + "\n"
    return page, notes
