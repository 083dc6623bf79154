"""Reads where words look, and the loss that teaches them to look at the things that they name."""

import functools
import math
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from diffusers import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdexplore.mini.training.dataset import GROUPS


class CrossAttention:
    """The cross-attention of a UNet's last call inside a `with`, in every layer except the mid block's.

    Args:
        unet: The network to read.
        local: Whether gradients stay inside a layer. Then they reach its `to_q` and `to_k` only, and the call of the
            UNet needs no gradient.
    """

    def __init__(self, unet: UNet2DConditionModel, *, local: bool = False) -> None:
        self.layers: dict[str, Any] = {
            name: module
            for name, module in unet.named_modules()
            if name.endswith("attn2") and not name.startswith("mid")
        }
        self._local = local
        self._seen: dict[tuple[str, str], Tensor] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "CrossAttention":  # noqa: PYI034  (the runtime checker knows no Self)
        for name, layer in self.layers.items():
            for part in ("to_q", "to_k"):
                hook = functools.partial(self._keep, (name, part))
                self._handles.append(getattr(layer, part).register_forward_hook(hook))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._handles:
            self._handles.pop().remove()
        self._seen.clear()

    @property
    def projections(self) -> list[nn.Parameter]:
        """The weights of every `to_q` and `to_k`."""
        parts = (part for layer in self.layers.values() for part in (layer.to_q, layer.to_k))
        return [weight for part in parts for weight in part.parameters()]

    def probs(self, rows: int | None = None) -> Iterator[Float[Tensor, "batch query token"]]:
        """Yields the probabilities of the last call layer by layer, as a mean over heads, and then deletes them.

        Args:
            rows: Number of rows of the batch, from the first; None takes all.
        """
        for name, layer in self.layers.items():
            query, key = (
                projected.reshape(*projected.shape[:2], layer.heads, -1).transpose(1, 2)
                for projected in (self._projected(name, part, rows) for part in ("to_q", "to_k"))
            )
            scores = (query @ key.transpose(-1, -2)).float() * layer.scale
            yield torch.softmax(scores, -1).mean(1)
        self._seen.clear()

    def _keep(self, key: tuple[str, str], _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._seen[key] = inputs[0] if self._local else output

    def _projected(self, name: str, part: str, rows: int | None) -> Float[Tensor, "batch n width"]:
        seen = self._seen[name, part][:rows].float()
        return F.linear(seen.detach(), getattr(self.layers[name], part).weight) if self._local else seen


def select_groups(
    token_groups: Int[Tensor, "batch token"],
) -> Float[Tensor, "batch 5 token"]:
    """Returns 1 where a token names a group, else 0."""
    groups = torch.arange(GROUPS, device=token_groups.device).view(1, GROUPS, 1)
    return (token_groups[:, None] == groups).float()


def named_and_seen(
    selectors: Float[Tensor, "batch 5 token"], masks: Float[Tensor, "batch 5 y x"]
) -> Float[Tensor, "batch 5"]:
    """Returns 1 for the groups that the caption names and that cover more than 4 latent pixels, else 0."""
    return ((selectors.sum(-1) > 0) & (masks.sum((2, 3)) > 4)).float()  # noqa: PLR2004  (as said)


def alignment_loss(
    probs: Iterable[Float[Tensor, "batch _ token"]],
    selectors: Float[Tensor, "batch 5 token"],
    masks: Float[Tensor, "batch 5 y x"],
    weights: Float[Tensor, "batch 5"],
) -> Float[Tensor, ""]:
    """Returns -log of the share of each word's attention that lies inside its mask, as a mean over layers.

    The loss depends on where a word looks, and not on how much attention it gets: a map times a constant gives the same
    loss.

    Args:
        probs: One entry for each layer. Queries are the pixels of a square, row by row.
        selectors: Which tokens name a group.
        masks: Where the group is visible, 0 to 1.
        weights: Weight of each group in each row.
    """
    losses = []
    for layer in probs:
        factor = masks.shape[-1] // math.isqrt(layer.shape[1])
        target = F.avg_pool2d(masks, factor).flatten(2)
        looks = torch.einsum("bqt,bgt->bgq", layer, selectors)
        inside = (looks * target).sum(-1) / looks.sum(-1).clamp(min=1e-9)
        penalty = -(inside.clamp(min=1e-4).log() * weights).sum()
        losses.append(penalty / weights.sum().clamp(min=1))
    return torch.stack(losses).mean()
