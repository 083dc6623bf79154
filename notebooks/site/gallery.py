"""The picture of each view in its entry, and all of them on one page."""

import inspect
import json
import os

from docutils.statemachine import StringList
from made_pictures import file_of, folder_of
from sphinx.util.docutils import SphinxDirective

from sdexplore import views

_OF_VIEWS = "sdexplore.views."


def _facts(app):
    return json.loads((folder_of(app) / "pictures.json").read_text(encoding="utf-8"))


def _image(app, view, facts, *options):
    path = os.path.relpath(file_of(folder_of(app), view), app.srcdir)
    alt = " ".join(facts[view]["alt"].split()).replace("\\", r"\\")
    return [f".. image:: /{path}", f"   :alt: {alt}", "   :loading: lazy", *(f"   {one}" for one in options), ""]


def _show(app, what, name, _obj, _options, lines):
    """Adds its picture to the docstring of a view, behind the first sentence."""
    view = name.removeprefix(_OF_VIEWS)
    if what != "function" or view == name or view not in views.__all__:
        return
    facts = _facts(app)
    seen = facts[view]["notebook"]
    where = [f"Seen in :doc:`/{seen}`:", ""] if seen else []
    first = lines.index("") + 1 if "" in lines else len(lines)
    lines[first:first] = [
        *("" for _ in range(first == len(lines))),
        *_image(app, view, facts, ":class: view"),
        *where,
        ".. code-block:: python",
        "   :class: call",
        "",
        f"   {facts[view]['call']}",
        "",
    ]


class Gallery(SphinxDirective):
    """Every view by its picture, which leads to its entry."""

    def run(self):
        """The nodes of all cards."""
        facts, lines = _facts(self.env.app), [".. container:: gallery", ""]
        for view in views.__all__:
            summary = inspect.getdoc(getattr(views, view)).partition("\n")[0]
            target = f":target: views.html#{_OF_VIEWS}{view}"
            card = [".. container:: card", "", *(f"   {line}" for line in _image(self.env.app, view, facts, target))]
            card += [f"   :py:func:`{view} <{_OF_VIEWS}{view}>`", "", f"   {summary}", ""]
            lines += [f"   {line}" for line in card]
        return self.parse_text_to_nodes(StringList(lines, "gallery"))


def setup(app):
    """Adds the directive, and pictures to docstrings."""
    app.add_directive("gallery", Gallery)
    app.connect("autodoc-process-docstring", _show, priority=900)  # behind napoleon, which knows no pictures
    return {"parallel_read_safe": True}
