"""The autoencoder on pictures: how well it reconstructs, how far it compresses, on which scale its latents are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from ..base.display import Block, Line, Shown, Table, count, counted


@dataclass(frozen=True, kw_only=True)
class LatentScale:
    """How the pipeline puts the autoencoder's z on the scale that its UNet works on: (z − mean) / std · scaling_factor.

    Attributes:
        encoder: Class of the autoencoder.
        scaling_factor: `scaling_factor` of its config.
        mean, std: By channel, `latents_mean` and `latents_std`; or `shift_factor` for all; None without either.
    """

    encoder: str
    scaling_factor: float
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __str__(self) -> str:
        shift = "" if self.mean is None else f" − {_listed(self.mean)}"
        spread = "" if self.std is None else f" / {_listed(self.std)}"
        inner = f"(z{shift}){spread}" if shift or spread else "z"
        return f"{inner} · {self.scaling_factor:g}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Reconstruction(Shown):
    """One picture through the autoencoder and back: x → z = E(x) → x̃ = D(z).

    Attributes:
        image: x, as the autoencoder got it.
        latents: z on the denoiser's scale: the mode of the posterior.
        spread: Standard deviation of the posterior on the same scale; None for a VQ-VAE, which has no posterior.
        reconstruction: x̃.
        preview: The linear preview of z, one pixel a latent pixel, clipped to the range of colours.
        preview_r2: Share of this picture's variance, averaged over each latent's square, that the preview explains
            before it is clipped. The preview was not fitted on this picture. Below 0: worse than the mean colour.
        scale: How z was put on the denoiser's scale.
        model: Where the pipeline came from.
    """

    image: UInt8[np.ndarray, "Y X 3"]
    latents: Float32[np.ndarray, "channel y x"]
    spread: Float32[np.ndarray, "channel y x"] | None
    reconstruction: UInt8[np.ndarray, "Y X 3"]
    preview: UInt8[np.ndarray, "y x 3"]
    preview_r2: float
    scale: LatentScale
    model: str

    @property
    def error(self) -> Float32[np.ndarray, "Y X"]:
        """`|x̃ − x|` as the mean over the three colours, 0 to 255."""
        return np.asarray(np.abs(self.reconstruction.astype(np.float32) - self.image).mean(axis=-1))

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB, 10 log10(255² / mean squared error); infinite if nothing was lost."""
        squared = np.square(self.reconstruction.astype(np.float64) - self.image).mean()
        return float("inf") if squared == 0 else float(10 * np.log10(255**2 / squared))

    @property
    def compression(self) -> float:
        """How many numbers of the picture there are for one number of its latents."""
        return self.image.size / self.latents.size

    def blocks(self) -> list[Block]:
        """What the repr shows: sizes and quality, then a row a channel."""
        (high, wide, _), (channels, y, x) = self.image.shape, self.latents.shape
        rows = [
            (
                str(number),
                f"{one.mean():+.3f}",
                f"{one.std():.3f}",
                "—" if self.spread is None else f"{self.spread[number].mean():.4f}",
            )
            for number, one in enumerate(self.latents)
        ]
        headers = ("channel", "mean", "std", "posterior's std")
        return [
            Line(f"Reconstruction by the {self.scale.encoder} of {self.model}: PSNR {self.psnr:.2f} dB", strong=True),
            Line(
                f"x 3 × {high} × {wide} → z {channels} × {y} × {x}: {count(self.image.size)} → "
                f"{count(self.latents.size)} numbers, {self.compression:.0f} to 1; scale {self.scale}"
            ),
            Line(f"linear preview: R² {self.preview_r2:.3f} on this picture, which had no part in its fit"),
            Table(headers, rows, frozenset(headers)),
        ]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LatentStatistics(Shown):
    """Latents of several pictures, compared with the scale that the UNet expects: unit variance.

    Attributes:
        pictures: How many.
        means, stds: Of the autoencoder's own z, by channel, over all pictures.
        scaled_means, scaled_stds: The same on the denoiser's scale.
        overall_std: Of the autoencoder's own z, over all channels together.
        edges, density: Histogram of the scaled z by channel. Values beyond the edges are not counted.
        inside: The share of values within the edges.
        psnr: Of each picture's reconstruction, dB.
        preview_r2: R² of the linear preview over all pictures together; it was fitted on other pictures.
    """

    pictures: int
    means: Float32[np.ndarray, " channel"]
    stds: Float32[np.ndarray, " channel"]
    scaled_means: Float32[np.ndarray, " channel"]
    scaled_stds: Float32[np.ndarray, " channel"]
    overall_std: float
    edges: Float32[np.ndarray, " edge"]
    density: Float32[np.ndarray, "channel bin"]
    inside: float
    psnr: Float32[np.ndarray, " picture"]
    preview_r2: float
    scale: LatentScale
    model: str

    @property
    def fitted_scaling_factor(self) -> float:
        """1 / standard deviation of z over all channels: the factor that would give these latents unit variance."""
        return 1.0 / self.overall_std

    def blocks(self) -> list[Block]:
        """What the repr shows: the scaling factor beside the fitted one, then a row a channel."""
        headers = ("channel", "mean of z", "std of z", "mean, scaled", "std, scaled")
        columns = (self.means, self.stds, self.scaled_means, self.scaled_stds)
        rows = [(str(i), *(f"{one[i]:.3f}" for one in columns)) for i in range(len(self.means))]
        return [
            Line(
                f"Latents of {counted(self.pictures, 'picture')} by the {self.scale.encoder} of {self.model}",
                strong=True,
            ),
            Line(
                f"scaling_factor {self.scale.scaling_factor:g}; 1 / std of z over all channels of these pictures is "
                f"{self.fitted_scaling_factor:.5g}"
            ),
            Line(f"PSNR {self.psnr.mean():.2f} dB (mean of {self.pictures}), linear preview: R² {self.preview_r2:.3f}"),
            Table(headers, rows, frozenset(headers)),
        ]


def _listed(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"({', '.join(f'{value:.3g}' for value in values)})"
