"""What each kind of site wants: where its files go, how it names a picture, what it refuses."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from ...base.errors import PublishError, did_you_mean
from .markdown import attribute, inline, one_line, quoted, twins

ZERO_WIDTH_SPACE: Final = "\u200b"
ZENN_MOST_BYTES: Final = 3 * 2**20


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture as a page shows it.

    Attributes:
        key: Under which it was added.
        file: Its name in the folder of pictures: 001.png.
        alt: What is to be seen, in words.
        caption: Stands beneath; "" for none.
        width: In CSS pixels; None: as wide as it is, or as the column.
    """

    key: str
    file: str
    alt: str
    caption: str
    width: int | None


@dataclass(frozen=True, kw_only=True)
class Flavor:
    """One kind of site.

    Attributes:
        pictures, page: Where pictures and Markdown go, beneath the root; {} is the slug.
        front: The lines of the page's head, from its facts.
        show: A picture as Markdown, with what stands before its file's name.
        problems: What the site will refuse, from slug and facts; each says what to change.
        most_bytes: Of one picture; None where no limit is known.
        explorable: Where HTML goes that the site serves as it is, beneath the root; None: it serves none.
    """

    name: str
    pictures: str
    page: str
    front: Callable[[Mapping[str, Any]], str]
    show: Callable[[Shot, str], str]
    problems: Callable[[str, Mapping[str, Any]], list[str]]
    most_bytes: int | None = None
    explorable: str | None = None

    def folder_of(self, slug: str) -> PurePosixPath:
        """The folder of pictures."""
        return PurePosixPath(self.pictures.format(slug))

    def page_of(self, slug: str) -> PurePosixPath:
        """The Markdown file."""
        return PurePosixPath(self.page.format(slug))


def flavor_of(name: str) -> Flavor:
    """The flavor of that name; PublishError if there is none."""
    if name not in FLAVORS:
        raise PublishError(f"no flavor {name!r}; {did_you_mean(str(name), FLAVORS)}")
    return FLAVORS[name]


def _caption(text: str) -> str:
    return f"*{inline(text)}*" if text else ""


def _zenn(shot: Shot, base: str) -> str:
    width = f" ={shot.width}x" if shot.width else ""
    image = f"![{twins(shot.alt)}]({base}{shot.file}{width})"
    return "\n".join(filter(None, (image, _caption(shot.caption))))


def _beside(shot: Shot, base: str) -> str:
    source = f"{base}{shot.file}"
    if shot.width:
        image = f'<img src="{source}" alt={attribute(shot.alt)} width="{shot.width}">'
    else:
        image = f"![{inline(shot.alt)}]({source})"
    return "\n\n".join(filter(None, (image, _caption(shot.caption))))


def _hugo(shot: Shot, _: str) -> str:
    def value(text: str) -> str:
        # A raw string of Hugo's has no escapes, so it holds anything but a backtick. A shortcode's own brackets are
        # kept from closing this one or opening another.
        return f"`{re.sub(r'(?<=[%>}{])(?=[}{<%])', ZERO_WIDTH_SPACE, text)}`"

    alt = one_line(shot.alt).replace("`", "\N{FULLWIDTH GRAVE ACCENT}")
    caption = inline(shot.caption, quotes=True).replace("\\`", "&#96;")
    parts = [f'src="{shot.file}"', f"alt={value(alt)}"]
    parts += [f"caption={value(caption)}"] if shot.caption else []
    parts += [f'width="{shot.width}"'] if shot.width else []
    return f"{{{{< figure {' '.join(parts)} >}}}}"


def _quarto(shot: Shot, _: str) -> str:
    def value(text: str) -> str:
        return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'

    width = f" width={shot.width}px" if shot.width else ""
    number = shot.file.partition(".")[0]
    return f"![{inline(shot.caption, quotes=True)}]({shot.file}){{#fig-{number} fig-alt={value(shot.alt)}{width}}}"


def _yaml(fields: Mapping[str, Any]) -> str:
    return "\n".join(["---", *(f"{name}: {_scalar(value)}" for name, value in fields.items()), "---"])


def _scalar(value: Any) -> str:  # noqa: ANN401  (a fact of the front matter)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    return f"[{', '.join(map(_scalar, value))}]"


def _zenn_front(facts: Mapping[str, Any]) -> str:
    return _yaml({name: facts[name] for name in ("title", "emoji", "type", "topics", "published")})


