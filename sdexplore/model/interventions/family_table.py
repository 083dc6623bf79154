"""Which change is made in which family of denoisers, as a table; `Family.no_change` says what is not, and why.

Families that draw videos are not in it: a run of theirs takes no change (`runs/check_video`).
"""

from ...changes.several import KINDS
from ..families import FAMILIES


def changes_by_family() -> str:
    """The table as Markdown, a row for families in which the same is made, with the reason where something is not."""
    rows = ["| family | " + " | ".join(f"`{kind}`" for kind in KINDS) + " |", "|---" * (1 + len(KINDS)) + "|"]
    alike: dict[tuple[str, ...], list[str]] = {}
    for family in FAMILIES.values():
        reasons = dict.fromkeys(KINDS, "changes work on pictures") if family.video else family.no_change
        cells = tuple(f"no: {reasons[kind]}" if kind in reasons else "yes" for kind in KINDS)
        alike.setdefault(cells, []).append(family.title.removesuffix(" transformer"))
    rows += [f"| {', '.join(titles)} | {' | '.join(cells)} |" for cells, titles in alike.items()]
    return "\n".join(rows)
