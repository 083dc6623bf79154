"""Paths as users name them: "~" is the home directory in every function that takes a path."""

import synthetic

import sdexplore as sdx
from sdexplore.base.atomic_files import named
from sdexplore.publish.sidecars import read_sidecar
from sdexplore.trace.collections import Comparison, Traces


def test_a_path_may_begin_with_the_user_s_home(tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    trace = synthetic.trace()
    picture = sdx.views.attention(trace, ["cat"])
    assert picture.save("~/pictures/cat.svg") == home / "pictures" / "cat.svg"
    sdx.animation(trace, steps=[0, 1]).save("~/moving.webp")
    trace.save("~/trace.safetensors")
    Traces([trace]).save("~/traces")
    Comparison({"seed": (1,)}, (trace,)).save("~/grid")
    sdx.page("~/trace.safetensors", "~/page.html")
    sdx.Article("a-look-inside-2026", root="~").add(picture)
    assert Traces.load("~/traces")[0].fingerprint == Comparison.load("~/grid").traces[0].fingerprint
    assert read_sidecar("~/images/a-look-inside-2026/001.png")["code"] == picture.call
    assert not list(here.iterdir())
    assert {path.name for path in home.iterdir()} >= {"moving.webp", "page.html", "traces", "grid", "images"}


def test_where_there_is_no_such_home_the_name_stands_as_it_is():
    assert str(named("~nobody-of-that-name.png")) == "~nobody-of-that-name.png"
