"""The autoencoder: a picture there and back, and the scale of its latents."""

import numpy as np
from matplotlib.figure import Figure

from ..figures.alt_texts import said
from ..figures.captions import with_details
from ..figures.code_lines import CodeLine
from ..figures.colours import DIVERGING, PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.labels import colour_bar
from ..figures.not_numbers import finite, reach_of, top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..figures.titles import grid_of
from ..records.autoencoder import LatentStatistics, Reconstruction
from .made_from import made_from

_MOST_CHANNELS = 16
_QUANTILE = 0.995


@made_from("pipeline", "image", calls=["reconstruction"])
def reconstruction(found: Reconstruction) -> Picture:
    """Draws a picture, what the autoencoder makes of it, the error, and the latents in between.

    Above: x as the encoder got it; x̃ as the decoder gives it; `|x̃ − x|`, mean over the three colours, on a scale from 0
    to its largest, printed (255 would be black for white). Beneath: each latent channel on the denoiser's scale, a
    square a latent pixel, blue negative, red positive, one scale for all that reaches to the 99.5 % quantile of the
    absolute values; then the linear preview, three colours by a matrix from each latent pixel alone, with its R².

    Args:
        found: What `sdx.reconstruction(pipe, image)` returns.
    """
    z = found.latents[:_MOST_CHANNELS]
    reach = reach_of(z, _QUANTILE) or 1.0
    error = found.error
    high, wide = found.image.shape[:2]
    aspect = high / wide
    small = BLOG_COLUMN / (len(z) + 1.4)
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, BLOG_COLUMN / 3.3 * aspect + small * aspect + 1.4), layout="constrained")
        (channels, y, x) = found.latents.shape
        figure.suptitle(
            f"{found.scale.encoder} of {drawable(found.model, 60)}: 3 × {high} × {wide} → {channels} × {y} × {x}, "
            f"{found.compression:.0f} to 1, PSNR {found.psnr:.1f} dB",
            fontsize=9,
        )
        heights = (BLOG_COLUMN / 3.3 * aspect + 0.5, small * aspect + 0.5)
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
        first, second, third = panel_grid(above, 1, 3)[0]
        for ax, title, image in ((first, "x", found.image), (second, "x̃ = D(E(x))", found.reconstruction)):
            ax.set_title(title)
            ax.imshow(image)
        third.set_title("|x̃ − x|")
        drawn = third.imshow(error, cmap=SEQUENTIAL, vmin=0.0, vmax=top_of(error) or 1.0)
        colour_bar(above, drawn, third, label="of 255", shrink=0.85, pad=0.02)
        axes = panel_grid(below, 1, len(z) + 1)[0]
        for number, (ax, channel) in enumerate(zip(axes, z, strict=False)):
            ax.set_title(f"z, channel {number}", fontsize=7.5)
            shown = ax.imshow(channel, cmap=DIVERGING, vmin=-reach, vmax=reach)
            ax.set_xlabel(f"{channel.mean():+.2f} ± {channel.std():.2f}", fontsize=7)
        axes[-1].set_title("linear preview", fontsize=7.5)
        axes[-1].imshow(found.preview)
        axes[-1].set_xlabel(f"R² {found.preview_r2:.2f}", fontsize=7)
        colour_bar(below, shown, axes[:-1], label="on the denoiser's scale", extend="both", shrink=0.9, pad=0.01)
    left = f"; {channels - len(z)} more channels are not drawn" if channels > len(z) else ""
    return Picture(
        figure=figure,
        data={"image": found.image, "reconstruction": found.reconstruction, "error": error, "latents": z}
        | {"preview": found.preview},
        alt=f"A picture, its reconstruction by the {found.scale.encoder} (PSNR {said(found.psnr, '.1f')} dB), the "
        f"error (0 to {top_of(error):.0f} of 255), its {channels} latent channels of {grid_of(z)} within "
        f"±{reach:.2g}{left}, and the linear preview (R² {said(found.preview_r2, '.2f')}).",
        call=CodeLine(
            f"sdx.views.reconstruction(sdx.reconstruction(pipe, image, height={high}, width={wide}))",
            given={"image": found.image},
        ),
    )


@made_from("pipeline", "images", calls=["latent_statistics"])
def latent_statistics(found: LatentStatistics) -> Picture:
    """Draws how wide latents are, channel by channel, before and after scaling, against the unit variance wanted.

    Left, a pair of bars a channel: the standard deviation of the autoencoder's own z (grey) and on the denoiser's scale
    (coloured); the dashed line is 1. Right, the histogram of each channel on the denoiser's scale, coloured likewise,
    as a density; the dotted line is the standard normal, from which sampling starts. What lies beyond ±5 is not drawn;
    the title says how much lies within.

    Args:
        found: What `sdx.latent_statistics(pipe, images)` returns.
    """
    count = len(found.stds)
    centres = (found.edges[1:] + found.edges[:-1]) / 2
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, 3.2), layout="constrained")
        figure.suptitle(
            f"{found.scale.encoder} of {drawable(found.model, 60)}, {found.pictures} pictures: scaling_factor "
            f"{found.scale.scaling_factor:g}, 1 / std is {found.fitted_scaling_factor:.4g}\nPSNR "
            f"{found.psnr.mean():.1f} dB, linear preview R² {found.preview_r2:.2f}",
            fontsize=9,
        )
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
        colours = [PALETTE[i % len(PALETTE)] for i in range(count)]
        left.bar(np.arange(count) - 0.2, finite(found.stds), width=0.38, color="#bbbbbb", label="z")
        left.bar(np.arange(count) + 0.2, finite(found.scaled_stds), width=0.38, color=colours, label="scaled")
        left.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
        left.set(xlabel="channel", ylabel="standard deviation", xticks=range(count))
        for channel in range(count):
            right.plot(centres, finite(found.density[channel]), color=colours[channel], label=f"channel {channel}")
        right.plot(
            centres, np.exp(-(centres**2) / 2) / np.sqrt(2 * np.pi), color="black", linestyle=":", label="normal"
        )
        right.set(xlabel="latent, on the denoiser's scale", ylabel="density", ylim=(0, None))
        right.set_title(f"{found.inside:.1%} lie within ±5", fontsize=8)
        right.legend(frameon=False, fontsize=7)
    listed = ", ".join(said(one, ".2f") for one in found.scaled_stds)
    return Picture(
        figure=figure,
        data={"stds": found.stds, "scaled_stds": found.scaled_stds, "density": found.density, "edges": found.edges},
        alt=with_details(
            f"Standard deviation of {count} latent channels over {found.pictures} pictures",
            f"on the denoiser's scale {listed}. scaling_factor is {found.scale.scaling_factor:g}",
            f"{said(found.fitted_scaling_factor, '.4g')} would make it 1 over all channels",
        ),
        call="sdx.views.latent_statistics(sdx.latent_statistics(pipe, images))",
    )
