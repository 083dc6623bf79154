"""Each site's own renderer: Markdown in, HTML out. A tool that is not there names itself.

zenn: node, and the npm package zenn-markdown-html in a folder that SDEXPLORE_ZENN names (npm install --prefix FOLDER
zenn-markdown-html) or at the top of the repository. github: cmark-gfm. hugo: hugo. quarto: pandoc, which Quarto is
built on. qiita: its command line (npm @qiita/qiita-cli) sends each page to Qiita's server to be rendered, so it has no
renderer of its own; cmark-gfm is the nearest, since Qiita's Markdown is GitHub's.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ZENN = Path(os.environ.get("SDEXPLORE_ZENN", Path(__file__).parents[2]))
_NODE = """
import { createRequire } from 'node:module';
const found = createRequire(process.argv[1] + '/package.json')('zenn-markdown-html');
let text = '';
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify(await Promise.all(JSON.parse(text).map(found.default ?? found))));
"""
_GFM = ["table", "strikethrough", "autolink", "tagfilter", "tasklist"]
_TOOL = {"zenn": "node", "github": "cmark-gfm", "qiita": "cmark-gfm", "hugo": "hugo", "quarto": "pandoc"}


def missing(site):
    """Why the site's renderer cannot run; None if it can."""
    if shutil.which(_TOOL[site]) is None:
        return f"{_TOOL[site]} is not installed"
    if site == "zenn" and not (ZENN / "node_modules" / "zenn-markdown-html").is_dir():
        return "npm package zenn-markdown-html is not in SDEXPLORE_ZENN"
    return None


def rendered(site, *markdown):
    """The HTML of each page; the pages have no front matter."""
    if site == "zenn":
        return json.loads(_run(["node", "--input-type=module", "-e", _NODE, str(ZENN)], json.dumps(markdown)))
    if site == "hugo":
        return _by_hugo(markdown)
    command = {
        "quarto": ["pandoc", "--from", "markdown+smart", "--to", "html", "--wrap=none", "--mathjax"],
        "github": ["cmark-gfm", "--unsafe", *(word for name in _GFM for word in ("-e", name))],
    }
    command["qiita"] = command["github"]
    return [_run(command[site], page) for page in markdown]


def _run(command, text):
    return subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=True).stdout


def _by_hugo(markdown):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "layouts" / "_default").mkdir(parents=True)
        (root / "layouts" / "_default" / "single.html").write_text("{{ .Content }}")
        kinds = '["RSS", "sitemap", "taxonomy", "term", "home", "section", "404"]'
        (root / "config.toml").write_text(f'baseURL = "https://site.example/"\ndisableKinds = {kinds}\n')
        for number, page in enumerate(markdown):
            bundle = root / "content" / "posts" / str(number)
            bundle.mkdir(parents=True)
            (bundle / "index.md").write_text(f"---\ntitle: x\n---\n{page}", encoding="utf-8")
        _run(["hugo", "--source", folder, "--quiet"], "")
        public = root / "public" / "posts"
        return [(public / str(number) / "index.html").read_text("utf-8") for number in range(len(markdown))]
