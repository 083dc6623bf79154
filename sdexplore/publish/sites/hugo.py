"""Hugo: a page bundle, content/posts/<slug>/, with pictures as figure shortcodes."""

import re
from typing import ClassVar, Final

from .markdown import front_matter, inline, one_line
from .site import Facts, Shot, Site

ZERO_WIDTH_SPACE: Final = "\u200b"


class Hugo(Site):
    """Hugo publishes no HTML of a bundle (since 0.123), so a page goes under static/."""

    name: ClassVar[str] = "hugo"
    pictures: ClassVar[str] = "content/posts/{}"
    page: ClassVar[str] = "content/posts/{}/index.md"
    html: ClassVar[str | None] = "static/images/{}"

    def head(self, facts: Facts) -> str:
        """YAML with title, draft, tags."""
        return front_matter({"title": facts["title"], "draft": not facts["published"], "tags": facts["topics"]})

    def picture(self, shot: Shot, address: str) -> str:
        """A figure shortcode."""
        alt = one_line(shot.alt).replace("`", "\N{FULLWIDTH GRAVE ACCENT}")
        caption = inline(shot.caption, quotes=True).replace("\\`", "&#96;")
        parts = [f'src="{address}"', f"alt={_raw(alt)}"]
        parts += [f"caption={_raw(caption)}"] if shot.caption else []
        parts += [f'width="{shot.width}"'] if shot.width else []
        return f"{{{{< figure {' '.join(parts)} >}}}}"

    def page_link(self, key: str, slug: str, facts: Facts) -> str:
        """From the top of the site, or from its address if `facts` has one: Hugo serves static/ as the top."""
        root = facts["address"].rstrip("/") if facts.get("address") else ""
        return f"{root}/images/{slug}/{key}.html"


def _raw(text: str) -> str:
    """`text` as a raw string of Hugo's, which has no escapes and so holds everything but a backtick.

    A space of no width keeps the brackets of a shortcode in `text` from closing this one or opening another.
    """
    return f"`{re.sub(r'(?<=[%>}{])(?=[}{<%])', ZERO_WIDTH_SPACE, text)}`"
