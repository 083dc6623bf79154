"""The linked explorer in a page of its own, in a real Chromium: by mouse, touch and keyboard, the numbers of Python."""

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from lab import ARTIFACTS, COLOURS, contrast

import sdexplore as sdx
from sdexplore.analysis.guidance import halves
from sdexplore.text.tokenization import Tokenizations

OFFLINE = "for (const name of ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'Worker']) delete window[name]"
PIXEL = """(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true})
  copy.drawImage(canvas, 0, 0)
  return [...copy.getImageData(x, y, 1, 1).data]
}"""
HOSTILE = "</script><img src=x onerror=document.title=1> a cat"
Y, X = synthetic.Y, synthetic.X
HIGH, WIDE = 64, 96


class Opened:
    """A page of an explored trace, with everything it asked for and complained about."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}} | options)
        self.page = self.context.new_page()
        self.page.add_init_script(OFFLINE)
        self.complaints = []
        self.page.on("request", lambda request: self.complaints.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        self.complaints.remove(path.as_uri())  # the file itself
        self.stage = self.page.locator(".stage")

    def close(self):
        assert self.complaints == []
        self.context.close()

    def point(self, down, over):
        """(x, y) on the screen of a place on the stage, as shares of its height and width."""
        box = self.stage.bounding_box()
        return box["x"] + over * box["width"], box["y"] + down * box["height"]

    def hover(self, row, column):
        self.page.mouse.move(*self.point((row + 0.5) / Y, (column + 0.5) / X))
        self.titled(f"Pixel row {row}, column {column} looks at")

    def titled(self, text):
        self.page.locator("h3", has_text=text).wait_for()

    def settle(self):
        """Waits until what was asked for is drawn."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector):
        self.settle()
        return self.page.locator(selector).text_content()

    def ranked(self):
        """Word -> (inside, outside), most looked at first."""
        self.settle()
        rows = self.page.locator(".ranked li").evaluate_all(
            "rows => rows.map(row => [row.querySelector('.name').textContent, row.dataset.inside, row.dataset.outside])"
        )
        return {name.removesuffix(" (2×)"): (float(inside), float(outside)) for name, inside, outside in rows}

    def heat(self, row, column):
        """Red, green, blue, opacity of a pixel of the map on the stage."""
        self.settle()
        return self.page.locator(".heat").evaluate(PIXEL, [column, row])

    def keep(self, name):
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def path(trace, tmp_path_factory):
    return sdx.page(trace, tmp_path_factory.mktemp("pages") / "synthetic.html")


@pytest.fixture
def opened(browser, path):
    found = Opened(browser, path)
    yield found
    found.close()


def words_of(trace, row, column, **asked):
    """What Python says of a pixel, most looked at first."""
    maps = {word: sdx.word_map(trace, word, **asked) for word in ("a", "cat", "and", "rocketship")}
    at = {w: (m[row, column], (m.sum() - m[row, column]) / (m.size - 1)) for w, m in maps.items()}
    return dict(sorted(at.items(), key=lambda pair: -pair[1][0]))


def same(found, expected):
    assert list(found) == list(expected)
    for word, numbers in expected.items():
        assert found[word] == pytest.approx(numbers, abs=2e-5), word


def test_a_pointed_pixel_says_the_words_that_python_says(opened, trace):
    for row, column in ((0, 0), synthetic.BRIGHT, (7, 11)):
        opened.hover(row, column)
        same(opened.ranked(), words_of(trace, row, column))
    opened.hover(*synthetic.BRIGHT)
    assert next(iter(opened.ranked())) == "cat"
    value = sdx.word_map(trace, "cat")[synthetic.BRIGHT]
    assert float(opened.text(".ranked li:first-child .value")) == pytest.approx(value, rel=6e-3)

    opened.page.get_by_label("Step", exact=True).fill("3")
    opened.settle()
    assert not opened.page.get_by_label("mean of all steps").is_checked()
    opened.hover(2, 5)
    same(opened.ranked(), words_of(trace, 2, 5, steps=3))
    opened.page.get_by_label("Layers").select_option("6")
    opened.hover(3, 5)
    same(opened.ranked(), words_of(trace, 3, 5, steps=3, layers=6))
    opened.page.get_by_label("mean of all steps").check()
    opened.hover(2, 5)
    same(opened.ranked(), words_of(trace, 2, 5, layers=6))
    assert "mean over 2 layers of side 6, all heads and 6 steps" in opened.text(".what")

    opened.page.get_by_label("Prompt of").select_option(label="uncond")
    opened.hover(2, 5)
    expected = sdx.word_map(trace, "blurry", role="uncond")[2, 5]
    assert opened.ranked()["blurry"][0] == pytest.approx(expected, abs=2e-5)


