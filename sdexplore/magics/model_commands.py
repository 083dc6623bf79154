"""Commands about the pipeline: load it, and see its parts, configs, modules and tokens."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from ..base.display import clip
from ..base.known_names import SCHEDULERS
from .command import OUTPUT, PIPE, TRACE, Command, Notebook
from .parsing import Asked, Option

_LONG: Final = 1.5  # seconds after which a cell that loads says so


LOADING: Final = (
    Option(("--device",), "device", str, "cuda, mps, cpu", ("cuda", "mps", "cpu")),
    Option(("--dtype",), "dtype", str, "of every component", ("float16", "bfloat16", "float32")),
    Option(("--scheduler",), "scheduler", str, "replaces the pipeline's own", SCHEDULERS),
)
"""The options of commands that load a source."""


def _load(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (any diffusers pipeline)
    del notebook
    return loaded(asked)


def loaded(asked: Asked) -> Any:  # noqa: ANN401  (any diffusers pipeline)
    """The pipeline of the source that the text names, the embedded model without one."""
    given = {option.name: asked.options[option.name] for option in LOADING if option.name in asked.options}
    source = asked.text or "mini"
    with said_if_long(f"Loading {clip(source, 80)} …"):
        from ..model.loading.load_pipeline import load

        return load(source, **given)


@contextmanager
def said_if_long(text: str, seconds: float = _LONG) -> Iterator[None]:
    """Writes `text` to stderr if the block is still at work after so many seconds."""
    timer = threading.Timer(seconds, lambda: print(text, file=sys.stderr, flush=True))  # noqa: T201
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _components(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a record)
    from ..model.inspection.components import components

    return components(notebook.pipe(asked))


def _config(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.inspection.components import denoiser_name
    from ..model.inspection.configs import config

    pipe = notebook.pipe(asked)
    return config(pipe, asked.text or denoiser_name(pipe))


def _tree(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.inspection.components import tree

    depth = {"depth": asked.options["depth"]} if "depth" in asked.options else {}
    return tree(notebook.pipe(asked), asked.text or None, **depth)


def _tokens(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.components.tokens import tokens

    text = asked.text or notebook.trace(asked).prompt or ""
    return tokens(notebook.pipe(asked), text)


MODEL_COMMANDS: Mapping[str, Command] = {
    "load": Command(
        "the pipeline of a source; it becomes `pipe`",
        "mini (the embedded model), a hub id, a folder or a file",
        (*LOADING, OUTPUT),
        _load,
        output="pipe",
    ),
    "components": Command("the parts of the pipeline", "", (PIPE, OUTPUT), _components),
    "config": Command("the configuration of a component", "a component (the denoiser)", (PIPE, OUTPUT), _config),
    "tree": Command(
        "the module tree of a component",
        "a component (the denoiser)",
        (Option(("--depth",), "depth", int, "levels of the text (2)"), PIPE, OUTPUT),
        _tree,
    ),
    "tokens": Command(
        "the tokens of a prompt", "the prompt (default: that of the current trace)", (PIPE, TRACE, OUTPUT), _tokens
    ),
}
