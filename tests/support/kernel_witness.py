"""An independent witness of a transformer's attention: what the model's own kernel was given, layer by layer.

It uses nothing of sdexplore. The probabilities of a call are computed twice: naively in float64, and by the fused
kernel itself, whose V is the identity, as many columns at a time as a head is wide (another width than Q's would be
computed by another kernel).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional

KERNEL = functional.scaled_dot_product_attention


@dataclass
class Given:
    """What one layer's kernel was given in one call of the denoiser, and what it returned."""

    layer: str
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    made: torch.Tensor
    mask: torch.Tensor | None = None
    scale: float | None = None

    def naive(self, times: float = 1.0) -> torch.Tensor:
        """(row, head, query, key) in float64; `times` puts a wrong scale in."""
        scale = (self.query.shape[-1] ** -0.5 if self.scale is None else self.scale) * times
        scores = self.query.double() @ self.key.double().mT * scale
        if self.mask is not None and self.mask.dtype == torch.bool:
            scores = scores.masked_fill(~self.mask, -torch.inf)
        elif self.mask is not None:
            scores = scores + self.mask.double()
        return scores.softmax(-1).nan_to_num()

    def kernels_own(self) -> torch.Tensor:
        """The same, made by the fused kernel."""
        width, keys, parts = self.query.shape[-1], self.key.shape[2], []
        for start in range(0, keys, width):
            value = torch.zeros(keys, width)
            many = min(width, keys - start)
            value[start : start + many, :many] = torch.eye(many)
            whole = value.expand(*self.key.shape[:2], -1, -1).contiguous()
            parts.append(KERNEL(self.query, self.key, whole, attn_mask=self.mask, scale=self.scale))
        return torch.cat(parts, -1)[..., :keys]


@dataclass
class Witness:
    """What was seen.

    Attributes:
        calls: What each layer's kernel was given, call by call of the denoiser.
        ids: Text encoder -> the ids of every call of it.
    """

    calls: list[dict[str, Given]] = field(default_factory=list)
    ids: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    _layer: str | None = None

    def begin(self, *_: Any) -> None:
        self.calls.append({})

    def enter(self, name: str | None) -> None:
        self._layer = name

    def kernel(self, query: Any, key: Any, value: Any, attn_mask: Any = None, *more: Any, **named: Any) -> torch.Tensor:
        made = KERNEL(query, key, value, attn_mask, *more, **named)
        if self._layer is not None:
            given = Given(self._layer, query, key, value, made, attn_mask, named.get("scale"))
            assert self.calls[-1].setdefault(self._layer, given) is given, "a layer attended twice"
        return made

    def read(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        ids = kwargs.get("input_ids", args[0] if args else None)
        self.ids.setdefault(name, []).append(ids.detach().clone())


@contextlib.contextmanager
def witnessing(pipe: Any, monkeypatch: Any) -> Iterator[Witness]:
    """Sees what the kernel of each attention layer of a pipeline's transformer is given, and text encoders read."""
    witness, hooks = Witness(), [pipe.transformer.register_forward_pre_hook(lambda *_: witness.begin())]
    for name, module in pipe.transformer.named_modules():
        if hasattr(module, "processor"):
            hooks += [
                module.register_forward_pre_hook(lambda *_, name=name: witness.enter(name)),
                module.register_forward_hook(lambda *_: witness.enter(None)),
            ]
    for name, part in pipe.components.items():
        if name.startswith("text_encoder") and part is not None:
            hooks.append(
                part.register_forward_pre_hook(lambda _, a, k, name=name: witness.read(name, a, k), with_kwargs=True)
            )
    with monkeypatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", witness.kernel)
        try:
            yield witness
        finally:
            for hook in hooks:
                hook.remove()
