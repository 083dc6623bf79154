"""What several views say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "panel.picture": "画像\n",
    "panel.given": "入力\n画像",
    "list.comma": "、",
    "count.step.one": "{n} ステップ",
    "count.step.other": "{n} ステップ",
}
