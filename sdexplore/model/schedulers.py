"""Schedulers by name: "DDIM", "Euler", "EulerDiscreteScheduler", "DPM++ 2M"."""

from collections.abc import Sequence
from typing import Any

import diffusers
from diffusers.schedulers import KarrasDiffusionSchedulers

from sdexplore.errors import LoadError, did_you_mean

# They take a Stable Diffusion scheduler's config too, though diffusers does not say so.
MORE = (
    "DDIMParallelScheduler",
    "DDPMParallelScheduler",
    "LCMScheduler",
    "SASolverScheduler",
    "TCDScheduler",
)
# Listed as compatible, but it ignores the noise schedule that the model was trained with.
UNFIT = "EDMEulerScheduler"
# What other programs call them; from diffusers' own table of names.
ALIASES = {
    "dpm++": "DPMSolverMultistepScheduler",
    "dpm++2m": "DPMSolverMultistepScheduler",
    "dpm2": "KDPM2DiscreteScheduler",
    "dpm2a": "KDPM2AncestralDiscreteScheduler",
    "eulera": "EulerAncestralDiscreteScheduler",
}


def scheduler_from_name(pipe: Any, name: str) -> Any:
    """A new scheduler of the named class with the config of the pipeline's own.

    The pipeline itself is not changed.

    Args:
        name: A class of diffusers that fits; case does not matter, nor do the endings Scheduler,
            Discrete and Multistep where one class is left. "Euler a" and "DPM++ 2M" are known too.

    Raises:
        LoadError: No class or several classes have that name, or the class needs a package that is
            not installed.
    """
    current = type(pipe.scheduler)
    family = (*(kind.name for kind in KarrasDiffusionSchedulers if kind.name != UNFIT), *MORE)
    relatives = [cls.__name__ for cls in pipe.scheduler.compatibles]
    found = class_name(name, family if current.__name__ in family else relatives)
    try:
        return getattr(diffusers, found).from_config(pipe.scheduler.config)
    except ImportError as error:
        raise LoadError(
            f"scheduler {name!r} needs a package that is not installed: "
            f"pip install 'sdexplore[schedulers]' ({str(error).strip().splitlines()[0]})"
        ) from error


def class_name(name: str, known: Sequence[str] = ()) -> str:
    """The one class among `known` (all of diffusers' schedulers by default) that `name` means."""
    forms = {one: _forms(one) for one in known or (n for n in dir(diffusers) if n.endswith("Scheduler"))}
    folded = "".join(name.casefold().replace("_", "").replace("-", "").split())
    folded = ALIASES.get(folded, folded).casefold()
    matches = [one for one, its in forms.items() if folded in map(str.casefold, its)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = " or ".join(map(repr, matches))
        raise LoadError(f"scheduler {name!r} could be {several}; give its whole name")
    near = did_you_mean(name, [form for its in forms.values() for form in its])
    shortest = [min(its, key=len) for its in forms.values()]
    tail = near if near.startswith("did") else did_you_mean(name, shortest, most=len(shortest))
    raise LoadError(f"no scheduler that fits is called {name!r}; {tail}")


def _forms(name: str) -> tuple[str, ...]:
    """A class's name with and without the endings that may be left out."""
    bare = name.removesuffix("Scheduler")
    return name, bare, bare.removesuffix("Discrete"), bare.removesuffix("Multistep")
