"""What several views say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "panel.picture": "picture\n",
    "panel.given": "given\npicture",
    "list.comma": ", ",
    "count.step.one": "{n} step",
    "count.step.other": "{n} steps",
}
