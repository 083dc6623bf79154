"""GitHub: a README.md beside its pictures; GitHub Pages serves HTML."""

from typing import ClassVar

from ...base.errors import PublishError
from .site import Facts, Site


class GitHub(Site):
    """Plain Markdown with its pictures beside it."""

    name: ClassVar[str] = "github"
    pictures: ClassVar[str] = "images/{}"
    page: ClassVar[str] = "images/{}/README.md"
    html: ClassVar[str | None] = "images/{}"

    def page_link(self, key: str, slug: str, facts: Facts) -> str:
        """The address at GitHub Pages, since GitHub itself shows HTML as source.

        Raises:
            PublishError: `facts` has no address.
        """
        if not facts.get("address"):
            raise PublishError(
                "GitHub shows a page as its source: serve root by GitHub Pages, and give its address, "
                "Article(…, address='https://you.github.io/repository')"
            )
        return f"{facts['address'].rstrip('/')}/{self.html_of(slug, key)}"
