"""An article written from the notebook: numbered pictures that have words and fit the site, and the Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..base import json_text
from ..base.display import Block, Line, Shown, Table, clip, size
from ..base.errors import PublishError
from ..base.options import THEMES, Theme
from ..base.user_warnings import warn_user
from ..trace.trace import Trace
from .article_facts import USUAL, check_root, check_text, checked_facts
from .manifest import FILE, Entry, Manifest
from .material import material_of
from .merging import reconciled
from .pages import page_of
from .pieces import Piece, amended, blocks_of, put
from .places import Place, can_name_a_file, checked_slug
from .sidecars import as_json, sha256, sidecar_of
from .sites.registry import Flavor, site_of
from .sites.site import Shot

_MOST_KEY = 100
_PAGE_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SITE_PAGES = ("index", "readme")  # files that sites make from the Markdown


class Article(Shown):
    """An article for one site: `add` writes its pictures, `save` its Markdown, all of it beneath `root`.

    Pictures have the numbers 001, 002 … by key. A key keeps its number for ever, also in later sessions, since
    `manifest.json` beside the pictures remembers it. A picture under a known key replaces the old one. Beside each
    picture stands a sidecar, 001.json, from which `sdx.reproduce` makes the picture again.

    An Article that gets text or code *composes*: the page has its pieces in the order in which they were added. An
    Article that gets pictures only *amends*: the saved page stays, a known picture changes in place, and a new picture
    goes to the end. A page that was edited by hand is never overwritten: only blocks that still stand there as they
    were written are replaced, and `save` names the others.

    Args:
        slug: The article's name in its address.
        flavor: "zenn" (articles/<slug>.md, images/<slug>/), "qiita" (public/<slug>.md, images/<slug>/), "github"
            (images/<slug>/README.md), "hugo" (content/posts/<slug>/index.md) or "quarto" (posts/<slug>/index.qmd).
        root: The folder of the site or repository; it is made if it does not exist, and nothing outside it is written.
        title, emoji, type, topics, published: Facts for the head of the page. A fact that is not given stays as it was
            last saved.
        address: The address of `root` on the web, with http or https. Qiita shows only pictures from the web or of its
            own upload.

    Raises:
        PublishError: An argument has another type, or the site would refuse the article; the message says what to
            change.
    """

    def __init__(  # noqa: PLR0913  (the facts of a page's head)
        self,
        slug: str,
        flavor: Flavor = "zenn",
        root: str | Path = ".",
        *,
        title: str | None = None,
        emoji: str | None = None,
        type: Literal["tech", "idea"] | None = None,  # noqa: A002  (Zenn's own word)
        topics: Sequence[str] | None = None,
        published: bool | None = None,
        address: str | None = None,
    ) -> None:
        self._site = site_of(flavor)
        self.slug = checked_slug(slug)
        check_root(root)
        self._given = checked_facts(
            {
                "title": title,
                "emoji": emoji,
                "type": type,
                "topics": topics,
                "published": published,
                "address": address,
            }
        )
        self._place = Place(root)
        self._folder = self._site.folder_of(slug)
        self._pieces: list[Piece] = []
        self._composes = False
        self._check({**USUAL, "title": slug, **self._given})

    def add(
        self,
        picture: object,
        key: str | None = None,
        caption: str | None = None,
        alt: str | None = None,
        width: int | None = None,
        *,
        theme: Theme | None = None,
    ) -> "Article":
        """Writes a picture and its sidecar, and puts the picture into the article; returns the article.

        Args:
            picture: A Picture, a Trace (its final picture), `sdx.animation(…)`, a matplotlib figure, a PIL image or an
                array of uint8 (Y, X, 3).
            key: Its name within the article; by default the name of the view, with a number if several share it.
            caption, alt: By default the picture's own words; caption="" for no caption.
            width: Its width in the page, in CSS pixels; the file keeps its own width. A known key keeps the caption and
                width that were last given by hand, until others are given. Its alt text is that of the new picture. A
                warning says that a caption was kept although the picture is another one.
            theme: "light", "dark" or "transparent": the page for which a view's picture is drawn. None: its own.

        Raises:
            PublishError: The picture cannot be published; nothing was written.
        """
        self._check_picture(key, caption, alt, width, theme)
        most = self._site.most_bytes
        material = material_of(picture, alt=alt, caption=caption, most_bytes=most, theme=theme)
        with self._open() as manifest:
            key = key or self._free_key(material.name, manifest, material.code)
            old = manifest.pictures.get(key)
            if caption is None and old is not None and old.captioned:
                caption = old.caption
                other = material.code is not None and not self._is_of(old, material.code)
                kept = (
                    f"this is another picture, but it keeps the caption {clip(caption, 80)!r}; caption= gives a new one"
                )
                notices = [kept] if caption and (other or old.alt != material.alt) else []
                material = replace(material, caption=caption, notices=(*material.notices, *notices))
            number = manifest.number_of(key, self._place.path(self._folder / "_").parent)
            file = f"{number:03d}{material.encoded.suffix}"
            facts = sidecar_of(material, key=key, file=file, most_bytes=most)
            manifest.pictures[key] = Entry(
                number=number,
                file=file,
                alt=material.alt,
                caption=material.caption,
                width=width if width is not None or old is None else old.width,
                note=material.encoded.note,
                captioned=caption is not None,
            )
            self._place.write_all(
                {
                    self._folder / file: material.encoded.content,
                    self._folder / f"{number:03d}.json": as_json(facts),
                    self._folder / FILE: manifest.content(),
                }
            )
            if old is not None and old.file != file:
                self._place.remove(self._folder / old.file)
        put(self._pieces, {"picture": key})
        for notice in (*filter(None, [material.encoded.note]), *material.notices):
            warn_user(f"{self.slug}, picture {key!r} ({file}): {notice}")
        return self

    def text(self, markdown: str, key: str | None = None) -> "Article":
        """Adds a passage of Markdown, unchanged; returns the article.

        The same passage again changes nothing, so a cell can be run again. A warning names each place where stars meant
        as emphasis would be shown as stars, as in `**「猫」**の`. Zenn and Qiita break a line where the passage does.

        Args:
            key: Its name. A passage under a known key replaces the old one. Equal passages ("---") need different keys.

        Raises:
            PublishError: The key is not valid, or the passage is no text.
        """
        check_text("text", "markdown", markdown)
        for notice in self._site.passage_notices(markdown):
            warn_user(f"{self.slug}, text: {notice}")
        return self._compose({"text": markdown.encode("utf-8", "replace").decode("utf-8").strip("\n")}, key)

    def code(self, source: str, language: str = "python", key: str | None = None) -> "Article":
        """Adds a block of code, for example a cell's source (`In[3]`); returns the article. `key` is as in `text`."""
        check_text("code", "source", source)
        if not isinstance(language, str) or (language and not language.isalnum()):
            raise PublishError(f"code(language={clip(repr(language), 80)}): a language is one word, as 'python'")
        return self._compose({"code": source, "language": language}, key)

    def page(self, trace: Trace | str | Path, key: str = "explore", text: str = "Explore this run") -> "Article":
        """Writes the page of `sdx.page` to a place from which the site serves it, and adds a link; returns the article.

        The file is static/images/<slug>/<key>.html for Hugo, posts/<slug>/<key>.html for Quarto, and
        images/<slug>/<key>.html for GitHub. GitHub itself shows HTML as source and GitHub Pages serves it, so the link
        needs `address`. Hugo's link begins at the top of the site, or at `address` if it is given. In Quarto the page
        also stands in the article, in a frame; GitHub allows none, and Hugo only where its own settings allow HTML.

        Args:
            trace: A Trace, or the path of a saved one.
            key: The name of the page and of its file: letters, digits, - and _. A known key replaces page and link.
            text: The text of the link.

        Raises:
            PublishError: The site serves no HTML (Zenn, Qiita) or needs an address; or the key cannot name a page.
            TraceError: There is no such trace.
        """
        fits = isinstance(key, str) and _PAGE_KEY.fullmatch(key) and can_name_a_file(key)
        if not fits or key.lower() in _SITE_PAGES:
            raise PublishError(
                f"page(key={clip(repr(key), 80)}) cannot name a page: use letters, digits, - and _, as 'explore'"
            )
        check_text("page", "text", text)
        target = self._site.html_of(self.slug, key)
        address = self._site.page_link(key, self.slug, self._facts(Manifest.load(self._place, self._folder)))
        content = page_of(trace)
        with self._open():
            self._place.write(target, content)
        put(self._pieces, {"text": self._site.page_shown(text, address), "key": f"page {key}"})
        return self

    def save(self, *, overwrite: bool = False) -> Path:
        """Writes the Markdown; returns its path.

        Args:
            overwrite: Whether a page that was edited by hand is replaced as a whole.

        Raises:
            PublishError: The site would refuse the article; nothing was written.
        """
        if not isinstance(overwrite, bool):
            raise PublishError(f"save(overwrite={clip(repr(overwrite), 80)}): it is True or False")
        site = self._site
        with self._open() as manifest:
            facts = self._facts(manifest)
            self._check(facts)
            pieces = list(self._pieces) if self._composes else amended(manifest.pieces, self._pieces)
            blocks = list(blocks_of(pieces, manifest.pictures, lambda shot: self._shown(shot, facts)))
            page = site.page_of(self.slug)
            fresh = "\n\n".join((site.head(facts), *(block for _, block in blocks))) + "\n"
            there, last = self._place.read(page), manifest.pages.get(site.name)
            content, notes = reconciled(there, last, fresh, blocks, manifest.pictures, overwrite=overwrite)
            manifest.facts, manifest.pieces = facts, pieces
            files = {key: entry.file for key, entry in manifest.pictures.items()}
            manifest.pages[site.name] = {
                "sha256": sha256(content.encode("utf-8")) if content == fresh else "",
                "blocks": [list(block) for block in blocks],
                "files": files,
            }
            self._place.write_all({page: content.encode("utf-8"), self._folder / FILE: manifest.content()})
        for note in (*notes, *site.notices(facts)):
            warn_user(f"{page}: {note}")
        return self._place.path(page)

    @property
    def title(self) -> str:
        """Its title: the one that is given, else the one last saved, else its slug."""
        return str(self._facts(Manifest.load(self._place, self._folder))["title"] or self.slug)

    @property
    def pictures(self) -> dict[str, Entry]:
        """Key -> the picture that the article holds, with its file, alt text and caption."""
        return dict(Manifest.load(self._place, self._folder).pictures)

    def file_of(self, key: str) -> bytes | None:
        """The content of a picture's file; None where it is gone."""
        return self._place.read(self._folder / self.pictures[key].file)

    def blocks(self) -> list[Block]:
        """What the repr shows: the files and the pictures of the article."""
        manifest = Manifest.load(self._place, self._folder)
        pictures = manifest.pictures
        lines: list[Block] = [
            Line(f"Article {self.slug}: {clip(self.title, 80)}", strong=True),
            Line(f"{self._site.name}: {self._site.page_of(self.slug)}, pictures in {self._folder}/"),
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

    def _facts(self, manifest: Manifest) -> dict[str, Any]:
        """The facts of the head: as given now, else as last saved, else the usual ones."""
        return {**USUAL, "title": self.slug, **manifest.facts, **self._given}

    def _shown(self, shot: Shot, facts: Mapping[str, Any]) -> str:
        return self._site.picture(shot, self._site.address_of(shot.file, self.slug, facts))

    def _check(self, facts: Mapping[str, Any]) -> None:
        if found := self._site.problems(self.slug, facts):
            raise PublishError(f"{self._site.name} would refuse this article:\n- " + "\n- ".join(found))

    @staticmethod
    def _check_picture(key: object, caption: object, alt: object, width: object, theme: object) -> None:
        Article._check_key(key)
        for name, words in (("caption", caption), ("alt", alt)):
            if not isinstance(words, str | None):
                raise PublishError(
                    f"add({name}={clip(repr(words), 80)}): it is text, or None for the picture's own words"
                )
        if width is not None and (not isinstance(width, int) or isinstance(width, bool) or width < 1):
            raise PublishError(f"add(width={width!r}): the width in the page, in whole pixels")
        if theme is not None and (not isinstance(theme, str) or theme not in THEMES):
            raise PublishError(f"add(theme={clip(repr(theme), 80)}): a theme is one of {', '.join(map(repr, THEMES))}")

    @staticmethod
    def _check_key(key: object) -> None:
        if key is not None and (not isinstance(key, str) or not key.strip() or len(key) > _MOST_KEY):
            raise PublishError(f"key={clip(repr(key), 80)}: a key is a name of at most {_MOST_KEY} characters")

    def _free_key(self, name: str, manifest: Manifest, code: str | None) -> str:
        """`name`; with a number if this session gave the name to another picture."""
        used = [piece["picture"] for piece in self._pieces if "picture" in piece]
        key, number = name, 1
        while key in used and not self._is_of(manifest.pictures.get(key), code):
            number += 1
            key = f"{name}-{number}"
        return key

    def _is_of(self, entry: Entry | None, code: str | None) -> bool:
        """Whether this very line, from this very trace, made the picture."""
        if entry is None or code is None:
            return False
        content = self._place.read(self._folder / f"{entry.number:03d}.json")
        try:
            facts = None if content is None else json_text.loads(content)
        except (ValueError, RecursionError):  # a damaged sidecar says nothing, and is written anew
            return False
        return isinstance(facts, dict) and facts.get("code") == code

    def _compose(self, piece: dict[str, str], key: str | None) -> "Article":
        self._check_key(key)
        self._composes = True
        put(self._pieces, piece if key is None else {**piece, "key": key})
        return self
