"""Pictures of boxes and bars with texts beside them, read back; and the line of code of a picture, run again."""

from types import SimpleNamespace

from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from sdexplore import views


def written(picture):
    return [text.get_text() for text in picture.figure.axes[0].texts]


def boxes(picture):
    return [patch for patch in picture.figure.axes[0].patches if isinstance(patch, Rectangle)]


def colour(patch):
    return to_hex(patch.get_facecolor())


def again(picture, **functions):
    return eval(picture.call, {"pipe": None, "sdx": SimpleNamespace(views=views, **functions)})  # noqa: S307  (our own)


def equal(a, b):
    assert {name: array.tolist() for name, array in a.data.items()} == {
        n: array.tolist() for n, array in b.data.items()
    }
    assert (a.alt, a.call, a.png(dpi=40)) == (b.alt, b.call, b.png(dpi=40))
