"""The linked explorer in a page of its own, in a real Chromium: by mouse, touch and keyboard, the numbers of Python."""

import matplotlib as mpl
import numpy as np
import pytest
import synthetic
from explorer_pages import HIGH, PIXEL, WIDE, Opened, X, Y, inside, same, words_of

import sdexplore as sdx
from sdexplore.analysis.guidance import halves


@pytest.fixture(scope="module")
def path(trace, tmp_path_factory):
    return sdx.page(trace, tmp_path_factory.mktemp("pages") / "synthetic.html")


@pytest.fixture
def opened(browser, path):
    found = Opened(browser, path)
    yield found
    found.close()


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
    touch = page.context.new_cdp_session(page)
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
