"""What views of studies, calibrations and benchmarks say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {}
