"""Articles in Zenn's own renderer: what a reader of Zenn sees.

Needs node, and the npm package zenn-markdown-html in a folder that SDEXPLORE_ZENN names (npm install --prefix FOLDER
zenn-markdown-html) or at the top of the repository.
"""

import json
import os
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
import synthetic
from hostile import EVIL, Seen
from PIL import Image

import sdexplore as sdx

ROOT = Path(os.environ.get("SDEXPLORE_ZENN", Path(__file__).parents[3]))
PACKAGE = ROOT / "node_modules" / "zenn-markdown-html"
SLUG = "seen-through-zenn"
RENDER = """
import { createRequire } from 'node:module';
const found = createRequire(process.argv[1] + '/package.json')('zenn-markdown-html');
let text = '';
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(await Promise.all(JSON.parse(text).map(found.default ?? found))));
"""
WORDS = (
    EVIL,
    "**bold** _it_ ~~s~~ `code` ``x``",
    "![i](y) [[x]] ](x) @[card](https://example.com)",
    "$x$ and $$y$$ \\ \\* :tada: :::message",
    "&amp; &#42; <!-- c --> </figure> 1. 2)",
    "1. list",
    "- item --- ...",
    '東京 🌸 「桜」 (cat:1.2) it\'s "so"',
)

pytestmark = [
    pytest.mark.npm,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not PACKAGE.is_dir(), reason="npm package zenn-markdown-html is not in SDEXPLORE_ZENN"),
]


def rendered(*markdown):
    done = subprocess.run(
        ["node", "--input-type=module", "-e", RENDER, str(ROOT)],
        input=json.dumps(markdown),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def plain(text):
    return " ".join(unicodedata.normalize("NFKC", text).replace("⏎", " ").split())


def test_words_are_read_as_they_are(tmp_path):
    article = sdx.Article(SLUG, root=tmp_path)
    dot = Image.new("RGB", (4, 4), "red")
    blocks = []
    for number, words in enumerate(WORDS):
        article.add(dot, key=str(number), alt=words, caption=words)
    body = article.save().read_text(encoding="utf-8").partition("\n---\n")[2]
    blocks = [block for block in body.split("\n\n") if block.strip()]
    for words, html in zip(WORDS, rendered(*blocks), strict=True):
        seen = Seen(html)
        assert [plain(alt) for alt in seen.alts] == [plain(words)]
        assert plain(seen.words) == plain(words)
        assert seen.tags <= {"p", "img", "em", "br", "a"}


def test_a_whole_article_is_as_it_was_meant(tmp_path):
    trace = synthetic.trace(prompt="a cat and a rocketship")
    article = sdx.Article(SLUG, root=tmp_path, title="見る")
    article.text("## 拡散モデル\n\nText.").code("print('```')").add(
        sdx.views.attention(trace, ["cat"]), width=500
    ).save()
    page = (tmp_path / "articles" / f"{SLUG}.md").read_text(encoding="utf-8")
    (html,) = rendered(page.partition("\n---\n")[2])
    assert f'<img src="/images/{SLUG}/001.png"' in html
    assert 'width="500"' in html
    assert "拡散モデル</h2>" in html
    assert "<em>Where the cross-attention to cat" in html
    assert "print" in html
