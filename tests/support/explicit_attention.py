"""A reference for changes of attention: softmax and products written out, with an edit of the probabilities between.

It shares no code with `sdexplore.model.interventions`.
"""

from collections.abc import Callable
from typing import Any

import torch

Edit = Callable[[str, torch.Tensor, bool, int], torch.Tensor]
"""(layer, probabilities (row, head, pixel, key), whether the keys are words, step) -> what takes their place."""


class _Explicit:
    def __init__(self, name: str, drawn: "_Drawn") -> None:
        self.name, self.drawn = name, drawn

    def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, *_: Any, **__: Any) -> Any:
        cross = encoder_hidden_states is not None
        text = encoder_hidden_states if cross else hidden_states
        q, k, v = (
            projected.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for projected in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        probs = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, dim=-1)
        out = self.drawn.edit(self.name, probs, cross, self.drawn.step) @ v
        return attn.to_out[1](attn.to_out[0](out.transpose(1, 2).flatten(2)))


class _Drawn:
    def __init__(self, edit: Edit) -> None:
        self.edit, self.step, self.latents = edit, 0, []

    def after(self, step: int, values: dict[str, Any]) -> dict[str, Any]:
        self.step = step + 1
        self.latents.append(values["latents"].clone())
        return values


def explicit(
    pipe: Any, edit: Edit, after_step: Callable[..., torch.Tensor] | None = None, **call: Any
) -> list[torch.Tensor]:
    """The latents after each step, in the model's own precision, of the pipeline's call with edited probabilities.

    Args:
        after_step: (step, latents before it, latents after it) -> latents that take their place.
    """
    drawn = _Drawn(edit)
    own = dict(pipe.unet.attn_processors)
    pipe.unet.set_attn_processor({name: _Explicit(name.removesuffix(".processor"), drawn) for name in own})

    def after(_: Any, step: int, __: Any, values: dict[str, Any]) -> dict[str, Any]:
        if after_step is not None:
            values["latents"] = after_step(step, values["latents"])
        return drawn.after(step, values)

    try:
        pipe(**call, output_type="latent", callback_on_step_end=after)
    finally:
        pipe.unet.set_attn_processor(own)
    return drawn.latents


def changed(pipe: Any, prompt: Any, **call: Any) -> tuple[Any, list[torch.Tensor]]:
    """What `run` returns, and the latents after each step in the model's own precision."""
    import sdexplore as sdx

    latents: list[torch.Tensor] = []

    def after(_: Any, __: int, ___: Any, values: dict[str, Any]) -> dict[str, Any]:
        latents.append(values["latents"].clone())
        return values

    return sdx.run(pipe, prompt, output_type="latent", callback_on_step_end=after, **call), latents


def apart(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """The largest difference between latents after the same steps."""
    assert len(left) == len(right) > 0
    return max(float((one - other).abs().max()) for one, other in zip(left, right, strict=True))
