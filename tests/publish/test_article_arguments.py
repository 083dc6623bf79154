"""What an Article is given: a value of another type is refused by name, before a file is written."""

import json
import re

import numpy as np
import pytest
import synthetic
from articles import SLUG, UserArticle, dot, numbers
from PIL import Image

import sdexplore as sdx
from sdexplore.base import atomic_files
from sdexplore.base.errors import PublishError
from sdexplore.publish.article import Article

EVIL = "a cat; a 'dog'; \"it's\" a rocket"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"published": "false"}, "Article(published='false'): it is True or False"),
        ({"published": 0}, "Article(published=0)"),
        ({"title": 5}, "Article(title=5)"),
        ({"title": ["a"]}, "Article(title=['a'])"),
        ({"emoji": 3}, "Article(emoji=3)"),
        ({"type": True}, "Article(type=True)"),
        ({"topics": 7}, "Article(topics=7)"),
        ({"topics": ["a", 7]}, "Article(topics=['a', 7])"),
        ({"topics": {"a": 1}}, "Article(topics={'a': 1})"),
        ({"topics": b"ab"}, "Article(topics=b'ab')"),
        ({"address": 4}, "Article(address=4)"),
        ({"root": 4}, "Article(root=4)"),
        ({"root": "a\0b"}, "Article(root='a\\x00b')"),
        ({"flavor": ["zenn"]}, "no flavor ['zenn']"),
        ({"flavor": None}, "no flavor None"),
    ],
)
def test_published_as_text_does_not_publish_and_other_types_are_refused(tmp_path, given, said):
    with pytest.raises(PublishError, match=re.escape(said)):
        UserArticle(SLUG, **{"root": tmp_path, **given})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "file:///home/me",
        "example.com",
        "/images",
        "https://",
        "https://a b.example",
        'https://a.example/" onerror="x',
        "https://a.example/')",
        "https://a.example/<b>",
        "https://a.example/x\\ny",
        "https://a.example/\n",
        "https://[::1",
        "https://a.example/?q=1",
        "https://a.example/#top",
        "",
    ],
)
@pytest.mark.parametrize("flavor", ["qiita", "hugo", "github"])
def test_an_address_that_could_not_stand_in_a_link_is_refused(tmp_path, flavor, address):
    with pytest.raises(PublishError, match=r"Article\(address="):
        Article(SLUG, flavor, tmp_path, address=address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["https://you.github.io/repository", "http://localhost:8000/", "HTTPS://a.example"])
def test_the_address_of_a_site_is_taken(tmp_path, address):
    path = Article(SLUG, "qiita", tmp_path, address=address).add(dot("red"), key="a", alt="red").save()
    assert f"({address.rstrip('/')}/images/{SLUG}/001.png)" in path.read_text()


@pytest.mark.parametrize("slug", ["con", "NUL", "nul.txt", "COM1", "lpt9.md", "aux", "prn", "-rf", "-", "a\0b", ".x"])
@pytest.mark.parametrize("flavor", ["github", "hugo", "quarto"])
def test_a_name_that_no_folder_may_have_everywhere_is_refused_with_another(tmp_path, flavor, slug):
    with pytest.raises(PublishError, match="cannot name a folder on every system"):
        Article(slug, flavor, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["con", "-rf", "NUL", "a\0", "a/b"])
def test_a_page_cannot_have_such_a_name_either(tmp_path, trace, key):
    with pytest.raises(PublishError, match=r"page\(key="):
        Article(SLUG, "hugo", tmp_path).page(trace, key=key)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("slug", ["console", "nullable", "a-rf", "com10", "2026-11"])
