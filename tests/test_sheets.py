"""A figure that is drawn into again looks as one of its own would; nobody is given it."""


import numpy as np
import pytest
import synthetic
from matplotlib.figure import Figure

from sdexplore import views
from sdexplore.views._sheet import Sheet


@pytest.fixture
def made(monkeypatch):
    """How many figures have been made."""
    count = [0]
    real = Figure.__init__

    def init(self, *arguments, **options):
        count[0] += 1
        real(self, *arguments, **options)

    monkeypatch.setattr(Figure, "__init__", init)
    return count


@pytest.fixture(scope="module")
def trace():
    return synthetic.trace()


@pytest.fixture(scope="module")
def by_head():
    return synthetic.trace(heads=True)


# What is drawn on one sheet, one after the other: (what, whether a new figure is to be made for it).
WALK = (
    (lambda t: views.attention(t, ["cat"], steps=(0, 2)), True),
    (lambda t: views.attention(t, ["cat"], steps=(0, 3)), False),
    (lambda t: views.attention(t, ["cat"], steps=-1, layers="mid_block"), False),
    (lambda t: views.attention(t, ["cat", "and"]), True),
    (lambda t: views.attention(t, ["cat", "and"], scale="each"), True),
    (lambda t: views.attention(t, ["and", "cat"], scale="each", steps=2), False),
    (lambda t: views.attention(t, ["and", "cat"]), True),
    (lambda t: views.attention_layers(t, "cat"), True),
    (lambda t: views.attention_layers(t, "and", steps=3), False),
    (lambda t: views.attention_layers(t, "and", steps=3, scale="each"), True),
    (lambda t: views.attention_steps(t, "cat", steps=[0, 1, 2]), True),
    (lambda t: views.attention_steps(t, "and", steps=[3, 4, 5]), False),
    (lambda t: views.segmentation(t, ["cat", "and"]), True),
    (lambda t: views.segmentation(t, ["cat", "and"], steps=3), False),
    (lambda t: views.segmentation(t, ["cat", "and", "a"]), True),
    (views.attention_mass, True),
    (lambda t: views.attention(t, ["cat"]), True),
    (views.denoising, True),
    (views.denoising, False),
    (views.guidance, True),
    (views.guidance, False),
)


@pytest.mark.parametrize("heads", [False, True], ids=["mean", "heads"])
def test_every_picture_is_the_one_that_it_would_be_by_itself(made, heads):
    trace, sheet = synthetic.trace(heads=heads), Sheet()
    for number, (draw, new) in enumerate(WALK):
        alone = draw(trace)
        before = made[0]
        again = sheet.draw(lambda draw=draw: draw(trace))
        assert (made[0] > before) == new, f"{number}: {again.call}"
        assert again.html() == alone.html(), f"{number}: {again.call}"
        assert again.call == alone.call
        assert again.alt == alone.alt
        assert all(np.array_equal(again.data[name], array) for name, array in alone.data.items())
