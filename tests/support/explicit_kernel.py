"""A reference for changes of transformers: the kernel written out in the model's precision, with an edit in it.

It shares no code with `sdexplore.model`; layers are told apart by their `processor`.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

Edit = Callable[[str, int, torch.Tensor, torch.Tensor], torch.Tensor]
"""(layer, call of the transformer, probabilities (row, head, query, key), values) -> what the layer's heads give."""


def read(_: str, __: int, probs: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Nothing is edited."""
    return probs @ value


@contextlib.contextmanager
def explicit_kernel(pipe: Any, edit: Edit, monkeypatch: Any) -> Iterator[None]:
    """In the block, attention layers of the pipeline's transformer compute softmax and product as written here."""
    kernel, at, hooks = functional.scaled_dot_product_attention, {"layer": None, "call": -1}, []

    def written(query: Any, key: Any, value: Any, attn_mask: Any = None, *_: Any, **named: Any) -> torch.Tensor:
        if at["layer"] is None:
            return kernel(query, key, value, attn_mask, *_, **named)
        assert query.shape[1] == key.shape[1] == value.shape[1]
        scale = named.get("scale")
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:
            scores = scores + attn_mask
        return edit(at["layer"], at["call"], scores.softmax(-1), value)

    hooks.append(pipe.transformer.register_forward_pre_hook(lambda *_: at.update(call=at["call"] + 1)))
    for name, module in pipe.transformer.named_modules():
        if hasattr(module, "processor"):
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: at.update(layer=name)))
            hooks.append(module.register_forward_hook(lambda *_: at.update(layer=None)))
    with monkeypatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", written)
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


@contextlib.contextmanager
def predictions(pipe: Any) -> Iterator[list[torch.Tensor]]:
    """What the transformer gives in each call in the block, in its own precision."""
    found: list[torch.Tensor] = []

    def take(_: Any, __: Any, output: Any) -> None:
        made = output[0] if isinstance(output, tuple) else output.sample
        found.append(torch.stack(list(made)) if isinstance(made, list) else made.clone())

    hook = pipe.transformer.register_forward_hook(take)
    try:
        yield found
    finally:
        hook.remove()
