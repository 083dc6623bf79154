"""What modules of the denoiser give, read by hooks that return nothing: features, and statistics of all.

A reader is one kind of reading for one run. The observer tells it which call is under way, where it files what it
reads.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from jaxtyping import Float32
from torch import nn

from ...base.errors import RunError
from ...base.known_names import lies_in
from ..families.family import Family
from ..families.grids import Grids
from ..families.modules import modules_of
from ..families.placing import Placing, direct_tensors
from ..families.ways_in import Removable
from .denoiser_call import DenoiserCall
from .module_names import Times, filed, missed, wanted
from .own_calls import OwnCalls

_HALF = torch.float16
_SAME = (nn.Dropout, nn.Identity)  # which give what they are given


class ModuleReader(ABC):
    """Hooks on some modules of a denoiser.

    Attributes:
        call: The call under way; None between two.
    """

    def __init__(self, own: OwnCalls) -> None:
        self._own = own
        self.call: DenoiserCall | None = None
        self._times: dict[str, int] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "ModuleReader":
        """The hooks of a copied denoiser read nothing."""
        copied = object.__new__(type(self))
        copied._own, copied.call = deepcopy(self._own, memo), None
        return copied

    def hooks(self) -> Iterator[Removable]:
        """Puts its hooks on the modules."""
        for name, module in self.modules().items():
            yield module.register_forward_hook(partial(self._ended, name))

    def begin(self, call: DenoiserCall) -> None:
        """A call of the denoiser begins."""
        self.call = call if call.plan.rows else None
        self._times = {}

    def end(self) -> None:
        """It is over; RunError if what was to be read was not there."""
        if self.call is not None:
            self.check(self.call, self._times)
        self.call = None

    @abstractmethod
    def modules(self) -> Mapping[str, nn.Module]:
        """The modules that are read, by name."""

    @abstractmethod
    def read(self, call: DenoiserCall, name: str, time: int, module: nn.Module, output: Any) -> None:
        """Reads what a module gave, the time-th time in this call."""

    @abstractmethod
    def check(self, call: DenoiserCall, seen: Mapping[str, int]) -> None:
        """The call is over, in which modules ran so many times."""

    def _ended(self, name: str, module: nn.Module, _: Any, output: Any) -> None:
        if self.call is None or not self._own.here():
            return
        time = self._times.get(name, 0)
        self._times[name] = time + 1
        self.read(self.call, name, time, module, output)


class FeatureReader(ModuleReader):
    """Keeps the outputs of named modules, the picture's places of them.

    Attributes:
        beyond: As filed -> whether a finite number of any row did not fit into float16.
    """

    def __init__(
        self, family: Family, denoiser: nn.Module, asked: Mapping[str, Times], dtype: torch.dtype, own: OwnCalls
    ) -> None:
        super().__init__(own)
        self._family, self._denoiser, self._asked, self._dtype = family, denoiser, asked, dtype
        self._layers = family.attention_layers(denoiser)
        self._grids: Grids
        self._placing: Placing | None = None
        self.beyond: dict[str, torch.Tensor] = {}

    def modules(self) -> dict[str, nn.Module]:
        """Those that were named."""
        return {name: self._denoiser.get_submodule(name) for name in self._asked}

    def begin(self, call: DenoiserCall) -> None:
        """As every reader's; grids are told by the call's arguments, or by what runs in it."""
        super().begin(call)
        self._grids.begin(call.inputs)
        self._placing = None

    def hooks(self) -> Iterator[Removable]:
        """As every reader's, and those that tell grids."""
        self._grids = self._family.grids(self._denoiser, self._asked)
        yield self._grids
        yield from super().hooks()

    def read(self, call: DenoiserCall, name: str, time: int, module: nn.Module, output: Any) -> None:
        """Copies the rows that are recorded: a later module may write into the tensor."""
        if not wanted(self._asked[name], time):
            return
        key = filed(name, time)
        if self._placing is None:
            self._placing = Placing.of_call(self._family, self._denoiser, call.inputs, self._layers)
        found = self._placing.find(name, module, output, self._grids.of(name))
        if isinstance(found, str):
            out = "Leave it out" + f"; {name}#0 is its first time alone" * (time > 0 and self._asked[name] is None)
            raise RunError(f"Record(features=…): {key!r} cannot be laid out as a picture: {found}. {out}")
        if found[0].shape[0] != len(call.plan.roles):
            raise RunError(
                f"Record(features=…): {key!r} gives {found[0].shape[0]} rows, and the batch has {len(call.plan.roles)}"
            )
        for row in call.plan.rows:
            whole = self._placing.row(found, row, call.inputs)
            kept = whole.detach().to(self._dtype, copy=True, memory_format=torch.contiguous_format)
            call.features.setdefault(key, {})[row] = kept
            if self._dtype == _HALF and whole.dtype != _HALF:
                lost = (kept.isinf() & whole.isfinite()).any()
                self.beyond[key] = lost if key not in self.beyond else self.beyond[key] | lost

    def check(self, call: DenoiserCall, seen: Mapping[str, int]) -> None:
        """RunError where a module did not run, unless the call leaves it out by its own arguments."""
        skipped = self._family.skipped(call.inputs)
        for name in missed(self._asked, seen):
            if not skipped or not lies_in(name, *skipped):
                raise RunError(
                    f"Record(features=…): {name!r} did not run in a call of the denoiser, or not so many times: its "
                    "results are reused, or something computes past it. Leave it out"
                )