def test_names_that_only_resemble_them_are_taken(tmp_path, slug):
    assert Article(slug, "github", tmp_path).text("x").save().exists()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda article: article.text(5), "text(markdown=5)"),
        (lambda article: article.code(5), "code(source=5)"),
        (lambda article: article.code("x", language=5), "code(language=5)"),
        (lambda article: article.page(synthetic.trace(), text=5), "page(text=5)"),
        (lambda article: article.save(overwrite="no"), "save(overwrite='no')"),
        (lambda article: article.add(dot("red"), alt="x", theme=["dark"]), "add(theme=['dark'])"),
        (lambda article: article.add(dot("red"), alt="x", width=True), "add(width=True)"),
        (
            lambda article: article.add(np.zeros((0, 4, 3), np.uint8), alt="x"),
            "a picture of 0 × 4 × 3: it has no pixels",
        ),
        (lambda article: article.add(np.zeros((4, 0, 3), np.uint8), alt="x"), "a picture of 4 × 0 × 3"),
        (lambda article: article.add(Image.new("RGB", (0, 0)), alt="x"), "a picture of 0 × 0"),
    ],
)
def test_what_is_no_text_no_choice_or_no_picture_is_refused(tmp_path, act, said):
    with pytest.raises(PublishError, match=re.escape(said)):
        act(UserArticle(SLUG, "hugo", tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("prompt", [EVIL, "a cat; a dog", "it's; a cat"])
def test_a_caption_is_not_cut_at_a_semicolon_of_the_prompt(tmp_path, prompt):
    trace = synthetic.trace(prompt=prompt)
    article = (
        Article(SLUG, root=tmp_path).add(trace).add(sdx.views.denoising(trace)).add(sdx.views.attention(trace, [1]))
    )
    article.add(sdx.animation(trace))
    pictures = json.loads((tmp_path / "images" / SLUG / "manifest.json").read_text())["pictures"]
    for key in ("picture", "denoising", "animation"):
        assert prompt in pictures[key]["alt"]
    assert pictures["picture"]["alt"].endswith("seed 0.")
    assert prompt in pictures["picture"]["caption"]
    assert pictures["attention"]["caption"].startswith("Where the cross-attention to")
    assert "peaks" not in pictures["attention"]["caption"]
    assert "peaks" in pictures["attention"]["alt"]


def test_a_trace_has_its_words_in_the_language_of_the_options(tmp_path):
    with sdx.set_options(lang="ja"):
        Article(SLUG, root=tmp_path).add(synthetic.trace(prompt="a {cat}"))
    (sidecar,) = (tmp_path / "images" / SLUG).glob("0*.json")
    told = json.loads(sidecar.read_text())
    assert told["lang"] == "ja"
    assert "a {cat}" in told["alt"]
    assert "画素" in told["alt"]
    assert told["caption"] != told["alt"]


def test_a_caption_of_a_phrase_with_a_semicolon_is_whole(trace):
    picture = sdx.views.maps(trace, {"a; b": np.eye(4, dtype=np.float32)}, title="mine; own")
    assert picture.caption.startswith("mine; own: ")
    assert picture.caption.endswith(".")
    assert picture.alt.startswith("mine; own: ")
    assert "each on its own scale" in picture.alt
    assert "a; b peaks at 1" in picture.alt


DAMAGED = [
    {"schema": 1, "pictures": {}, "facts": {"published": "false"}},
    {"schema": 1, "pictures": {}, "facts": {"title": 5}},
    {"schema": 1, "pictures": {}, "facts": {"address": "javascript:x"}},
    {"schema": 1, "pictures": {}, "facts": {"unknown": 1}},
    {"schema": 1, "pictures": {}, "facts": []},
    {"schema": 1, "pictures": [], "facts": {}},
    {"schema": 1, "pictures": {}, "pieces": {}},
    {"schema": 1, "pictures": {}, "pieces": [{"text": 5}]},
    {"schema": 1, "pictures": {}, "pieces": [{"code": "x"}]},
    {"schema": 1, "pictures": {}, "pieces": ["text"]},
    {"schema": 1, "pictures": {}, "pages": []},
    {"schema": 1, "pictures": {}, "pages": {"zenn": []}},
    {"schema": 1, "pictures": {}, "pages": {"zenn": {"sha256": "", "blocks": [[1, 2]]}}},
    {"schema": 1, "pictures": {}, "pages": {"zenn": {"sha256": "", "blocks": [], "files": []}}},
    {"schema": 1, "pictures": {}, "following": "2"},
    {"schema": 1, "pictures": {}, "following": 10**12},
    {"schema": [], "pictures": {}},
    {"schema": 1, "pictures": {}, "more": 1},
]


@pytest.mark.parametrize("content", [*map(json.dumps, DAMAGED), "[" * 100_000, "null", "\xff"])
def test_a_damaged_manifest_is_told_in_words_whatever_is_asked(tmp_path, content):
    path = tmp_path / "images" / SLUG / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content.encode("latin-1"))
    for act in (
        lambda: Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="red"),
        lambda: Article(SLUG, root=tmp_path).save(),
        lambda: Article(SLUG, root=tmp_path).blocks(),
    ):
        with pytest.raises(PublishError, match=r"manifest\.json' is damaged .* repair it"):
            act()
    assert path.read_bytes() == content.encode("latin-1")
    assert numbers(tmp_path) == ["manifest.json"]


