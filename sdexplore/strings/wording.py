"""A string in the language of the options."""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Final

from ..base.display import width
from ..base.options import options
from . import en, ja

_WITHOUT_SPACES: Final = frozenset({"ja"})  # a space parts such a script from Latin letters and numbers only
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {"en": en.STRINGS, "ja": ja.STRINGS}


def wording(key: str, **fields: object) -> str:
    """The string of this key in the language of the options, with its fields filled in.

    Args:
        key: Of a table in `strings/en`: "denoising.alt". Every language has the same keys with the same fields.
        fields: What the template names. Text of the user is given as it is: braces in it are not read.
    """
    lang = options().lang
    template = table(lang)[key]
    return _seamless(template, fields) if lang in _WITHOUT_SPACES else template.format_map(fields)


def _seamless(template: str, fields: Mapping[str, object]) -> str:
    """The template filled in; a space beside a field falls away where wide characters meet: "1 層 の" is "1 層の"."""
    text, wide_before = "", False
    for literal, name, form, _ in Formatter().parse(template):
        text += literal[1:] if wide_before and literal[:1] == " " and _is_wide(literal[1:2]) else literal
        if name is None:
            continue
        value = format(fields[name], form or "")
        if text.endswith(" ") and _is_wide(text[-2:-1]) and _is_wide(value[:1]):
            text = text[:-1]
        text += value
        wide_before = _is_wide(text[-1:])
    return text


def _is_wide(character: str) -> bool:
    return width(character) == 2  # noqa: PLR2004  (columns)


def counted(number: int, thing: str) -> str:
    """How many things, in the language of the options: "1 step", "3 steps", "3 ステップ".

    Args:
        thing: The last part of two keys, "count.step.one" and "count.step.other".
    """
    form = "one" if number == 1 else "other"
    return wording(f"count.{thing}.{form}", n=number)


def listed(names: Iterable[str]) -> str:
    """The names in a row, as the language divides them: "cat, dog", "cat、dog"."""
    return wording("list.comma").join(names)


def table(lang: str) -> Mapping[str, str]:
    """All strings of a language, by key."""
    return _TABLES[lang]
