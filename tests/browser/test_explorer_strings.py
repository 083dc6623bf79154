"""The explorer's strings: JavaScript asks for those that Python sends, with the fields that they have."""

import re
from importlib.resources import files
from string import Formatter

import pytest
import synthetic

import sdexplore as sdx
from sdexplore.base.options import LANGUAGES
from sdexplore.browser.explorer_strings import explorer_strings
from sdexplore.browser.packing import pack
from sdexplore.dashboard.linked_explorer import LinkedExplorer
from sdexplore.dashboard.linked_pair import LinkedPair
from sdexplore.strings.wording import table

SOURCES = {
    file.name: file.read_text(encoding="utf-8")
    for file in files("sdexplore.browser").joinpath("js").iterdir()
    if file.name.endswith(".mjs")
}
KEY = re.compile(r'"((?:explorer|count|role|list)\.[\w.]+)"')
FIELDS = re.compile(r'\bsay\([\w.]*strings, "([\w.]+)"(?:, (\{[^{}]*\}|\w+))?\)')


def fields_of(template):
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_javascript_asks_for_every_string_that_it_is_sent_and_for_no_other(lang):
    with sdx.set_options(lang=lang):
        sent = explorer_strings()
    asked = {key for text in SOURCES.values() for key in KEY.findall(text)}
    assert sent.pop("lang") == lang
    assert asked == set(sent)
    assert sent.items() <= table(lang).items()


def names_in(written):
    """The names of the fields in an object of JavaScript."""
    while (flat := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", written)) != written:  # what is called or indexed
        written = flat
    return {one.split(":")[0].strip() for one in written.strip("{ }").split(",") if one.strip()}


def test_javascript_gives_a_string_the_fields_that_it_has():
    compared = 0
    for name, text in SOURCES.items():
        for key, fields in FIELDS.findall(text):
            wanted = fields_of(table("en")[key])
            assert bool(fields) == bool(wanted), (name, key)
            if fields.startswith("{") and "..." not in fields:
                assert names_in(fields) == wanted, (name, key)
                compared += 1
    assert compared


def test_a_widget_keeps_the_language_in_which_it_was_made(trace):
    with sdx.set_options(lang="ja"):
        one, pair = LinkedExplorer(trace), LinkedPair(trace, trace)
    assert one.strings["lang"] == pair.strings["lang"] == "ja"
    before = one.facts
    one.pack()
    assert one.facts == before
    assert LinkedExplorer(trace).strings["lang"] == "en"


def test_what_is_packed_has_other_words_in_japanese_and_the_same_names_for_python(trace):
    english = pack(trace).facts
    with sdx.set_options(lang="ja"):
        japanese = pack(trace).facts
    for ours, theirs in zip(english["roles"], japanese["roles"], strict=True):
        assert [entry["text"] for entry in ours["entries"]] == [entry["text"] for entry in theirs["entries"]]
        assert not [entry for entry in ours["entries"] if "name" in entry]
        named = {entry["text"]: entry["name"] for entry in theirs["entries"] if "name" in entry}
        assert {"start", "end", "padding"} <= named.keys()
        assert all(name != text for text, name in named.items())
    values = [dict(facts["provenance"]) for facts in (english, japanese)]
    assert values[0]["model"] == values[1]["モデル"]
    assert values[0]["guidance_scale"] == values[1]["guidance_scale"]


def test_what_is_missing_is_said_in_the_language():
    made = synthetic.trace(cross_attention={}, image=None, decoded={}, decoded_x0={})
    with sdx.set_options(lang="ja"):
        missing = pack(made).facts["missing"]
    assert missing
    assert all(re.search(r"[぀-ヿ]", line) for line in missing)
