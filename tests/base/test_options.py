"""The options: what is known, how long they hold, and that a picture keeps those it was made with."""

import threading

import pytest

import sdexplore as sdx
from sdexplore.base.options import options, pinned


def test_options_hold_until_they_are_set_again():
    before = options()
    try:
        sdx.set_options(lang="ja")
        sdx.set_options(theme="dark")
        assert (options().lang, options().theme) == ("ja", "dark")
    finally:
        sdx.set_options(lang=before.lang, theme=before.theme)
    assert options() == before


def test_a_block_restores_them_after_an_exception_too():
    before = options()
    with pytest.raises(KeyError), sdx.set_options(lang="ja", theme="transparent") as held:
        raise KeyError(held.lang)
    assert options() == before


def test_a_setting_that_is_kept_holds_in_each_of_its_blocks():
    before = options()
    japanese = sdx.set_options(lang="ja")
    with japanese:
        assert options().lang == "ja"
    with sdx.set_options(theme="dark"):
        with japanese:
            assert (options().lang, options().theme) == ("ja", "dark")
        assert (options().lang, options().theme) == (before.lang, "dark")
    assert options() == before


@pytest.mark.parametrize(
    ("given", "said"), [({"lang": "jp"}, "'ja'"), ({"theme": "drak"}, "'dark'"), ({"lang": "日本語"}, "日本語")]
)
def test_an_unknown_option_is_an_error_and_sets_nothing(given, said):
    before = options()
    with pytest.raises(sdx.RunError, match=said):
        sdx.set_options(**given)
    assert options() == before


def test_what_was_set_holds_in_other_threads():
    seen = []
    with sdx.set_options(lang="ja"):
        thread = threading.Thread(target=lambda: seen.append(options().lang))
        thread.start()
        thread.join()
    assert seen == ["ja"]


def test_what_is_drawn_keeps_its_options_though_others_are_set_meanwhile():
    with pinned(), sdx.set_options(lang="ja"):
        assert options().lang == "en"
