"""Commands that show a trace: pictures of it, the dashboard, and the export into an article."""

from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from ..analysis.attention import METHODS
from ..figures.picture import Picture
from ..publish.sites.registry import SITES
from .command import OUTPUT, PIPE, STEP, TRACE, Command, Notebook
from .parsing import Asked, Option
from .values import layer

_ATTENTION = (
    STEP,
    Option(("--layer",), "layer", layer, "a layer's name, its beginning, or the longer side of its grid"),
    Option(("--head",), "head", int, "one head; needs a run with --heads"),
    Option(("--role",), "role", str, "cond: the prompt; uncond: the negative prompt", ("cond", "uncond")),
    Option(("--method",), "method", str, "mean, or a published formula", METHODS),
    Option(("--scale",), "scale", str, "shared: one colour scale; each: one for each word", ("shared", "each")),
)


def _denoising(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import denoising

    return denoising(notebook.trace(asked), steps=asked.options.get("step"))


def _guidance(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import guidance

    return guidance(notebook.trace(asked), steps=asked.options.get("step"))


def _attention(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import attention

    names = {"step": "steps", "layer": "layers", "head": "heads", "role": "role", "method": "method", "scale": "scale"}
    given = {names[name]: value for name, value in asked.options.items() if name in names}
    return attention(notebook.trace(asked), asked.words or None, **given)


def _explore(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (the dashboard)
    from ..dashboard.open_dashboard import explore

    if asked.text:
        return explore(asked.text)
    named = asked.options.get("trace") or ("trace" if "pipe" not in notebook.variables else None)
    if named is None or "pipe" in asked.options:
        return explore(notebook.pipe(asked))
    return explore(notebook.trace(asked))


def _export(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (the Article)
    from ..publish.article import Article

    for needed in ("slug", "key"):
        if needed not in asked.options:
            raise UsageError(
                f"%sdexplore export needs --{needed}, as in --slug inside-stable-diffusion --key attention"
            )
    options = asked.options
    where = {name: options[name] for name in ("flavor", "root") if name in options}
    article = Article(options["slug"], **where)
    words = {name: options[name] for name in ("caption", "alt") if name in options}
    article.add(notebook.picture(), key=options["key"], **words)
    article.save()
    return article


SHOW_COMMANDS: Mapping[str, Command] = {
    "denoising": Command("the way from noise to picture", "", (STEP, TRACE, OUTPUT), _denoising),
    "guidance": Command("the predictions with and without prompt", "", (STEP, TRACE, OUTPUT), _guidance),
    "attention": Command(
        "where the picture attends to words",
        "words, a phrase in quotes (default: all words)",
        (*_ATTENTION, TRACE, OUTPUT),
        _attention,
    ),
    "explore": Command(
        "the dashboard", "the path of a trace (default: the current pipeline)", (PIPE, TRACE, OUTPUT), _explore
    ),
    "export": Command(
        "the last picture as a file of an article",
        "",
        (
            Option(("--slug",), "slug", str, "the article's name in its address"),
            Option(("--key",), "key", str, "the picture's name; the same key replaces the picture"),
            Option(("--caption",), "caption", str, "the text beneath (the last caption, or the picture's own words)"),
            Option(("--alt",), "alt", str, "what the picture shows, in words (the picture's own)"),
            Option(("--flavor",), "flavor", str, "the site (zenn)", tuple(SITES)),
            Option(("--root",), "root", str, "the folder that holds images/ (.)"),
            OUTPUT,
        ),
        _export,
    ),
}
