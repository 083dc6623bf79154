"""A string in the language of the options."""

from collections.abc import Iterable, Mapping
from typing import Final

from ..base.options import options
from . import en, ja

_TABLES: Final[Mapping[str, Mapping[str, str]]] = {"en": en.STRINGS, "ja": ja.STRINGS}


def wording(key: str, **fields: object) -> str:
    """The string of this key in the language of the options, with its fields filled in.

    Args:
        key: Of a table in `strings/en`: "denoising.alt". Every language has the same keys with the same fields.
        fields: What the template names. Text of the user is given as it is: braces in it are not read.
    """
    return table(options().lang)[key].format_map(fields)


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
