"""The facts of a page's head, and what an article is given: checked before anything is written.

A value of another type is refused and never converted: `published="false"` would publish, since it is a text that is
not empty.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ..base.display import clip
from ..base.errors import PublishError

USUAL: Final[Mapping[str, Any]] = {
    "title": None,
    "emoji": "🔍",
    "type": "tech",
    "topics": ["stablediffusion", "jupyter"],
    "published": False,
    "address": None,
}
"""The facts of an article that gives none; the title is then the slug."""

_IN_LINKS = re.compile(r"[\w.~:/?#@!$&+,;=%-]+")  # no space, quote, bracket or backslash, which would end a link


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_topics(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_address(value: object) -> bool:
    """Whether `value` is the address of a site: https or http, a host, and nothing that would end a link."""
    if not isinstance(value, str) or not _IN_LINKS.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment


_KINDS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "title": (_is_text, "a title is text"),
    "emoji": (_is_text, "it is text, one emoji such as '🔍'"),
    "type": (_is_text, "it is text, 'tech' or 'idea'"),
    "topics": (_is_topics, "topics are texts, as in ['stablediffusion', 'jupyter']"),
    "published": (lambda value: isinstance(value, bool), "it is True or False"),
    "address": (
        _is_address,
        "it is where root is on the web, as 'https://you.github.io/repository', without spaces, quotes and brackets",
    ),
}


def checked_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are given, those that are None left out; one topic may stand for a list of one.

    Raises:
        PublishError: A fact has another type than it must have.
    """
    facts = {name: value for name, value in given.items() if value is not None}
    if isinstance(topics := facts.get("topics"), str):
        facts["topics"] = [topics]
    elif isinstance(topics, Sequence) and not isinstance(topics, bytes):
        facts["topics"] = list(topics)
    for name, value in facts.items():
        fits, right = _KINDS[name]
        if not fits(value):
            raise PublishError(f"Article({name}={clip(repr(value), 80)}): {right}")
    return facts


def are_facts(read: object) -> bool:
    """Whether `read`, from a manifest, can be the facts of an article; None stands for a fact that was never given."""
    return isinstance(read, dict) and all(
        name in _KINDS and (value is None or _KINDS[name][0](value)) for name, value in read.items()
    )


def check_text(function: str, name: str, value: object, right: str = "it is text") -> None:
    """PublishError where `value` is no text."""
    if not isinstance(value, str):
        raise PublishError(f"{function}({name}={clip(repr(value), 80)}): {right}")


def check_root(root: object) -> None:
    """PublishError where `root` cannot name a folder."""
    if not isinstance(root, str | Path) or "\0" in str(root):
        raise PublishError(
            f"Article(root={clip(repr(root), 80)}): name the folder of your articles, as a text or a Path"
        )
