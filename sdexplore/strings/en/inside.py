"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {}