class StatisticsReader(ModuleReader):
    """Measures what every module returns.

    Attributes:
        names: Of the modules, as filed, in the order in which they end in the first call that is recorded.
    """

    def __init__(self, denoiser: nn.Module, own: OwnCalls) -> None:
        super().__init__(own)
        self._denoiser = denoiser
        self.names: dict[str, int] = {}
        self._settled = False
        self._found: dict[str, torch.Tensor] = {}

    def modules(self) -> dict[str, nn.Module]:
        """Every module inside the denoiser that may give something else than it is given."""
        every = modules_of(self._denoiser)
        return {name: one for name, one in every.items() if name and not isinstance(one, _SAME)}

    def begin(self, call: DenoiserCall) -> None:
        """As every reader's."""
        super().begin(call)
        self._found = {}

    def read(self, call: DenoiserCall, name: str, time: int, module: nn.Module, output: Any) -> None:  # noqa: ARG002
        """Measures the rows that are recorded."""
        batch = len(call.plan.roles)
        tensors = [one for one in direct_tensors(output) if one.ndim > 1 and len(one) == batch and one.numel()]
        if tensors:
            self._found[filed(name, time)] = measured(tensors, call.plan.rows)

    def check(self, call: DenoiserCall, seen: Mapping[str, int]) -> None:  # noqa: ARG002
        """Files the call's numbers, modules in their order; RunError where one runs that did not in the first call."""
        if not self._settled:
            self.names, self._settled = {name: place for place, name in enumerate(self._found)}, True
        if new := [name for name in self._found if name not in self.names]:
            raise RunError(
                f"Record(statistics=True): {new[0]!r} runs in this call and did not in the first that was recorded: "
                "there is no place for it. Switch off what skips it, or record other steps: Record(steps=…)"
            )
        if not self._found:
            return
        device = next(iter(self._found.values())).device
        there = torch.stack([one.to(device) for one in self._found.values()], dim=1).to("cpu")  # one wait a call
        whole = torch.full((len(call.plan.rows), len(self.names), there.shape[-1]), torch.nan)
        whole[:, [self.names[name] for name in self._found]] = there
        call.statistics = dict(zip(call.plan.rows, whole, strict=True))


def beyond_float16(readers: Iterable[ModuleReader]) -> list[str]:
    """Modules, as filed, that gave finite numbers beyond the greatest float16, where that is what they are kept as."""
    found = (one.beyond.items() for one in readers if isinstance(one, FeatureReader))
    return [key for several in found for key, lost in several if bool(lost)]


def measured(tensors: list[torch.Tensor], rows: tuple[int, ...]) -> Float32[torch.Tensor, "row 5"]:
    """Of each row: mean, standard deviation, least and greatest of its finite numbers, and the share of the others.

    The standard deviation is that of the numbers themselves (division by their count). Computed in float32, or in the
    tensors' own float64. Where no number is finite, the first four are NaN.
    """
    picked = [one if len(one) == len(rows) else one[list(rows)] for one in tensors]
    parts = [one.detach().flatten(1) for one in picked]
    x = parts[0] if len(parts) == 1 else torch.cat([one.to(parts[0].dtype) for one in parts], dim=1)
    x = x if x.dtype == torch.float64 else x.float()
    if x.device.type == "cpu":  # where a look at a number waits for nobody
        spread, mean = torch.var_mean(x, dim=1, correction=0)
        least, most = torch.aminmax(x, dim=1)
        if bool(torch.isfinite(spread).all()):
            return torch.stack([mean, spread.sqrt(), least, most, torch.zeros_like(mean)], dim=1).float()
    finite = torch.isfinite(x)
    count = finite.sum(1)
    mean = torch.where(finite, x, 0).sum(1) / count
    spread = torch.where(finite, x - mean[:, None], 0).square().sum(1) / count
    none = count == 0
    least = torch.where(finite, x, torch.inf).amin(1).masked_fill(none, torch.nan)
    most = torch.where(finite, x, -torch.inf).amax(1).masked_fill(none, torch.nan)
    return torch.stack([mean, spread.sqrt(), least, most, 1 - count / x.shape[1]], dim=1).float()
