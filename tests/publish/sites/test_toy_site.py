"""A new site is one file and one line of registration: here a toy site of its own file publishes an article."""

import numpy as np
import pytest
from articles import UserArticle, dot
from PIL import Image
from toy_site import Toy

import sdexplore as sdx
from sdexplore.base.errors import PublishError
from sdexplore.publish.sites.registry import SITES
from sdexplore.publish.sites.site import Site


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(SITES, Toy.name, Toy())


def test_an_article_is_written_as_the_site_wants_it(tmp_path, trace):
    article = UserArticle("toys", "toy", tmp_path, title="A *toy*", address="https://toys.example")
    article.text("Hello.").add(dot("red"), key="a", alt="red").page(trace, key="run", text="Play")
    with pytest.warns(UserWarning, match="say who drew it"):
        path = article.save()
    assert path == tmp_path / "pages" / "toys.toy"
    assert path.read_text() == (
        "TITLE A *toy*\n\nHello.\n\nPICTURE https://toys.example/toys/001.png SAYS red\n\n[Play](toy:/toys/run)\n"
    )
    assert (tmp_path / "assets" / "toys" / "001.png").is_file()
    assert (tmp_path / "public" / "toys" / "run.html").read_bytes() == sdx.page(trace, tmp_path / "x.html").read_bytes()
    assert "toy: pages/toys.toy" in repr(article)


def test_its_limit_and_its_rules_hold(tmp_path):
    with pytest.raises(PublishError, match=r"toy would refuse .*\n.*shorten it"):
        UserArticle("a-slug-of-many-characters", "toy", tmp_path)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
    with pytest.warns(UserWarning, match="re-encoded"):
        UserArticle("toys", "toy", tmp_path).add(noise, key="noise", alt="noise")
    assert (tmp_path / "assets" / "toys" / "001.webp").stat().st_size <= Toy.most_bytes


def test_what_a_site_does_not_say_is_plain_markdown(tmp_path, trace, monkeypatch):
    class Plain(Site):
        name, pictures, page = "plain", "notes/{}", "notes/{}/note.md"

    monkeypatch.setitem(SITES, Plain.name, Plain())
    article = UserArticle("toys", "plain", tmp_path).add(dot("red"), key="a", alt="red", caption="A dot.")
    assert article.save().read_text() == "# toys\n\n![red](001.png)\n\n*A dot.*\n"
    with pytest.raises(PublishError, match="plain serves no HTML"):
        article.page(trace)
