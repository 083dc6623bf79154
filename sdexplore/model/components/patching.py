"""What is changed on a pipeline for a while, and restored when a block ends, whatever ends it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import update_wrapper
from typing import Any

import torch

from ..families.modules import attached, modules_of, processors_of
from .adapters import strengths_restored


class _InPlace:
    """What stands in the place of an object's own function. A deep copy of the object has the function itself."""

    def __init__(self, owner: Any, name: str, original: Callable[..., Any], made: Callable[..., Any]) -> None:
        self._owner, self._name, self._made = owner, name, made
        self._own = vars(owner).get(name)
        update_wrapper(self, original)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._made(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = memo.get(id(self._owner))
        if self._own is not None or copied is None:
            return deepcopy(self._own, memo)
        return getattr(type(copied), self._name).__get__(copied)


@contextmanager
def replaced(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """`owner.name` becomes `make(owner.name)` on this one object, and is the old one again when the block ends."""
    original = getattr(owner, name, None)
    if original is None:
        yield
        return
    own = vars(owner).get(name)
    vars(owner)[name] = _InPlace(owner, name, original, make(original))
    try:
        yield
    finally:
        if own is None:
            del vars(owner)[name]
        else:
            vars(owner)[name] = own


@contextmanager
def restored(pipe: Any, denoiser: torch.nn.Module) -> Iterator[None]:
    """Restores attention processors, strengths of adapters and the VAE's precision however the block ends.

    Offloaded parts go back.
    """
    modules = modules_of(denoiser)
    processors = [
        (modules[name], one) for name, one in processors_of(denoiser).items() if hasattr(modules[name], "set_processor")
    ]
    vae = getattr(pipe, "vae", None)
    dtype = next(vae.parameters()).dtype if isinstance(vae, torch.nn.Module) else None
    try:
        with strengths_restored(pipe):
            yield
    finally:
        # Pipelines tidy up in their last lines, which an exception skips; decoding loads an offloaded VAE.
        for module, processor in processors:
            if attached(module, "processor") is not processor:
                module.set_processor(processor)  # type: ignore[operator]  # diffusers' own, of its attention modules
        if vae is not None and dtype is not None and next(vae.parameters()).dtype != dtype:
            vae.to(dtype=dtype)
        if hasattr(pipe, "maybe_free_model_hooks"):
            pipe.maybe_free_model_hooks()


@contextmanager
def quiet(pipe: Any) -> Iterator[None]:
    """The pipeline without its own progress bar, which a thread would print anywhere; its setting is restored."""
    own = getattr(pipe, "_progress_bar_config", None)
    pipe.set_progress_bar_config(**{**(own or {}), "disable": True})
    try:
        yield
    finally:
        if own is None:
            del pipe._progress_bar_config  # noqa: SLF001  (where diffusers keeps it)
        else:
            pipe._progress_bar_config = own  # noqa: SLF001
