"""A dashboard in Japanese: all that it says, for as long as it lives, whatever language is set later."""

import re

import ipywidgets
import pytest
from dashboards import PROMPT, Page, controls, plain
from study_sources import ink, numbers

import sdexplore as sdx
from sdexplore.base.known_names import SCHEDULERS
from sdexplore.dashboard.in_page import ShownPicture
from sdexplore.dashboard.rows_table import RowsTable
from sdexplore.dashboard.state import FIGURES
from sdexplore.dashboard.tabs import SECTIONS

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
WORD = re.compile(r"(?<![\w.=/'(])[A-Za-z][a-z]+(?![\w.=(/'])")
CODE = re.compile(r"<pre.*?</pre>", re.DOTALL)
NAMED = ipywidgets.Button | ipywidgets.ToggleButton | ipywidgets.Text | ipywidgets.Dropdown
# Names of the program and of the field, which stay as they are; and what was typed.
NAMES = {
    *("cond", "uncond", "role", "mean", "shared", "each", "slug", "latents", "images", "articles", "sdx", "pipe"),
    *(
        "daam",
        "amd",
        "down",
        "mid",
        "up",
        "zenn",
        "qiita",
        "github",
        "hugo",
        "quarto",
        "Markdown",
        "vae",
        "unet",
        "scheduler",
        "tokenizer",
    ),
    *PROMPT.split(),
}


@pytest.fixture
def dashboard():
    """Opens a dashboard in a language; English is set again at once, and the dashboard is closed after the test."""
    opened = []

    def made(lang, source, **given):
        with sdx.set_options(lang=lang):
            opened.append(sdx.explore(source, **given))
        return opened[-1]

    yield made
    for one in opened:
        one.wait(60.0)
        one.close()


def names_of(widget):
    """What a control is called and says of itself, by the attribute."""
    found = {name: getattr(widget, name, None) for name in ("description", "tooltip", "placeholder", "alt")}
    return {name: text for name, text in found.items() if isinstance(text, str) and text.strip("\u200b ")}


def texts_of(widget):
    """All that a widget says: names, choices, words; not its code."""
    yield from names_of(widget).values()
    if isinstance(widget, ipywidgets.HTML):
        yield plain(CODE.sub("", widget.value).replace("<", " <"))
    if isinstance(widget, ipywidgets.Tab):
        yield from widget.titles
    for choice in getattr(widget, "options", ()):
        yield str(choice[0] if isinstance(choice, tuple) else choice)
    if isinstance(widget, RowsTable):
        page = widget.page
        yield from (page["caption"], *page["words"].values(), *(row["label"] for row in page["rows"]))
        yield from (column["label"] for column in page["columns"])


def shape(widget):
    """The widget and what is in it: kinds, and which of its names there are."""
    return [(type(one).__name__, sorted(names_of(one)), len(getattr(one, "options", ()))) for one in controls(widget)]


def english(texts, names=NAMES):
    """Text -> the English words in it that are no names."""
    found = {text: set(WORD.findall(text)) - names for text in texts}
    return {text: words for text, words in found.items() if words}


def walked(explorer):
    """Opens every tab and draws every figure of Attention; gives after each the section and the page."""
    page = Page(explorer)
    for section in (one.title for one in SECTIONS):
        explorer.state.section = section
        for figure in FIGURES if section == "Attention" else (explorer.state.figure,):
            explorer.state.figure = figure
            assert explorer.wait(60.0)
            yield section, page


def test_all_that_a_dashboard_says_is_japanese_and_it_is_built_as_the_english_one(dashboard, trace):
    english_one = walked(dashboard("en", trace))
    pieces = {"startoftext", "endoftext", "rocket", "ship", "blurry", "picture"}
    names, said = NAMES | pieces | {"synthetic", *trace.prompt.split()}, set()
    for section, page in walked(dashboard("ja", trace)):
        assert shape(page.explorer) == shape(next(english_one)[1].explorer)
        assert JAPANESE.search(page.title), section
        for one in [*page.above, *page.tab]:
            if isinstance(one, NAMED):
                assert {"description", "tooltip"} <= names_of(one).keys()
            if isinstance(one, ShownPicture) and one.value:
                assert JAPANESE.search(one.alt)
            for text in texts_of(one):
                said.add(text)
                assert not english([text], names), section
    assert sum(bool(JAPANESE.search(text)) for text in said) > 60


def test_a_run_in_a_japanese_dashboard_is_told_and_drawn_in_japanese_whatever_is_set_later(dashboard, tiny):
    given = {"prompt": PROMPT, "num_inference_steps": 2, "record": sdx.Record(decode=1), "section": "Denoising"}
    explorer, other = dashboard("ja", tiny, **given), dashboard("en", tiny, **given)
    page, told = Page(explorer), []
    names = NAMES | set(re.findall(r"\w+", " ".join(SCHEDULERS))) | {"cpu", "unknown"}
    assert not english((text for one in [*page.above, *page.tab] for text in texts_of(one)), names)
    explorer.board.status.widget.children[1].observe(lambda _: told.append(page.message), "value")
    page.press("実行")
    assert explorer.wait(60.0)
    assert not english(told)
    assert sum(bool(JAPANESE.search(text)) for text in told) > 2
    drawn = explorer.figure()
    assert drawn.lang == "ja"
    assert JAPANESE.search(drawn.caption)
    assert JAPANESE.search(page.caption)
    with sdx.set_options(lang="ja"):
        other.run(wait=True)
        assert other.figure().lang == "en"
        assert "Done in" in Page(other).message
    page.open("ガイダンス").press("オフとオン")
    assert explorer.wait(60.0)
    assert "2 回の実行を比較" in page.section_message
    page.open("アテンション").press("記事に入れる")
    assert JAPANESE.search(page.find("キャプション").value)


def test_tokens_and_components_of_a_pipeline_are_told_in_japanese(dashboard, tiny):
    page = Page(dashboard("ja", tiny, prompt=" ".join([PROMPT] * 30)))
    names = NAMES | {"startoftext", "endoftext", "float", "cpu", "epsilon", "Timesteps"}
    names |= {"diffusers", "transformers", "null", "text", "encoder", "safety", "checker", "feature", "extractor"}
    for tab, told in (("トークン", "切り捨て"), ("構成要素", "クロスアテンション: 4 層")):
        page.open(tab)
        assert told in page.text
        assert not english((text for one in page.tab for text in texts_of(one)), names), tab


def test_a_study_is_shown_in_japanese(dashboard, tmp_path):
    study = sdx.Study(
        numbers, runs=sdx.grid(prompt=["a cat", "a dog"], seed=range(2)), measure=ink, to=tmp_path / "one"
    )
    study.run()
    page = Page(dashboard("ja", study))
    known = NAMES | set(re.findall(r"\w+", " ".join(study.table().columns))) | {"dog"}
    said = (text.replace(str(tmp_path), "") for one in [*page.above, *page.tab] for text in texts_of(one))
    assert not english(said, known)
    page.set("行の条件", "seed")
    page.set("下限", "1")
    page.press("絞り込む")
    assert "全 2 行のうち 1〜2 行" in page.section_message
    assert page.find("seed 1〜… ✕").tooltip
