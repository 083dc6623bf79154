"""A second text stream beside a denoiser's own: words that the prompt need not have (ConceptAttention).

The concepts go through the blocks of two streams by the weights of the text. They attend to themselves and to the
picture, and nothing attends to them: the denoiser's own numbers stay as they are. A concept's score of a pixel is the
product of what both take from the attention layer, heads side by side, before the layer's last projection.

Source: Helbling et al. 2025, "ConceptAttention" (2502.04320), equations of section 4; its code for FLUX.1. We read a
concept as that code does: the first token of T5's text; of FLUX.1 without pooled text. Its code for Stable Diffusion 3
takes the averages and the norms otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import nn

from ...base.errors import RunError
from .attention_modules import Layer, Places
from .ways_in import Attended

_LARGEST = 65504  # in float16


def with_text_streams(denoiser: nn.Module, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """The same layers; those in a block of two streams know the block."""
    found = {}
    for name, layer in layers.items():
        block = denoiser.get_submodule(name.rpartition(".")[0])
        streams = layer.joint and getattr(block, "norm1_context", None) is not None
        found[name] = replace(layer, text_block=block) if streams else layer
    return found


class ConceptStream:
    """The concepts on their way through one call of the denoiser.

    Attributes:
        rows: Of the batch, beside which the concepts go.
    """

    def __init__(self, denoiser: Any, embeds: Float[torch.Tensor, "concept width"], rows: Sequence[int]) -> None:
        self.rows = tuple(rows)
        self._embeds, self._embedder = embeds, denoiser.context_embedder
        self._states: dict[int, torch.Tensor] = {}
        self._condition: torch.Tensor | None = None

    @torch.no_grad()
    def condition(self, made: Float[torch.Tensor, "row width"]) -> None:
        """Begins: time, and what else conditions the denoiser's blocks, of the whole batch."""
        first = self._embedder(self._embeds.to(made.device, made.dtype))
        self._states = dict.fromkeys(self.rows, first)
        self._condition = made

    @torch.no_grad()
    def attend(
        self, layer: Layer, attended: Attended, places: Places, rows: Sequence[int]
    ) -> Float[torch.Tensor, "row pixel concept"]:
        """The concepts' scores in a layer that attends with `attended`; the concepts then go on by its block."""
        attn: Any = layer.module
        block: Any = layer.text_block
        chosen = list(rows)
        if self._condition is None or attended.value is None or attended.made is None:
            raise RunError(f"Record(concepts=…): {layer.name!r} attended before the denoiser was told the time")
        states = torch.stack([self._states[row] for row in chosen])
        condition = self._condition[chosen]
        ends = getattr(block, "ff_context", None) is None  # Stable Diffusion 3's last block takes the text no further
        normed, *gates = (
            [block.norm1_context(states, condition)] if ends else block.norm1_context(states, emb=condition)
        )
        query, key, value = (
            project(normed).unflatten(-1, (attended.query.shape[1], -1)).transpose(1, 2)
            for project in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        )
        query, key = (
            x if norm is None else norm(x) for x, norm in ((query, attn.norm_added_q), (key, attn.norm_added_k))
        )
        keys, values = (
            torch.cat([own, whole[chosen][:, :, places.picture]], dim=2).float()
            for own, whole in ((key, attended.key), (value, attended.value))
        )
        probs = torch.softmax(query.float() @ keys.mT * attended.scale, dim=-1)
        taken = (probs @ values).transpose(1, 2).flatten(2)
        pictures = attended.made[chosen][:, :, places.picture].float().transpose(1, 2).flatten(2)
        if not ends:
            for row, state in zip(chosen, _onward(block, attn, states, taken, gates), strict=True):
                self._states[row] = state
        return pictures @ taken.mT


def _onward(
    block: Any, attn: Any, states: torch.Tensor, taken: torch.Tensor, gates: Sequence[torch.Tensor]
) -> torch.Tensor:
    """What the block makes of its text."""
    gate, shift, scale, gate_after = (one.unsqueeze(1) for one in gates)
    states = states + gate * attn.to_add_out(taken.to(states.dtype))
    after = block.ff_context(block.norm2_context(states) * (1 + scale) + shift)
    states = states + gate_after * after
    return states.clip(-_LARGEST, _LARGEST) if states.dtype == torch.float16 else states
