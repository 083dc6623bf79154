"""Turns latents into pictures: by the VAE's decoder, or by a linear preview that is fitted to the same VAE.

The autoencoder is the pipeline's `vae`, or the `vqvae` of latent diffusion's own pipelines. Pipelines in pixel space
(DDPM) have none: their latents are the picture, from −1 to 1, and its preview is exact.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from jaxtyping import Float, Float32, UInt8

from ...base.errors import InspectionError
from ...trace.frame_axis import middle, middle_of
from ..families import family_of
from .host_copies import float32_vae
from .pipeline_parts import autoencoder, in_pixel_space, vae_scale_factor

_FITTED: WeakKeyDictionary[torch.nn.Module, np.ndarray] = WeakKeyDictionary()
_WITH_FRAMES = 5  # axes
_OVER_TIME = ("temperal_downsample", "temporal_compression_ratio")  # in configs of Wan's kin, and of CogVideoX's
_FIT_PICTURES, _FIT_SIDE, _FIT_COLOURS = 8, 8, 4


def decode(pipe: Any, latents: Float[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "Y X 3"]:
    """The picture that the pipeline's VAE makes of latents on the variance-preserving scale, as the pipeline does."""
    if in_pixel_space(pipe):
        return of_pixels(latents)
    return decode_with(_autoencoder(pipe), image_processor(pipe), device_of_decoder(pipe), latents)


def decode_with(
    vae: Any, processor: Any, device: torch.device, latents: Float[np.ndarray, "channel *frame y x"]
) -> UInt8[np.ndarray, "Y X 3"]:
    """The picture that an autoencoder makes of latents on the variance-preserving scale; of a video its middle frame.

    An autoencoder of videos makes each frame of those before it, and so decodes all of them for the one. Where it is of
    pictures, it decodes that one alone.
    """
    if not _of_videos(vae):
        latents = middle_of(latents)
    with torch.inference_mode(), float32_vae(vae):
        parameter = next(vae.parameters())
        z = torch.from_numpy(np.array(latents)).unsqueeze(0).to(device, parameter.dtype)
        image = vae.decode(_framed(_unscaled(z, vae), vae), return_dict=False)[0]
        image = image[:, :, middle(image.shape[2])] if image.ndim == _WITH_FRAMES else image
        array = processor.postprocess(image, output_type="np")[0]
    pixels: np.ndarray = (array * 255).round().astype(np.uint8)
    return pixels


def of_pixels(latents: Float[np.ndarray, "channel y x"]) -> UInt8[np.ndarray, "Y X 3"]:
    """The picture that latents in pixel space are."""
    image = torch.from_numpy(np.array(latents)).unsqueeze(0)
    return uint8(image.clamp(-1, 1).expand(1, 3, *image.shape[2:]))


def differentiable(pipe: Any, until: ExitStack) -> Callable[[torch.Tensor], torch.Tensor]:
    """Latents (image, channel, y, x) -> pictures (image, 3, Y, X) in 0..1, unclipped, with gradients.

    A half-precision VAE that needs it computes in float32 until `until` closes, so that gradients do so too.
    """

    def decoded(latents: torch.Tensor) -> torch.Tensor:
        until.enter_context(float32_vae(pipe.vae))
        z = latents.to(device_of_decoder(pipe), next(pipe.vae.parameters()).dtype)
        picture: torch.Tensor = pipe.vae.decode(_unscaled(z, pipe.vae), return_dict=False)[0]
        return picture.float() / 2 + 0.5

    return decoded


def encode(pipe: Any, picture: torch.Tensor) -> torch.Tensor:
    """The latents (1, channel, y, x) that the pipeline would start from for a picture (1, 3, Y, X) in −1..1.

    They are the mode of the VAE's posterior, so that the same picture always has the same latents.
    """
    return encode_with_spread(pipe, picture)[0]


