"""Panels: what stands in their pixels, cell by cell; they have labels and nothing of axes besides."""

import io
import itertools

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from PIL import Image

from sdexplore.analysis.resizing import resized
from sdexplore.figures.labels import colour_bar, row_label
from sdexplore.figures.panels import Panel, panels
from sdexplore.figures.picture import Picture

SIDE = 200


def drawn(array, draw=Panel.imshow, **options):
    """The pixels (SIDE, SIDE, 3) of a panel that `array` fills."""
    with panels(1, 1) as (figure, axes):
        (ax,) = axes.flat
        draw(ax, array, **options)
        ax.set_aspect("auto")
        figure.set_layout_engine("none")
        figure.set(size_inches=(2 * SIDE / 100, 2 * SIDE / 100), dpi=100)
        ax.set_position((0.25, 0.25, 0.5, 0.5))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    half = SIDE // 2
    return np.asarray(canvas.buffer_rgba())[half : half + SIDE, half : half + SIDE, :3].astype(int)


def test_a_cell_is_a_square_of_its_colour_in_its_place():
    values = np.arange(20, dtype=np.float32).reshape(4, 5)
    pixels = drawn(values, cmap="viridis", vmin=0.0, vmax=19.0)
    expected = (255 * colormaps["viridis"](values / 19)[..., :3]).astype(int)
    np.testing.assert_array_equal(pixels, expected.repeat(SIDE // 4, 0).repeat(SIDE // 5, 1))
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    np.testing.assert_array_equal(drawn(picture), picture.repeat(SIDE // 4, 0).repeat(SIDE // 5, 1))


def test_a_pixel_has_the_mean_of_the_cells_in_it():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (4 * SIDE, 2 * SIDE, 3), np.uint8)
    means = picture.reshape(SIDE, 4, SIDE, 2, 3).mean((1, 3))
    assert np.abs(drawn(picture) - means).max() <= 1
    dropping = drawn(picture, lambda ax, array: Axes.imshow(ax, array, interpolation="nearest"))
    assert np.abs(dropping - means).max() > 50


def test_quantities_are_averaged_before_they_get_their_colour_and_labels_after():
    checks = np.indices((3 * SIDE, 3 * SIDE)).sum(0) % 2
    grey = drawn(np.where(checks, 1.0, -1.0).astype(np.float32), cmap="RdBu_r", vmin=-1.0, vmax=1.0)
    middle = np.array(colormaps["RdBu_r"](0.5)[:3]) * 255
    assert np.abs(grey - middle).max() < 60  # nine cells a pixel: 5 to 4
    labels = drawn(2 * checks, cmap=ListedColormap(("#ff0000", "#00ff00", "#0000ff")), vmin=-0.5, vmax=2.5)
    assert labels[..., 1].max() == 0
    assert set(labels[..., 0].flat) <= set(range(100, 156))


def test_what_is_masked_stays_masked_in_either_size():
    for side in (4, 3 * SIDE):
        hidden = np.zeros((side, side), bool)
        hidden[: side // 2] = True
        values = np.ma.masked_array(np.ones((side, side), np.float32), hidden)
        pixels = drawn(values, cmap=colormaps["viridis"].with_extremes(bad="#ff0000"), vmin=0.0, vmax=1.0)
        assert (pixels[: SIDE // 2 - 1] == (255, 0, 0)).all()
        assert (pixels[SIDE // 2 + 1 :, :, 0] == 253).all()


def test_a_smooth_map_is_bilinear_between_the_centres_of_its_cells():
    values = np.random.default_rng(0).random((7, 9), np.float32)
    pixels = drawn(values, cmap="gray", vmin=0.0, vmax=1.0, interpolation="bilinear")
    np.testing.assert_allclose(pixels[..., 0], 255 * resized(values, (SIDE, SIDE)), atol=2.1)
    over = drawn(values, cmap="gray", vmin=0.0, vmax=1.0, interpolation="bilinear", alpha=0.6)
    np.testing.assert_allclose(over[..., 0], 0.4 * 255 + 0.6 * 255 * resized(values, (SIDE, SIDE)), atol=2.5)


def test_an_image_that_its_panel_cuts_is_matplotlib_s():
    values = np.random.default_rng(0).random((8, 8), np.float32)

    def cut(draw):
        def drawing(ax, array):
            draw(ax, array, cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
            ax.set_xlim(0.5, 6.5)

        return drawing

    np.testing.assert_array_equal(drawn(values, cut(Panel.imshow)), drawn(values, cut(Axes.imshow)))


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_files_of_every_kind_have_the_whole_map(tmp_path, kind):
    with panels(1, 2) as (figure, axes):
        for ax in axes.flat:
            ax.imshow(np.arange(6, dtype=np.float32).reshape(2, 3))
    path = Picture(figure, {}, "Six cells.", "").save(tmp_path / f"a.{kind}")
    content = path.read_bytes()
    if kind == "svg":
        assert content.count(b"<image") == 2
    elif kind == "pdf":
        assert content.count(b"/Subtype /Image") == 2
    else:
        colours = {tuple(pixel) for row in np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for pixel in row}
        assert {
            tuple((255 * np.array(colormaps["viridis"](value / 5)[:3])).astype(int)) for value in range(6)
        } <= colours


def test_a_panel_has_labels_and_neither_ticks_nor_frame():
    with panels(1, 1) as (figure, axes):
        (ax,) = axes.flat
        before = len(figure.findobj())
        ax.set(title="above", xlabel="beneath", ylabel="left")
        assert not ax.xaxis.get_ticklabels() + ax.yaxis.get_ticklabels()
        assert not list(ax.spines)
    assert before < 20  # of an axes with ticks and frame there are 29
    extent = ax.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert extent.x0 < ax.bbox.x0
    assert extent.y0 < ax.bbox.y0
    assert extent.y1 > ax.bbox.y1


@pytest.mark.parametrize(
    ("aspect", "columns", "rotation"), [(1.0, 7, 90), (0.5, 7, 90), (0.4, 4, 90), (0.125, 7, 0), (3.0, 7, 90)]
)
def test_labels_of_rows_and_bars_have_their_room_whatever_the_shape_of_a_picture(aspect, columns, rotation):
    names = ("over the picture", "latent grid", "|cond − uncond|")
    with panels(3, columns, aspect=aspect) as (figure, axes):
        for row, name in zip(axes, names, strict=True):
            row_label(row[0], name)
            for ax in row:
                cells = ax.imshow(np.ones((round(40 * aspect), 40), np.float32))
        colour_bar(figure, cells, axes[-1, :], label="attention probability", pad=0.01)
        FigureCanvasAgg(figure).draw()
    labels = [row[0].yaxis.label for row in axes]
    assert [label.get_text().replace("\n", " ") for label in labels] == list(names)
    assert {label.get_rotation() for label in labels} == {rotation}
    boxes = [label.get_window_extent() for label in labels]
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))
    assert all(box.x1 <= row[0].bbox.x0 for box, row in zip(boxes, axes, strict=True))
    bar = figure.axes[-1]
    assert bar.yaxis.label.get_window_extent().height < max(1.6 * bar.bbox.height, 0.5 * figure.dpi)
    axes[0, 0].start_again()
    new = panels_alone()
    label = axes[0, 0].yaxis.label
    assert [getattr(label, f"get_{name}")() for name in ("rotation", "ha", "va", "text")] == new


def panels_alone():
    """How the label at the left of a new panel is set."""
    with panels(1, 1) as (_, axes):
        label = axes[0, 0].yaxis.label
        return [getattr(label, f"get_{name}")() for name in ("rotation", "ha", "va", "text")]
