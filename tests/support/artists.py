"""Reads what a figure shows, and compares two pictures."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

import sdexplore as sdx


def panels(picture):
    """The axes without the colour bars, in the order of their creation."""
    return [ax for ax in picture.figure.axes if ax.get_label() != "<colorbar>"]


def bars(picture):
    return [ax for ax in picture.figure.axes if ax.get_label() == "<colorbar>"]


def shown(ax):
    """The arrays drawn in a panel, the lowest first."""
    return [np.asarray(image.get_array()) for image in ax.get_images()]


def texts(picture):
    """All texts of a figure."""
    axes = [
        t
        for ax in picture.figure.axes
        for t in (ax.get_title(), ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel())
    ]
    written = [text.get_text() for ax in picture.figure.axes for text in ax.texts]
    return "\n".join([picture.figure.get_suptitle(), picture.figure.get_supxlabel(), *axes, *written])


def again(picture, **names):
    """The picture that its own line of code makes."""
    return eval(picture.call, {"sdx": sdx, **names})  # noqa: S307  (our own line, and it must run)


def equal(a, b):
    assert list(a.data) == list(b.data)
    for name, array in a.data.items():
        np.testing.assert_array_equal(array, b.data[name])
    assert (a.alt, a.call) == (b.alt, b.call)
    assert a.png(dpi=40) == b.png(dpi=40)


def same_scale(images, low, high):
    assert images
    for image in images:
        assert image.get_clim() == (pytest.approx(low), pytest.approx(high))


def heat_maps(ax):
    return [image for image in ax.get_images() if image.get_array().ndim == 2]


def legend(picture):
    """Text -> colour of the figure's own legend."""
    (found,) = picture.figure.legends
    colours = [to_hex(getattr(h, "patches", [h])[0].get_facecolor()) for h in found.legend_handles]
    return dict(zip((text.get_text() for text in found.get_texts()), colours, strict=True))
