"""Under each figure: the form that puts it into the article, with its key, caption and alt text to be edited."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import ipywidgets as widgets

from ..base.display import clip
from ..figures.code_lines import without_language
from ..figures.picture import Picture
from ..strings.wording import wording
from .controls import button, close, column, control, labelled, row
from .messages import Message

_OF_PROMPT: Final = 44  # characters of a prompt in a title: Zenn takes 70 in all


@dataclass
class ArticlePlace:
    """The article that figures go into; the section Export sets it.

    Attributes:
        slug, flavor, root: As `Article` takes them.
        title: The title that the reader typed; "" for none.
        prompt: Gives the prompt of the run that is shown, or of the next one.
    """

    slug: str = "inside-stable-diffusion"
    flavor: str = "zenn"
    root: str = "."
    title: str = ""
    prompt: Callable[[], str | None] = lambda: None

    def opened(self) -> Any:  # noqa: ANN401  (an Article, which is loaded now)
        """The article.

        Raises:
            PublishError: The site would refuse it.
        """
        from ..publish.article import Article

        title = self.title.strip() or None
        return Article(self.slug, flavor=self.flavor, root=self.root, title=title)  # type: ignore[arg-type]  # checked there

    def title_for(self, picture: Picture | None = None) -> str:
        """The article's title: typed, or last saved, or else made of the prompt of the picture or of the dashboard."""
        article = self.opened()
        if self.title.strip() or article.title != self.slug:
            return str(article.title)
        prompts = [one["call"].get("prompt") for one in picture.sources] if picture is not None else []
        prompt = prompts[0] if prompts and all(one == prompts[0] for one in prompts) else self.prompt()
        if not isinstance(prompt, str) or not prompt.strip():
            return wording("dashboard.article.title.none")
        return wording("dashboard.article.title.of", prompt=clip(" ".join(prompt.split()), _OF_PROMPT))

    def key_for(self, picture: Picture) -> str:
        """A key for `picture`: the name of its view, with a number where another picture has that name."""
        from ..publish.material import name_of

        name, held = name_of(without_language(str(picture.call)), "figure"), self.opened().pictures
        key, number = name, 1
        while key in held and held[key].alt != picture.alt:
            number += 1
            key = f"{name}-{number}"
        return key

    def add(self, picture: Picture, key: str, caption: str, alt: str) -> str:
        """Writes the picture and the Markdown; returns what was written, and the warnings, in words."""
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            article = replace(self, title=self.title_for(picture)).opened()
            article.add(picture, key=key.strip() or None, caption=caption, alt=alt)
            said = wording("dashboard.article.written", path=article.save())
        return ". ".join([said, *dict.fromkeys(str(note.message) for note in notes)])


class ArticleForm:
    """A button, and the fields that it unfolds: they are made when they are wanted.

    Args:
        picture: Gives the figure above; an error of it is shown.
    """

    def __init__(self, place: ArticlePlace, picture: Callable[[], Picture]) -> None:
        self._place, self._picture = place, picture
        self._given: Picture | None = None
        self._button = button(*labelled("dashboard.article.open"), self.turn, icon="picture-o")
        self._message = Message()
        self._fields = column([])
        self.widget: Any = column([row([self._button, self._message.widget]), self._fields])
        self._message.widget.layout.width, self._message.widget.layout.flex = "auto", "1 1 240px"

    def turn(self) -> None:
        """Unfolds the fields with what is proposed for this figure, or folds them."""
        if self._fields.children:
            self.fold()
            return
        try:
            self._given = self._picture()
            key = self._place.key_for(self._given)
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self._message.fail(error)
            return
        self._message.say("")
        fields = [
            control(widgets.Text, *labelled("dashboard.article.key"), value=key),
            control(
                widgets.Textarea,
                *labelled("dashboard.article.caption"),
                value=self._given.caption,
                rows=2,
            ),
            control(
                widgets.Textarea,
                *labelled("dashboard.article.alt"),
                value=self._given.alt,
                rows=3,
            ),
        ]
        add = button(*labelled("dashboard.article.add"), self.add, icon="check")
        self._fields.children = [*fields, row([add, button(*labelled("dashboard.article.cancel"), self.fold)])]

    def add(self) -> None:
        """Writes the figure and the Markdown, and says where."""
        key, caption, alt = (one.value for one in self._fields.children[:3])
        if self._given is None:
            return
        try:
            said = self._place.add(self._given, key, caption, alt)
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self._message.fail(error)
            return
        self.fold()
        self._message.say(said)

    def fold(self) -> None:
        """Removes the fields, and what was said."""
        fields, self._fields.children, self._given = self._fields.children, [], None
        close(*fields)
        self._message.say("")