def encode_with_spread(pipe: Any, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`encode`, and the standard deviation of the VAE's posterior on the same scale; None for a VQ-VAE."""
    vae = _autoencoder(pipe)
    with torch.inference_mode(), float32_vae(vae):
        parameter = next(vae.parameters())
        encoded = vae.encode(_framed(picture.to(device_of_decoder(pipe), parameter.dtype), vae))
        if not hasattr(
            encoded, "latent_dist"
        ):  # a VQModel quantizes in its decoder; a deep compression one has no spread
            found = encoded.latents if hasattr(encoded, "latents") else encoded.latent
            return _scaled(found, vae).float(), None
        mode, spread = (
            one[:, :, 0] if one.ndim == _WITH_FRAMES else one
            for one in (encoded.latent_dist.mode(), encoded.latent_dist.std)
        )
        if _batch_norm(vae) is None:
            spread = spread / _statistics(spread, vae)[1] * _factor(vae)
        else:
            spread = _patches(spread) / _statistics(_patches(spread), vae)[1]
        return _scaled(mode, vae).float(), spread.float()


def unscaled(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as the VAE itself has them, from latents as the denoiser has them."""
    return _unscaled(latents, _autoencoder(pipe))


def scaled(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as the denoiser has them, from latents as the VAE itself has them."""
    return _scaled(latents, _autoencoder(pipe))


def latent_rgb(pipe: Any) -> Float32[np.ndarray, "features 3"]:
    """A matrix M for which [latents, 1] @ M is about the picture's RGB (0..1) at that latent pixel.

    It is fitted by least squares to smooth random colour fields that this VAE encodes, once for each VAE. No prompt and
    no run enters, so a model's preview is always the same. Others publish such constants for SD 1.x.
    """
    if in_pixel_space(pipe):
        channels = family_of(pipe).in_channels(pipe)
        matrix = np.full((1, 3), 0.5) if channels == 1 else 0.5 * np.eye(3)
        return np.vstack([matrix, np.full((1, 3), 0.5)]).astype(np.float32)
    vae = _autoencoder(pipe)
    if vae not in _FITTED:
        _FITTED[vae] = _fit(pipe)
    return _FITTED[vae]


def fitted(pipe: Any) -> bool:
    """Whether `latent_rgb` of this pipeline is known already, and costs nothing."""
    return in_pixel_space(pipe) or autoencoder(pipe) in _FITTED


def _fit(pipe: Any) -> Float32[np.ndarray, "features 3"]:
    factor = vae_scale_factor(pipe)
    rng = np.random.default_rng(0)
    colours = torch.from_numpy(rng.random((_FIT_PICTURES, 3, _FIT_COLOURS, _FIT_COLOURS), np.float32))
    cells = torch.nn.functional.interpolate(colours, size=_FIT_SIDE, mode="bicubic", align_corners=False).clamp(0, 1)
    fields = torch.nn.functional.interpolate(cells, scale_factor=factor, mode="bilinear", align_corners=False)
    z = torch.cat([encode(pipe, one.unsqueeze(0) * 2 - 1) for one in fields]).cpu().numpy()
    rgb = torch.nn.functional.avg_pool2d(fields, factor).numpy()
    features = np.moveaxis(z, 1, -1).reshape(-1, z.shape[1])
    features = np.concatenate([features, np.ones_like(features[:, :1])], axis=1)
    matrix, *_ = np.linalg.lstsq(features, np.moveaxis(rgb, 1, -1).reshape(-1, 3), rcond=None)
    return np.asarray(matrix, np.float32)


def device_of_decoder(pipe: Any) -> torch.device:
    """Where the pipeline's autoencoder computes, also if its weights are offloaded to another place."""
    own: torch.device = next(_autoencoder(pipe).parameters()).device
    if own.type != "meta" and not (own.type == "cpu" and torch.accelerator.is_available()):
        return own  # the pipeline is asked where it may be offloaded, which takes milliseconds
    device = getattr(pipe, "_execution_device", None)
    return own if device is None or torch.device(device).type == "meta" else torch.device(device)


def _autoencoder(pipe: Any) -> Any:
    found = autoencoder(pipe)
    if found is None:
        why = "its denoiser works on pixels"
        if "vae" in getattr(pipe, "config", {}):
            why = "its vae is null; pipe.register_modules(vae=other.vae) gives it one"
        raise InspectionError(f"this {type(pipe).__name__} has no autoencoder: {why}")
    return found


def image_processor(pipe: Any) -> Any:
    """The pipeline's own image processor, or else diffusers' for its scale factor."""
    own = getattr(pipe, "image_processor", None) or getattr(pipe, "video_processor", None)
    return own or VaeImageProcessor(vae_scale_factor=vae_scale_factor(pipe))


def uint8(pixels: torch.Tensor) -> UInt8[np.ndarray, "Y X 3"]:
    """A picture (1, 3, Y, X) in −1..1 as bytes."""
    array: np.ndarray = (
        ((pixels[0].float().permute(1, 2, 0) / 2 + 0.5) * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    )
    return array


def _scaled(z: torch.Tensor, vae: Any) -> torch.Tensor:
    if _batch_norm(vae) is not None:
        z = _patches(z)
    mean, std = _statistics(z, vae)
    return (z - mean) / std * _factor(vae)


def _unscaled(z: torch.Tensor, vae: Any) -> torch.Tensor:
    mean, std = _statistics(z, vae)
    z = z / _factor(vae) * std + mean
    return z if _batch_norm(vae) is None else torch.nn.functional.pixel_shuffle(z, 2)


def _factor(vae: Any) -> float:
    return float(getattr(vae.config, "scaling_factor", None) or 1.0)


def _batch_norm(vae: Any) -> Any | None:
    """The statistics of FLUX.2's VAE, whose latents the denoiser has in patches of 2 × 2; None for every other."""
    return getattr(vae, "bn", None)


def _patches(z: torch.Tensor) -> torch.Tensor:
    """Latents on a grid half as fine, with four times the channels."""
    return torch.nn.functional.pixel_unshuffle(z, 2)


def _framed(x: torch.Tensor, vae: Any) -> torch.Tensor:
    """With an axis of one frame, where it lacks one and the autoencoder is one of videos, as Qwen-Image's is."""
    return x.unsqueeze(2) if _of_videos(vae) and x.ndim < _WITH_FRAMES else x


def _of_videos(vae: Any) -> bool:
    return any(getattr(vae.config, name, None) is not None for name in _OVER_TIME)


def _statistics(z: torch.Tensor, vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    by_channel = (1, -1, *[1] * (z.ndim - 2))
    if (norm := _batch_norm(vae)) is not None:
        spread = torch.sqrt(norm.running_var + vae.config.batch_norm_eps)
        return norm.running_mean.view(by_channel).to(z), spread.view(by_channel).to(z)
    mean, std = getattr(vae.config, "latents_mean", None), getattr(vae.config, "latents_std", None)
    if mean is not None and std is not None:
        return z.new_tensor(mean).view(by_channel), z.new_tensor(std).view(by_channel)
    shift: Any = getattr(vae.config, "shift_factor", None)
    return z.new_tensor(0.0 if shift is None else shift), z.new_tensor(1.0)
