"""The latents that the picture was decoded from: what the last step returned, as the pipeline changed it afterwards."""

from typing import Any

import torch

from ..components import decoding
from ..components.pipeline_parts import autoencoder
from ..families import family_of

_WITH_FRAMES = 5  # axes
_ULPS = 4  # by which the same formula, in another order, may differ


def last_latents(pipe: Any, stepped: torch.Tensor, decoded: torch.Tensor | None, output: Any) -> torch.Tensor:
    """What decoding started from, (image, channel, y, x); of a video (image, channel, frame, y, x).

    Inpainting puts the kept half of the picture into the latents after each step, and a callback may change them. What
    the pipeline returned as latents is that itself; what it gave to its VAE is that, scaled.

    Args:
        stepped: What the last step returned.
        decoded: What the VAE was given after it; None if it was not called.
        output: Of the pipeline; None if the run was stopped.
    """
    made = output[0] if isinstance(output, tuple) and output else getattr(output, "images", None)
    if stepped.ndim == _WITH_FRAMES:
        made, decoded = _of_video(pipe, stepped, decoded, made if made is not None else getattr(output, "frames", None))
    if isinstance(made, torch.Tensor) and decoded is None and made.shape == stepped.shape:
        return made
    if decoded is None or decoded.shape != stepped.shape or autoencoder(pipe) is None:
        return stepped
    mine = stepped.to(decoded.device, decoded.dtype)
    expected = decoding.unscaled(pipe, mine)
    eps = max(torch.finfo(one.dtype).eps for one in (stepped, decoded))
    same = torch.isclose(expected, decoded, rtol=_ULPS * eps, atol=_ULPS * eps)
    if bool(same.all()) or torch.equal(mine, decoded):  # some pipelines do not scale
        return stepped
    if bool((~decoded.isfinite()).any()):
        return stepped
    found = _unrounded(pipe, decoded)
    if found is None:  # this pipeline does otherwise than scale
        return stepped
    return torch.where(same, mine, found)


def _of_video(
    pipe: Any, stepped: torch.Tensor, decoded: torch.Tensor | None, made: Any
) -> tuple[Any, torch.Tensor | None]:
    """What a video pipeline returned, and what it gave its VAE, with axes as the latents have them."""
    if isinstance(made, torch.Tensor) and made.ndim == stepped.ndim:
        made = family_of(pipe).unpacked(made, (0, 0))[:, :, -stepped.shape[2] :]  # without padding in front
    if decoded is not None and decoded.ndim < stepped.ndim and decoded.numel() == stepped.numel():
        videos, _, frames = stepped.shape[:3]
        decoded = decoded.unflatten(0, (videos, frames)).transpose(1, 2)  # type: ignore[no-untyped-call]
    return made, decoded


def _unrounded(pipe: Any, decoded: torch.Tensor) -> torch.Tensor | None:
    """Latents that scale to `decoded` to the bit wherever there are such; None if scaling is another formula here."""
    near = decoding.scaled(pipe, decoded)
    found = near
    for way in (torch.inf, -torch.inf):
        wrong = decoding.unscaled(pipe, found) != decoded
        if not bool(wrong.any()):
            break
        moved = torch.nextafter(near, torch.full_like(near, way)) if near.is_cpu else near
        better = wrong & (decoding.unscaled(pipe, moved) == decoded)
        found = torch.where(better, moved, found)
    back = decoding.unscaled(pipe, found)
    eps = torch.finfo(decoded.dtype).eps
    return found if torch.allclose(back, decoded, rtol=_ULPS * eps, atol=_ULPS * eps) else None
