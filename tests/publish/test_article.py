"""Articles: numbers never change, files fit, edited pages are not overwritten."""

import json
import re
import threading
import warnings

import numpy as np
import pytest
import synthetic
import yaml
from articles import SLUG, dot, numbers
from matplotlib.figure import Figure
from PIL import Image

import sdexplore as sdx
from sdexplore.base.errors import PublishError
from sdexplore.publish.article import Article
from sdexplore.publish.sites import zenn
from sdexplore.trace.collections import Comparison


def test_a_picture_is_numbered_described_and_placed(tmp_path, picture, trace):
    path = Article(SLUG, root=tmp_path, title="見る: a look").text("## Start").add(picture, width=400).save()
    assert path == tmp_path / "articles" / f"{SLUG}.md"
    head, body = path.read_text(encoding="utf-8").removeprefix("---\n").split("---\n", 1)
    assert yaml.safe_load(head) == {
        "title": "見る: a look",
        "emoji": "🔍",
        "type": "tech",
        "topics": ["stablediffusion", "jupyter"],
        "published": False,
    }
    assert body.startswith(f"\n## Start\n\n![{picture.alt[:20]}")
    assert f"](/images/{SLUG}/001.png =400x)\n*Where the cross-attention" in body
    assert numbers(tmp_path) == ["001.json", "001.png", "manifest.json"]
    with Image.open(tmp_path / "images" / SLUG / "001.png") as file:
        assert (file.text["Description"], file.text["Source"]) == (picture.alt, picture.call)
        facts = json.loads(file.text["Comment"])
    assert (facts["prompt"], facts["seed"], facts["model"]) == (synthetic.PROMPT, 0, "synthetic")
    sidecar = json.loads((tmp_path / "images" / SLUG / "001.json").read_text())
    assert sidecar["code"] == picture.call
    assert sidecar["scheduler"] == "DDIMScheduler"
    assert sidecar["traces"][0]["fingerprint"] == trace.fingerprint
    assert str(tmp_path) not in json.dumps(sidecar)


def test_a_key_keeps_its_number_in_a_later_session_and_its_picture_changes(tmp_path):
    first = Article(SLUG, root=tmp_path)
    first.add(dot("red"), key="a", alt="red").add(dot("green"), key="b", alt="green").save()
    again = Article(SLUG, root=tmp_path)
    again.add(dot("blue"), key="b", alt="blue").add(dot("white"), key="c", alt="white").save()
    colours = [Image.open(tmp_path / "images" / SLUG / f"00{n}.png").getpixel((0, 0)) for n in (1, 2, 3)]
    assert colours == [(255, 0, 0), (0, 0, 255), (255, 255, 255)]
    page = (tmp_path / "articles" / f"{SLUG}.md").read_text()
    assert re.findall(r"!\[(.*?)\]\(.*?(\d{3})\.png", page) == [("red", "001"), ("blue", "002"), ("white", "003")]
    assert "green" not in page


def test_no_number_is_ever_given_to_two_keys(tmp_path):
    Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="a").add(dot("red"), key="b", alt="b")
    folder = tmp_path / "images" / SLUG
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["pictures"]["b"]  # a key taken out by hand
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "002.png").unlink()
    (folder / "002.json").unlink()
    (folder / "007.webp").write_bytes(b"not ours")
    Article(SLUG, root=tmp_path).add(dot("red"), key="c", alt="c").add(dot("red"), key="d", alt="d")
    entries = json.loads((folder / "manifest.json").read_text())["pictures"]
    assert {key: entry["number"] for key, entry in entries.items()} == {"a": 1, "c": 8, "d": 9}
    assert (folder / "007.webp").read_bytes() == b"not ours"


