"""Links of the README and the notebooks, made right for the site.

In the checkout they lead to files. Where a page of the site stands for that file, the link leads to the page: a page
that includes a file stands for it. Every other file is in the repository. Its address is read from the environment
variable `SDEXPLORE_REPOSITORY`, else from `project.urls` in pyproject.toml. Where neither says it, the text stays and
the link goes.
"""

import builtins
import json
import os
import re
import tomllib
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from picture_files import described
from sphinx import addnodes

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
_PICTURES = (".png", ".svg", ".webp", ".jpg", ".gif")
_LINK = re.compile(r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^)\s]+)\)")
_IMAGE = re.compile(r'(?<=<img src=")[^":]+(?=")')
_INCLUDE = re.compile(r"^```\{include\} (\S+)$", re.MULTILINE)


def pages():
    """The file that each page stands for -> the source of that page."""
    found = {path: path for path in NOTEBOOKS.glob("*.ipynb")}
    for page in NOTEBOOKS.rglob("*.md"):
        found |= {(page.parent / name).resolve(): page for name in _INCLUDE.findall(page.read_text(encoding="utf-8"))}
    return found


def repository():
    """Where files are read that the site does not have, with a slash at its end; None where no address is known."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    named = {name.lower(): url for name, url in urls.items()}
    home = os.environ.get("SDEXPLORE_REPOSITORY") or named.get("source") or named.get("repository")
    return home and f"{home.rstrip('/')}/blob/main/"


def repaired(text, file, page, known, home):
    """The Markdown of `file` as it stands in `page`; `known` as `pages`, `home` as `repository`."""

    def one(link):
        name, sign, fragment = link["target"].partition("#")
        there = (file.parent / unquote(name)).resolve()
        if not name or ":" in name or not there.exists() or not there.is_relative_to(ROOT):
            return link[0]
        if there in known or link["mark"] or there.suffix in _PICTURES:
            to = os.path.relpath(known.get(there, there), page.parent)
        elif home:
            to = home + there.relative_to(ROOT).as_posix()
        else:
            return link["text"]
        return f"{link['mark']}[{link['text']}]({to}{sign}{fragment})"

    def image(source):
        there = (file.parent / unquote(source[0])).resolve()
        return os.path.relpath(there, page.parent) if there.exists() else source[0]

    return _IMAGE.sub(image, _LINK.sub(one, text))


def _read(app, name, content, repair):
    page = Path(app.env.doc2path(name))
    if page.suffix == ".ipynb":
        notebook = json.loads(content[0])
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = repair("".join(cell["source"]), page, page)
            elif cell["cell_type"] == "code":
                cell["outputs"] = [described(output) for output in cell["outputs"]]
        content[0] = json.dumps(notebook, ensure_ascii=False)


def _include(app, path, _name, content, repair):  # MyST gives the page's name without its folder
    page = Path(app.env.doc2path(app.env.docname))
    content[0] = repair(content[0], (Path(app.srcdir) / path).resolve(), page)


def _class_of_ours(_app, env, node, content):
    """A link for the name of a class that is documented under another module than the one that defines it."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or not name[:1].isupper():
        return None
    there = [one for one in env.domains["py"].objects.items() if one[0].rpartition(".")[2] == name]
    if len(there) != 1 or there[0][1].objtype not in ("class", "exception"):
        return None
    entry = there[0][1]
    uri = _app.builder.get_relative_uri(node["refdoc"], entry.docname)
    return nodes.reference("", "", content, internal=True, refuri=f"{uri}#{entry.node_id}")


def _no_attribute(_app, doctree):
    """The type `bytes` is no link to an attribute of that name."""
    for node in doctree.findall(addnodes.pending_xref):
        if node.get("reftarget") in vars(builtins):
            node.attributes.pop("refspecific", None)


def setup(app):
    """Repairs sources when they are read, and finds classes by their own names."""
    repair = partial(repaired, known=pages(), home=repository())
    app.connect("source-read", partial(_read, repair=repair))
    app.connect("include-read", partial(_include, repair=repair))
    app.connect("doctree-read", _no_attribute)
    app.connect("missing-reference", _class_of_ours)
    return {"parallel_read_safe": True}
