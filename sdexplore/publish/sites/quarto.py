"""Quarto: posts/<slug>/index.qmd with numbered figures beside it."""

from typing import ClassVar

from .markdown import front_matter, inline, one_line
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
        alt = one_line(shot.alt).replace("\\", "\\\\").replace('"', '\\"')
        width = f" width={shot.width}px" if shot.width else ""
        number = shot.file.partition(".")[0]
        return f'![{inline(shot.caption, quotes=True)}]({address}){{#fig-{number} fig-alt="{alt}"{width}}}'

    def passage_notices(self, markdown: str) -> list[str]:  # noqa: ARG002  (as in Site)
        """None: Pandoc asks no letter beside the stars."""
        return []
