"""Whether networks have weights: on the meta device they have shapes alone, unless a hook brings them in time."""

from typing import Any

from torch import nn

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
    if not any(parameter.is_meta for parameter in network.parameters()):
        return False
    return not any(hasattr(module, hook) for module in network.modules() for hook in _HOOKS)
