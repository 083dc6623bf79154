"""Pictures that go through the pipeline's autoencoder: encoded and decoded again, and the statistics of the latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image

from ...base.errors import InspectionError, RunError
from ...records.autoencoder import LatentScale, LatentStatistics, Reconstruction
from ...theory import linear_preview
from ..components import decoding
from ..components.pictures import Picture, rgb
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import autoencoder, latent_grid, vae_scale_factor
from ..components.source_name import model_name
from ..components.weights_present import without_weights
from ..runs.check_sizes import check_sides

_SIDES = ("height", "width")
_EDGES = np.linspace(-5, 5, 81, dtype=np.float32)


def reconstruction(pipe: Any, image: Picture, *, height: int | None = None, width: int | None = None) -> Reconstruction:
    """A picture that is encoded and decoded again: x → z = E(x) → x̃ = D(z), with every loss in numbers.

    z is the mode of the posterior. It is put on the UNet's scale as the pipeline does it, and taken off again.

    Args:
        image: A PIL image or uint8 array (Y, X, 3). It is turned as EXIF says, and transparency lies on white.
        height: In pixels, to which the picture is resized; by default the pipeline's own.
        width: As height.

    Raises:
        InspectionError: The pipeline works on pixels.
        RunError: It is no picture; or the size is no multiple of the autoencoder's factor.

    Source: Rombach et al. 2022 (LDM), section 3.1.
    """
    return _reconstructed(pipe, image, {"height": height, "width": width}, "reconstruction")


def _reconstructed(pipe: Any, image: Picture, size: dict[str, Any], function: str) -> Reconstruction:
    if (lacking := without_weights(pipe, "vae", "vqvae")) is not None:
        raise InspectionError(f"{function}: {lacking}")
    pixels = pixels_of(pipe, image, size, function)
    with lock_of(pipe):
        z, spread = decoding.encode_with_spread(pipe, pixels)
        latents = z[0].cpu().numpy()
        matrix = decoding.latent_rgb(pipe)
        return Reconstruction(
            image=decoding.uint8(pixels),
            latents=latents,
            spread=None if spread is None else spread[0].cpu().numpy(),
            reconstruction=decoding.decode(pipe, latents),
            preview=linear_preview(latents, matrix),
            preview_r2=_r2([latents], [_block_means(pixels, latents.shape[1:])], matrix),
            scale=_scale(pipe),
            model=model_name(pipe),
        )


def latent_statistics(pipe: Any, images: Sequence[Picture] | UInt8[np.ndarray, "picture Y X 3"]) -> LatentStatistics:
    """Mean and spread of the latents of several pictures, before and after scaling, and a histogram for each channel.

    `scaling_factor` is meant to give unit variance over all channels. How nearly it does depends on the pictures.

    Raises:
        RunError: `images` is empty, or one picture; or one of them is no picture.
        InspectionError: The pipeline works on pixels.

    Source: Rombach et al. 2022 (LDM), appendix G (rescaling by the component-wise standard deviation).
    """
    if isinstance(images, Image.Image) or (isinstance(images, np.ndarray) and images.ndim != 4):  # noqa: PLR2004
        raise RunError("latent_statistics(images=…): several pictures, or an array of them (picture, Y, X, 3); not one")
    if not len(images):
        raise RunError("latent_statistics(images=[]): give at least one picture")
    made = [_reconstructed(pipe, image, {}, "latent_statistics") for image in images]
    with lock_of(pipe):
        raw = np.concatenate([_columns(_raw(pipe, one.latents)) for one in made], axis=1)
        matrix = decoding.latent_rgb(pipe)
    scaled = np.concatenate([_columns(one.latents) for one in made], axis=1)
    pixels = [torch.from_numpy(one.image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for one in made]
    means = [_block_means(x, one.latents.shape[1:]) for x, one in zip(pixels, made, strict=True)]
    counts = np.stack([np.histogram(channel, _EDGES)[0] for channel in scaled])
    return LatentStatistics(
        pictures=len(made),
        means=raw.mean(axis=1),
        stds=raw.std(axis=1),
        scaled_means=scaled.mean(axis=1),
        scaled_stds=scaled.std(axis=1),
        overall_std=float(raw.std()),
        edges=_EDGES,
        density=(counts / scaled.shape[1] / np.diff(_EDGES)).astype(np.float32),
        inside=float(counts.sum() / scaled.size),
        psnr=np.array([one.psnr for one in made], np.float32),
        preview_r2=_r2([one.latents for one in made], means, matrix),
        scale=made[0].scale,
        model=made[0].model,
    )


def pixels_of(pipe: Any, image: Picture, arguments: dict[str, Any], function: str) -> torch.Tensor:
    """The picture as the VAE takes it: (1, 3, Y, X) in −1..1. It takes `height` and `width` out of the arguments.

    Args:
        function: The public function that the user called; errors name it.

    Raises:
        RunError: It is no picture; or the size is no multiple of the autoencoder's factor.
    """
    picture = rgb(image, function)
    factor = vae_scale_factor(pipe)
    check_sides(arguments, function)
    height, width = (_side(pipe, arguments.pop(name, None), axis) for axis, name in enumerate(_SIDES))
    if height % factor or width % factor:
        raise RunError(f"{function}(height={height}, width={width}): both must be multiples of {factor}")
    processor = decoding.image_processor(pipe)
    pixels: torch.Tensor = processor.preprocess(picture, height=height, width=width)
    return pixels.float()


def _side(pipe: Any, given: Any, axis: int) -> int:
    """Pixels along one side: as given, or as the pipeline draws by default."""
    if given is None:
        return latent_grid(pipe)[axis] * vae_scale_factor(pipe)
    return int(given)


def psnr(one: UInt8[np.ndarray, "Y X 3"], other: UInt8[np.ndarray, "Y X 3"]) -> float:
    """Peak signal-to-noise ratio of two pictures in dB, to two digits."""
    error = float(np.square(one.astype(np.float64) - other.astype(np.float64)).mean())
    return round(float("inf") if error == 0 else 10 * float(np.log10(255**2 / error)), 2)


def _scale(pipe: Any) -> LatentScale:
    vae: Any = autoencoder(pipe)
    config: Any = vae.config
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    shift = getattr(config, "shift_factor", None)
    if mean is None or std is None:
        mean, std = (None if shift is None else [shift]), None
    return LatentScale(
        encoder=type(vae).__name__,
        scaling_factor=float(getattr(config, "scaling_factor", None) or 1.0),
        mean=None if mean is None else tuple(map(float, mean)),
        std=None if std is None else tuple(map(float, std)),
    )


def _raw(pipe: Any, latents: Float32[np.ndarray, "channel y x"]) -> Float32[np.ndarray, "channel y x"]:
    return np.asarray(decoding.unscaled(pipe, torch.from_numpy(latents.copy())[None])[0].numpy())


def _columns(latents: Float32[np.ndarray, "channel y x"]) -> Float32[np.ndarray, "channel pixel"]:
    return latents.reshape(len(latents), -1)


def _block_means(pixels: torch.Tensor, grid: tuple[int, int]) -> Float32[np.ndarray, "y x 3"]:
    """The colours, 0 to 1, averaged over the square of pixels that belongs to each latent."""
    means = torch.nn.functional.adaptive_avg_pool2d(pixels.float() / 2 + 0.5, grid)
    return np.asarray(means[0].permute(1, 2, 0).numpy())


def _r2(
    latents: Sequence[Float32[np.ndarray, "channel y x"]],
    colours: Sequence[Float32[np.ndarray, "y x 3"]],
    matrix: Float32[np.ndarray, "features 3"],
) -> float:
    """1 − squared error of the unclipped preview / variance about the mean colour, over all pixels and colours."""
    z = np.concatenate([np.moveaxis(one, 0, -1).reshape(-1, len(one)) for one in latents]).astype(np.float64)
    rgb = np.concatenate([one.reshape(-1, 3) for one in colours]).astype(np.float64)
    wrong = np.square(z @ matrix[:-1] + matrix[-1] - rgb).sum()
    total = np.square(rgb - rgb.mean(axis=0)).sum()
    return float(1 - wrong / total) if total > 0 else float("nan")
