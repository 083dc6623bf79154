"""An independent witness of attention: it sees the queries and keys that the operations of the model get.

It uses nothing of sdexplore. In each attention layer of the UNet it records the arguments of the operation that makes
the probabilities (`scaled_dot_product_attention`, `get_attention_scores` or `OpaqueProcessor`'s own), and computes the
naive softmax of it in float32.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from tiny_families import OpaqueProcessor
from torch.nn import functional


@dataclass
class Witness:
    """What was seen.

    Attributes:
        calls: How often the UNet was called.
        naive: Layer -> for each of its calls the naive probabilities (row, head, query, key), float32.
        others: Layer -> how many further attention operations it made (an IP-Adapter's, over picture tokens).
    """

    calls: int = 0
    naive: dict[str, list[torch.Tensor]] = field(default_factory=lambda: defaultdict(list))
    others: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _layer: tuple[str, Attention] | None = None
    _seen: list[torch.Tensor] = field(default_factory=list)

    def note(self, query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        """Query and key, (row, head, position, width) or (row · head, position, width), as an operation gets them."""
        if self._layer is not None:
            scores = query.detach().float() @ key.detach().float().transpose(-1, -2) * scale
            self._seen.append(scores.softmax(-1))

    def _begin(self, name: str, module: Attention) -> None:
        self._layer, self._seen = (name, module), []

    def _end(self) -> None:
        (name, module), seen = self._layer, self._seen
        self._layer = None
        same = [probs for probs in seen if probs.shape[-1] == seen[0].shape[-1]]
        probs = same[0] if same[0].ndim == 4 else torch.cat(same).unflatten(0, (-1, module.heads))
        self.naive[name].append(probs.cpu())
        self.others[name] += len(seen) - (1 if same[0].ndim == 4 else len(same))


@contextlib.contextmanager
def witnessing(unet: torch.nn.Module, monkeypatch) -> Iterator[Witness]:
    """Records every attention of `unet` until the block ends."""
    witness = Witness()
    fused, naive, opaque = (
        functional.scaled_dot_product_attention,
        Attention.get_attention_scores,
        OpaqueProcessor.compute,
    )

    def fused_noted(query, key, value, *, attn_mask=None, **kwargs):
        assert attn_mask is None or witness._layer is None
        witness.note(query, key, kwargs.get("scale") or query.shape[-1] ** -0.5)
        return fused(query, key, value, attn_mask=attn_mask, **kwargs)

    def naive_noted(self, query, key, *args):
        witness.note(query, key, self.scale)
        return naive(self, query, key, *args)

    def opaque_noted(query, key, value, scale):
        witness.note(query, key, scale)
        return opaque(query, key, value, scale)

    def count(*_):
        witness.calls += 1

    with contextlib.ExitStack() as stack, monkeypatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", fused_noted)
        patch.setattr(Attention, "get_attention_scores", naive_noted)
        patch.setattr(OpaqueProcessor, "compute", staticmethod(opaque_noted))
        stack.callback(unet.register_forward_pre_hook(count).remove)
        for name, module in unet.named_modules():
            if isinstance(module, Attention):
                before = module.register_forward_pre_hook(lambda m, *_, name=name: witness._begin(name, m))
                after = module.register_forward_hook(lambda *_: witness._end())
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield witness


def untraced(pipe: Any, images: int, **arguments: Any) -> np.ndarray:
    """The pictures of the pipeline without sdexplore: floats (image, Y, X, 3)."""
    generators = [torch.Generator().manual_seed(5 + image) for image in range(images)]
    return pipe(**arguments, generator=generators if images > 1 else generators[0], output_type="np").images


def hooks_of(module: torch.nn.Module) -> list[tuple[str, int, int]]:
    return [
        (name, len(part._forward_hooks), len(part._forward_pre_hooks))
        for name, part in module.named_modules()
        if part._forward_hooks or part._forward_pre_hooks
    ]


def state_of(pipe: Any) -> tuple[Any, ...]:
    """What a run must not change: processors (the objects), hooks, attributes of scheduler and pipeline, devices."""
    processors = {name: id(processor) for name, processor in pipe.unet.attn_processors.items()}
    devices = {str(parameter.device) for parameter in (*pipe.unet.parameters(), *pipe.vae.parameters())}
    return processors, hooks_of(pipe.unet), "step" in vars(pipe.scheduler), "encode_prompt" in vars(pipe), devices
