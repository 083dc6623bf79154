"""Commands about sources and files: what a checkpoint is, what a run of it would record, the page of a saved trace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from .command import OUTPUT, PIPE, TRACE, Command, Notebook
from .model_commands import LOADING, loaded
from .parsing import Asked, Option


def _inspect(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a record)
    del notebook
    from ..model.loading.inspect_checkpoint import inspect

    return inspect(asked.text or "mini")


def _doctor(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a record)
    given = sorted(option.flags[0] for option in LOADING if option.name in asked.options)
    if given and not asked.text:
        raise UsageError(f"%sdexplore doctor takes {' and '.join(given)} with a source, as in: doctor mini")
    pipe = loaded(asked) if asked.text else notebook.pipe(asked)
    from ..model.inspection.diagnosis import doctor

    return doctor(pipe)


def _page(notebook: Notebook, asked: Asked) -> Path:
    from ..publish.pages import page

    if asked.text:
        to = asked.options.get("to") or Path(asked.text).with_suffix(".html")
        return page(asked.text, to)
    if "to" not in asked.options:
        raise UsageError("%sdexplore page needs --to and the name of the file, as in --to cat.html")
    return page(notebook.trace(asked), asked.options["to"])


FILE_COMMANDS: Mapping[str, Command] = {
    "inspect": Command(
        "what a checkpoint is, without loading it",
        "mini (the embedded model), a hub id, a folder or a file",
        (OUTPUT,),
        _inspect,
    ),
    "doctor": Command(
        "what a run would record of a pipeline, and what stands in the way",
        "a source as `load` takes it (default: the current pipeline)",
        (*LOADING, PIPE, OUTPUT),
        _doctor,
    ),
    "page": Command(
        "one HTML file in which a reader explores a trace; its path",
        "the path of a saved trace (default: the current trace)",
        (Option(("--to",), "to", str, "the HTML file (a saved trace's name, with .html)"), TRACE, OUTPUT),
        _page,
    ),
}
"""In the order of the help; the command line has these alone, since they need no notebook."""
