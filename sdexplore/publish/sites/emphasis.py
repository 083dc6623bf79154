"""Stars of emphasis that a reader would see as stars: `**「猫」**の` is not bold by CommonMark's rule.

A run of stars opens only before a letter and closes only after one, unless white space or punctuation stands at its
other side too (CommonMark 0.31, "left-flanking" and "right-flanking"). Japanese sets no spaces, so a bracket or a 。
within the stars and a letter outside of them break the rule.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_AROUND = 12  # characters of the passage that name the place
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_NO_PROSE = re.compile(  # what is read as it is: an escaped sign, code, a formula, an address, a tag
    r"\\[!-/:-@\[-`{-~]"
    r"|(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)"
    r"|\$\$.+?\$\$|\$[^$\n]+\$"
    r"|(?<=\]\()[^)\n]*"
    r"|<[^>\n]+>",
    re.DOTALL,
)
_BLANK = re.compile(r"\n[ \t]*\n")


@dataclass
class _Run:
    """A run of stars: where it stands in its paragraph, its length, what is left of it, and what it can do."""

    start: int
    length: int
    left: int
    opens: bool
    closes: bool
    in_doubt: bool

    @property
    def both(self) -> bool:
        return self.opens and self.closes


def stars_that_stay(markdown: str) -> Iterator[str]:
    """The places of a passage where stars were meant as emphasis and stay stars, each with the text around it.

    Only places where the rule is to blame: stars between a wide character (Japanese, for example) and another
    character, one of them a letter and one punctuation. A lone star of a list or a product is none.
    """
    for paragraph in _BLANK.split(_FENCE.sub("\n\n", markdown)):
        prose = _NO_PROSE.sub(lambda found: found[0].replace("*", "#"), paragraph)
        for run in _unpaired([_run(prose, found) for found in re.finditer(r"\*+", prose)]):
            if run.in_doubt:
                begin, end = max(run.start - _AROUND, 0), run.start + run.length + _AROUND
                yield " ".join(paragraph[begin:end].split())


def _run(prose: str, found: re.Match[str]) -> _Run:
    before, after = prose[: found.start()][-1:] or " ", prose[found.end() :][:1] or " "
    spaces, signs = (before.isspace(), after.isspace()), (_is_sign(before), _is_sign(after))
    opens = not spaces[1] and (not signs[1] or spaces[0] or signs[0])
    closes = not spaces[0] and (not signs[0] or spaces[1] or signs[1])
    wide = any(unicodedata.east_asian_width(one) in "WF" for one in (before, after))
    length = len(found[0])
    return _Run(found.start(), length, length, opens, closes, wide and not any(spaces) and signs[0] != signs[1])


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _unpaired(runs: list[_Run]) -> list[_Run]:
    """The runs of which stars are left when each closing run has taken the nearest opening one."""
    waiting: list[_Run] = []
    for run in runs:
        while run.closes and run.left and (opener := _opener(waiting, run)):
            used = 2 if min(opener.left, run.left) > 1 else 1
            opener.left, run.left = opener.left - used, run.left - used
            del waiting[waiting.index(opener) + bool(opener.left) :]
        if run.opens and run.left:
            waiting.append(run)
    return [run for run in runs if run.left]


def _opener(waiting: list[_Run], closer: _Run) -> _Run | None:
    """The nearest run that `closer` can pair with; by the rule of three, "*a**b*" is one emphasis and not two."""
    for run in reversed(waiting):
        odd = (run.both or closer.both) and (run.length + closer.length) % 3 == 0
        if not odd or (run.length % 3 == 0 and closer.length % 3 == 0):
            return run
    return None
