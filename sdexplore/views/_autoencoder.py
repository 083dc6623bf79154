"""The autoencoder: a picture there and back, and the scale of its latents."""

import numpy as np
from matplotlib.figure import Figure

from ..figures.alt_texts import said
from ..figures.code_lines import CodeLine
from ..figures.colours import DIVERGING, PALETTE, SEQUENTIAL
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.labels import colour_bar
from ..figures.not_numbers import finite, reach_of, top_of
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..figures.titles import grid_of
from ..records.autoencoder import LatentStatistics, Reconstruction
from ..strings.wording import counted, listed, wording
from .made_from import made_from

_MOST_CHANNELS = 16
_QUANTILE = 0.995
_COLUMNS = 6  # of latent channels beside each other
_SIZE = 8.5  # points


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
    columns = min(len(z) + 1, _COLUMNS)
    rows = -(-(len(z) + 1) // columns)
    large, small = BLOG_COLUMN / 3.3 * aspect + 0.5, BLOG_COLUMN / (columns + 0.9) * aspect + 0.5
    (channels, y, x) = found.latents.shape
    with style():
        figure = Figure(figsize=(BLOG_COLUMN, large + rows * small + 0.4), layout="constrained")
        title = wording(
            "reconstruction.title",
            encoder=found.scale.encoder,
            model=drawable(found.model, 60),
            image=f"3 × {high} × {wide}",
            latents=f"{channels} × {y} × {x}",
            ratio=f"{found.compression:.0f}",
            psnr=f"{found.psnr:.1f}",
        )
        figure.suptitle(title, fontsize=9)
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(large, rows * small))
        first, second, third = panel_grid(above, 1, 3)[0]
        for ax, title, image in ((first, "x", found.image), (second, "x̃ = D(E(x))", found.reconstruction)):
            ax.set_title(title)
            ax.imshow(image)
        third.set_title("|x̃ − x|")
        drawn = third.imshow(error, cmap=SEQUENTIAL, vmin=0.0, vmax=top_of(error) or 1.0)
        colour_bar(above, drawn, third, label=wording("reconstruction.of_255"), shrink=0.85, pad=0.02)
        axes = list(panel_grid(below, rows, columns).flat)
        for ax in axes[len(z) + 1 :]:
            ax.remove()
        *latents, preview = axes[: len(z) + 1]
        for number, (ax, channel) in enumerate(zip(latents, z, strict=True)):
            ax.set_title(wording("reconstruction.channel", number=number), fontsize=_SIZE)
            shown = ax.imshow(channel, cmap=DIVERGING, vmin=-reach, vmax=reach)
            ax.set_xlabel(f"{channel.mean():+.2f} ± {channel.std():.2f}", fontsize=_SIZE)
        preview.set_title(wording("reconstruction.preview"), fontsize=_SIZE)
        preview.imshow(found.preview)
        preview.set_xlabel(f"R² {found.preview_r2:.2f}", fontsize=_SIZE)
        colour_bar(below, shown, latents, label=wording("reconstruction.scale"), extend="both", shrink=0.9, pad=0.01)
    left = channels - len(z)
    return Picture(
        figure=figure,
        data={"image": found.image, "reconstruction": found.reconstruction, "error": error, "latents": z}
        | {"preview": found.preview},
        alt=wording(
            "reconstruction.alt",
            encoder=found.scale.encoder,
            psnr=said(found.psnr, ".1f"),
            error=f"{top_of(error):.0f}",
            channels=channels,
            grid=grid_of(z),
            reach=f"{reach:.2g}",
            left=wording("reconstruction.left", number=left) if left else "",
            r2=said(found.preview_r2, ".2f"),
        ),
        caption=wording("reconstruction.caption", encoder=found.scale.encoder, ratio=f"{found.compression:.0f}"),
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
        title = wording(
            "latent_statistics.title",
            encoder=found.scale.encoder,
            model=drawable(found.model, 60),
            pictures=counted(found.pictures, "picture"),
            factor=f"{found.scale.scaling_factor:g}",
            fitted=f"{found.fitted_scaling_factor:.4g}",
            psnr=f"{found.psnr.mean():.1f}",
            r2=f"{found.preview_r2:.2f}",
        )
        figure.suptitle(title, fontsize=9)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
        colours = [PALETTE[i % len(PALETTE)] for i in range(count)]
        before = wording("latent_statistics.before")
        left.bar(np.arange(count) - 0.2, finite(found.stds), width=0.38, color="#bbbbbb", label=before)
        left.bar(np.arange(count) + 0.2, finite(found.scaled_stds), width=0.38, color=colours)
        left.legend(frameon=False, fontsize=_SIZE, loc="upper left")
        left.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
        left.set(
            xlabel=wording("latent_statistics.channel"), ylabel=wording("latent_statistics.std"), xticks=range(count)
        )
        for channel in range(count):
            right.plot(centres, finite(found.density[channel]), color=colours[channel], label=str(channel))
        right.plot(
            centres,
            np.exp(-(centres**2) / 2) / np.sqrt(2 * np.pi),
            color="black",
            linestyle=":",
            label=wording("latent_statistics.normal"),
        )
        right.set(
            xlabel=wording("latent_statistics.latent"), ylabel=wording("latent_statistics.density"), ylim=(0, None)
        )
        right.set_title(wording("latent_statistics.inside", share=f"{found.inside:.1%}"), fontsize=_SIZE)
        right.legend(frameon=False, fontsize=_SIZE, title=wording("latent_statistics.channel"), title_fontsize=_SIZE)
    return Picture(
        figure=figure,
        data={"stds": found.stds, "scaled_stds": found.scaled_stds, "density": found.density, "edges": found.edges},
        alt=wording(
            "latent_statistics.alt",
            channels=count,
            pictures=counted(found.pictures, "picture"),
            stds=listed(said(one, ".2f") for one in found.scaled_stds),
            factor=f"{found.scale.scaling_factor:g}",
            fitted=said(found.fitted_scaling_factor, ".4g"),
        ),
        caption=wording("latent_statistics.caption", encoder=found.scale.encoder),
        call="sdx.views.latent_statistics(sdx.latent_statistics(pipe, images))",
    )