def test_a_drawn_region_ranks_as_region_words(opened, trace):
    page, (left, top, right, bottom) = opened.page, (20, 13, 61, 50)
    page.mouse.move(*opened.point((top + 0.5) / HIGH, (left + 0.5) / WIDE))
    page.mouse.down()
    page.mouse.move(*opened.point(0.5, 0.5))
    page.mouse.move(*opened.point((bottom - 0.5) / HIGH, (right - 0.5) / WIDE))
    page.mouse.up()
    expected = sdx.region_words(trace, (left, top, right, bottom))
    opened.titled(f"Region of {expected.area:.0%}".replace("%", " %"))
    pairs = zip(expected.words, zip(expected.inside, expected.outside, strict=True), strict=True)
    same(opened.ranked(), dict(pairs))
    page.mouse.move(5, 5)
    assert opened.ranked()  # the region stays where the pointer goes
    page.get_by_role("button", name="clear").click()
    opened.titled("Whole picture looks at")
    whole = {word: sdx.word_map(trace, word).mean() for word in ("a", "cat", "and", "rocketship")}
    assert opened.ranked()["cat"] == (pytest.approx(whole["cat"], abs=2e-5), pytest.approx(np.nan, nan_ok=True))


def test_a_word_shows_its_map_in_viridis_on_the_printed_scale(opened, trace):
    page = opened.page
    page.get_by_label("Map", exact=True).select_option("map")
    top = max(sdx.word_map(trace, word).max() for word in ("a", "cat", "and", "rocketship"))
    for word in ("rocketship", "cat"):
        page.get_by_role("button", name=word, exact=True).click()
        page.mouse.move(5, 5)
        colours = mpl.colormaps["viridis"](sdx.word_map(trace, word) / top)
        for row, column in ((0, 0), (5, 3), synthetic.BRIGHT):
            assert np.abs(opened.heat(row, column) - 255 * colours[row, column]).max() < 4
        assert float(opened.text(".scale .number:last-child")) == pytest.approx(top, rel=6e-3)
        assert "one scale for all words" in opened.text(".what")
    page.get_by_label("Scale").select_option("each")
    page.get_by_role("button", name="and", exact=True).hover()
    own = sdx.word_map(trace, "and")
    assert float(opened.text(".scale .number:last-child")) == pytest.approx(own.max(), rel=6e-3)
    assert "this word's own scale" in opened.text(".what")
    place = np.unravel_index(own.argmax(), own.shape)
    assert opened.heat(*map(int, place)) == [253, 231, 37, 255]  # viridis's end
    page.mouse.move(5, 5)
    assert "“cat”" in opened.text(".what")  # a pointed word goes, the chosen one stays


def test_steps_and_guidance_are_shown_with_what_they_are(opened, trace):
    page = opened.page
    slider = page.get_by_label("Step", exact=True)
    page.get_by_label("predicted x0").check(force=True)
    slider.fill("3")
    assert opened.text(".step-text") == "step 3 (of 0 to 5), t 400, σ 1.4: decoded by the VAE"
    base = page.locator(".base")
    assert base.evaluate("canvas => [canvas.width, canvas.height]") == [WIDE, HIGH]
    slider.fill("2")
    assert opened.text(".step-text").endswith("linear preview")
    assert base.evaluate("canvas => [canvas.width, canvas.height]") == [X, Y]
    rgb = np.clip(trace.pred_original_sample[2][:, 4, 7] @ trace.latent_rgb[:-1] + trace.latent_rgb[-1], 0, 1) * 255
    assert np.abs(np.array(base.evaluate(PIXEL, [7, 4])[:3]) - rgb).max() <= 1

    page.get_by_label("|cond − uncond|").check(force=True)
    page.get_by_label("Map", exact=True).select_option("map")
    difference = halves(trace).difference[2]
    assert float(opened.text(".scale .number:last-child")) == pytest.approx(difference.max(), rel=6e-3)
    row, column = map(int, np.unravel_index(difference.argmax(), difference.shape))
    assert opened.heat(row, column) == [253, 231, 37, 255]
    assert "root mean square over channels, step 2" in opened.text(".what")
    page.get_by_role("button", name="cat", exact=True).click()
    assert "“cat”" in opened.text(".what")