def test_a_damaged_sidecar_is_written_anew(tmp_path, trace):
    article = Article(SLUG, root=tmp_path).add(sdx.views.attention(trace, ["cat"]))
    sidecar = tmp_path / "images" / SLUG / "001.json"
    for content in ("{", "[]", "[" * 100_000):
        sidecar.write_text(content)
        article.add(sdx.views.attention(trace, ["cat"]), key="attention")
        assert json.loads(sidecar.read_text())["key"] == "attention"


def everything(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("ends", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_ctrl_c_or_a_full_disk_in_the_middle_leaves_the_old_files_whole(tmp_path, trace, monkeypatch, number, ends):
    def acts():
        article = Article(SLUG, "hugo", tmp_path).text("before")
        return [
            lambda: article.add(dot("blue"), key="a", alt="blue"),
            lambda: article.text("after").save(overwrite=True),
            lambda: article.page(trace),
            lambda: sdx.page(trace, tmp_path / "page.html"),
        ]

    Article(SLUG, "hugo", tmp_path).text("before").add(dot("red"), key="a", alt="red").page(trace).save()
    sdx.page(synthetic.trace(seed=1), tmp_path / "page.html")
    for act in acts():
        before, real, calls = everything(tmp_path), atomic_files.write, []

        def failing(path, content, calls=calls, real=real):
            calls.append(path)
            if len(calls) == number + 1:
                raise ends
            real(path, content)

        with monkeypatch.context() as patched:
            patched.setattr(atomic_files, "write", failing)
            patched.setattr("sdexplore.publish.pages.save", lambda path, content, _: failing(path, content))
            try:
                act()
            except (KeyboardInterrupt, PublishError, OSError):
                assert everything(tmp_path) == before
            else:
                assert len(calls) <= number
    Article(SLUG, "hugo", tmp_path).text("before").add(dot("red"), key="a", alt="red").save()  # without a warning


def test_ctrl_c_while_an_animation_is_saved_leaves_the_old_file(tmp_path, trace, monkeypatch):
    path = sdx.animation(trace).save(tmp_path / "a.webp")
    before = everything(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sdx.animation(trace, "cat").save(path)
    assert everything(tmp_path) == before


def test_an_animation_of_too_many_frames_is_refused_at_once():
    steps = 3000
    long = sdx.Trace(
        kind="run",
        call={},
        provenance={},
        timesteps=np.zeros(steps),
        latents=np.zeros((steps + 1, 4, 1, 1), np.float32),
        latent_rgb=np.zeros((5, 3), np.float32),
    )
    with pytest.raises(sdx.TraceError, match=r"animation: 3,000 frames are more than 2,000"):
        sdx.animation(long)
    assert len(sdx.animation(long, steps=[0] * 10**6 + [1]).frames) == 2
