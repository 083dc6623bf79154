"""What the linked explorer says, in a notebook and in a page of its own."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {}
