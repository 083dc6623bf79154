"""Text and HTML from the same blocks: equal facts, bounded, escaped, never raising."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdexplore.base.display import (
    MOST_CHARACTERS,
    MOST_ROWS,
    Chip,
    Chips,
    Line,
    Shown,
    Table,
    Thumbnail,
    Thumbnails,
    Tree,
    clip,
    count,
    counted,
    escape,
    harmless,
    size,
    to_html,
    to_text,
    width,
)

EVIL = "</script><script>alert('1')</script>\"&\n\u202e"


def test_one_thing_is_one_thing():
    assert [counted(number, "step") for number in range(3)] == ["0 steps", "1 step", "2 steps"]


class Page(HTMLParser):
    """Every tag that a page opens, what it leaves open, and its text."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "br":
            self.open.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(*blocks):
    found = Page(to_html(blocks))
    assert found.open == []
    return found


ONE_OF_EACH = (
    Line(EVIL, strong=True),
    Table((EVIL, "n"), [(EVIL, EVIL)], frozenset({"n"})),
    Tree(EVIL, EVIL, [Tree(EVIL)]),
    Chips([Chip(EVIL, EVIL, kind) for kind in ("plain", "shade", "special", "lost")]),
)


def test_html_is_well_formed_and_nothing_from_outside_is_markup():
    found = page(*ONE_OF_EACH)
    assert set(found.tags) <= {
        *("div", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "span", "br")
    }
    assert found.text.count("</script><script>alert('1')</script>\"&⏎�") == 15


def test_text_is_one_line_for_each_fact_without_control_characters():
    text = to_text(ONE_OF_EACH)
    assert len(text.split("\n")) == 1 + 3 + 2 + 1
    assert len(text.splitlines()) == 1 + 3 + 2 + 1
    assert "\u202e" not in text


@given(st.text(), st.text(), st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_any_text_is_shown_in_both_forms_and_can_be_encoded(head, label, cells):
    blocks = (Line(head), Tree(label, head), Table(("a", "b"), cells), Chips([Chip(head, label)]))
    text, markup = to_text(blocks), to_html(blocks)
    text.encode()
    markup.encode()
    assert Page(markup).open == []
    assert len(text.splitlines()) <= 3 + 3 + len(cells)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=50))
def test_both_forms_hold_the_same_facts(fact):
    for block in (Line(fact), Tree(fact), Table((fact,), [(fact,)]), Chips([Chip(fact)])):
        assert fact.strip() in to_text([block])
        assert fact in page(block).text


def test_clip_keeps_what_fits_and_cuts_what_does_not():
    assert clip("a" * 10, 10) == "a" * 10
    assert clip("a" * 11, 10) == "a" * 9 + "…"
    assert clip("") == ""
    assert len(clip("x" * 10**7)) == MOST_CHARACTERS
    assert clip("東" * 11, 10) == "東" * 4 + "…"  # nine columns and the mark
    assert clip("東" * 5, 10) == "東" * 5


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("a\nb", "a⏎b"), ("a\r\tb", "a��b"), ("\x1b[31m", "�[31m"), ("\x00", "�"), ("\ud800", "�")]
    + [(f"a{mark}b", "a�b") for mark in "\u202a\u202e\u2066\u2069\u2028\u2029\x85"]
    + [("é", "é"), ("e\u0301", "e\u0301"), ("👩\u200d🚀", "👩\u200d🚀"), ("שלום", "שלום")],
)
def test_clip_makes_controls_visible_and_leaves_letters_alone(raw, shown):
    assert clip(raw) == shown


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("cat", 3), ("東京", 4), ("cafe\u0301", 4), ("ｱ", 1), ("🌸", 2), ("a\u200db", 2)]
)
def test_width_counts_terminal_columns(text, columns):
    assert width(text) == columns


def test_columns_of_a_table_line_up_whatever_the_script():
    table = Table(("word", "id"), [("東京", "1"), ("cafe\u0301", "49407"), ("x", "22")], frozenset({"id"}))
    lines = to_text([table]).split("\n")
    assert {width(line) for line in lines} == {width("cafe") + 2 + 5}
    assert [line[-2:] for line in lines[2:]] == [" 1", "07", "22"]


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (859520964, "859,520,964"), (1234.6, "1,235"), (-1000, "-1,000")]
)
def test_counts_have_separators(number, shown):
    assert count(number) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1000 * 1024, "1,000.0 KiB"),  # was "1e+03 KiB"
        (1024**2 - 1, "1.0 MiB"),
        (50364416, "48.0 MiB"),
        (500 * 1024**2, "500.0 MiB"),
        (3.5 * 1024**3, "3.5 GiB"),
        (5000 * 1024**4, "5,000.0 TiB"),
    ],
)
def test_sizes_are_in_a_fitting_unit_and_never_in_powers_of_ten(amount, shown):
    assert size(amount) == shown


