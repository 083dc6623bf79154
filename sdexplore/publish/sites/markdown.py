"""Words from outside as Markdown and YAML that show them unchanged."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from ...base.display import clip

MOST_WORDS = 2000
_EDGE_UNDERSCORE = r"(?<![^\W_])_|_(?![^\W_])"  # an underscore within a word (guidance_scale) is no markup
# Signs that CommonMark, GitHub, Zenn or Pandoc read as markup within a line, and signs that typographers join.
_PUNCTUATION = re.compile(
    rf"[\\`*{{}}\[\]<>#|~$&@^]|{_EDGE_UNDERSCORE}"
    r"|:(?=[\w+-]+:|:|//)|(?<=:):|^:"  # :tada:, :::, addresses
    r"|(?<=-)-|(?<=\.)\.|(?<==)="
)
# Zenn's renderer drops escaped signs from alt texts, by backslash or by entity (zenn-markdown-html 0.4.4 and 0.5.4).
# There a sign that Markdown would read as markup is replaced by its full-width twin, which looks the same.
_MARKUP = re.compile(rf"[\\`*\[\]<>~$&|^:@!]|{_EDGE_UNDERSCORE}")

_LIST = re.compile(r"^(\d{0,9})([.)+-])")


def one_line(text: str) -> str:
    """`text` on one line, without control characters and characters that no encoding takes."""
    return clip(" ".join(text.split()), MOST_WORDS)


def inline(text: str, *, quotes: bool = False) -> str:
    """`text` as Markdown within a line (CommonMark, GitHub's, Zenn's, Pandoc's) that shows every character unchanged.

    Args:
        quotes: Whether to escape quotes too, which Pandoc and Hugo would replace by typographer's quotes.
    """
    escaped = _LIST.sub(r"\1\\\2", _PUNCTUATION.sub(r"\\\g<0>", one_line(text)))
    return re.sub(r"['\"]", r"\\\g<0>", escaped) if quotes else escaped


def twins(text: str) -> str:
    """`text` for Zenn's alt texts, with full-width special characters."""
    return _MARKUP.sub(lambda sign: chr(ord(sign[0]) + 0xFEE0), one_line(text))


def attribute(text: str) -> str:
    """`text` as a quoted attribute of HTML, on one line."""
    return f'"{html.escape(one_line(text), quote=True)}"'


def quoted(text: str) -> str:
    """`text` as a double-quoted scalar of YAML: JSON's strings are YAML's."""
    return json.dumps(one_line(text), ensure_ascii=False)


def front_matter(fields: Mapping[str, Any]) -> str:
    """Name -> fact as YAML between two lines of ---; a fact is text, a bool, None, or a sequence of these."""
    return "\n".join(["---", *(f"{name}: {_scalar(value)}" for name, value in fields.items()), "---"])


def _scalar(value: Any) -> str:  # noqa: ANN401  (a fact of the front matter)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    return f"[{', '.join(map(_scalar, value))}]"


def fenced(source: str, language: str = "python") -> str:
    """`source` as a block of code; the fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    body = source.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return f"{fence}{language}\n{body}\n{fence}"