def _qiita_front(facts: Mapping[str, Any]) -> str:
    fields = {"title": facts["title"], "tags": facts["topics"], "private": not facts["published"]}
    rest = {"updated_at": "", "id": None, "organization_url_name": None, "slide": False}
    return _yaml(fields | rest | {"ignorePublish": not facts["published"]})


def _github_front(facts: Mapping[str, Any]) -> str:
    return f"# {inline(facts['title'])}"


def _hugo_front(facts: Mapping[str, Any]) -> str:
    return _yaml({"title": facts["title"], "draft": not facts["published"], "tags": facts["topics"]})


def _quarto_front(facts: Mapping[str, Any]) -> str:
    return _yaml({"title": facts["title"], "draft": not facts["published"], "categories": facts["topics"]})


_ZENN_SLUG, _ZENN_TITLE, _ZENN_TOPICS, _ZENN_TOPIC = re.compile(r"[a-z0-9_-]{12,50}"), 70, 5, 18


def zenn_problems(slug: str, facts: Mapping[str, Any]) -> list[str]:
    """What Zenn refuses of this article, each with what to change (zenn-editor, packages/zenn-model/src/utils.ts)."""
    found = []
    if not _ZENN_SLUG.fullmatch(slug):
        length = len(slug)
        near = re.sub(r"[^a-z0-9_-]+", "-", slug.lower())
        why = (
            f"it has {length} characters, so add {12 - length}"
            if length < 12  # noqa: PLR2004  (Zenn's least)
            else f"it has {length} characters, so leave out {length - 50}"
            if length > 50  # noqa: PLR2004  (Zenn's most)
            else f"{near!r}, say"
        )
        found.append(f"slug {slug!r}: Zenn takes 12 to 50 of a-z, 0-9, - and _; {why}")
    title = facts["title"]
    if not title.strip():
        found.append("title='': Zenn needs one; give title=")
    if len(title) > _ZENN_TITLE:
        found.append(f"title of {len(title)} characters: Zenn takes {_ZENN_TITLE}; shorten it by {len(title) - 70}")
    if facts["type"] not in ("tech", "idea"):
        found.append(f"type={facts['type']!r}: Zenn knows 'tech' and 'idea'")
    emoji = facts["emoji"]
    if not isinstance(emoji, str) or not emoji or emoji.isascii() or len(emoji) > 12:  # noqa: PLR2004  (a family of four has 11)
        found.append(f"emoji={emoji!r}: Zenn takes one emoji, '🔍' say")
    return found + _topic_problems(facts["topics"])


def _topic_problems(topics: Sequence[str]) -> list[str]:
    found = []
    if not 1 <= len(topics) <= _ZENN_TOPICS:
        found.append(f"topics={list(topics)!r}: Zenn takes 1 to {_ZENN_TOPICS}, these are {len(topics)}")
    for topic in topics:
        if not isinstance(topic, str) or not topic.isalnum():
            found.append(f"topic {topic!r}: Zenn takes letters and digits only; leave signs and spaces out")
        elif len(topic) > _ZENN_TOPIC:
            found.append(f"topic {topic!r} has {len(topic)} characters: Zenn takes {_ZENN_TOPIC}")
    return found


def _no_problems(_: str, facts: Mapping[str, Any]) -> list[str]:
    return [] if facts["title"].strip() else ["title='': give title="]


FLAVORS: Final[Mapping[str, Flavor]] = {
    flavor.name: flavor
    for flavor in (
        Flavor(
            name="zenn",
            pictures="images/{}",
            page="articles/{}.md",
            front=_zenn_front,
            show=_zenn,
            problems=zenn_problems,
            most_bytes=ZENN_MOST_BYTES,
        ),
        Flavor(
            name="qiita",
            pictures="images/{}",
            page="public/{}.md",
            front=_qiita_front,
            show=_beside,
            problems=_no_problems,
        ),
        Flavor(
            name="github",
            pictures="images/{}",
            page="images/{}/README.md",
            explorable="images/{}",
            front=_github_front,
            show=_beside,
            problems=_no_problems,
        ),
        Flavor(
            name="hugo",
            pictures="content/posts/{}",
            page="content/posts/{}/index.md",
            explorable="static/images/{}",  # a bundle's own HTML is not published since Hugo 0.123
            front=_hugo_front,
            show=_hugo,
            problems=_no_problems,
        ),
        Flavor(
            name="quarto",
            pictures="posts/{}",
            page="posts/{}/index.qmd",
            explorable="posts/{}",
            front=_quarto_front,
            show=_quarto,
            problems=_no_problems,
        ),
    )
}
