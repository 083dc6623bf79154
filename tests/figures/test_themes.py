"""Light, dark and transparent: what changes, what stays, and that all comes back."""

import io

import numpy as np
import pytest
import synthetic
from artists import legend
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import sdexplore as sdx
from sdexplore.base.errors import PublishError
from sdexplore.bench.stored import stored_trace
from sdexplore.figures.font_families import drawable
from sdexplore.figures.picture import Picture, style
from sdexplore.figures.themes import themed

DARK, WHITE, GITHUB = (0x18, 0x18, 0x18), (255, 255, 255), (0x0D, 0x11, 0x17)


@pytest.fixture(scope="module")
def pictures():
    trace = synthetic.trace()
    return {
        "attention": sdx.views.attention(trace, ["cat"]),
        "mass": sdx.views.attention_mass(trace),
        "tokens": sdx.views.tokens(trace.tokens["cond"]),
        "segmentation": sdx.views.segmentation(trace, ["cat", "rocketship"]),
    }


def contrast(one, other):
    """WCAG 2.2's contrast ratio of two colours, each 0 to 1."""

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def pixels(picture, theme):
    return np.asarray(Image.open(io.BytesIO(picture.png(dpi=60, theme=theme))).convert("RGBA"))


@pytest.mark.parametrize("name", ["attention", "mass", "tokens", "segmentation"])
@pytest.mark.parametrize(("theme", "pages", "least"), [("dark", [DARK], 4.5), ("transparent", [WHITE, GITHUB], 4.0)])
def test_titles_and_labels_are_legible_on_the_page(pictures, name, theme, pages, least):
    figure = pictures[name].figure
    with style(), themed(figure, theme):
        on_page = [figure.get_suptitle() and figure._suptitle, *(ax.title for ax in figure.axes)]
        for ax in figure.axes:
            on_page += [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
        on_page += [text for found in figure.legends for text in found.get_texts()]
        seen = [text for text in on_page if isinstance(text, Text) and text.get_text().strip()]
        for text in seen:
            for page in pages:
                assert contrast(to_rgb(text.get_color()), np.array(page) / 255) >= least, text.get_text()
    assert seen or name == "tokens"


def test_pages_are_white_dark_and_none(pictures):
    for theme, corner in (("light", (*WHITE, 255)), ("dark", (*DARK, 255))):
        assert tuple(pixels(pictures["attention"], theme)[0, 0]) == corner
    assert pixels(pictures["attention"], "transparent")[0, 0, 3] == 0


def test_data_keep_their_colours(pictures):
    """Every pixel of the maps and pictures is the same; so are the legend's colours."""
    light, dark = (pixels(pictures["attention"], theme) for theme in ("light", "dark"))
    coloured = (light[..., :3].max(-1).astype(int) - light[..., :3].min(-1)) > 60
    assert coloured.mean() > 0.2
    assert (light[coloured] == dark[coloured]).all(-1).mean() > 0.99
    before = legend(pictures["segmentation"])
    with themed(pictures["segmentation"].figure, "dark"):
        assert legend(pictures["segmentation"]) == before


def test_text_on_a_box_stays_with_its_box(pictures):
    (ax,) = pictures["tokens"].figure.axes
    words = {text.get_text(): text for text in ax.texts}
    with style(), themed(pictures["tokens"].figure, "dark"):
        assert to_rgb(words["cat"].get_color()) == (0, 0, 0)
        (heading,) = (text for label, text in words.items() if label.startswith("tokenizer"))
        assert min(to_rgb(heading.get_color())) > 0.6


def test_black_lines_turn_and_coloured_ones_stay():
    figure = Figure()
    ax = figure.subplots()
    black, blue = ax.plot([0, 1], color="k")[0], ax.plot([1, 0], color="tab:blue")[0]
    with themed(figure, "dark"):
        assert min(to_rgb(black.get_color())) > 0.6
        assert blue.get_color() == "tab:blue"
    assert black.get_color() == "k"


@pytest.mark.parametrize("name", ["attention", "mass", "tokens"])
def test_the_figure_is_as_it_was(pictures, name):
    before = pictures[name].png(dpi=60)
    pictures[name].png(dpi=60, theme="dark")
    pictures[name].png(dpi=90, theme="transparent", width=300)
    assert pictures[name].png(dpi=60) == before


def test_colours_come_back_when_drawing_fails(pictures):
    figure = pictures["mass"].figure
    before = [text.get_color() for text in figure.findobj(Text)]
    with pytest.raises(KeyError), themed(figure, "dark"):
        raise KeyError
    assert [text.get_color() for text in figure.findobj(Text)] == before


@pytest.mark.parametrize("width", [350, 1400])
def test_a_width_in_pixels_is_met_to_a_hundredth(pictures, width):
    for picture in pictures.values():
        assert Image.open(io.BytesIO(picture.png(width=width))).width == pytest.approx(width, rel=0.01)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.svg", {"width": 700}, "has no pixels: leave width=700 out"),
        ("a.png", {"width": 0}, "at least one pixel"),
        ("a.jpg", {"theme": "transparent"}, "never transparent"),
        ("a.png", {"theme": "sepia"}, "one of 'light', 'dark', 'transparent'"),
    ],
)
def test_what_cannot_be_saved_so_is_refused(tmp_path, pictures, name, options, said):
    from unchecked import unchecked

    picture = pictures["tokens"]
    other = unchecked("figures.picture").Picture(picture.figure, picture.data, picture.alt, picture.call)
    with pytest.raises(PublishError, match=said):
        other.save(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_themes_reach_svg_and_pdf(tmp_path, pictures):
    pictures["mass"].save(tmp_path / "a.svg", theme="dark")
    assert "#181818" in (tmp_path / "a.svg").read_text()
    assert pictures["mass"].save(tmp_path / "a.pdf", theme="transparent").read_bytes().startswith(b"%PDF")


def test_bars_without_room_for_their_numbers_are_themed_without_a_warning():
    picture = sdx.views.attention_mass(stored_trace(steps=30, side=16))
    assert picture.figure.axes[1].texts[1].words == ()
    assert picture.png(dpi=40, theme="dark") != picture.png(dpi=40)


def test_characters_that_no_font_has_are_noticed():
    def drawn(text):
        figure = Figure()
        figure.suptitle(text)
        return Picture(figure=figure, data={}, alt="a", call="b")

    assert drawn("U+1F338 and U+00E9 alone").notices == ()
    assert drawn("U+6771U+4EAC U+306E").notices == ()  # typed so: a font has these
    (notice,) = drawn("U+2EBF1U+2EBF0").notices  # the last Chinese characters of Unicode's extension I
    assert "\U0002ebf0\U0002ebf1" in notice
    assert "fonts-noto-cjk" in notice
    assert notice in repr(drawn("U+2EBF1U+2EBF0"))
    assert "<figcaption>No font has \U0002ebf0" in drawn("U+2EBF0")._repr_mimebundle_()[0]["text/html"]


def test_saving_says_what_the_figure_cannot_draw(tmp_path):
    figure = Figure()
    figure.suptitle(drawable("\U0002ebf0"))
    with pytest.warns(UserWarning, match="by number"):
        Picture(figure=figure, data={}, alt="a", call="b").save(tmp_path / "a.png")