def test_long_tables_are_cut_in_both_forms_and_say_by_how_much():
    table = Table(("n",), [(str(n),) for n in range(MOST_ROWS + 1234)])
    assert to_text([table]).split("\n")[-1] == "… and 1,234 more rows"
    found = page(table)
    assert found.tags.count("tr") == 1 + MOST_ROWS
    assert found.text.endswith("… and 1,234 more rows")
    assert "more" not in to_text([Table(("n",), [("1",)] * MOST_ROWS)])
    assert "more" not in to_html([Table(("n",), [("1",)] * MOST_ROWS)])


def test_wide_and_deep_trees_are_cut_in_both_forms():
    wide = Tree("root", children=[Tree(f"leaf {n}") for n in range(2000)])
    assert to_text([wide]).split("\n")[-1] == "… the rest is left out here"
    assert len(to_text([wide]).split("\n")) == MOST_ROWS + 1
    assert page(wide).text.count("leaf") < MOST_ROWS
    assert page(wide).text.endswith("… the rest is left out here")
    nested = Tree("root", children=[wide] * 50)
    assert len(to_html([nested])) < 200 * MOST_ROWS


def test_the_note_of_a_shaded_chip_has_the_ink_of_its_own_ground():
    """The page's faint ink is light on dark pages, and a shade is light there too."""
    faint = "color:var(--jp-content-font-color2"
    assert faint in to_html([Chips([Chip("cat", "2", "plain")])])
    assert faint not in to_html([Chips([Chip("cat", "2", "shade")])])


def test_many_chips_are_bounded():
    chips = Chips([Chip(str(n)) for n in range(5000)])
    assert page(chips).tags.count("span") == MOST_ROWS
    assert to_text([chips]).count("[") == MOST_ROWS
    assert to_text([chips]).endswith("] … and 4,600 more")
    assert page(chips).text.endswith(" … and 4,600 more")
    assert "more" not in to_text([Chips([Chip("1")] * MOST_ROWS)])


def test_chips_beside_a_table_stay_out_of_the_text():
    assert to_text([Chips([Chip("cat")], in_text=False)]) == ""
    assert "cat" in to_html([Chips([Chip("cat")], in_text=False)])


def test_a_tree_is_drawn_with_branches_and_folds_in_html():
    tree = Tree("root", "facts", [Tree("a", children=[Tree("b")], unfolded=True), Tree("c")])
    assert to_text([tree]).split("\n") == ["root  facts", "├─ a", "│  └─ b", "└─ c"]
    markup = to_html([tree])
    assert markup.count("<details") == 2
    assert markup.count("<details open>") == 1


def test_columns_stand_apart_and_numeric_ones_flush_right_in_html():
    markup = to_html([Table(("word", "n"), [("cat", "7")], frozenset({"n"}))])
    assert re.findall(r"<t[hd] dir=\"auto\" style=\"text-align:(\w+);padding:[.]5em\">(\w+)<", markup) == [
        *(("left", "word"), ("right", "n"), ("left", "cat"), ("right", "7"))
    ]


def test_escape_covers_quotes():
    assert escape("<a href=\"x\" b='y'>&") == "&lt;a href=&quot;x&quot; b=&#x27;y&#x27;&gt;&amp;"


@pytest.mark.parametrize(
    "text", ["a $5 cat, a $10 dog", "$$x$$", r"\(x\) \[y\]", r"\begin{x}y\end{x}", r"\$ \\ \ref{x}"]
)
def test_what_a_notebook_would_take_for_tex_is_divided_and_reads_as_typed(text):
    for block in (Line(text), Tree(text), Table((text,), [(text,)]), Chips([Chip(text)])):
        found = page(block)
        assert text in found.text
        assert not re.search(r"\$[^<]|\\[^<]", to_html([block]))  # each delimiter ends its text


def test_attributes_hold_no_elements():
    assert harmless('$5 "x" \\(y') == "$5 &quot;x&quot; \\(y"
    assert 'alt="$5 and $10"' in to_html([Thumbnails([Thumbnail("data:,", "$5 and $10")])])


class Good(Shown):
    def blocks(self):
        return [Line("all is <well>")]


class Bad(Shown):
    def blocks(self):
        raise ValueError("<b>" + "x" * 10**6 + "\n")


class Ragged(Shown):
    def blocks(self):
        return [Table(("a", "b"), [("only one",)])]


def test_a_record_shows_itself_in_all_three_ways():
    class Printer:
        written = ""

        def text(self, text):
            self.written += text

    good, printer = Good(), Printer()
    good._repr_pretty_(printer, cycle=False)
    assert repr(good) == str(good) == printer.written == "all is <well>"
    assert '<div dir="auto">all is &lt;well&gt;</div>' in good._repr_html_()
    good._repr_pretty_(object(), cycle=False)  # an object that is no printer is ignored


def test_a_repr_never_raises_and_says_what_went_wrong_in_short():
    for bad, kind in ((Bad(), "ValueError"), (Ragged(), "ValueError"), (Shown(), "TypeError")):
        name = type(bad).__name__
        assert repr(bad).startswith(f"<{name}: cannot be shown, {kind}: ")
        assert len(repr(bad)) < 300
        assert "\n" not in repr(bad)
        assert bad._repr_html_().startswith(f"<pre>&lt;{name}: cannot be shown")
        assert "<b>" not in bad._repr_html_()
    assert "Shown does not say what it shows" in repr(Shown())
