"""The explorer's page with prompts, traces and browsers of every kind: what it says, and how it looks."""

import numpy as np
import pytest
import synthetic
from chromium import seen
from explorer_pages import HIGH, WIDE, Opened
from formula_cases import small
from lab import COLOURS, contrast

import sdexplore as sdx
from sdexplore.text.tokenization import Tokenizations
from sdexplore.trace.trace import Attention

HOSTILE = "</script><img src=x onerror=document.title=1> a cat"


@pytest.fixture(scope="module")
def path(trace, tmp_path_factory):
    return sdx.page(trace, tmp_path_factory.mktemp("pages") / "synthetic.html")


def test_a_hostile_prompt_stays_text(browser, tmp_path):
    model = {"model": "<svg onload=document.title=1>", "scheduler": synthetic.trace().provenance["scheduler"]}
    made = synthetic.trace(prompt=HOSTILE, provenance=model)
    hostile = Opened(browser, sdx.page(made, tmp_path / "hostile.html"))
    page = hostile.page
    assert page.title() == HOSTILE
    assert page.locator("h1").text_content() == HOSTILE
    assert [chip for chip in page.locator(".chip").all_text_contents() if chip in ("img", "onerror", "cat")]
    page.locator("summary").click()
    assert page.get_by_text("<svg onload=document.title=1>", exact=True).is_visible()
    assert page.locator("img, svg").count() == 0
    hostile.hover(6, 9)
    assert next(iter(hostile.ranked())) == "src"  # what stands at position 2 here
    hostile.close()


def test_the_words_ranked_are_those_of_region_words(browser, tmp_path):
    made = synthetic.trace(prompt="a 🐱 ` and ( 🚀")
    opened = Opened(browser, sdx.page(made, tmp_path / "marks.html"))
    ranked = sdx.region_words(made, (0, 0, WIDE, HIGH)).words
    assert list(opened.ranked()) == list(ranked)
    assert set(ranked) == {"a", "🐱", "and", "🚀"}
    assert opened.page.locator(".chip", has_text="`").count() == 1  # to be looked at all the same
    opened.close()


LACKING = {
    "picture": {"image": None, "decoded": {}, "decoded_x0": {}},
    "attention": {"cross_attention": {}},
    "guidance": {"noise_preds": {}},
    "prompt": {"tokens": {}},
    "all": {
        **dict.fromkeys(("image", "latent_rgb", "latents", "noise_pred", "pred_original_sample")),
        **{name: {} for name in ("decoded", "decoded_x0", "noise_preds", "cross_attention")},
        "call": {"stopped": True},
    },
    "flag": {"flags": {"nsfw_content_detected": True}, "image": np.zeros((HIGH, WIDE, 3), np.uint8)},
}
SAID = {
    "picture": "none was decoded",
    "attention": "no cross-attention was recorded",
    "guidance": "had no classifier-free guidance",
    "prompt": "named by position",
    "all": "was stopped after 6 steps",
    "flag": "safety checker took the picture for unsafe",
}


def test_what_a_trace_lacks_is_said_and_the_rest_works(browser, tmp_path):
    for name, fields in LACKING.items():
        lacking = Opened(browser, sdx.page(synthetic.trace(**fields), tmp_path / f"{name}.html"))
        assert SAID[name] in lacking.text(".notes")
        lacking.stage.focus()
        lacking.page.keyboard.press("ArrowDown")
        if name in ("picture", "guidance", "flag"):
            lacking.titled("Pixel row 4, column 6 looks at")
            assert "rocketship" in lacking.ranked()
        if name == "prompt":
            lacking.hover(6, 9)
            assert next(iter(lacking.ranked())) == "position 2"
        lacking.close()


def test_a_prompt_without_words_leaves_no_scale_without_an_end(browser, tmp_path):
    tokens = {"cond": Tokenizations({"tokenizer": synthetic.tokenization("")})}
    page = sdx.page(synthetic.trace(prompt="", tokens=tokens), tmp_path / "empty.html")
    empty = Opened(browser, page, viewport={"width": 375, "height": 740})
    assert empty.text(".brief") == "Whole picture: no words to look at"
    assert empty.text(".what").startswith("This prompt has no words: point at start")
    scale = empty.page.locator(".scale")
    place = scale.bounding_box()
    assert not scale.is_visible()
    empty.page.get_by_role("button", name="padding").click()
    seen(scale)
    assert float(scale.locator(".number").last.text_content()) > 0
    assert scale.bounding_box() == place
    empty.close()


