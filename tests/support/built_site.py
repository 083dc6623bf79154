"""What the pages of a built site lead to, load and show, read from their HTML."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("link", "href")}
_LED = ("index", "search", "next", "prev")  # pages, which are not loaded
_ADDRESS = re.compile(r"(?:url\(|@import\s+)['\"]?([^'\")\s]+)")


@dataclass
class Page(HTMLParser):
    """One page: its names, what it leads to, what the browser loads for it, and its pictures."""

    path: Path
    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    pictures: list[dict[str, str | None]] = field(default_factory=list)
    titles: list[str | None] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        text = self.path.read_text(encoding="utf-8")
        self.feed(text)
        for style in re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL):
            self.loads += _ADDRESS.findall(style)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.names |= {facts[name] for name in ("id", "name") if facts.get(name)}
        if tag == "a" and facts.get("href"):
            self.links.append(facts["href"])
        if tag == "img":
            self.pictures.append(facts)
        if tag == "iframe":
            self.titles.append(facts.get("title"))
        if facts.get("rel") not in _LED:
            self.loads += [value for name, value in attrs if (tag, name) in _LOADED]

    handle_startendtag = handle_starttag


class Site:
    """All pages of a folder."""

    def __init__(self, folder):
        self.folder = folder.resolve()
        self.pages = {path: Page(path) for path in sorted(self.folder.rglob("*.html")) if "_static" not in path.parts}

    def __getitem__(self, name):
        return self.pages[self.folder / f"{name}.html"]

    def lost(self):
        """(page, address) of what leads, or is loaded from, where nothing is."""
        return [
            (page.path.name, address)
            for page in self.pages.values()
            for address in (*page.links, *page.loads)
            if not self._is_there(page, address)
        ]

    def _is_there(self, page, address):
        found = urlsplit(address)
        if found.scheme or found.netloc:
            return True
        there = (page.path.parent / unquote(found.path)).resolve() if found.path else page.path
        if not there.is_relative_to(self.folder) or not there.is_file():
            return False
        names = self.pages[there].names if there in self.pages else ()
        return not found.fragment or unquote(found.fragment) in names

    def hosts(self):
        """(file, address) of what is loaded from another host, by pages and by styles."""
        loaded = [(page.path.name, address) for page in self.pages.values() for address in page.loads]
        for path in self.folder.rglob("*.css"):
            loaded += [(path.name, address) for address in _ADDRESS.findall(path.read_text(encoding="utf-8"))]
        return [(name, address) for name, address in loaded if re.match(r"(?!data:)[\w+.-]+:|//", address)]
