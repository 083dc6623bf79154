"""The Export tab: article, trace and page."""

from dashboards import PROMPT

import sdexplore as sdx


def test_export_writes_trace_and_page_and_says_so(explorer, page, tmp_path):
    explorer.run(wait=True)
    page.open("Export")
    page.set("root", str(tmp_path))
    page.set("file", "mine")

    def press(label):
        page.press(label)
        assert explorer.wait(60.0)

    press("Trace")
    stored = sdx.Trace.load(tmp_path / "mine.safetensors")
    assert stored.prompt == PROMPT
    assert len(stored.decoded) == 2  # what the Record names is decoded before
    press("Page")
    assert (tmp_path / "mine.html").read_text().startswith("<!DOCTYPE html>")
    assert "Written" in page.section_message
    press("Page")
    assert "Replaced" in page.section_message
    for climbing in ("../escaped", str(tmp_path / "absolute"), ""):
        page.set("file", climbing)
        press("Trace")
        assert repr(climbing) in page.section_message
        assert page.alerts
    assert not (tmp_path.parent / "escaped.safetensors").exists()
    page.set("slug", "../no")
    assert "../no" in page.alerts[0]
