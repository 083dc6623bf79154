"""What the site shows and no file of the checkout is: a picture of every view, and a run to explore.

A view's picture is the first that a notebook shows of it, as committed: it stands there among words that explain it,
and no second list of calls is kept. Views that no notebook shows are drawn here, from the embedded model. What was made
is kept with the doctrees until the package or a notebook changes.
"""

import base64
import json
import re
from functools import cached_property
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util import logging

import sdexplore as sdx
from sdexplore import views

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PROMPT = "a dog and an umbrella on the beach"
RUN = "explored/a_dog_and_an_umbrella.html"  # a page of the site of the same name would replace it
_CALL = re.compile(r"^sdx\.views\.(\w+)\(", re.MULTILINE)
_log = logging.getLogger(__name__)


class Material:
    """What is drawn from the embedded model, made when it is first asked for."""

    @cached_property
    def pipe(self):
        """The embedded model."""
        pipe = sdx.load(scheduler="DPM++ 2M")  # sharp after few steps
        pipe.set_progress_bar_config(disable=True)
        return pipe

    @cached_property
    def trace(self):
        """The run to explore, with what its page can show."""
        return self._run(6, sdx.Record(features=("mid_block", "up_blocks.1"), decode=3))

    @cached_property
    def measured(self):
        """A run whose modules were measured."""
        return self._run(2, sdx.Record(statistics=True, decode=0))

    def _run(self, steps, record):
        return sdx.run(self.pipe, PROMPT, seed=1, num_inference_steps=steps, record=record)


def _benchmark(_material):
    from sdexplore.records.benchmark import Benchmark

    return views.benchmark(Benchmark.load(ROOT / "images" / "benchmark" / "benchmark.json"))


DRAWN = {
    "activation_statistics": lambda made: views.activation_statistics(made.measured),
    "benchmark": _benchmark,
    "components": lambda made: views.components(sdx.components(made.pipe)),
    "study_pairs": lambda _made: views.study_pairs(
        sdx.studies.read(NOTEBOOKS / "11_studies"), "word_map[word={second}].peak", over="seed", levels=[0, 1]
    ),
}
"""Views that no notebook shows."""


def in_notebooks():
    """View -> what a notebook has of it: PNG, alt text, line of code, and the name of the notebook."""
    found = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                data, said = output.get("data", {}), output.get("metadata", {}).get("image/png", {})
                call = _CALL.search("".join(data.get("text/plain", "")))
                if call and said.get("alt") and call[1] not in found:
                    png = base64.b64decode("".join(data["image/png"]))
                    found[call[1]] = {"png": png, "alt": said["alt"], "call": _line(data), "notebook": path.stem}
    return found


def _line(data):
    text = "".join(data["text/plain"])
    return text[_CALL.search(text).start() :].splitlines()[0].partition("  # ")[0]


def drawn(view, material):
    """As an entry of `in_notebooks`, of a view that is drawn here."""
    if view not in DRAWN:
        raise ExtensionError(f"no notebook shows sdx.views.{view}: show it in one, or draw it in {__file__}")
    picture = DRAWN[view](material)
    return {"png": picture.png(), "alt": picture.alt, "call": picture.call.partition("  # ")[0], "notebook": None}


def file_of(folder, view):
    """Where the picture of a view is."""
    return folder / f"view-{view}.png"


def make(folder):
    """Writes the pictures, `pictures.json` and the page of a run into the folder, unless they are there and new.

    Returns whether it did.
    """
    sources = [*ROOT.glob("sdexplore/**/*.*"), *NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("site/*.py")]
    newest = max(path.stat().st_mtime for path in sources if path.suffix != ".pyc")
    facts = folder / "pictures.json"
    if facts.exists() and facts.stat().st_mtime > newest:
        return False
    _log.info("drawing pictures and the page of a run")
    folder.mkdir(parents=True, exist_ok=True)
    material, shown, said = Material(), in_notebooks(), {}
    for view in views.__all__:
        said[view] = shown.get(view) or drawn(view, material)
        file_of(folder, view).write_bytes(said[view].pop("png"))
    sdx.page(material.trace, folder / "extra" / RUN)
    facts.write_text(json.dumps(said), encoding="utf-8")
    return True


def folder_of(app):
    """Where all this is written."""
    return Path(app.doctreedir) / "made"


def _set_up(app, config):
    app.made_anew = make(folder_of(app))
    config.html_extra_path = [*config.html_extra_path, str(folder_of(app) / "extra")]


def _outdated(app, env, _added, _changed, _removed):
    """Reads all pages again when the package, a notebook or an extension changed; Sphinx looks at the pages alone."""
    return env.found_docs if app.made_anew else ()


def _not_hidden(app, env):
    """A page of the site would replace an extra file of its name without a word."""
    extra = folder_of(app) / "extra"
    for path in extra.rglob("*.html"):
        if path.relative_to(extra).with_suffix("").as_posix() in env.found_docs:
            raise ExtensionError(f"{path.name} is both a page of the site and a file that is copied into it")


def setup(app):
    """Makes everything before the first page is read."""
    app.connect("config-inited", _set_up)
    app.connect("env-get-outdated", _outdated)
    app.connect("env-check-consistency", _not_hidden)
    return {"parallel_read_safe": True}
