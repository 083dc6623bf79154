"""A string in the language of the options."""

from collections.abc import Iterable, Mapping
from string import Formatter
from types import MappingProxyType
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


class Told(str):
    """A sentence in English, for records and errors, which a figure says in the language of the options.

    Attributes:
        key: Of what the figure says, which may be less: it names no way out.
        fields: What its template names; those that are a Told, or several, are said in that language too.
    """

    __slots__ = ("fields", "key")
    key: str
    fields: Mapping[str, object]

    def __new__(cls, text: str, key: str = "", fields: Mapping[str, object] = MappingProxyType({})) -> "Told":  # noqa: PYI034  (the tests' type checker does not know Self)
        """The sentence; without a key it is said in English always."""
        made = super().__new__(cls, text)
        made.key, made.fields = key, dict(fields)
        return made

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, object]]:  # type: ignore[override]
        """What a copy or a pickle is made from."""
        return str(self), self.key, self.fields


def told(key: str, **fields: object) -> Told:
    """The string of this key in English, as a Told. Several values of a field, in a tuple, are listed."""
    comma = _TABLES["en"]["list.comma"]
    written = {name: comma.join(map(str, one)) if isinstance(one, tuple) else one for name, one in fields.items()}
    return Told(_TABLES["en"][key].format_map(written), key, fields)


def worded(text: str) -> str:
    """What a Told says in the language of the options; another text as it is."""
    if not isinstance(text, Told) or not text.key:
        return text
    return wording(text.key, **{name: _worded(one) for name, one in text.fields.items()})


def _worded(field: object) -> object:
    if isinstance(field, tuple):
        return listed(map(worded, field))
    return worded(field) if isinstance(field, str) else field


def why_of(error: Exception) -> str:
    """What an error says; a Told where it says one."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Told) else str(error)


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
