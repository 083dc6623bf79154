"""What a VAE was like, so that a change of it is noticed later: its weights, its config, where and how it computes.

Weights are compared by sums over their bits, which take a few milliseconds where a decoded picture takes hundreds, and
which notice an edit in place as well as new weights. (torch counts edits of a tensor, but not those of `.data`.)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from ...base.display import clip, counted
from ...strings.wording import Told, told
from ...trace.provenance import DEFAULTS
from ..families.modules import modules_of

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_WORD = 8  # bytes
_SHOWN = 3


@dataclass(frozen=True)
class VaeCondition:
    """What a VAE's pictures depend on.

    Attributes:
        sums: Name of each weight -> a sum over its bits; None where the numbers are not at hand (offloaded weights).
        config: Its config.
        dtype: In which it computes.
        device: The kind of device on which it computes.
        tiles: The side of latents above which it decodes in tiles, which shows at their seams; None if it does not.
        hooks: How many hooks of others its modules have.
    """

    sums: Mapping[str, int | None]
    config: Mapping[str, str]
    dtype: str
    device: str
    tiles: int | None
    hooks: int

    @classmethod
    def of(cls, vae: torch.nn.Module, device: torch.device) -> "VaeCondition":
        """The condition of a VAE that computes on this device."""
        config = {name: str(value) for name, value in dict(vae.config).items() if name != DEFAULTS}  # type: ignore[arg-type]
        dtype = str(next(vae.parameters()).dtype).removeprefix("torch.")
        tiles = int(getattr(vae, "tile_latent_min_size", 0)) if getattr(vae, "use_tiling", False) else None
        modules = modules_of(vae).values()
        hooks = sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in modules)  # noqa: SLF001
        return cls(_sums(vae), config, dtype, device.type, tiles, hooks)

    def changes(self, now: "VaeCondition", side: int) -> str | None:
        """What differs in `now` so that pictures would be others, in words; None where nothing does.

        Args:
            side: The longer side of the latents.
        """
        if self.dtype != now.dtype:
            return Told(
                f"the VAE is {now.dtype} now and was {self.dtype} in the run, so that pictures would differ by "
                "rounding: trace.decode(with_=pipe.vae) decodes as it is, and its pictures say so",
                "decoding.dtype",
                {"now": now.dtype, "then": self.dtype},
            )
        names = self.config.keys() | now.config.keys()
        if other := sorted(name for name in names if self.config.get(name) != now.config.get(name)):
            before, after = (clip(str(one.config.get(other[0])), 40) for one in (self, now))
            return told("decoding.config", name=other[0], before=before, after=after)
        if (otherwise := self._otherwise(now, side)) is not None:
            return otherwise
        if self.sums.keys() != now.sums.keys():
            return told("decoding.layers")
        if weights := list(self._other_weights(now)):
            more = len(weights) - _SHOWN
            named = ", ".join(weights[:_SHOWN])
            return told(f"decoding.weights{'.more' if more > 0 else ''}", weights=named, more=more)
        return None

    def _otherwise(self, now: "VaeCondition", side: int) -> str | None:
        """What differs in how the same weights are used."""
        then_tiled, now_tiled = (one.tiles is not None and side > one.tiles for one in (self, now))
        if then_tiled != now_tiled or (now_tiled and self.tiles != now.tiles):
            how = {False: "at once", True: "in tiles"}
            other = " of another size" if now_tiled and then_tiled else ""
            return Told(
                f"the VAE decodes {how[now_tiled]}{other} now, and decoded {how[then_tiled]} in the run, so that "
                "pictures would differ at the seams: trace.decode(with_=pipe.vae) decodes as it is, and its "
                "pictures say so",
                "decoding.tiles",
            )
        if self.hooks != now.hooks:
            return Told(
                f"the modules of the VAE have {counted(now.hooks, 'hook')} and had {self.hooks} in the run, and a hook "
                "can change a picture: remove it, or trace.decode(with_=pipe.vae) decodes as it is",
                "decoding.hooks",
            )
        return None

    def _other_weights(self, now: "VaeCondition") -> Iterator[str]:
        for name, before in self.sums.items():
            if before is not None and now.sums[name] not in (None, before):
                yield name


def _sums(vae: torch.nn.Module) -> dict[str, int | None]:
    tensors = {
        f"{place}.{name}" if place else name: one
        for place, module in modules_of(vae).items()
        for kind in ("_parameters", "_buffers")
        for name, one in getattr(module, kind).items()
        if one is not None
    }
    found: dict[str, int | None] = dict.fromkeys(tensors)
    sums = {name: one for name, tensor in tensors.items() if (one := _sum(tensor.detach())) is not None}
    for device in {one.device for one in sums.values()}:
        there = [name for name, one in sums.items() if one.device == device]
        found |= zip(there, torch.stack([sums[name] for name in there]).tolist(), strict=True)  # one wait for a device
    return found


def _sum(tensor: torch.Tensor) -> torch.Tensor | None:
    """The sum over a tensor's bits, row by row, each row with its own weight, modulo 2⁶⁴.

    A row is summed in numbers of eight bytes where it is made of them, which torch adds without converting each.
    """
    if tensor.device.type == "meta" or type(tensor) not in (torch.Tensor, torch.nn.Parameter) or not tensor.numel():
        return None
    bits = tensor.contiguous().view(_BITS[tensor.element_size()]) if tensor.ndim < 2 else _rows_of(tensor)  # noqa: PLR2004
    rows = bits.sum(1, dtype=torch.int64) if bits.ndim > 1 else bits.to(torch.int64).flatten()
    return (rows * torch.arange(1, len(rows) + 1, device=rows.device)).sum()


def _rows_of(tensor: torch.Tensor) -> torch.Tensor:
    """(row, number): the bits of a tensor of several axes."""
    rows = tensor.contiguous().flatten(1)
    size = rows.element_size()
    if rows.shape[1] * size % _WORD:
        return rows.view(_BITS[size])
    begins = rows.storage_offset() * size % _WORD == 0
    return (rows if begins else rows.clone()).view(_BITS[_WORD])
