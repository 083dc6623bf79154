"""What the explorer in the browser says, as the browser receives it."""

from typing import Final

from ..base.options import options
from ..strings.wording import table

_GROUPS: Final = ("explorer.", "count.layer.", "count.step.", "role.")
_SINGLE: Final = ("list.comma",)


def explorer_strings() -> dict[str, str]:
    """Key -> template in the language of the options, and under "lang" the language's name, as HTML has it."""
    lang = options().lang
    said = {key: text for key, text in table(lang).items() if key.startswith(_GROUPS) or key in _SINGLE}
    return {"lang": lang, **said}
