"""Qiita (qiita.com): public/<slug>.md for its command line, pictures by an address on the web."""

from typing import ClassVar

from .markdown import front_matter
from .site import Facts, Site


class Qiita(Site):
    """Qiita shows a picture by an address on the web only, so it needs to know where the root is on the web."""

    name: ClassVar[str] = "qiita"
    pictures: ClassVar[str] = "images/{}"
    page: ClassVar[str] = "public/{}.md"

    def head(self, facts: Facts) -> str:
        """YAML as Qiita's command line writes it."""
        fields = {"title": facts["title"], "tags": facts["topics"], "private": not facts["published"]}
        rest = {"updated_at": "", "id": None, "organization_url_name": None, "slide": False}
        return front_matter(fields | rest | {"ignorePublish": not facts["published"]})

    def address_of(self, file: str, slug: str, facts: Facts) -> str:
        """On the web, if `facts` has an address; otherwise relative to the Markdown file."""
        root = facts["address"].rstrip("/") if facts["address"] else ".."
        return f"{root}/{self.folder_of(slug)}/{file}"

    def notices(self, facts: Facts) -> list[str]:
        """That Qiita shows no picture as long as the address is not known."""
        if facts["address"]:
            return []
        return ["Qiita shows no picture by a relative path: give address=, where root is on the web"]
