"""What views of attention, regions and heads say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {}
