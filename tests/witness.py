"""An independent witness of attention: sees the very queries and keys that the model's own operations get.

Nothing here is sdexplore's. Around each attention layer of the UNet it notes what is given to the operation that makes
the probabilities (`scaled_dot_product_attention`, `get_attention_scores` or a processor's own), and computes the naive
softmax of it in float32.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from diffusers.models.attention_processor import Attention


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

    def compute(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        """An opaque attention operation, as a kernel library has: noted, not to be looked into by hooks."""
        self.note(query, key, scale)
        return (query.double() @ key.double().transpose(-1, -2) * scale).softmax(-1).to(value.dtype) @ value

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
    """Notes every attention of `unet` until the block ends."""
    witness = Witness()
    fused, naive = torch.nn.functional.scaled_dot_product_attention, Attention.get_attention_scores

    def fused_noted(query, key, *args, **kwargs):
        assert args == () or args[1:] == ()
        witness.note(query, key, kwargs.get("scale") or query.shape[-1] ** -0.5)
        return fused(query, key, *args, **kwargs)

    def naive_noted(self, query, key, *args):
        witness.note(query, key, self.scale)
        return naive(self, query, key, *args)

    def count(*_):
        witness.calls += 1

    with contextlib.ExitStack() as stack, monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", fused_noted)
        patch.setattr(Attention, "get_attention_scores", naive_noted)
        stack.callback(unet.register_forward_pre_hook(count).remove)
        for name, module in unet.named_modules():
            if isinstance(module, Attention):
                before = module.register_forward_pre_hook(lambda m, *_, name=name: witness._begin(name, m))
                after = module.register_forward_hook(lambda *_: witness._end())
                stack.callback(before.remove)
                stack.callback(after.remove)
        yield witness
