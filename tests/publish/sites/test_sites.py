"""Each site's folders and Markdown; what is refused before anything is written; which things are published."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import synthetic
from articles import SLUG, UserArticle, dot, numbers
from matplotlib.figure import Figure
from PIL import Image

import sdexplore as sdx
from sdexplore.base.errors import PublishError
from sdexplore.publish.article import Article
from sdexplore.publish.sites.registry import SITES, Flavor


@pytest.mark.parametrize(
    ("flavor", "page", "folder", "block"),
    [
        (
            "qiita",
            f"public/{SLUG}.md",
            f"images/{SLUG}",
            f'<img src="../images/{SLUG}/001.png" alt="a &lt;b&gt;" width="90">',
        ),
        ("github", f"images/{SLUG}/README.md", f"images/{SLUG}", '<img src="001.png" alt="a &lt;b&gt;" width="90">'),
        (
            "hugo",
            f"content/posts/{SLUG}/index.md",
            f"content/posts/{SLUG}",
            '{{< figure src="001.png" alt=`a <b>` caption=`it\\\'s` width="90" >}}',
        ),
        (
            "quarto",
            f"posts/{SLUG}/index.qmd",
            f"posts/{SLUG}",
            '![it\\\'s](001.png){#fig-001 fig-alt="a <b>" width=90px}',
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*Qiita shows no picture")
def test_each_flavor_has_its_places_and_its_markdown(tmp_path, flavor, page, folder, block):
    path = Article(SLUG, flavor, tmp_path).add(dot("red"), key="a", alt="a <b>", caption="it's", width=90).save()
    assert path == tmp_path / page
    assert (tmp_path / folder / "001.png").is_file()
    assert block in path.read_text()


def test_qiita_wants_an_address(tmp_path):
    with pytest.warns(UserWarning, match="give address="):
        Article(SLUG, "qiita", tmp_path).add(dot("red"), key="a", alt="red").save()
    path = Article(SLUG, "qiita", tmp_path, address="https://example.com/repo/").save()
    assert f"![red](https://example.com/repo/images/{SLUG}/001.png)" in path.read_text()


@pytest.mark.parametrize(
    ("slug", "given", "said"),
    [
        ("short", {}, "5 characters, so add 7"),
        ("x" * 60, {}, "60 characters, so leave out 10"),
        ("My-Article-2026", {}, "use 'my-article-2026'"),
        (SLUG, {"title": "x" * 80}, "shorten it by 10"),
        (SLUG, {"topics": ["stable diffusion"]}, "topic 'stable diffusion': Zenn takes letters"),
        (SLUG, {"topics": list("abcdef")}, "Zenn takes 1 to 5, these are 6"),
        (SLUG, {"topics": "x" * 19}, "has 19 characters: Zenn takes 18"),
        (SLUG, {"type": "note"}, "Zenn knows 'tech' and 'idea'"),
        (SLUG, {"emoji": "cat"}, "Zenn takes one emoji"),
        ("../../etc", {}, "slug '../../etc'"),
        ("", {}, "slug ''"),
    ],
)
def test_what_zenn_refuses_is_refused_before_anything_is_written(tmp_path, slug, given, said):
    with pytest.raises(PublishError, match=re.escape(said)):
        UserArticle(slug, root=tmp_path, **given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("add", "said"),
    [
        ({"picture": dot("red")}, "no words of its own: describe in alt="),
        ({"picture": "cat.png", "alt": "x"}, "give a Picture"),
        ({"picture": dot("red"), "alt": "x", "key": " "}, "key=' '"),
        ({"picture": dot("red"), "alt": "x", "width": 0}, "width=0"),
        (
            {"picture": dot("red"), "alt": "x", "theme": "dim"},
            "theme='dim'): a theme is one of 'light', 'dark', 'transparent'",
        ),
        ({"picture": dot("red"), "alt": "x", "theme": "dark"}, "theme='dark' is for pictures of sdexplore"),
        ({"picture": dot("red"), "alt": 3}, "alt=3"),
    ],
)
def test_what_cannot_be_published_leaves_nothing_behind(tmp_path, add, said):
    with pytest.raises(PublishError, match=re.escape(said)):
        UserArticle(SLUG, root=tmp_path).add(**add)
    assert not list(tmp_path.rglob("*.png"))


def test_an_animation_has_the_theme_it_was_made_with(tmp_path, trace):
    with pytest.raises(PublishError, match=r"theme='dark'.*animation"):
        Article(SLUG, root=tmp_path).add(sdx.animation(trace), theme="dark")
    dark = sdx.animation(trace, steps=[0], theme="dark")
    with pytest.raises(PublishError, match=r"theme='light'.*dark page"):
        Article(SLUG, root=tmp_path).add(dark, theme="light")
    Article(SLUG, root=tmp_path).add(dark, theme="dark")
    assert json.loads((tmp_path / "images" / SLUG / "001.json").read_text())["theme"] == "dark"


def test_an_unknown_flavor_is_named(tmp_path):
    with pytest.raises(PublishError, match="did you mean 'zenn'"):
        UserArticle(SLUG, "zen", tmp_path)


@pytest.mark.parametrize("link", ["images", f"images/{SLUG}", "articles"])
def test_no_link_leads_out_of_the_root(tmp_path, link):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside, target_is_directory=True)
    with pytest.raises(PublishError, match="link that leads out of root="):
        Article(SLUG, root=root).add(dot("red"), key="a", alt="red").save()
    assert not list(outside.iterdir())


def test_a_link_in_a_file_s_place_is_replaced_and_not_followed(tmp_path):
    outside, root = tmp_path / "mine.txt", tmp_path / "root"
    outside.write_text("mine")
    for relative in (f"images/{SLUG}/001.json", f"articles/{SLUG}.md", f"images/{SLUG}/manifest.json"):
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        (root / relative).symlink_to(outside)
    Article(SLUG, root=root).add(dot("red"), key="a", alt="red").save()
    assert outside.read_text() == "mine"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"schema": 9, "pictures": {}}',
        '{"schema": 1, "pictures": {"a": {"number": 1, "file": "../../x", "alt": "", "caption": ""}}}',
        '{"schema": 1, "pictures": {"a": %s, "b": %s}}'.replace(
            "%s", '{"number": 1, "file": "001.png", "alt": "", "caption": ""}'
        ),
        '{"schema": 1, "pictures": {}, "pieces": [{"picture": "gone"}]}',
    ],
)
def test_a_damaged_manifest_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "images" / SLUG / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(PublishError, match=r"manifest\.json' is damaged .* repair it"):
        Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="red")
    assert path.read_text() == content


def test_every_kind_of_thing_is_published(tmp_path, trace, picture):
    figure = Figure()
    figure.subplots().set_title("loss")
    article = Article(SLUG, root=tmp_path)
    article.add(picture, key="view", theme="dark").add(trace, key="trace").add(figure, key="figure")
    article.add(trace.image, key="array", alt="noise").add(dot("red").convert("CMYK"), key="cmyk", caption="red")
    article.save()
    page = (tmp_path / "articles" / f"{SLUG}.md").read_text()
    assert page.count("![") == 5
    assert "![loss]" in page
    pixels = np.asarray(Image.open(tmp_path / "images" / SLUG / "002.png"))
    np.testing.assert_array_equal(pixels, trace.image)


def test_photos_lose_where_they_were_taken(tmp_path):
    photo = dot("red")
    exif = photo.getexif()
    exif[0x010E] = "at home"
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", exif=exif)
    Article(SLUG, root=tmp_path).add(Image.open(buffer), key="photo", alt="red")
    assert b"at home" not in (tmp_path / "images" / SLUG / "001.png").read_bytes()


def test_publishing_needs_neither_torch_nor_pyplot(tmp_path):
    synthetic.trace().save(tmp_path / "cat.safetensors")
    code = f"""
import sys
import sdexplore as sdx
trace = sdx.Trace.load({str(tmp_path / "cat.safetensors")!r})
article = sdx.Article({SLUG!r}, root={str(tmp_path)!r})
article.add(trace).add(sdx.views.attention(trace, ["cat"])).add(sdx.animation(trace)).save()
assert not {{"matplotlib.pyplot", "torch", "diffusers", "av"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    assert len(numbers(tmp_path)) == 7


def test_flavors_are_those_of_the_signature():
    assert list(SITES) == ["zenn", "qiita", "github", "hugo", "quarto"] == list(get_args(Flavor))
