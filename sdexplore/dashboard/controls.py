"""Controls with a label and a tooltip, pictures that never jump, and messages in words."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from jaxtyping import UInt8

from ..base.display import clip, escape
from ..base.errors import SdexploreError
from ..figures import fast_png
from ..figures.picture import Picture
from .state import State

WIDE = {"description_width": "84px"}
_ERROR = "var(--jp-error-color1, #b00020)"
_FAINT = "var(--jp-content-font-color2, #6b6b6b)"
UNCHOSEN = ""
"""What a list of choices holds where nothing in particular is chosen: None would leave its box blank in the page."""
_MONO = "font-family:var(--jp-code-font-family, monospace);font-size:12px"


def control(make: Callable[..., Any], label: str, tooltip: str, *, width: str = "auto", **options: Any) -> Any:  # noqa: ANN401  (widgets have no types)
    """A control of kind `make` (a class of ipywidgets) with its label and its tooltip."""
    return make(
        description=label, tooltip=tooltip, style=WIDE, layout=widgets.Layout(width=width, min_width="0"), **options
    )


def button(label: str, tooltip: str, pressed: Callable[[], object], **options: Any) -> Any:  # noqa: ANN401  (as above)
    """A button that calls `pressed`."""
    made = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(width="auto"), **options)
    made.on_click(lambda _: pressed())
    return made


def bind(
    state: State,
    name: str,
    made: Any,  # noqa: ANN401  (as above)
    *,
    shown: Callable[[Any], Any] = lambda value: value,
    meant: Callable[[Any], Any] = lambda value: value,
) -> Any:  # noqa: ANN401
    """Ties the control to one value of the state, both ways; a value that the control cannot show leaves it alone.

    Args:
        shown: The state's value as the control holds it.
        meant: The control's value as the state holds it.
    """

    def to_control(_: object = None) -> None:
        value = shown(getattr(state, name))
        options = [option[1] if isinstance(option, tuple) else option for option in getattr(made, "options", ())]
        if made.value == value or (options and value not in options):
            return
        if isinstance(value, int | float) and hasattr(made, "max"):  # it would show another value than is set
            made.max, made.min = max(made.max, value), min(made.min, value)
        made.value = value

    def to_state(_: object) -> None:
        value = meant(made.value)
        if getattr(state, name) != value:
            setattr(state, name, value)

    to_control()
    made.observe(to_state, "value")
    state.observe(to_control, name)
    return made


def png(pixels: UInt8[np.ndarray, "Y X 3"], least: int = 0) -> bytes:
    """The bytes of a PNG file; enlarged by whole pixels until its longer side has `least`."""
    factor = max(1, -(-least // max(pixels.shape[:2])))
    return fast_png.png(pixels.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else pixels)


def blank(side: int = 8) -> bytes:
    """A grey picture, so that the place of the picture to come is there from the first."""
    return png(np.full((side, side, 3), 128, np.uint8))


def picture_box(side: int) -> Any:  # noqa: ANN401  (as above)
    """A square place for pictures, of a size that no picture changes; only its source changes, so nothing flickers.

    ipywidgets gives it no alt text (and fails on a tooltip), so a caption beside it must say what it shows.
    """
    return widgets.Image(
        value=blank(),
        format="png",
        layout=widgets.Layout(
            width=f"{side}px", height=f"{side}px", max_width="100%", object_fit="contain", flex="0 0 auto"
        ),
    )


class Caption:
    """Two lines beneath a picture, never more: what is longer is cut off at the end, and whole in the tooltip."""

    def __init__(self, text: str) -> None:
        self.widget = widgets.HTML(layout=widgets.Layout(width="100%", height="44px"))
        self.plain = ""
        self.say(text)

    def say(self, text: str) -> None:
        """Says what the picture is."""
        self.plain = text
        two = "display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden"
        words = f"{two};line-height:1.4;overflow-wrap:anywhere;color:{_FAINT}"
        self.widget.value = (
            f'<div role="status" title="{escape(clip(text, 2000))}" style="{words}">{escape(clip(text, 400))}</div>'
        )


class Message:
    """One line that says how things stand; errors in words, in the theme's colour and behind a sign."""

    def __init__(self, text: str = "", *, keep_place: bool = False) -> None:
        self.widget = widgets.HTML(layout=widgets.Layout(min_height="28px" if keep_place else "0", width="100%"))
        self.plain = ""
        self.say(text)

    def say(self, text: str) -> None:
        """Says how things stand."""
        self.plain = text
        self.widget.value = f'<span role="status" style="color:{_FAINT}">{escape(clip(text, 400))}</span>'

    def fail(self, error: BaseException) -> None:
        """Says what went wrong: our own errors as they are, others with their class."""
        own = isinstance(error, SdexploreError)
        text = self.plain = str(error) if own else f"{type(error).__name__}: {error}"
        self.widget.value = (
            f'<span role="alert" style="color:{_ERROR};font-weight:600">⚠ {escape(clip(text, 600))}</span>'
        )


