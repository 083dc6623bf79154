"""A second text stream beside a denoiser's own: words that the prompt need not have (ConceptAttention).

The concepts go through the blocks of two streams by the weights of the text. They attend to themselves and to the
picture, and nothing attends to them: the denoiser's own numbers stay as they are. A concept's score of a pixel is the
product of what both take from the attention layer, heads side by side, before the layer's last projection.

Source: Helbling et al. 2025, "ConceptAttention" (2502.04320), equations of section 4; its code for FLUX.1. We read a
concept as that code does: the first token of T5's text; of FLUX.1 without pooled text. Its code for Stable Diffusion 3
takes the averages and the norms otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import torch
from jaxtyping import Float
from torch import nn

from ...base.errors import RunError
from .attention_modules import Layer, Places
from .ways_in import Attended, Removable, in_float32

COPIES: Final = 1 << 24
"""Bytes that one copy of some heads in float32 may take, be it of keys, of values, or of what the picture takes."""
_LARGEST = 65504  # in float16


def with_text_streams(denoiser: nn.Module, layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """The same layers; those in a block of two streams know the block."""
    found = {}
    for name, layer in layers.items():
        block = denoiser.get_submodule(name.rpartition(".")[0])
        streams = layer.joint and getattr(block, "norm1_context", None) is not None
        found[name] = replace(layer, text_block=block) if streams else layer
    return found


def listen_to_conditioning(
    denoiser: Any,
    conditioning: Callable[[nn.Module, tuple[Any, ...], torch.Tensor], torch.Tensor],
    heard: Callable[[torch.Tensor], None],
) -> Removable:
    """Has `heard` called with what conditions the concepts (row, width), in each call before the first block.

    Args:
        conditioning: Makes it of a call of the module that conditions the blocks; `Family.concept_conditioning`.
    """

    def made(module: nn.Module, args: tuple[Any, ...], out: torch.Tensor) -> None:
        with torch.no_grad():
            heard(conditioning(module, args, out))

    hook: Removable = denoiser.time_text_embed.register_forward_hook(made)
    return hook


class ConceptStream:
    """The concepts on their way through one call of the denoiser.

    Attributes:
        rows: Of the batch, beside which the concepts go.
    """

    def __init__(
        self,
        denoiser: Any,
        embeds: Float[torch.Tensor, "concept width"],
        rows: Sequence[int],
        layers: Sequence[str],
    ) -> None:
        """The concepts begin with their embeddings.

        Args:
            layers: That they go through in this call, in order.
        """
        self.rows = tuple(rows)
        self._embeds, self._embedder = embeds, denoiser.context_embedder
        self._states: dict[int, torch.Tensor] = {}
        self._condition: torch.Tensor | None = None
        self._ahead = {row: list(layers) for row in self.rows}

    @torch.no_grad()
    def condition(self, made: Float[torch.Tensor, "row width"]) -> None:
        """Begins: time, and what else conditions the denoiser's blocks, of the whole batch."""
        first = self._embedder(self._embeds.to(made.device, made.dtype))
        self._states = dict.fromkeys(self.rows, first)
        self._condition = made

    def reaches(self, layer: Layer, row: int) -> bool:
        """Whether the concepts have gone through every layer before this one.

        They have not where a cache gave an earlier step's result in such a layer's place: it has none of the concepts.
        """
        return self._ahead[row][:1] == [layer.name]

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
        taken, scores = _scored(query, key, value, attended, places, chosen)
        for row in chosen:
            self._ahead[row].pop(0)
        if not ends:
            for row, state in zip(chosen, _onward(block, attn, states, taken, gates), strict=True):
                self._states[row] = state
        return scores


def _scored(
    query: Float[torch.Tensor, "row head concept width"],
    key: Float[torch.Tensor, "row head concept width"],
    value: Float[torch.Tensor, "row head concept width"],
    attended: Attended,
    places: Places,
    rows: list[int],
) -> tuple[Float[torch.Tensor, "row concept inner"], Float[torch.Tensor, "row pixel concept"]]:
    """What the concepts take, and their scores, in float32; of as many heads at a time as `COPIES` has room for."""
    pixels = len(range(*places.picture.indices(attended.key.shape[-2])))
    many = max(1, COPIES // (4 * len(rows) * pixels * query.shape[-1]))
    parts, scores = [], None
    with in_float32(query.device):
        for start in range(0, query.shape[1], many):
            heads = slice(start, start + many)
            keys, values = (
                torch.cat([own[:, heads].float(), whole[rows, heads, places.picture]], dim=2)  # float32, as the first
                for own, whole in ((key, attended.key), (value, cast("torch.Tensor", attended.value)))
            )
            probs = torch.softmax(query[:, heads].float() @ keys.mT * attended.scale, dim=-1)
            taken = (probs @ values).transpose(1, 2).flatten(2)
            del keys, values
            made = cast("torch.Tensor", attended.made)[rows, heads, places.picture].float()
            own = made.transpose(1, 2).flatten(2) @ taken.mT
            scores = own if scores is None else scores + own
            parts.append(taken)
    return torch.cat(parts, dim=-1), cast("torch.Tensor", scores)


def _onward(
    block: Any, attn: Any, states: torch.Tensor, taken: torch.Tensor, gates: Sequence[torch.Tensor]
) -> torch.Tensor:
    """What the block makes of its text."""
    gate, shift, scale, gate_after = (one.unsqueeze(1) for one in gates)
    states = states + gate * attn.to_add_out(taken.to(states.dtype))
    after = block.ff_context(block.norm2_context(states) * (1 + scale) + shift)
    states = states + gate_after * after
    return states.clip(-_LARGEST, _LARGEST) if states.dtype == torch.float16 else states