def test_without_javascript_the_picture_and_its_words_are_there(browser, path):
    plain = Opened(browser, path, java_script_enabled=False)
    picture = plain.page.locator("img")
    assert picture.get_attribute("alt") == "Picture made for the prompt: a cat and a rocketship"
    assert picture.bounding_box()["width"] == WIDE
    assert "Words (cond): a, cat, and, rocketship" in plain.page.locator("body").inner_text()
    plain.close()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A page of the embedded model."""
    pipe = sdx.load()
    pipe.set_progress_bar_config(disable=True)
    made = sdx.run(pipe, "a cat and a rocket in space", num_inference_steps=4)
    return sdx.page(made, tmp_path_factory.mktemp("drawn") / "rocket.html")


def test_the_embedded_models_page_in_light_and_dark_wide_and_narrow(browser, drawn):
    assert drawn.stat().st_size < 10e6 * 4 / 25  # 10 MB for 25 steps
    for scheme in ("light", "dark"):
        wide = Opened(browser, drawn, color_scheme=scheme)
        wide.page.mouse.move(*wide.point(0.55, 0.6))
        wide.titled("Pixel row 17, column 19 looks at")
        for part in (".what", ".step-text", ".chip", ".chip.special", ".ratio", ".note", ".mass-text b", "footer"):
            colours = wide.page.locator(part).first.evaluate(COLOURS)
            assert contrast(*colours) > 4.5, (scheme, part, colours)  # WCAG's AA
        assert wide.page.evaluate("document.documentElement.scrollWidth") <= 1280
        wide.keep(f"page-{scheme}")
        wide.close()
    narrow = Opened(browser, drawn, viewport={"width": 375, "height": 740})
    assert narrow.page.evaluate("document.documentElement.scrollWidth") == narrow.page.evaluate(
        "document.documentElement.clientWidth"
    )
    narrow.keep("page-narrow")
    narrow.close()


def prompted(prompt):
    """A trace whose prompt and attention have these words."""
    read = synthetic.tokenization(prompt)
    probs = np.random.default_rng(0).random((synthetic.STEPS, 1, 3, 2, len(read.tokens)), np.float32)
    positions = tuple((place,) for place in range(len(read.tokens)))
    attention = Attention(probs=probs, steps=tuple(range(synthetic.STEPS)), columns=positions, tokenizer="tokenizer")
    return small((3, 2), [attention], prompt=prompt, tokens={"cond": Tokenizations({"tokenizer": read})})


def test_a_prompt_from_right_to_left_keeps_its_order(browser, tmp_path):
    opened = Opened(browser, sdx.page(prompted("قطة كبيرة rocketship و صاروخ"), tmp_path / "arabic.html"))
    chips = opened.page.locator(".chips").first.locator(".chip")
    places = [chip.bounding_box()["x"] for chip in chips.all()]
    assert places == sorted(places, reverse=True)
    chips.first.focus()
    opened.page.keyboard.press("ArrowLeft")  # to where the second word stands
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert chips.nth(1).get_attribute("aria-pressed") == "true"
    assert "“\u2068كبيرة\u2069”, cond" in opened.text(".what")  # isolated: the sentence goes on to the right of it
    opened.close()


def test_of_a_long_prompt_the_chosen_word_is_seen(browser, tmp_path):
    prompt = " ".join(f"extraordinary{i}" for i in range(70))
    opened = Opened(browser, sdx.page(prompted(prompt), tmp_path / "long.html"))
    bar = opened.page.locator(".chips").first
    for place in (7, 0):
        row = opened.page.locator(".ranked li").nth(place)
        word = row.locator(".name").text_content()
        row.click()
        opened.settle()
        chip, box = bar.get_by_text(word, exact=True).bounding_box(), bar.bounding_box()
        assert box["y"] <= chip["y"]
        assert chip["y"] + chip["height"] <= box["y"] + box["height"] + 1
    assert opened.page.evaluate("scrollY") == 0
    opened.close()


def test_a_map_of_one_pixel(browser, tmp_path):
    made = small((1, 1), [(1, 1), (2, 2)])
    opened = Opened(browser, sdx.page(made, tmp_path / "one.html"))
    opened.stage.focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowUp"):
        opened.page.keyboard.press(key)
    opened.titled("Region of 100 % looks at")
    inside, outside = opened.ranked()["cat"]
    assert inside == pytest.approx(float(sdx.word_map(made, "cat")[0, 0]), abs=2e-5)
    assert np.isnan(outside)
    opened.close()


def test_the_words_beneath_the_picture_are_for_pages_where_the_list_is_out_of_sight(browser, path):
    for width, beneath in ((1280, False), (500, True)):
        opened = Opened(browser, path, viewport={"width": width, "height": 860})
        assert opened.page.locator(".brief").is_visible() == beneath
        opened.close()
