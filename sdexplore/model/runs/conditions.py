"""Under what a run is made that no argument carries: foreign hooks, FreeU, merged tokens, adapters, this machine."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn.modules import module as every_module

from ...trace.provenance import TOME_NOTE, ForeignFacts, Provenance, UsedFacts
from ..capture.obstacles import KNOWN_HOOKS, diffusers_hooks, own_forward
from ..components.adapters import adapters_of, networks
from ..components.pipeline_parts import autoencoder, denoiser
from ..families import family_of
from ..families.modules import modules_of, processors_of

# Hooks of these change nothing that the pipeline's own state does not tell.
_KNOWN = frozenset(
    {"accelerate", "bitsandbytes", "diffusers", "optimum", "peft", "sdexplore", "torch", "torchao", "transformers"}
)
_MERGING = "tomesd"
_FREEU = ("s1", "s2", "b1", "b2")
_COMPUTED_BY = {  # what computes attention, by a word in the processor's class; the first is diffusers' own name for it
    "2_0": "native",
    "XFormers": "xformers",
    "Sliced": "sliced",
    "NPU": "_native_npu",
    "XLA": "_native_xla",
}


def conditions_of(pipe: Any) -> Provenance:
    """The entries of provenance about what was done to the pipeline before the run."""
    return {"foreign": foreign_to(pipe), "adapters": adapters_of(pipe)}


def foreign_to(pipe: Any) -> ForeignFacts:
    """What somebody else put into the pipeline, as JSON; each entry is empty, False or None where there is nothing."""
    network = denoiser(pipe)
    processors = {type(one) for one in processors_of(network).values()}
    return {
        "hooks": sorted(one.module for one in foreign_code(pipe)),
        "processors": sorted(one.__name__ for one in processors if _package(one) not in _KNOWN),
        "freeu": _freeu(network),
        "tome": merging(pipe),
        "tiling": bool(getattr(autoencoder(pipe), "use_tiling", False)),
        "pag_layers": [str(one) for one in getattr(pipe, "pag_applied_layers", None) or ()],
    }


class ForeignCode(NamedTuple):
    """Code of somebody else's that runs in the pipeline.

    Attributes:
        module: Its dotted name, the component's first.
        home: The package that the code is from.
        kind: A hook of torch's, or what runs in the place of the module's own forward.
    """

    module: str
    home: str
    kind: Literal["hook", "forward"]


def foreign_code(pipe: Any) -> Iterator[ForeignCode]:
    """Each module with a forward hook or a forward of somebody else's."""
    for where in ("_global_forward_hooks", "_global_forward_pre_hooks"):
        if strange := _strange(getattr(every_module, where, {}).values()):
            yield ForeignCode("(every module)", strange[0], "hook")
    for component, network in networks(pipe).items():
        for name, module in modules_of(network).items():
            place = f"{component}.{name}" if name else component
            there = vars(module)
            hooks = [*there.get("_forward_hooks", {}).values(), *there.get("_forward_pre_hooks", {}).values()]
            if hooks and (strange := _strange(hooks)):
                yield ForeignCode(place, strange[0], "hook")
            elif there.keys() & {"_diffusers_hook", "forward"} and (home := _forward_of_others(module)):
                yield ForeignCode(place, home, "forward")


def _strange(hooks: Iterable[Any]) -> list[str]:
    """The packages of these hooks that are not known; what merges tokens has an entry of its own."""
    return sorted({_package(hook) for hook in hooks} - _KNOWN - {_MERGING})


def _forward_of_others(module: nn.Module) -> str | None:
    forward, hooks = own_forward(module), diffusers_hooks(module).keys() - KNOWN_HOOKS
    if forward is not None and (home := _package(forward)) not in _KNOWN:
        return home
    return f"diffusers ({min(hooks)})" if hooks else None


def merging(pipe: Any) -> dict[str, Any] | None:
    """How tomesd merges tokens in this pipeline, by its own names; None where it does not."""
    blocks = (one for one in modules_of(denoiser(pipe)).values() if type(one).__name__ == "ToMeBlock")
    if (block := next(blocks, None)) is None:
        return None
    told = getattr(block, "_tome_info", {}).get("args", {})
    found = {name: value for name, value in told.items() if isinstance(value, bool | int | float | str)}
    return {**found, "note": TOME_NOTE} if draws(found) else found


def draws(told: Mapping[str, Any]) -> bool:
    """Whether tomesd chooses tokens by lot, with a generator of its own; it does where nothing forbids it."""
    return bool(told.get("use_rand", True))


def machine_used(pipe: Any) -> UsedFacts:
    """What of this machine enters into the numbers: how many threads compute, and what computes attention."""
    return {"threads": torch.get_num_threads(), "attention_backend": attention_backend(pipe)}


def attention_backend(pipe: Any) -> str:
    """What computes the denoiser's attention, by diffusers' names of backends where it has one.

    `set_attention_backend` of one pipeline switches the whole process; processors of a UNet do not ask for it.
    """
    network, family = denoiser(pipe), family_of(pipe)
    names = [
        _name(getattr(one, "_attention_backend", None)) or active_backend()
        if family.dispatches and _package(type(one)) == "diffusers"
        else _computed_by(one)
        for one in processors_of(network).values()
    ]
    return ", ".join(dict.fromkeys(names)) or "none"


def active_backend() -> str:
    """The attention backend of diffusers, which all pipelines of this process share."""
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry

    return _name(_AttentionBackendRegistry.get_active_backend()[0]) or "native"


def _name(backend: Any) -> str:
    return str(getattr(backend, "value", backend) or "")


def _computed_by(processor: Any) -> str:
    kind = type(processor)
    if _package(kind) not in _KNOWN:
        return kind.__name__
    return next((name for word, name in _COMPUTED_BY.items() if word in kind.__name__), "naive")


def _package(code: Any) -> str:
    """The package that a function, or an object that is called, is from."""
    while isinstance(code, partial):
        code = code.func
    code = getattr(code, "__func__", code)
    home = getattr(code, "__module__", None) or type(code).__module__
    return str(home).partition(".")[0]


def _freeu(network: nn.Module) -> dict[str, float] | None:
    """FreeU's four factors, of the first block that has them."""
    for block in getattr(network, "up_blocks", ()):
        told = {name: getattr(block, name, None) for name in _FREEU}
        if all(told.values()):  # as diffusers asks
            return {name: float(value) for name, value in told.items() if value is not None}
    return None


def under(conditions: Provenance) -> dict[str, Any]:
    """Of these conditions what is there at all, as JSON: a pipeline as it was loaded is under none."""
    found = {
        "foreign": {name: value for name, value in conditions.get("foreign", {}).items() if value},
        "adapters": conditions.get("adapters", []),
    }
    return {name: json.loads(json.dumps(value)) for name, value in found.items() if value}
