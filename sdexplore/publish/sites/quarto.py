"""Quarto: posts/<slug>/index.qmd with numbered figures beside it."""

import re
from typing import ClassVar

from .markdown import attribute, front_matter, inline, one_line
from .site import Facts, Shot, Site


class Quarto(Site):
    """Pandoc's Markdown; a picture is a figure that can be referred to by its number."""

    name: ClassVar[str] = "quarto"
    pictures: ClassVar[str] = "posts/{}"
    page: ClassVar[str] = "posts/{}/index.qmd"
    html: ClassVar[str | None] = "posts/{}"

    def head(self, facts: Facts) -> str:
        """YAML with title, draft, categories."""
        return front_matter({"title": facts["title"], "draft": not facts["published"], "categories": facts["topics"]})

    def picture(self, shot: Shot, address: str) -> str:
        """A figure with the label fig-001 and an alt text."""
        alt = re.sub(r'[\\"&]', r"\\\g<0>", one_line(shot.alt))  # Pandoc reads entities in attributes too
        width = f" width={shot.width}px" if shot.width else ""
        number = shot.file.partition(".")[0]
        return f'![{inline(shot.caption, quotes=True)}]({address}){{#fig-{number} fig-alt="{alt}"{width}}}'

    def page_shown(self, text: str, address: str) -> str:
        """The page itself, and a link to it; Quarto copies what either names into the site."""
        size = 'width="100%" height="820" style="border: 0"'
        frame = f'<iframe src="{address}" title={attribute(text)} {size} loading="lazy"></iframe>'
        return f"```{{=html}}\n{frame}\n```\n\n{super().page_shown(text, address)}"

    def passage_notices(self, markdown: str) -> list[str]:  # noqa: ARG002  (as in Site)
        """None: Pandoc asks no letter beside the stars."""
        return []
