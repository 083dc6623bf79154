"""What a dashboard says in words: captions, messages, and the line of code that makes again what is shown."""

from collections.abc import Callable

import ipywidgets as widgets

from ..base.display import clip, escape
from ..base.errors import SdexploreError

FAINT = "var(--jp-content-font-color2, #6b6b6b)"
_ERROR = "var(--jp-error-color1, #b00020)"
_MONO = "font-family:var(--jp-code-font-family, monospace);font-size:12px"


class Caption:
    """At most two lines beneath a picture; a longer text is cut at the end, and the tooltip shows all of it."""

    def __init__(self, text: str) -> None:
        self.widget = widgets.HTML(layout=widgets.Layout(width="100%", height="44px"))
        self.say(text)

    def say(self, text: str) -> None:
        """Shows `text` as the caption."""
        two = "display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden"
        words = f"{two};line-height:1.4;overflow-wrap:anywhere;color:{FAINT}"
        self.widget.value = (
            f'<div role="status" title="{escape(clip(text, 2000))}" style="{words}">{escape(clip(text, 400))}</div>'
        )


class Message:
    """One line about the state of the work. An error has the theme's error colour and a warning sign.

    Attributes:
        plain: The text without markup.
    """

    def __init__(self, text: str = "", *, keep_place: bool = False) -> None:
        self.widget = widgets.HTML(layout=widgets.Layout(min_height="28px" if keep_place else "0", width="100%"))
        self.plain = ""
        self.say(text)

    def say(self, text: str) -> None:
        """Shows `text` as the state of the work."""
        self.plain = text
        self.widget.value = f'<span role="status" style="color:{FAINT}">{escape(clip(text, 400))}</span>'

    def fail(self, error: BaseException) -> None:
        """Shows an error: one of ours by its words, another one with its class as well."""
        own = isinstance(error, SdexploreError)
        text = self.plain = str(error) if own else f"{type(error).__name__}: {error}"
        self.widget.value = (
            f'<span role="alert" style="color:{_ERROR};font-weight:600">⚠ {escape(clip(text, 600))}</span>'
        )


class CodeLine:
    """The code that makes again what is shown.

    Args:
        written: Gives a line the user's own names.
    """

    def __init__(self, written: Callable[[str], str] = str) -> None:
        self._written = written
        self.widget = widgets.HTML(layout=widgets.Layout(width="100%"))

    def show(self, *lines: str) -> None:
        """Shows lines of code, ready to be copied; an empty line is left out."""
        body = escape("\n".join(self._written(line) for line in lines if line))
        self.widget.value = f'<pre style="margin:2px 0;white-space:pre-wrap;word-break:break-word;{_MONO}">{body}</pre>'
