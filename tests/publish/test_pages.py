"""The page that readers explore, as a file: what it holds, what it refuses, and that it loads nothing."""

import base64
import hashlib
import json
import re

import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st
from unchecked import unchecked

import sdexplore as sdx


def test_a_saved_trace_makes_the_same_page_as_the_trace_itself(tmp_path):
    trace = synthetic.trace()
    saved = trace.save(tmp_path / "trace.safetensors")
    from_file = sdx.page(saved, tmp_path / "deep" / "er" / "a.html")
    assert from_file == tmp_path / "deep" / "er" / "a.html"
    assert from_file.read_bytes() == sdx.page(trace, str(tmp_path / "b.HTML")).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.HTML", "deep", "trace.safetensors"]


def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(tmp_path):
    old = tmp_path / "old.html"
    old.write_text("old")
    with pytest.raises(sdx.SdexploreError, match=r"'page\.pdf'.*\.html"):
        sdx.page(synthetic.trace(), tmp_path / "page.pdf")
    with pytest.raises(sdx.TraceError, match="does not fit"):
        sdx.page(synthetic.trace(), old, budget=100_000)
    with pytest.raises(sdx.TraceError, match=r"'nowhere\.safetensors'"):
        sdx.page("nowhere.safetensors", old)
    with pytest.raises(sdx.TraceError, match=r"list.*traces\[0\]"):
        unchecked("publish.pages").page([synthetic.trace()], old)
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["old.html"]


def test_the_policy_allows_the_one_script_and_no_network(tmp_path):
    text = sdx.page(synthetic.trace(), tmp_path / "a.html", title="A <title> & more").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    (script,) = re.findall(r'<script type="module" async>(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert not re.search(r"https?://|url\(|@import|import\(|fetch\(", text)
    assert "<title>A &lt;title&gt; &amp; more</title>" in text
    assert '<html lang="en">' in text


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters=" \0\r\n"), min_size=1, max_size=40))
def test_no_prompt_adds_or_ends_an_element(tmp_path_factory, word):
    def elements(text):
        return re.findall(
            r"<(/?[a-zA-Z!][a-zA-Z0-9-]*)",
            re.sub(r'<script type="module" async>.*?</script>', "", text, flags=re.DOTALL),
        )

    folder = tmp_path_factory.mktemp("prompts")
    without = {"decoded": {}, "decoded_x0": {}}  # pictures take time and hold no prompt
    trace = synthetic.trace(prompt=f"a {word}", columns="all", **without)
    text = sdx.page(trace, folder / "a.html").read_text(encoding="utf-8")
    simple = synthetic.trace(prompt="a cat", columns="all", **without)
    plain = sdx.page(simple, folder / "b.html").read_text(encoding="utf-8")
    assert elements(text) == elements(plain)
    facts = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    assert facts["prompt"] == f"a {word}"


def test_a_title_from_right_to_left_keeps_its_order(tmp_path):
    text = sdx.page(synthetic.trace(prompt="قطة في الفضاء (a cat)"), tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<h1 dir="auto">قطة' in text
