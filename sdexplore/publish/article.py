"""An article written beside the notebook: pictures numbered, described and small enough, and its Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ..base.display import Block, Line, Shown, Table, clip, size
from ..base.errors import PublishError
from ..base.user_warnings import warn_user
from ..figures.themes import THEMES, Theme
from ..trace.trace import Trace
from .material import material_of
from .pages import page_of
from .sidecars import as_json, sha256, sidecar_of
from .sites.flavor import Shot, flavor_of
from .sites.manifest import Entry, Manifest
from .sites.markdown import fenced, inline
from .sites.merging import merged
from .sites.places import Place, checked_slug

_FACTS: Mapping[str, Any] = {
    "title": None,
    "emoji": "🔍",
    "type": "tech",
    "topics": ["stablediffusion", "jupyter"],
    "published": False,
    "address": None,
}
_MOST_KEY = 100
_PAGE_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SITE_PAGES = ("index", "readme")  # which sites make of the Markdown


class Article(Shown):
    """An article of one flavor: `add` writes its pictures, `save` its Markdown, all beneath `root`.

    Pictures are numbered 001, 002 … by key. A key keeps its number for ever, in later sessions too (`manifest.json`
    beside the pictures): adding under a known key replaces the picture. Beside each stands a sidecar, 001.json, from
    which `sdx.reproduce` makes it again.

    An Article that is given text or code *composes*: the page is its pieces in the order they came. One that is only
    given pictures *amends*: what was saved stays, a known picture changes in place and a new one goes to the end. A
    page that was edited by hand is never overwritten: its blocks are exchanged where they stand as written, and `save`
    says which do not.

    Args:
        slug: The article's name in its address.
        flavor: "zenn" (articles/<slug>.md, images/<slug>/), "qiita" (public/<slug>.md, images/<slug>/), "github"
            (images/<slug>/README.md), "hugo" (content/posts/<slug>/index.md) or "quarto" (posts/<slug>/index.qmd).
        root: The folder of the site or repository, made where there is none; nothing outside it is written.
        title, emoji, type, topics, published: For the page's head; what is left out stays as last saved.
        address: Where `root` is on the web. Qiita shows pictures of its own upload or from the web only.

    Raises:
        PublishError: The site would refuse it; the message says what to change.
    """

    def __init__(  # noqa: PLR0913  (the facts of a page's head)
        self,
        slug: str,
        flavor: Literal["zenn", "qiita", "github", "hugo", "quarto"] = "zenn",
        root: str | Path = ".",
        *,
        title: str | None = None,
        emoji: str | None = None,
        type: Literal["tech", "idea"] | None = None,  # noqa: A002  (Zenn's own word)
        topics: Sequence[str] | None = None,
        published: bool | None = None,
        address: str | None = None,
    ) -> None:
        self.flavor = flavor_of(flavor)
        self.slug = checked_slug(slug)
        self._place = Place(root)
        self._folder = self.flavor.folder_of(slug)
        given = {"title": title, "emoji": emoji, "type": type, "published": published, "address": address}
        self._given: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if topics is not None:
            self._given["topics"] = [topics] if isinstance(topics, str) else list(topics)
        self._pieces: list[dict[str, str]] = []
        self._composes = False
        self._check({**_FACTS, "title": slug, **self._given})

    def add(
        self,
        picture: object,
        key: str | None = None,
        caption: str | None = None,
        alt: str | None = None,
        width: int | None = None,
        *,
        theme: Theme = "light",
    ) -> "Article":
        """Writes a picture and its sidecar, and places it in the article; returns the article.

        Args:
            picture: A Picture, a Trace (its final picture), `sdx.animation(…)`, a matplotlib figure, a PIL image or an
                array of uint8 (Y, X, 3).
            key: Its name within the article; by default the view's, with a number where several share it.
            caption, alt: By default the picture's own words; caption="" leaves it out.
            width: How wide it is shown, in CSS pixels; the file keeps its own. A known key keeps the caption and the
                width that were last given by hand until others are given; its alt text is of the new picture. A warning
                says that a caption was kept over another picture.
            theme: The page that a view's picture is for: "light", "dark" or "transparent".

        Raises:
            PublishError: It cannot be published; nothing was written.
        """
        self._check_picture(key, caption, alt, width, theme)
        most = self.flavor.most_bytes
        material = material_of(picture, alt=alt, caption=caption, most_bytes=most, theme=theme)
        with self._open() as manifest:
            key = key or self._free_key(material.name, manifest, material.code)
            old = manifest.pictures.get(key)
            if caption is None and old is not None and old.captioned:
                caption = old.caption
                other = material.code is not None and not self._is_of(old, material.code)
                kept = (
                    f"the picture is another, and keeps the caption {clip(caption, 80)!r}; or give a new one, caption="
                )
                notices = [kept] if caption and (other or old.alt != material.alt) else []
                material = replace(material, caption=caption, notices=(*material.notices, *notices))
            number = manifest.number_of(key, self._place.path(self._folder / "_").parent)
            file = f"{number:03d}{material.encoded.suffix}"
            facts = sidecar_of(material, key=key, file=file, theme=theme, most_bytes=most)
            self._place.write(self._folder / file, material.encoded.content)
            self._place.write(self._folder / f"{number:03d}.json", as_json(facts))
            manifest.pictures[key] = Entry(
                number=number,
                file=file,
                alt=material.alt,
                caption=material.caption,
                width=width if width is not None or old is None else old.width,
                note=material.encoded.note,
                captioned=caption is not None,
            )
            manifest.save(self._place, self._folder)
            if old is not None and old.file != file:
                self._place.remove(self._folder / old.file)
        self._put(self._pieces, {"picture": key})
        for notice in (*filter(None, [material.encoded.note]), *material.notices):
            warn_user(f"{self.slug}, picture {key!r} ({file}): {notice}")
        return self

    def text(self, markdown: str, key: str | None = None) -> "Article":
        """Adds a passage of Markdown, as it is; returns the article.

        The same passage again changes nothing, so that a cell may be run again.

        Args:
            key: Its name: a passage under a known one replaces it, and equal passages ("---") under several all stay.

        Raises:
            PublishError: The key is no name.
        """
        return self._compose({"text": markdown.encode("utf-8", "replace").decode("utf-8").strip("\n")}, key)

    def code(self, source: str, language: str = "python", key: str | None = None) -> "Article":
        """Adds a block of code, a cell's source say (`In[3]`); returns the article. As with `text`, once or by key."""
        if not language.isalnum() and language:
            raise PublishError(f"language={language!r}: one word, 'python' say")
        return self._compose({"code": source, "language": language}, key)

    def page(self, trace: Trace | str | Path, key: str = "explore", text: str = "Explore this run") -> "Article":
        """Writes the page of `sdx.page`, where the site serves it, and adds a link to it; returns the article.

        It is static/images/<slug>/<key>.html for Hugo, posts/<slug>/<key>.html for Quarto, images/<slug>/<key>.html for
        GitHub: GitHub itself shows HTML as source, GitHub Pages serves it, so there `address` must be known. Hugo's
        link begins at the top of the site, or at `address`.

        Args:
            trace: A Trace, or the path of one that was saved.
            key: Its name, and its file's: letters, digits, - and _. A known one replaces page and link.
            text: Of the link.

        Raises:
            PublishError: The site serves no HTML (Zenn, Qiita); no address; the key cannot name a page.
            TraceError: No such trace.
        """
        if not isinstance(key, str) or not _PAGE_KEY.fullmatch(key) or key.lower() in _SITE_PAGES:
            raise PublishError(
                f"key={clip(repr(key), 80)} cannot name a page: letters, digits, - and _; 'explore', say"
            )
        if self.flavor.explorable is None:
            raise PublishError(
                f"{self.flavor.name} serves no HTML of its authors: write the page with sdx.page(trace, 'run.html'), "
                "put it on a host that does (GitHub Pages, say), and link to it: text('[Explore](https://…)')"
            )
        content = page_of(trace)
        folder = PurePosixPath(self.flavor.explorable.format(self.slug))
        with self._open() as manifest:
            address = {**manifest.facts, **self._given}.get("address")
            if self.flavor.name == "github" and not address:
                raise PublishError(
                    "GitHub shows a page as its source: serve root by GitHub Pages, and give its address, "
                    "Article(…, address='https://you.github.io/repository')"
                )
            self._place.write(folder / f"{key}.html", content)
        before = {"hugo": f"/images/{self.slug}", "quarto": ""}.get(self.flavor.name, f"/{folder}")
        if address and self.flavor.name != "quarto":
            before = f"{address.rstrip('/')}{before}"
        self._put(
            self._pieces, {"text": f"[{inline(text)}]({before}{'/' * bool(before)}{key}.html)", "key": f"page {key}"}
        )
        return self

    def save(self, *, overwrite: bool = False) -> Path:
        """Writes the Markdown; returns its path.

        Args:
            overwrite: Whether a page that was edited by hand is written anew.

        Raises:
            PublishError: The site would refuse it; nothing was written.
        """
        with self._open() as manifest:
            facts = {**_FACTS, "title": self.slug, **manifest.facts, **self._given}
            self._check(facts)
            pieces = self._arranged(manifest)
            blocks = list(_blocks(pieces, manifest, lambda shot: self.flavor.show(shot, self._base(facts))))
            page = self.flavor.page_of(self.slug)
            fresh = "\n\n".join((self.flavor.front(facts), *(block for _, block in blocks))) + "\n"
            content, notes = self._reconciled(manifest, page, fresh, blocks, overwrite=overwrite)
            path = self._place.write(page, content.encode("utf-8"))
            manifest.facts, manifest.pieces = facts, pieces
            files = {key: entry.file for key, entry in manifest.pictures.items()}
            manifest.pages[self.flavor.name] = {
                "sha256": sha256(content.encode("utf-8")) if content == fresh else "",
                "blocks": [list(block) for block in blocks],
                "files": files,
            }
            manifest.save(self._place, self._folder)
        if self.flavor.name == "qiita" and not facts["address"]:
            notes.append("Qiita shows no picture by a relative path: give address=, where root is on the web")
        for note in notes:
            warn_user(f"{page}: {note}")
        return path

    def blocks(self) -> list[Block]:
        """What the repr shows: where it goes, and its pictures."""
        manifest = Manifest.load(self._place, self._folder)
        pictures, facts = manifest.pictures, {**manifest.facts, **self._given}
        title = facts.get("title") or self.slug
        lines: list[Block] = [
            Line(f"Article {self.slug}: {clip(title, 80)}", strong=True),
            Line(f"{self.flavor.name}: {self.flavor.page_of(self.slug)}, pictures in {self._folder}/"),
        ]
        rows = []
        for key, entry in pictures.items():
            content = self._place.read(self._folder / entry.file)
            there = size(len(content)) if content is not None else "gone"
            rows.append((entry.file, key, there, entry.caption or entry.alt))
        return [*lines, Table(("file", "key", "size", "caption"), rows)] if rows else [*lines, Line("No pictures yet.")]

    @contextmanager
    def _open(self) -> Iterator[Manifest]:
        with self._place.locked(self._folder):
            yield Manifest.load(self._place, self._folder)

    def _check(self, facts: Mapping[str, Any]) -> None:
        if not isinstance(facts["title"], str):
            raise PublishError(f"title={facts['title']!r}: a title is text")
        if found := self.flavor.problems(self.slug, facts):
            raise PublishError(f"{self.flavor.name} would refuse this article:\n- " + "\n- ".join(found))

    @staticmethod
    def _check_picture(key: object, caption: object, alt: object, width: object, theme: str) -> None:
        Article._check_key(key)
        for name, words in (("caption", caption), ("alt", alt)):
            if not isinstance(words, str | None):
                raise PublishError(f"{name}={clip(repr(words), 80)}: it is text, or None for the picture's own words")
        if width is not None and (not isinstance(width, int) or isinstance(width, bool) or width < 1):
            raise PublishError(f"width={width!r}: how wide it is shown, in whole pixels")
        if theme not in THEMES:
            raise PublishError(f"theme={theme!r}: a theme is one of {', '.join(map(repr, THEMES))}")

    @staticmethod
    def _check_key(key: object) -> None:
        if key is not None and (not isinstance(key, str) or not key.strip() or len(key) > _MOST_KEY):
            raise PublishError(f"key={clip(repr(key), 80)}: a key is a name of at most {_MOST_KEY} characters")

    def _free_key(self, name: str, manifest: Manifest, code: str | None) -> str:
        """`name`, or with a number where this session gave it to another picture."""
        used = [piece["picture"] for piece in self._pieces if "picture" in piece]
        key, number = name, 1
        while key in used and not self._is_of(manifest.pictures.get(key), code):
            number += 1
            key = f"{name}-{number}"
        return key

    def _is_of(self, entry: Entry | None, code: str | None) -> bool:
        """Whether the picture was made by this very line from this very trace."""
        import json

        if entry is None or code is None:
            return False
        content = self._place.read(self._folder / f"{entry.number:03d}.json")
        return content is not None and json.loads(content).get("code") == code

    @staticmethod
    def _put(pieces: list[dict[str, str]], piece: dict[str, str]) -> None:
        """Adds `piece` to `pieces`, or puts it in the place of the one that is the same or has its key."""
        for number, known in enumerate(pieces):
            if known == piece or ("key" in piece and known.get("key") == piece["key"]):
                pieces[number] = piece
                return
        pieces.append(piece)

    def _compose(self, piece: dict[str, str], key: str | None) -> "Article":
        self._check_key(key)
        self._composes = True
        self._put(self._pieces, piece if key is None else {**piece, "key": key})
        return self

    def _arranged(self, manifest: Manifest) -> list[dict[str, str]]:
        if self._composes:
            return list(self._pieces)
        pieces = list(manifest.pieces)
        for piece in self._pieces:
            self._put(pieces, piece)
        return pieces

    def _base(self, facts: Mapping[str, Any]) -> str:
        """What stands before a picture's file name in the page."""
        if self.flavor.name == "zenn":
            return f"/{self._folder}/"
        if self.flavor.name == "qiita":
            return f"{facts['address'].rstrip('/') if facts['address'] else '..'}/{self._folder}/"
        return ""

    def _reconciled(
        self,
        manifest: Manifest,
        page: PurePosixPath,
        fresh: str,
        blocks: list[tuple[str, str]],
        *,
        overwrite: bool,
    ) -> tuple[str, list[str]]:
        """The page to write, with what its author edited kept; and what is to be said of that."""
        there = self._place.read(page)
        last = manifest.pages.get(self.flavor.name, {"sha256": "", "blocks": [], "files": {}})
        if there is None or overwrite or sha256(there) == last["sha256"]:
            now = {name for name, _ in blocks}
            gone = [name for name, _ in last["blocks"] if name.startswith("picture") and name not in now]
            return fresh, [f"{name} is no longer in the page; its file stays" for name in gone]
        text = there.decode("utf-8", "replace")
        renamed = {
            file: manifest.pictures[key].file
            for key, file in last.get("files", {}).items()
            if key in manifest.pictures and manifest.pictures[key].file != file
        }
        content, notes = merged(text, [(name, block) for name, block in last["blocks"]], blocks, renamed)
        said = "it was edited by hand, and what was written there stays; save(overwrite=True) writes it anew"
        return content, [said, *notes]


def _blocks(
    pieces: Sequence[Mapping[str, str]],
    manifest: Manifest,
    show: Any,  # noqa: ANN401  (a function of a Shot)
) -> Iterator[tuple[str, str]]:
    """(name, Markdown) of each piece, in order."""
    count = {"text": 0, "code": 0}
    for piece in pieces:
        if "picture" in piece:
            key = piece["picture"]
            entry = manifest.pictures[key]
            shot = Shot(key=key, file=entry.file, alt=entry.alt, caption=entry.caption, width=entry.width)
            yield f"picture {key!r}", show(shot)
            continue
        kind = "text" if "text" in piece else "code"
        count[kind] += 1
        body = piece["text"] if kind == "text" else fenced(piece["code"], piece["language"])
        yield f"{kind} {count[kind]}", body
