"""The grid (y, x) that each attention layer works on, during a call of the denoiser."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

Grid: TypeAlias = tuple[int, int]
"""(y, x)."""


def pair(size: Any) -> Grid:
    """(y, x) of a size in a config, which may be one number, two, or absent (64 then)."""
    if isinstance(size, int) or not size:
        return size or 64, size or 64
    return int(size[0]), int(size[-1])


def with_ancestors(name: str) -> list[str]:
    """A module's dotted name and those of the modules around it but the root, innermost first."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(len(parts), 0, -1)]


class OneGrid:
    """All layers of a transformer work on one grid, which the arguments of each call tell."""

    def __init__(self, grid_of: Callable[[Mapping[str, Any]], Grid]) -> None:
        self._grid_of = grid_of
        self._grid: Grid | None = None

    def begin(self, call: Mapping[str, Any]) -> None:
        """Takes the arguments, by name, of the call that begins."""
        self._grid = self._grid_of(call)

    def of(self, _: str) -> Grid | None:
        """The grid of a layer; None before the first call."""
        return self._grid

    def settle(self) -> None:
        """Does nothing: no hook is there."""

    def remove(self) -> None:
        """Does nothing: no hook is there."""


class WatchedGrids:
    """Each layer of a UNet has a grid of its own, which hooks read from what is around the layer.

    A layer's queries are flattened, and the root of a number of pixels does not tell y from x. So the grid is that of
    the layer's own input, or of the nearest module around it whose input still has four axes (a transformer's block).
    """

    def __init__(self, denoiser: nn.Module, layers: Collection[str]) -> None:
        self._layers = layers
        self._seen: dict[str, Grid] = {}
        self._around: dict[str, str] = {}  # layer -> the module that its grid is read from
        self._hooks: dict[str, RemovableHandle] = {}
        for name in dict.fromkeys(ancestor for layer in layers for ancestor in with_ancestors(layer)):
            module = denoiser.get_submodule(name)
            self._hooks[name] = module.register_forward_pre_hook(partial(self._note, name), with_kwargs=True)
        self._settled = False
        self._thread = get_ident()

    def __deepcopy__(self, _: Any) -> "WatchedGrids":
        """The hooks of a copied network see nothing."""
        copied = object.__new__(WatchedGrids)
        copied._thread = -1
        return copied

    def begin(self, call: Mapping[str, Any]) -> None:
        """Does nothing: the hooks read every call."""

    def of(self, layer: str) -> Grid | None:
        """The grid of a layer; None where nothing around it has been called with four axes."""
        around = self._around.get(layer) or next((one for one in with_ancestors(layer) if one in self._seen), None)
        if around is None:
            return None
        self._around[layer] = around
        return self._seen[around]

    def found(self) -> dict[str, Grid]:
        """The grid of each layer that has one."""
        return {name: grid for name in self._layers if (grid := self.of(name)) is not None}

    def settle(self) -> None:
        """Takes off the hooks that see no grid, once a call has run: each hook makes torch call its module slowly.

        Three of four are on modules that no grid is read from.
        """
        if self._settled:
            return
        self._settled = True
        unknown = {one for layer in set(self._layers) - self._around.keys() for one in with_ancestors(layer)}
        for name in self._hooks.keys() - self._around.values() - unknown:
            self._hooks.pop(name).remove()

    def remove(self) -> None:
        """Takes off all hooks."""
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()

    def _note(self, name: str, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if get_ident() != self._thread:  # another thread calls the network for itself
            return
        first = next((one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)), None)
        if first is not None and first.ndim == 4:  # noqa: PLR2004  (batch, channel, y, x)
            self._seen[name] = (first.shape[2], first.shape[3])


Grids: TypeAlias = OneGrid | WatchedGrids


def grids_of_pass(network: nn.Module, inputs: Mapping[str, Any], layers: Collection[str]) -> dict[str, Grid]:
    """Each layer's grid (y, x) in one forward pass of a network with these inputs, as far as it has one."""
    watched = WatchedGrids(network, layers)
    try:
        with torch.no_grad():
            network(**inputs)
    finally:
        watched.remove()
    return watched.found()
