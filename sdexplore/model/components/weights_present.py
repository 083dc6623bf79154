"""Whether networks have weights: on the meta device they have shapes alone, unless a hook brings them in time."""

from typing import Any

from torch import nn

from ..families.modules import modules_of
from .pipeline_parts import parts

_HOOKS = ("_hf_hook", "_diffusers_hook")  # of accelerate's and of diffusers' offloading


def without_weights(pipe: Any, *names: str) -> str | None:
    """Which of these components (of all, where none is named) has no weights, and the way out; None where all have.

    Raises:
        InspectionError: `pipe` is no diffusers pipeline.
    """
    for name, network in parts(pipe).items():
        if (not names or name in names) and isinstance(network, nn.Module) and _is_empty(network):
            return (
                f"{name!r} of this {type(pipe).__name__} has shapes and no weights (it is on the meta device); "
                "sdx.load makes a pipeline with weights"
            )
    return None


def _is_empty(network: nn.Module) -> bool:
    modules = modules_of(network).values()
    parameters = (one for module in modules for one in vars(module).get("_parameters", {}).values() if one is not None)
    if not any(one.is_meta for one in parameters):
        return False
    return not any(hasattr(module, hook) for module in modules for hook in _HOOKS)