def test_the_keyboard_alone_reaches_everything(opened, trace):
    page = opened.page
    focused = (
        "document.activeElement.shadowRoot ? document.activeElement.shadowRoot.activeElement : document.activeElement"
    )
    reached = []
    for _ in range(17):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(f"(e => e.textContent.slice(0, 20) || e.ariaLabel || e.type)({focused})"))
    kinds = page.evaluate("[...document.querySelector('#explorer > div').shadowRoot.querySelectorAll('select')].length")
    assert kinds == 4
    for wanted in ("Step", "checkbox", "radio", "a", "start", "draw region", "How to read this, an"):
        assert wanted in reached, reached
    assert sum(text.startswith(("cond", "all", "over", "shared")) for text in reached) == 4  # the four choices

    opened.stage.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    row, column = Y // 2 + 1, X // 2 - 1  # the first key only shows the cursor, in the middle
    opened.titled(f"Pixel row {row}, column {column} looks at")
    expected = words_of(trace, row, column)
    same(opened.ranked(), expected)
    live = page.locator("[aria-live]")
    page.wait_for_function("live => live.textContent.includes('Pixel')", arg=live.element_handle())
    first = next(iter(expected))
    assert live.text_content().startswith(f"Pixel row {row}, column {column}: {first} ")

    for key in ("Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    opened.titled("Region of 4.2 %")  # 2 × 2 of 8 × 12
    box = (8 * column, 8 * row, 8 * column + 16, 8 * row + 16)
    assert opened.ranked()["cat"][0] == pytest.approx(dict(inside(trace, box))["cat"], abs=2e-5)
    page.keyboard.press("Escape")
    opened.titled("Whole picture looks at")

    page.get_by_role("button", name="a", exact=True).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    chip = page.get_by_role("button", name="cat", exact=True)
    assert chip.get_attribute("aria-pressed") == "true"
    page.wait_for_function("live => live.textContent.startsWith('“cat”')", arg=live.element_handle())


def inside(trace, box):
    found = sdx.region_words(trace, box)
    return zip(found.words, found.inside, strict=True)


def test_fingers_on_a_phone(browser, path, trace):
    phone = Opened(browser, path, viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    page = phone.page
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    page.touchscreen.tap(*phone.point((synthetic.BRIGHT[0] + 0.5) / Y, (synthetic.BRIGHT[1] + 0.5) / X))
    phone.titled("Pixel row 6, column 9 looks at")
    same(phone.ranked(), words_of(trace, *synthetic.BRIGHT))
    assert phone.text(".brief").startswith("Pixel row 6, column 9: cat ")  # beneath the picture, where the finger is
    assert page.locator(".brief").is_visible()
    page.get_by_role("button", name="rocketship", exact=True).tap()
    assert "“rocketship”" in phone.text(".what")
    page.get_by_role("button", name="draw region").tap()
    phone.stage.scroll_into_view_if_needed()
    touch = phone.context.new_cdp_session(page)
    start, end = phone.point(10.5 / HIGH, 8.5 / WIDE), phone.point(40.5 / HIGH, 70.5 / WIDE)
    for kind, place in (
        ("touchStart", start),
        ("touchMove", phone.point(0.3, 0.3)),
        ("touchMove", end),
        ("touchEnd", None),
    ):
        points = [] if place is None else [{"x": place[0], "y": place[1]}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    phone.titled("Region of")
    assert phone.ranked()["cat"][0] == pytest.approx(dict(inside(trace, (8, 10, 71, 41)))["cat"], abs=2e-5)
    phone.close()


def test_nothing_jumps(opened):
    page = opened.page
    places = "[...document.querySelector('#explorer > div').shadowRoot.querySelectorAll('.left > *, .side > *, .foot')]"
    boxes = f"{places}.map(e => JSON.stringify(e.getBoundingClientRect())).join()"
    before = page.evaluate(boxes)
    opened.hover(3, 3)
    assert page.evaluate(boxes) == before
    page.get_by_label("Step", exact=True).fill("0")
    page.get_by_label("predicted x0").check(force=True)
    page.get_by_role("button", name="padding").click()
    opened.hover(7, 11)
    assert page.evaluate(boxes) == before


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
    scale.wait_for()
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
    assert narrow.page.evaluate("document.documentElement.scrollWidth") == 375
    narrow.keep("page-narrow")
    narrow.close()
