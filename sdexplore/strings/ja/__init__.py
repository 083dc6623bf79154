"""The strings in Japanese."""

from collections.abc import Mapping
from typing import Final

from . import attention, dashboard, explorer, inside, runs, shared, studies, text

_PARTS: Final = (attention, dashboard, explorer, inside, runs, shared, studies, text)

STRINGS: Final[Mapping[str, str]] = {key: text for part in _PARTS for key, text in part.STRINGS.items()}
"""Key → template."""