class CodeLine:
    """The line of code that makes again what is seen."""

    def __init__(self) -> None:
        self.widget = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.code = ""

    def show(self, *lines: str) -> None:
        """Shows lines of code, ready to be copied."""
        self.code = "\n".join(filter(None, lines))
        body = escape(self.code)
        self.widget.value = f'<pre style="margin:2px 0;white-space:pre-wrap;word-break:break-word;{_MONO}">{body}</pre>'


class Given:
    """A picture for whoever asks: the one that was shown, or one that is made when it is asked for."""

    def __init__(self, make: Callable[[], Picture], picture: Picture | None = None) -> None:
        self._make, self._picture = make, picture

    @property
    def picture(self) -> Picture:
        """It, and always the same."""
        if self._picture is None:
            self._picture = self._make()
        return self._picture


class PictureBox:
    """A Picture with its words and its line of code beneath; the next one takes its place without a jump.

    Attributes:
        given: What is shown, for others to hold; None where nothing is.
    """

    def __init__(self) -> None:
        self.image = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.words = widgets.HTML(layout=widgets.Layout(width="100%"))
        self.code = CodeLine()
        self.given: Given | None = None
        self._sheet: Any = None
        self.widget = widgets.VBox(
            [self.image, self.words, self.code.widget], layout=widgets.Layout(width="100%", min_width="0")
        )

    @property
    def picture(self) -> Picture | None:
        """What is shown; None where nothing is."""
        return None if self.given is None else self.given.picture

    def show(self, picture: Picture) -> None:
        """Draws `picture`, on white, at the size of a notebook's pictures."""
        self._say(picture)
        self.given = Given(lambda: picture, picture)

    def redraw(self, make: Callable[[], Picture]) -> None:
        """Draws the picture that `make` makes, in the figure of the last one if it can: for what follows the hand.

        Whoever asks for `picture` gets one of its own, which stays as it is; `make` is called again for it.
        """
        from ..figures.reusable_figure import Sheet

        sheet, self._sheet = self._sheet or Sheet(), None  # gone if it is left half drawn
        self._say(sheet.draw(make))
        self._sheet, self.given = sheet, Given(make)

    def _say(self, picture: Picture) -> None:
        self.image.value = picture.html()
        self.words.value = f'<div style="color:{_FAINT};line-height:1.35">{escape(clip(picture.alt, 1000))}</div>'
        self.code.show(picture.call)

    def clear(self) -> None:
        """Shows nothing."""
        self.given = self._sheet = None
        self.image.value = ""
        self.words.value = ""
        self.code.show()


def close(*made: Any) -> None:  # noqa: ANN401  (as above)
    """Closes widgets and all in them: what is merely taken out of the page lives on in ipywidgets' registry."""
    for one in made:
        inner = getattr(one, "children", ())
        own = [getattr(one, name, None) for name in ("layout", "style")]
        one.close()
        for widget in filter(None, own):
            widget.close()
        close(*inner)


def row(children: Sequence[Any], **layout: Any) -> Any:  # noqa: ANN401  (as above)
    """Controls side by side, wrapping where the screen is narrow."""
    return widgets.HBox(
        list(children),
        layout=widgets.Layout(**{"flex_flow": "row wrap", "align_items": "center", "width": "100%", **layout}),
    )


def column(children: Sequence[Any], **layout: Any) -> Any:  # noqa: ANN401  (as above)
    """Controls one beneath the other."""
    return widgets.VBox(list(children), layout=widgets.Layout(**{"width": "100%", "min_width": "0", **layout}))
