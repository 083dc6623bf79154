"""Which seeds draw the same noise: torch's generator on the CPU takes a seed modulo 2³²."""

from collections.abc import Sequence
from typing import Any, Final

from ...base.errors import RunError
from ...base.user_warnings import warn_user

NOISES: Final = 2**32
"""How many different noises seeds draw; every generator of a run is on the CPU."""


def tell_same_noise(seed: int, function: str) -> None:
    """Warns where a smaller seed draws the same picture."""
    if seed % NOISES != seed:
        warn_user(
            f"{function}(seed={seed}): torch takes a seed modulo 2³², so that seed={seed % NOISES} draws the same "
            "picture; seeds from 0 to 4294967295 all differ"
        )


def check_noises(seeds: Sequence[Any], function: str) -> None:
    """RunError where two different seeds of `seeds` draw the same picture."""
    known: dict[int, int] = {}
    for seed in seeds:
        if isinstance(seed, int) and (first := known.setdefault(seed % NOISES, seed)) != seed:
            raise RunError(
                f"{function}: the seeds {first} and {seed} draw the same picture, since torch takes a seed modulo 2³²; "
                "seeds from 0 to 4294967295 all differ"
            )