def test_sessions_side_by_side_take_turns(tmp_path):
    def one(name):
        article = Article(SLUG, root=tmp_path)
        for number in range(4):
            article.add(dot("red"), key=f"{name}{number}", alt="red")
        article.save()

    threads = [threading.Thread(target=one, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = json.loads((tmp_path / "images" / SLUG / "manifest.json").read_text())["pictures"]
    assert sorted(entry["number"] for entry in entries.values()) == list(range(1, 13))
    assert len(re.findall(r"!\[", (tmp_path / "articles" / f"{SLUG}.md").read_text())) == 12


def test_the_same_again_changes_no_byte(tmp_path, picture):
    def write():
        path = Article(SLUG, root=tmp_path, title="t").text("x").add(picture).code("a = 1").add(picture).save()
        return {file: file.read_bytes() for file in (path, *(tmp_path / "images" / SLUG).iterdir())}

    assert write() == write()
    assert len([name for name in numbers(tmp_path) if name.endswith(".png")]) == 1  # one line of code, one picture


def test_views_of_one_name_get_keys_of_their_own(tmp_path, trace):
    article = Article(SLUG, root=tmp_path)
    article.add(sdx.views.attention(trace, ["cat"])).add(sdx.views.attention(trace, ["rocketship"])).add(trace)
    assert list(json.loads((tmp_path / "images" / SLUG / "manifest.json").read_text())["pictures"]) == [
        "attention",
        "attention-2",
        "picture",
    ]
    assert "attention-2" in repr(article)
    assert "002.png" in article._repr_html_()


def test_a_page_edited_by_hand_keeps_what_was_written(tmp_path):
    path = Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="one").add(dot("red"), key="b", alt="two").save()
    page = path.read_text().replace("published: false", "published: true") + "\nMy own words.\n"
    path.write_text(page.replace("![two]", "![my own alt]"))
    article = Article(SLUG, root=tmp_path)
    article.add(dot("red"), key="a", alt="uno").add(dot("red"), key="b", alt="due").add(dot("red"), key="c", alt="tre")
    with (
        pytest.warns(UserWarning, match="edited by hand"),
        pytest.warns(UserWarning, match="picture 'b' was edited"),
    ):
        article.save()
    now = path.read_text()
    assert "published: true" in now
    assert now.index("![uno]") < now.index("![my own alt]") < now.index("My own words.") < now.index("![tre]")
    assert "![one]" not in now
    article.save(overwrite=True)
    assert "My own words." not in path.read_text()


def test_a_page_that_was_there_before_is_added_to(tmp_path):
    path = tmp_path / "articles" / f"{SLUG}.md"
    path.parent.mkdir()
    path.write_text('---\ntitle: "mine"\n---\n\nHello.\n')
    with pytest.warns(UserWarning, match="edited by hand"):
        Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="red").save()
    assert path.read_text() == f'---\ntitle: "mine"\n---\n\nHello.\n\n![red](/images/{SLUG}/001.png)\n'


def test_a_known_key_keeps_the_caption_and_width_given_by_hand(tmp_path):
    def added(**given):
        path = Article(SLUG, root=tmp_path).add(dot("red"), key="a", **given).save()
        return path.read_text().split("---\n\n")[1]

    assert added(alt="one", caption="By hand.", width=90) == f"![one](/images/{SLUG}/001.png =90x)\n*By hand.*\n"
    assert added(alt="one") == f"![one](/images/{SLUG}/001.png =90x)\n*By hand.*\n"
    with pytest.warns(UserWarning, match=r"picture 'a' \(001.png\): .*another picture.*'By hand.'.*caption="):
        assert added(alt="two") == f"![two](/images/{SLUG}/001.png =90x)\n*By hand.*\n"
    assert json.loads((tmp_path / "images" / SLUG / "001.json").read_text())["caption"] == "By hand."
    assert added(alt="two", caption="", width=80) == f"![two](/images/{SLUG}/001.png =80x)\n"


def test_a_view_of_other_words_under_a_caption_given_by_hand_is_told(tmp_path, trace):
    article = Article(SLUG, root=tmp_path)
    article.add(sdx.views.attention(trace, ["cat", "rocketship"]), key="a", caption="Cat and rocket.")
    article.add(sdx.views.attention(trace, ["cat", "rocketship"]), key="a")
    with pytest.warns(UserWarning, match=r"keeps the caption 'Cat and rocket.'.*caption="):
        article.add(sdx.views.attention(trace, ["cat"]), key="a")


def test_a_root_that_is_not_there_is_made(tmp_path):
    article = Article(SLUG, root=tmp_path / "blog" / "new")
    assert not (tmp_path / "blog").exists()
    assert article.add(dot("red"), alt="red").save() == tmp_path / "blog" / "new" / "articles" / f"{SLUG}.md"
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError, match="is a file"):
        Article(SLUG, root=tmp_path / "file")
    with pytest.raises(PublishError, match="cannot be made a folder"):
        Article(SLUG, root=tmp_path / "file" / "blog").save()


def test_a_record_is_refused_with_the_view_that_draws_it(tmp_path, trace):
    read = trace.tokens["cond"]["tokenizer"]
    with pytest.raises(PublishError, match=re.escape("sdx.views.tokens(…) draws a Tokenization")):
        Article(SLUG, root=tmp_path).add(read)
    schedule = sdx.schedule(trace)
    with pytest.raises(PublishError, match=re.escape("sdx.views.schedule(…) draws a Schedule")):
        Article(SLUG, root=tmp_path).add(schedule)


def test_a_caption_of_the_picture_s_own_follows_the_picture(tmp_path, trace):
    for words in (["cat"], ["rocketship"]):
        path = Article(SLUG, root=tmp_path).add(sdx.views.attention(trace, words), key="a").save()
    assert re.search(r"^\*Where the cross-attention to rocketship", path.read_text(), re.MULTILINE)


def test_a_passage_may_be_repeated_under_a_key_and_a_cell_run_again(tmp_path):
    article = Article(SLUG, root=tmp_path)
    for _ in range(2):
        article.text("a").text("---", key="1").text("b").text("---", key="2").code("x", key="c").code("x", key="d")
    assert article.text("B", key="1").save().read_text().split("---\n\n", 1)[1] == (
        "a\n\nB\n\nb\n\n---\n\n```python\nx\n```\n\n```python\nx\n```\n"
    )
    with pytest.raises(PublishError, match="key=' '"):
        article.text("a", key=" ")


