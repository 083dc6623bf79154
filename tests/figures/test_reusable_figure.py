"""A figure that is drawn into again looks as one of its own would; nobody is given it."""

import gc
import weakref

import numpy as np
import pytest
import synthetic
from dashboards import Page
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sdexplore import explore, views
from sdexplore.base.errors import TraceError
from sdexplore.figures import layout_cache
from sdexplore.figures.reusable_figure import Sheet


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


def test_a_picture_that_failed_leaves_nothing_behind(made, trace):
    sheet = Sheet()
    sheet.draw(lambda: views.attention(trace, ["cat"]))

    def fails():
        views.attention(trace, ["and"])
        raise TraceError("no")

    with pytest.raises(TraceError, match="no"):
        sheet.draw(fails)
    before = made[0]
    again = sheet.draw(lambda: views.attention(trace, ["cat"]))
    assert made[0] == before + 1
    assert again.html() == views.attention(trace, ["cat"]).html()


def test_outside_of_a_sheet_every_figure_is_its_own(made, trace):
    Sheet().draw(lambda: views.attention(trace, ["cat"]))
    one, other = (views.attention(trace, ["cat"]).figure for _ in range(2))
    assert one is not other
    assert made == [3]


@pytest.mark.parametrize("figure", ["words", "by layer", "where it all went", "segmentation"])
def test_a_dashboard_draws_into_its_figure_and_gives_away_another(made, trace, figure):
    board = explore(trace, section="Attention", figure=figure, steps=(0, 2))
    page = Page(board)
    made[0] = 0
    board.state.steps = (0, 3)
    assert made == [0]
    mine = board.figure()
    assert mine is board.figure()
    assert page.figure_box.value == mine.screen()
    before = mine.png(dpi=60)
    board.state.steps = (1, 4)
    assert board.figure() is not mine
    assert mine.png(dpi=60) == before
    shown = page.figure_box.value
    assert shown == board.figure().screen() != mine.screen()
    assert page.figure_code == board.figure().call
    sheets = [weakref.ref(one) for one in gc.get_objects() if isinstance(one, Sheet)]
    assert sheets
    board.close()
    gc.collect()
    assert not any(sheet() for sheet in sheets)


def test_a_range_of_steps_is_drawn_in_as_many_columns_as_there_is_room_for(trace):
    board = explore(trace, section="Attention", figure="by step", words=("cat",), steps=(1, 4))
    assert board.figure().data["steps"].tolist() == [1, 2, 3, 4]
    board.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdexplore.dashboard.sections.attention.MOST_STEPS", 3)
        board = explore(trace, section="Attention", figure="by step", words=("cat",), steps=(0, 4))
        assert board.figure().data["steps"].tolist() == [0, 2, 4]
        board.close()


def test_a_section_that_is_opened_again_shows_the_state_of_now(trace):
    board = explore(trace, section="Attention", figure="by step", words=("cat",))
    page = Page(board)
    shown = page.figure_code
    board.state.section = "Pixels"
    board.state.update(role="uncond", scale="each", words=())
    board.state.section = "Attention"
    assert page.figure_code == board.figure().call != shown
    assert "uncond" in page.figure_code
    board.close()


def test_an_error_takes_the_figure_away_and_the_next_state_brings_its_own(trace):
    board = explore(trace, section="Attention", words=("cat",))
    drawn = board.figure()
    board.state.words = ("no such word",)
    page = Page(board)
    assert "no such word" in page.section_message
    assert not page.has_figure
    with pytest.raises(TraceError):
        board.figure()
    board.state.words = ("cat",)
    assert not page.section_message
    assert page.figure_box.value == drawn.screen()
    board.close()


@pytest.mark.parametrize(
    "change",
    [
        {"steps": (0, 3)},
        {"words": ("and", "cat")},
        {"words": ("rocketship", "a"), "steps": (1, 2), "layers": 12},
        {"role": "uncond"},
        {"figure": "by layer", "scale": "each"},
    ],
    ids=str,
)
def test_a_change_draws_one_frame(trace, change):
    board = explore(trace, section="Attention", words=("cat",))
    assert (board.state.words, board.state.role) == (("cat",), "cond")
    frames = []
    Page(board).figure_box.observe(lambda seen: frames.append(seen["new"]), "value")
    board.state.update(**change)
    assert len(frames) == 1
    board.state.update(**change)
    assert len(frames) == 1
    board.close()


def test_a_layout_that_was_interrupted_is_made_again(trace, monkeypatch):
    def draw(step, word="cat"):
        return sheet.draw(lambda: views.attention_layers(trace, word, steps=step, scale="shared"))

    sheet = Sheet()
    for step in (0, 1):
        draw(step).html()
    with monkeypatch.context() as patch:
        patch.setattr(layout_cache, "_known", {})
        patch.setattr(layout_cache, "_standing", lambda _: object())
        patch.setattr(ConstrainedLayoutEngine, "execute", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            draw(2).html()
    assert draw(3).html() == views.attention_layers(trace, "cat", steps=3).html()
