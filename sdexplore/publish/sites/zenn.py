"""Zenn (zenn.dev): articles/<slug>.md and images/<slug>/ in a repository that Zenn reads."""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from .markdown import front_matter, twins
from .site import Facts, Shot, Site, emphasized

MOST_BYTES: Final = 3 * 2**20  # of one picture
# Zenn's own rules: zenn-editor, packages/zenn-model/src/utils.ts.
_SLUG, _LEAST_SLUG, _MOST_SLUG = re.compile(r"[a-z0-9_-]{12,50}"), 12, 50
_MOST_TITLE, _MOST_TOPICS, _MOST_TOPIC = 70, 5, 18
_MOST_EMOJI = 12  # code points; a family of four has 11


class Zenn(Site):
    """Zenn names pictures by an address from the top of the repository, and draws a caption in italics below."""

    name: ClassVar[str] = "zenn"
    pictures: ClassVar[str] = "images/{}"
    page: ClassVar[str] = "articles/{}.md"
    most_bytes: ClassVar[int | None] = MOST_BYTES

    def head(self, facts: Facts) -> str:
        """YAML with title, emoji, type, topics, published."""
        return front_matter({name: facts[name] for name in ("title", "emoji", "type", "topics", "published")})

    def address_of(self, file: str, slug: str, facts: Facts) -> str:  # noqa: ARG002  (as in Site)
        """From the top of the repository."""
        return f"/{self.folder_of(slug)}/{file}"

    def picture(self, shot: Shot, address: str) -> str:
        """An image with Zenn's own sign for the width."""
        width = f" ={shot.width}x" if shot.width else ""
        return "\n".join(filter(None, (f"![{twins(shot.alt)}]({address}{width})", emphasized(shot.caption))))

    def problems(self, slug: str, facts: Facts) -> list[str]:
        """What Zenn refuses: slugs, titles, types, emoji and topics have rules."""
        found = []
        if not _SLUG.fullmatch(slug):
            found.append(f"slug {slug!r}: Zenn takes 12 to 50 of a-z, 0-9, - and _; {_near(slug)}")
        title = facts["title"]
        if not title.strip():
            found.append("title='': Zenn needs one; give title=")
        if (over := len(title) - _MOST_TITLE) > 0:
            found.append(f"title of {len(title)} characters: Zenn takes {_MOST_TITLE}; shorten it by {over}")
        if facts["type"] not in ("tech", "idea"):
            found.append(f"type={facts['type']!r}: Zenn knows 'tech' and 'idea'")
        emoji = facts["emoji"]
        if not isinstance(emoji, str) or not emoji or emoji.isascii() or len(emoji) > _MOST_EMOJI:
            found.append(f"emoji={emoji!r}: Zenn takes one emoji, such as '🔍'")
        return found + _topic_problems(facts["topics"])


def _near(slug: str) -> str:
    """What to change so that Zenn takes the slug."""
    length = len(slug)
    if length < _LEAST_SLUG:
        return f"it has {length} characters, so add {_LEAST_SLUG - length}"
    if length > _MOST_SLUG:
        return f"it has {length} characters, so leave out {length - _MOST_SLUG}"
    return f"use {re.sub(r'[^a-z0-9_-]+', '-', slug.lower())!r}"


def _topic_problems(topics: Sequence[str]) -> list[str]:
    found = []
    if not 1 <= len(topics) <= _MOST_TOPICS:
        found.append(f"topics={list(topics)!r}: Zenn takes 1 to {_MOST_TOPICS}, these are {len(topics)}")
    for topic in topics:
        if not isinstance(topic, str) or not topic.isalnum():
            found.append(f"topic {topic!r}: Zenn takes letters and digits only; leave signs and spaces out")
        elif len(topic) > _MOST_TOPIC:
            found.append(f"topic {topic!r} has {len(topic)} characters: Zenn takes {_MOST_TOPIC}")
    return found
