"""The Export tab: article, trace and page."""

from dashboards import PROMPT

import sdexplore as sdx


def test_export_writes_article_trace_and_page(explorer, page, tmp_path):
    explorer.run(wait=True)
    page.open("Attention")
    page.open("Export")
    page.set("root", str(tmp_path))
    page.set("caption", "Where the words looked")
    page.press("Into the article")
    assert (tmp_path / "images" / "inside-stable-diffusion" / "001.png").exists()
    assert "Where the words looked" in (tmp_path / "articles" / "inside-stable-diffusion.md").read_text()
    page.set("file", "mine")
    page.press("Trace")
    assert sdx.Trace.load(tmp_path / "mine.safetensors").prompt == PROMPT
    page.press("Page")
    assert (tmp_path / "mine.html").read_text().startswith("<!DOCTYPE html>")
    assert page.section_message.startswith("Written")
    page.press("Page")
    assert page.section_message.startswith("Replaced")
    for climbing in ("../escaped", str(tmp_path / "absolute"), ""):
        page.set("file", climbing)
        page.press("Trace")
        assert repr(climbing) in page.section_message
        assert page.alerts
    assert not (tmp_path.parent / "escaped.safetensors").exists()
    page.set("slug", "../no")
    page.press("Into the article")
    assert "../no" in page.alerts[-1]