@pytest.mark.parametrize(
    ("flavor", "address", "file", "link"),
    [
        (
            "github",
            "https://me.github.io/x/",
            f"images/{SLUG}/run.html",
            f"https://me.github.io/x/images/{SLUG}/run.html",
        ),
        ("hugo", None, f"static/images/{SLUG}/run.html", f"/images/{SLUG}/run.html"),
        ("hugo", "https://a.b/c", f"static/images/{SLUG}/run.html", f"https://a.b/c/images/{SLUG}/run.html"),
        ("quarto", None, f"posts/{SLUG}/run.html", "run.html"),
    ],
)
def test_readers_explore_the_run_by_a_link(tmp_path, trace, flavor, address, file, link):
    Article(SLUG, flavor, tmp_path, address=address).add(trace, key="a").save()
    path = Article(SLUG, flavor, tmp_path).page(trace, key="run", text="See [it]").save()
    assert path.read_text().endswith(f"\n\n[See \\[it\\]]({link})\n")  # what was there stays
    assert (tmp_path / file).read_bytes() == sdx.page(trace, tmp_path / "same.html").read_bytes()
    again = Article(SLUG, flavor, tmp_path).page(trace, key="run", text="Anew").save()
    assert again.read_text().count(f"]({link})") == 1


@pytest.mark.parametrize(
    ("flavor", "key", "said"),
    [
        ("zenn", "run", r"zenn serves no HTML.* sdx\.page.* text\('\["),
        ("qiita", "run", "qiita serves no HTML"),
        ("github", "run", "address='https://you.github.io"),
        ("quarto", "index", "key='index'"),
        ("quarto", "../x", "key='../x'"),
    ],
)
def test_where_no_page_can_be_served_it_is_said_how_else(tmp_path, trace, flavor, key, said):
    with pytest.raises(PublishError, match=said):
        Article(SLUG, flavor, tmp_path).page(trace, key)
    assert not list(tmp_path.rglob("*.html"))


def test_composing_anew_leaves_out_what_is_not_said_again_and_says_so(tmp_path):
    Article(SLUG, root=tmp_path).text("old").add(dot("red"), key="a", alt="red").save()
    with pytest.warns(UserWarning, match="picture 'a' is no longer"):
        path = Article(SLUG, root=tmp_path).text("new").save()
    assert path.read_text().endswith("---\n\nnew\n")
    assert "001.png" in numbers(tmp_path)


@pytest.mark.parametrize("kind", ["png", "figure"])
def test_a_noisy_picture_is_made_to_fit_and_it_is_said(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8)
    thing = Image.fromarray(noise)
    if kind == "figure":
        thing = Figure(figsize=(9, 9))
        thing.subplots().imshow(noise, interpolation="nearest")
        thing.suptitle("noise")
    article = Article(SLUG, root=tmp_path)
    with pytest.warns(UserWarning, match=r"MiB as PNG.* 3\.0 MiB.*WebP"):
        article.add(thing, key="noise", alt="noise")
    assert numbers(tmp_path) == ["001.json", "001.webp", "manifest.json"]
    assert (tmp_path / "images" / SLUG / "001.webp").stat().st_size <= zenn.MOST_BYTES
    assert "re-encoded" in json.loads((tmp_path / "images" / SLUG / "001.json").read_text())["note"]
    assert (
        "re-encoded"
        in json.loads((tmp_path / "images" / SLUG / "manifest.json").read_text())["pictures"]["noise"]["note"]
    )
    article.add(dot("red"), key="noise", alt="calm").save()
    assert numbers(tmp_path) == ["001.json", "001.png", "manifest.json"]  # no second file of that number
    assert "001.png" in (tmp_path / "articles" / f"{SLUG}.md").read_text()


def test_an_edited_page_names_the_file_as_it_is_now(tmp_path):
    article = Article(SLUG, root=tmp_path).add(dot("red"), key="a", alt="red")
    path = article.save()
    path.write_text(path.read_text().replace("![red]", "![mine]"))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1100, 1100, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        article.add(noise, key="a", alt="noise").save()
    assert f"![mine](/images/{SLUG}/001.webp)" in path.read_text()


def test_a_function_that_runs_were_compared_over_goes_by_its_name_in_the_sidecar(tmp_path):
    def shows_a_rocket(step):
        return step

    two = tuple(synthetic.trace(seed=seed) for seed in range(2))
    Article(SLUG, root=tmp_path).add(
        sdx.views.comparison(Comparison(over={"guide": (None, shows_a_rocket)}, traces=two))
    )
    facts = json.loads((tmp_path / "images" / SLUG / "001.json").read_text())
    assert facts["over"] == {"guide": [None, "shows_a_rocket"]}
