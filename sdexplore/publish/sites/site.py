"""What a site is to an article: its folders, its Markdown, its addresses, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from ...base.errors import PublishError
from .emphasis import stars_that_stay
from .markdown import attribute, inline

Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture as a page shows it.

    Attributes:
        key: The name under which it was added.
        file: Its name in the folder of pictures: 001.png.
        alt: What the picture shows, in words.
        caption: Stands beneath the picture; "" for none.
        width: In CSS pixels; None for the picture's own width, at most that of the column.
    """

    key: str
    file: str
    alt: str
    caption: str
    width: int | None


class Site:
    """One kind of site. What a subclass does not say is plain Markdown, with the pictures beside the page.

    Each method takes the article's slug and its facts (title, emoji, type, topics, published, address).

    Attributes:
        name: What `Article(flavor=…)` calls the site.
        pictures, page: Where pictures and Markdown go, beneath the root; {} is the slug.
        html: The folder of HTML files that the site serves unchanged, beneath the root; None if it serves none.
        most_bytes: The most that one picture may have; None where no limit is known.
    """

    name: ClassVar[str]
    pictures: ClassVar[str]
    page: ClassVar[str]
    html: ClassVar[str | None] = None
    most_bytes: ClassVar[int | None] = None

    def folder_of(self, slug: str) -> PurePosixPath:
        """The folder of pictures."""
        return PurePosixPath(self.pictures.format(slug))

    def page_of(self, slug: str) -> PurePosixPath:
        """The Markdown file."""
        return PurePosixPath(self.page.format(slug))

    def html_of(self, slug: str, key: str) -> PurePosixPath:
        """The HTML file of the page `key`.

        Raises:
            PublishError: The site serves no HTML.
        """
        if self.html is None:
            raise PublishError(
                f"{self.name} serves no HTML of its authors: write the page with sdx.page(trace, 'run.html'), "
                "put it on a host that serves HTML (GitHub Pages, for example), and link to it: text('[Explore](https://…)')"
            )
        return PurePosixPath(self.html.format(slug)) / f"{key}.html"

    def head(self, facts: Facts) -> str:
        """The lines at the top of the Markdown file."""
        return f"# {inline(facts['title'])}"

    def address_of(self, file: str, slug: str, facts: Facts) -> str:  # noqa: ARG002  (other sites need them)
        """The address by which the Markdown names a file in the folder of pictures."""
        return file

    def picture(self, shot: Shot, address: str) -> str:
        """The Markdown of a picture that lies at `address`, its caption beneath it."""
        if shot.width:
            image = f'<img src="{address}" alt={attribute(shot.alt)} width="{shot.width}">'
        else:
            image = f"![{inline(shot.alt)}]({address})"
        return "\n\n".join(filter(None, (image, emphasized(shot.caption))))

    def page_link(self, key: str, slug: str, facts: Facts) -> str:  # noqa: ARG002  (other sites need them)
        """The address of the HTML page `key`, for a link in the Markdown.

        Raises:
            PublishError: The site needs an address for it, and `facts` has none.
        """
        return f"{key}.html"

    def page_shown(self, text: str, address: str) -> str:
        """The Markdown that leads to an HTML page: a link. A site that shows HTML within its pages has more."""
        return f"[{inline(text)}]({address})"

    def problems(self, slug: str, facts: Facts) -> list[str]:  # noqa: ARG002  (Zenn has rules for slugs)
        """What the site would refuse; each line says what to change."""
        return [] if facts["title"].strip() else ["title='': give title="]

    def passage_notices(self, markdown: str) -> list[str]:
        """What a reader would see otherwise than the author of this passage meant it."""
        return [
            f"in {place!r} the stars are shown as stars: CommonMark reads none between a letter and a bracket or 。; "
            "put them within the brackets, as in 「**猫**」の, or a space outside of them"
            for place in stars_that_stay(markdown)
        ]

    def notices(self, facts: Facts) -> list[str]:  # noqa: ARG002  (other sites need them)
        """What the author should know of the saved article, although the site takes it."""
        return []


def emphasized(caption: str) -> str:
    """A caption as Markdown in italics; "" for no caption."""
    return f"*{inline(caption)}*" if caption else ""
