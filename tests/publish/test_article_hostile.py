"""Hostile slugs, keys, words and prompts: nothing is written outside the root, and Markdown shows them unchanged."""

import io
import json
import unicodedata

import numpy as np
import pytest
import yaml
from hostile import EVIL, Seen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

from sdexplore.base.errors import PublishError
from sdexplore.publish.article import Article
from sdexplore.publish.media.stills import fitted, png_of
from sdexplore.publish.sidecars import sidecar_of
from sdexplore.publish.sites.markdown import fenced, one_line
from sdexplore.publish.sites.registry import SITES
from sdexplore.publish.sites.site import Shot

COMMONMARK = MarkdownIt("gfm-like", {"linkify": False})
MARKS = "\\`*_[]<>~$|:@!{}#+-.()&;\"'=^%/ \n"
WORDS = st.text(alphabet=st.one_of(st.sampled_from(MARKS), st.characters()), min_size=1, max_size=40)
DOT = Image.new("RGB", (4, 4), "red")


def same(shown, given):
    """Whether a reader reads the same, full-width twins and white space aside."""
    one, other = (" ".join(unicodedata.normalize("NFKC", text).split()) for text in (shown, one_line(given)))
    return one == other


@settings(max_examples=150, deadline=None)
@given(alt=WORDS, caption=WORDS, width=st.one_of(st.none(), st.integers(1, 900)))
@example(alt=EVIL, caption=EVIL, width=None)
@example(alt=EVIL, caption=EVIL, width=300)
@example(alt="1. list", caption="- item", width=None)
def test_words_are_shown_as_they_are_and_nothing_else_is(alt, caption, width):
    # github's rules are CommonMark's; how zenn's own renderer shows them is in test_zenn_render
    markdown = SITES["github"].picture(
        Shot(key="k", file="001.png", alt=alt, caption=one_line(caption), width=width), "001.png"
    )
    seen = Seen(COMMONMARK.render(markdown))
    assert len(seen.alts) == 1
    assert same(seen.alts[0], alt)
    assert same(seen.words, caption)
    assert seen.tags <= {"p", "img", "em"}


@settings(max_examples=100, deadline=None)
@given(alt=WORDS, caption=WORDS)
@example(alt=EVIL, caption=EVIL)
def test_a_shortcode_of_hugo_is_one_and_ends_where_it_should(alt, caption):
    shown = SITES["hugo"].picture(Shot(key="k", file="001.png", alt=alt, caption=caption + "x", width=None), "001.png")
    assert "\n" not in shown
    inner = shown.removeprefix("{{< ").removesuffix(" >}}")
    assert shown == f"{{{{< {inner} >}}}}"
    assert not any(mark in inner for mark in ("{{<", ">}}", "{{%", "%}}"))
    values = inner.split("`")
    assert len(values) == 5  # two raw strings, and no backtick in either
    assert same(values[1].replace("\u200b", ""), alt)


@settings(max_examples=60, deadline=None)
@given(title=WORDS)
@example(title=EVIL)
@example(title="\ud800 half")
def test_any_title_is_read_back_from_the_front_matter(title):
    facts = {"title": title, "emoji": "🔍", "type": "tech", "topics": ["a"], "published": False}
    for name in ("zenn", "qiita", "hugo", "quarto"):
        front = SITES[name].head(facts)
        read = yaml.safe_load(front.removeprefix("---\n").removesuffix("\n---"))
        assert read["title"] == one_line(title)


@settings(max_examples=60, deadline=None)
@given(source=st.text(alphabet=st.sampled_from("`~ \nab#"), max_size=60))
@example(source="```\n````\nx")
def test_code_stays_code(source):
    tokens = COMMONMARK.parse("before\n\n" + fenced(source) + "\n\nafter")
    assert [token.type for token in tokens if token.type != "inline" and "paragraph" not in token.type] == ["fence"]
    (fence,) = (token for token in tokens if token.type == "fence")
    assert fence.content.strip("\n") == source.strip("\n")


SLUGS = st.one_of(
    st.text(max_size=30),
    st.lists(st.sampled_from(["..", "/", "a", "\\", "C:", "~", ".", "\x00", "con", "%2e", "-"]), max_size=8).map(
        "".join
    ),
    st.from_regex(r"[a-z0-9_-]{12,50}", fullmatch=True),
)


