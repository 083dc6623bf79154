"""The explorer's page in Japanese, in a real Chromium: every word of it is Japanese or a name."""

import re

import numpy as np
import pytest
import synthetic
from chromium import seen
from explorer_pages import Opened
from formula_cases import featured

import sdexplore as sdx
from sdexplore.base.options import LANGUAGES

TEXTS = """() => {
  const found = []
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return found.push(node.textContent)
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return
    if (["SCRIPT", "STYLE", "TD"].includes(node.tagName)) return  // a run's values are names
    for (const name of node.getAttributeNames?.() ?? []) {
      if (["alt", "title", "aria-label", "aria-roledescription", "aria-valuetext"].includes(name)) {
        found.push(node.getAttribute(name))
      }
    }
    if (node.shadowRoot) walk(node.shadowRoot)
    for (const child of node.childNodes) walk(child)
  }
  walk(document.body)
  return found
}"""
CUT = """() => [...document.querySelector('#explorer > div').shadowRoot.querySelectorAll('*')]
  .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth && !one.classList.contains('hidden'))
  .map(one => one.textContent)"""
NAMES = {"x0", "x_t", "VAE", "softmax", "Shift", "Escape", "JavaScript", "sdexplore", "guidance_scale"}
WORD = re.compile(r"[A-Za-z][A-Za-z_0-9]+")


@pytest.fixture
def made(trace, tmp_path):
    with sdx.set_options(lang="ja"):
        return sdx.page(trace, tmp_path / "japanese.html")


def names_of(trace):
    """Words in Latin letters that stay: what the user typed, and what models and libraries are called."""
    read = [token.text for role in trace.tokens.values() for one in role.values() for token in one.tokens]
    known = [trace.provenance["model"], *map(str, trace.provenance["scheduler"].values()), *trace.call["arguments"]]
    modules = [name for features in trace.features.values() for name in features]
    return NAMES | set(WORD.findall(" ".join([trace.prompt, trace.fingerprint, *read, *known, *modules])))


def english(opened, trace):
    """Words in Latin letters that are no names, by the text in which they stand."""
    opened.settle()
    names = names_of(trace)
    texts = opened.page.evaluate(TEXTS)
    return {text: found for text in texts if (found := set(WORD.findall(text)) - names)}


def test_whatever_is_chosen_the_page_says_it_in_japanese(browser, made, trace):
    opened = Opened(browser, made)
    page = opened.page
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.locator(".explorer").get_attribute("lang") == "ja"
    assert english(opened, trace) == {}
    assert page.evaluate(CUT) == []
    page.locator("summary").click()
    page.get_by_label("ステップ", exact=True).fill("3")
    page.get_by_label("x0 の予測").check(force=True)
    page.mouse.move(*opened.point(0.4, 0.4))
    opened.titled("画素（行")
    assert english(opened, trace) == {}
    page.get_by_role("button", name="パディング").click()
    page.get_by_label("尺度").select_option("each")
    assert english(opened, trace) == {}
    assert "「パディング」" in opened.text(".what")
    opened.stage.focus()
    for key in ("ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    page.get_by_label("|条件付き − 無条件|").check(force=True)
    page.mouse.move(5, 5)
    opened.titled("領域（全体の")
    assert english(opened, trace) == {}
    assert page.evaluate(CUT) == []
    page.wait_for_function("live => live.textContent", arg=page.locator("[aria-live]").element_handle())
    assert english(opened, trace) == {}
    opened.close()


def test_likeness_and_what_is_missing_are_japanese(browser, tmp_path):
    shown = featured()
    with sdx.set_options(lang="ja"):
        path = sdx.page(shown, tmp_path / "features.html")
    opened = Opened(browser, path)
    opened.stage.click(position={"x": 20, "y": 20})
    seen(opened.page.locator(".what", has_text="コサイン類似度"))
    assert english(opened, shown) == {}
    opened.close()
    flagged = {"flags": {"nsfw_content_detected": True}, "image": np.zeros((64, 96, 3), np.uint8), "noise_preds": {}}
    with sdx.set_options(lang="ja"):
        path = sdx.page(synthetic.trace(**flagged), tmp_path / "flagged.html")
    opened = Opened(browser, path)
    assert "セーフティチェッカー" in opened.text(".notes")
    opened.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_is_cut_on_a_narrow_page(browser, tmp_path, lang):
    with sdx.set_options(lang=lang):
        path = sdx.page(featured(), tmp_path / f"{lang}.html")
    opened = Opened(browser, path, viewport={"width": 375, "height": 740})
    opened.stage.click(position={"x": 20, "y": 20})  # the pixel has a longer name than the whole picture
    opened.page.locator(".unneeded").wait_for(state="detached")
    opened.page.locator("summary").click()
    opened.settle()
    wide, seen = (f"document.documentElement.{one}" for one in ("scrollWidth", "clientWidth"))
    assert opened.page.evaluate(wide) == opened.page.evaluate(seen)
    assert opened.page.evaluate(CUT) == []
    opened.close()


def test_without_javascript_the_page_is_japanese_too(browser, made):
    plain = Opened(browser, made, java_script_enabled=False)
    assert plain.page.locator("img").get_attribute("alt") == "プロンプト「a cat and a rocketship」から作られた画像"
    assert "単語（条件付き）: a、cat、and、rocketship" in plain.page.locator("body").inner_text()
    plain.close()
