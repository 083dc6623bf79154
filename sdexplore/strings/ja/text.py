"""What views of tokens, text encoders and closed forms say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {}