@pytest.mark.filterwarnings("ignore:.*Qiita")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    slug=SLUGS,
    key=st.one_of(st.text(max_size=20), st.sampled_from(["../../x", "/etc/passwd", "001", "a\x00b", "picture:1"])),
    words=WORDS,
    flavor=st.sampled_from(list(SITES)),
)
@example(slug="../outside-the-root", key="../x", words=EVIL, flavor="github")
@example(slug="/outside-the-root", key="x", words=EVIL, flavor="hugo")
@example(slug="a-slug-that-fits", key="../../../x", words=EVIL, flavor="zenn")
def test_nothing_is_written_outside_the_root(tmp_path_factory, slug, key, words, flavor):
    top = tmp_path_factory.mktemp("top")
    root = top / "root"
    root.mkdir()
    (top / "mine").write_text("mine")
    try:
        article = Article(slug, flavor, root, title=words)
        article.text(words).add(DOT, key=key, alt=words, caption=words).code(words).save()
    except PublishError:
        pass
    else:
        assert list(root.rglob("001.png"))
        (manifest,) = root.rglob("manifest.json")
        assert list(json.loads(manifest.read_text(encoding="utf-8"))["pictures"]) == [key]
        Article(slug, flavor, root).add(DOT, key=key, alt="again", caption="")  # it can be opened again
    assert sorted(path.name for path in top.iterdir()) == ["mine", "root"]
    assert (top / "mine").read_text() == "mine"
    assert not list(root.rglob("*.part"))


@settings(max_examples=25, deadline=None)
@given(
    side=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    most=st.integers(20_000, 400_000),
    mode=st.sampled_from(["RGB", "RGBA", "L", "P", "1"]),
)
def test_noise_of_any_size_is_made_to_fit(side, most, mode):
    noise = np.random.default_rng(0).integers(0, 256, (*side, 3), np.uint8)
    png = png_of(Image.fromarray(noise).convert(mode), {"Description": EVIL})
    made = fitted(png, most)
    assert len(made.content) <= most
    assert bool(made.note) == (len(png) > most)
    with Image.open(io.BytesIO(made.content)) as image:
        assert image.size == made.pixels
        assert (made.pixels == (side[1], side[0])) == ("pixels" not in made.note)
        assert image.format == {".png": "PNG", ".webp": "WEBP"}[made.suffix]


def test_a_sidecar_tells_no_local_path_and_leaves_prompts_alone():
    from sdexplore.publish.material import Material

    call = {
        "prompt": "/imagine/a cat",
        "arguments": {"lora": "/home/me/weights/lora.safetensors", "other": "C:\\Users\\me\\x.bin", "prompt_2": "/a/b"},
    }
    over = {"lora": ["/home/jane doe/a.bin"], "negative_prompt": ["/a/b"]}
    source = {"fingerprint": "0" * 8, "kind": "run", "call": call, "provenance": {"model": "/home/me/models/sd/"}}
    material = Material(
        encoded=fitted(png_of(DOT, {}), None), alt="a", caption="", name="x", sources=[source], over=over
    )
    facts = sidecar_of(material, key="k", file="001.png", most_bytes=None)
    assert facts["over"] == {"lora": ["a.bin"], "negative_prompt": ["/a/b"]}
    found = facts["traces"][0]
    assert found["call"]["arguments"] == {"lora": "lora.safetensors", "other": "x.bin", "prompt_2": "/a/b"}
    assert found["call"]["prompt"] == "/imagine/a cat"
    assert found["provenance"] == {"model": "sd"}


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("/home/jane doe/m/x", "x"),
        ("C:\\Users\\Jane Doe\\m\\x", "x"),
        ("\\\\server\\share\\x.bin", "x.bin"),
        ("file:///home/a/x", "x"),
        ("~/models/sd 1.5/", "sd 1.5"),
        ("/home/jane", "~"),
        ("read from /home/jane doe/m/x, then 'C:\\Users\\Jane Doe\\m\\y' and 1/2", "read from x, then 'y' and 1/2"),
        ("/opt/a/x and (file:///C:/Users/Jane/y)", "x and (y)"),
        *((text, text) for text in ("1/2", "and/or", "/images/slug/001.png", "see /images/a/1.png", "runwayml/sd-1.5")),
        *((text, text) for text in ("https://example.com/home/jane/x", "at https://a.b/c/d", "~1/2", "a: b / c", "/")),
    ],
)
def test_a_local_path_is_cut_to_its_last_name_and_nothing_else_is(told, kept):
    from sdexplore.publish.material import Material

    source = {"fingerprint": "0" * 8, "kind": "run", "call": {"arguments": {"x": [told]}}, "provenance": {}}
    material = Material(encoded=fitted(png_of(DOT, {}), None), alt="a", caption="", name="x", sources=[source])
    facts = sidecar_of(material, key="k", file="001.png", most_bytes=None)
    assert facts["traces"][0]["call"]["arguments"] == {"x": [kept]}
