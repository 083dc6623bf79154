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
# A widget without its kernel shows nothing. The HTML that stands beside it in the notebook, with alt text, is shown.
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4

add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme, html_title, html_favicon = "furo", "sdexplore", "static/favicon.svg"
pygments_dark_style = "github-dark"
html_domain_indices = False  # an index of modules, which are no public names
html_copy_source = html_show_sourcelink = html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("frames.js", {"defer": "defer"})]
# MathJax 3.2.2 in one file that holds its glyphs: no page asks another host. Sphinx's own default asks a CDN.
mathjax_path = "mathjax/tex-svg.js"


def _plain(text):
    """Types as they are written in the source: Float[ndarray, 'y x'], np.integer."""
    text = re.sub(r"~?jaxtyping\.", "", text)
    return re.sub(r"~?numpy\.integer\[~?(typing\.)?Any\]", "numpy.integer", text)


def _signature(_app, _what, _name, _obj, _options, *texts):
    return tuple(text and _plain(text) for text in texts)


def _docstring(_app, _what, _name, _obj, _options, lines):
    """The same in the types of attributes, where the star of an axis is not the begin of emphasis."""
    for place, line in enumerate(lines):
        if line.startswith(":vartype"):
            lines[place] = _plain(line).replace("*", r"\*")


def setup(app):
    """Two things that are too small for an extension."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-process-docstring", _docstring, priority=800)  # behind napoleon, which writes those lines
