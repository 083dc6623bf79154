"""What modules of a denoiser will give in a run, before it: found by one pass without weights, on the meta device."""

import json
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import torch
from torch import nn

from ...base.errors import InspectionError
from ..components.meta_networks import example_inputs, from_config
from ..components.pipeline_parts import denoiser
from ..families import FAMILIES, family_of
from ..families.family import Family
from ..families.grids import Grid
from ..families.placing import Placing, direct_tensors
from .module_names import Times, filed, named_modules, wanted

Shape = tuple[int, int, int]
"""(channel, y, x)."""


def feature_shapes(pipe: Any, names: tuple[str, ...], size: Grid) -> dict[str, Shape | str]:
    """Module, as filed -> what a run keeps of one row of it, for latents (y, x); or why that cannot be laid out.

    Raises:
        InspectionError: The denoiser's config does not describe it, so that it is not known before a run.
    """
    return dict(_found(pipe, names, size)[0])


def measured_modules(pipe: Any, size: Grid) -> int:
    """How many modules, and times of a call, `Record(statistics=True)` measures.

    Raises:
        InspectionError: As `feature_shapes`.
    """
    return _found(pipe, None, size)[1]


def _found(pipe: Any, names: tuple[str, ...] | None, size: Grid) -> tuple[Mapping[str, Shape | str], int]:
    network: Any = denoiser(pipe)
    cls: Any = type(network)
    config = json.dumps(dict(network.config), sort_keys=True, default=str)
    try:
        return _by_config(cls, family_of(pipe).name, config, names, size)
    except Exception as error:
        raise InspectionError(
            f"what the modules of this {type(network).__name__} give is not known before a run: {error}"
        ) from error


@lru_cache(maxsize=64)
def _by_config(
    cls: Any, family: str, config: str, names: tuple[str, ...] | None, size: Grid
) -> tuple[Mapping[str, Shape | str], int]:
    network = from_config(cls, json.loads(config))
    look = _Look(FAMILIES[family], network, named_modules(names or (), network), example_inputs(network, size), size)
    look.run(every=names is None)
    if lost := [name for name in look.asked if not look.times.get(name)]:
        raise InspectionError(f"{lost[0]!r} does not run on an example")
    return look.shapes, look.measured


class _Look:
    """One pass of a blueprint over an example."""

    def __init__(
        self, family: Family, network: nn.Module, asked: Mapping[str, Times], inputs: dict[str, Any], size: Grid
    ) -> None:
        self.family, self.network, self.asked, self.inputs = family, network, asked, inputs
        self.times: dict[str, int] = {}
        self.shapes: dict[str, Shape | str] = {}
        self.measured = 0
        self._placing = Placing.of_call(family, network, inputs, family.attention_layers(network), size)
        side = family.patch(network) if self._placing.streams else 1
        self._grid = (size[0] // side, size[1] // side)

    def run(self, *, every: bool) -> None:
        """Runs it; `every` counts what statistics measure."""
        if not self.asked and not every:
            return
        streams = self._placing.streams
        if self._placing.joint and len({*streams.values()}) < len(streams):
            raise InspectionError("words and picture have as many positions in an example")
        grids = None if self._placing.streams else self.family.grids(self.network, self.asked)
        modules = dict(self.network.named_modules())
        for name in modules if every else self.asked:
            if name:
                modules[name].register_forward_hook(partial(self._ended, name, grids))
        with torch.no_grad():
            self.network(**self.inputs)

    def _ended(self, name: str, grids: Any, module: nn.Module, _: Any, output: Any) -> None:
        time = self.times.get(name, 0)
        self.times[name] = time + 1
        same = isinstance(module, nn.Dropout | nn.Identity)
        self.measured += not same and any(one.ndim > 1 and len(one) == 1 for one in direct_tensors(output))
        if name in self.asked and wanted(self.asked[name], time):
            found = self._placing.find(name, module, output, grids.of(name) if grids else self._grid)
            self.shapes[filed(name, time)] = found if isinstance(found, str) else self._shape(*found)

    @staticmethod
    def _shape(x: torch.Tensor, layout: str, grid: Grid) -> Shape:
        return (x.shape[1] if layout == "map" else x.shape[2], *grid)
