"""What holds for every picture that is made from now on: the language of its words, and the page that it is for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from .errors import RunError, did_you_mean

Theme: TypeAlias = Literal["light", "dark", "transparent"]
THEMES: Final = ("light", "dark", "transparent")
LANGUAGES: Final = ("en", "ja")  # each has a folder in strings/, and stands in strings/wording


@dataclass(frozen=True)
class Options:
    """The options that `set_options` sets.

    Attributes:
        lang: The language of titles, labels, captions, alt texts and of the dashboard: one of `LANGUAGES`.
        theme: The page that a picture is for, where its `save` is given no other.
    """

    lang: str = "en"
    theme: Theme = "light"


class _Setting:
    """What `set_options` returns: as a context manager it restores the options at the end of its block.

    A further block sets them again.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._set()

    def _set(self) -> None:
        self._before, self._holds = _options, True
        _set(replace(_options, **self._given))

    def __enter__(self) -> Options:
        if not self._holds:
            self._set()
        return options()

    def __exit__(self, *_: object) -> None:
        _set(self._before)
        self._holds = False


_options = Options()
_pinned: ContextVar[Options | None] = ContextVar("the options of the picture that is drawn now", default=None)


def set_options(*, lang: str | None = None, theme: str | None = None) -> _Setting:
    """Sets options for everything that is made from now on, in all threads; in a `with` block, until its end.

    A Picture takes the options when it is made and keeps them, and a dashboard its language. An argument
    (`picture.save(theme=…)`) wins over them. Errors, warnings and reprs stay English.

    Args:
        lang: Language of titles, labels, captions, alt texts and of the dashboard: "en" or "ja". None: as it is.
        theme: The page for which pictures are drawn: "light", "dark" or "transparent". None: as it is.

    Raises:
        RunError: A language or a theme that does not exist.
    """
    untyped: tuple[object, object] = (lang, theme)
    for name, value, known in (("lang", untyped[0], LANGUAGES), ("theme", untyped[1], THEMES)):
        if value is not None and value not in known:
            raise RunError(f"set_options({name}={value!r}): {did_you_mean(str(value), known)}")
    return _Setting({name: value for name, value in (("lang", lang), ("theme", theme)) if value is not None})


def options() -> Options:
    """The options that hold now: those of the picture that is drawn, or those that were set."""
    return _pinned.get() or _options


@contextmanager
def pinned(held: Options | None = None) -> Iterator[Options]:
    """In the block the options stay what they are now, or are `held`, in this thread: a picture is in one language."""
    before = _pinned.set(held or options())
    try:
        yield options()
    finally:
        _pinned.reset(before)


def _set(held: Options) -> None:
    global _options  # noqa: PLW0603  (an option is one for the process)
    _options = held
