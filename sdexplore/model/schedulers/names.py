"""Schedulers by name: "DDIM", "Euler", "EulerDiscreteScheduler", "DPM++ 2M"."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import diffusers
from diffusers.schedulers import KarrasDiffusionSchedulers

from ...base.errors import LoadError, did_you_mean

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
# Names that other programs use, from diffusers' own table.
ALIASES = {
    "dpm++": "DPMSolverMultistepScheduler",
    "dpm++2m": "DPMSolverMultistepScheduler",
    "dpmpp2m": "DPMSolverMultistepScheduler",
    "dpm2": "KDPM2DiscreteScheduler",
    "dpm2a": "KDPM2AncestralDiscreteScheduler",
    "eulera": "EulerAncestralDiscreteScheduler",
}
_OFFERED = {"DPM++ 2M": "dpm++2m", "Euler a": "eulera"}  # aliases, in the usual spelling
_FAMILY = (*(kind.name for kind in KarrasDiffusionSchedulers if kind.name != UNFIT), *MORE)
_KARRAS = "use_karras_sigmas"


def scheduler_from_name(pipe: Any, name: str) -> Any:
    """A new scheduler of the named class with the config of the pipeline's own.

    The pipeline itself is not changed.

    Args:
        name: A class of diffusers that fits; case does not matter, nor do the endings Scheduler,
            Discrete and Multistep where one class is left. "Euler a" and "DPM++ 2M" are known too. Behind a name,
            "Karras" asks for his noise levels (use_karras_sigmas), as in "DPM++ 2M Karras".

    Raises:
        LoadError: No class or several classes have that name; the class does not have Karras's noise levels, or needs a
            package that is not installed.
    """
    current = type(pipe.scheduler)
    relatives = [cls.__name__ for cls in pipe.scheduler.compatibles]
    found, options = meant(name, _FAMILY if current.__name__ in _FAMILY else relatives)
    try:
        return getattr(diffusers, found).from_config(pipe.scheduler.config, **options)
    except ImportError as error:
        raise LoadError(
            f"scheduler {name!r} needs a package that is not installed: "
            f"pip install 'sdexplore[schedulers]' ({str(error).strip().splitlines()[0]})"
        ) from error


def meant(name: str, known: Sequence[str] = ()) -> tuple[str, dict[str, bool]]:
    """The class among `known` (all of diffusers' schedulers by default) that `name` means, and options of it."""
    bare, karras, behind = name.casefold().strip().rpartition("karras")
    if not (karras and bare.strip(" _-+") and not behind):
        return class_name(name, known), {}
    found = class_name(name[: len(name.rstrip()) - len(karras)].rstrip(" _-+"), known, whole=name)
    if not _takes_karras(found):
        having = [min(_forms(one), key=len) for one in known or _FAMILY if _takes_karras(one)]
        raise LoadError(f"scheduler {name!r}: {found} has no {_KARRAS}; {', '.join(having)} have it")
    return found, {_KARRAS: True}


def _takes_karras(name: str) -> bool:
    return _KARRAS in inspect.signature(getattr(diffusers, name).__init__).parameters


def class_name(name: str, known: Sequence[str] = (), *, whole: str | None = None) -> str:
    """The one class among `known` (all of diffusers' schedulers by default) that `name` means, a part of `whole`."""
    forms = {one: _forms(one) for one in known or (n for n in dir(diffusers) if n.endswith("Scheduler"))}
    folded = "".join(name.casefold().replace("_", "").replace("-", "").split())
    folded = ALIASES.get(folded, folded).casefold()
    matches = [one for one, its in forms.items() if folded in map(str.casefold, its)]
    if len(matches) == 1:
        return matches[0]
    said = name if whole is None else whole
    if matches:
        several = " or ".join(map(repr, matches))
        raise LoadError(f"scheduler {said!r} could be {several}; give its whole name")
    raise LoadError(f"no scheduler that fits is called {said!r}; {_offer(name, forms, known or _FAMILY)}")


def _offer(name: str, forms: Mapping[str, tuple[str, ...]], fitting: Sequence[str]) -> str:
    """Names near this one, first of classes that fit, then of all; where there is none, the names that fit."""
    usual = [spelled for spelled, alias in _OFFERED.items() if ALIASES[alias] in fitting]
    short = [*(min(_forms(one), key=len) for one in fitting), *usual]
    for among in (
        short,
        [form for one in fitting for form in _forms(one)],
        [form for its in forms.values() for form in its],
    ):
        if (near := did_you_mean(name, among)).startswith("did"):
            return near
    return did_you_mean(name, short, most=len(short))


def _forms(name: str) -> tuple[str, ...]:
    """A class's name with and without the endings that may be left out."""
    bare = name.removesuffix("Scheduler")
    return name, bare, bare.removesuffix("Discrete"), bare.removesuffix("Multistep")
