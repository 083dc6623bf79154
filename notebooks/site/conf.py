"""The site: `make site`. Notebooks as committed, the README as the first page, every public name from its docstring."""

import re
import sys
from pathlib import Path

import sdexplore

sys.path.insert(0, str(Path(__file__).parent))  # where the four extensions of ours are

project, author, release = "sdexplore", "the authors of sdexplore", sdexplore.__version__
project_copyright = author
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "links",
    "made_pictures",
    "public_names",
    "gallery",
    "picture_files",
]
exclude_patterns = ["site", "**.ipynb_checkpoints"]
default_role = "py:obj"  # `Trace` in a docstring is a link where there is one, and code elsewhere
smartquotes = False  # "heads" in a docstring is code
suppress_warnings = ["config.cache"]  # what ours are configured with has no pickle

nb_execution_mode = "off"
# A widget without its kernel shows nothing. What stands beside it in the notebook, HTML with alt text, is shown instead.
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme, html_title = "furo", "sdexplore"
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("frames.js", {"defer": "defer"})]
# MathJax 3.2.2 in one file that holds its glyphs: no page asks another host. Sphinx's own default asks a CDN.
mathjax_path = "mathjax/tex-svg.js"


def _signature(_app, _what, _name, _obj, _options, *texts):
    """Float[ndarray, 'y x'], without the name of the library before it."""
    return tuple(text and re.sub(r"~?jaxtyping\.", "", text) for text in texts)


def _docstring(_app, _what, _name, _obj, _options, lines):
    """The same in the types of attributes, where the star of an axis is no emphasis."""
    for place, line in enumerate(lines):
        if line.startswith(":vartype"):
            lines[place] = re.sub(r"~?jaxtyping\.", "", line).replace("*", r"\*")


def setup(app):
    """Two things that are too small for an extension."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _docstring, priority=800)  # behind napoleon, which writes those lines
