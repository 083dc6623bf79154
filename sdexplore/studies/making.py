"""The source of a study's runs, loaded once in each process, and one run of it.

The cache lies in this module. In a notebook's cell it would travel by value with each task, which would load anew.
"""

import ctypes
import os
import platform
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..base.errors import RunError
from ..trace.record import Record
from ..trace.trace import Trace
from .identity import canonical, name_of, plain

Source: TypeAlias = str | os.PathLike[str] | Callable[[], Any]
"""As `load` takes it; or a function that loads: it returns a pipeline, or a function that is called as `run` is."""

_TRIM: Final = "MALLOC_TRIM_THRESHOLD_"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST: Final = (1 << 30, 1 << 25)  # bytes; older glibc takes 32 MiB at most
_sources: dict[str, Any] = {}
_lock = threading.Lock()


class CannotLoadError(Exception):
    """A worker cannot load the source: no fault of the run, so that it is no row."""


def told_source(source: Source) -> str:
    """The source in a study's identity: its name, an absolute path where it is a path here, or "module:function".

    Raises:
        RunError: It is a function that no other process can import; or no source at all.
    """
    if source == "mini":  # the embedded model, whatever lies in this folder
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return str(path.resolve()) if path.exists() else os.fspath(source)
    if callable(source):
        try:
            return name_of(source)
        except RunError as error:
            raise RunError(f"Study(source=…): {error}") from None
    raise RunError(
        f"Study({source!r:.80}): a source is what sdx.load takes, a name or a path, or a function that returns a "
        "pipeline: each worker loads it for itself"
    )


def loaded(source: Source, load: Mapping[str, Any]) -> Any:  # noqa: ANN401  (any pipeline, or a function)
    """The source, loaded in this process when it is first asked for.

    Raises:
        CannotLoadError: It cannot be loaded here; the message names the machine and the reason.
    """
    key = canonical([told_source(source), plain(dict(load))])
    with _lock:
        if key not in _sources:
            undo_trimming()
            try:
                _sources[key] = _load(source, load)
            except Exception as error:
                raise CannotLoadError(f"{socket.gethostname()}: {type(error).__name__}: {error}") from error
        return _sources[key]


def _load(source: Source, load: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if callable(source):
        return source(**load)
    from ..model.loading.load_pipeline import load as load_pipeline

    return load_pipeline(source, **load)


def undo_trimming() -> None:
    """Takes back what Dask's nanny sets for its workers, MALLOC_TRIM_THRESHOLD_.

    It makes torch 1.3 to 2 times slower. With it each larger tensor is mapped anew, page by page. It is glibc's alone.
    """
    if _TRIM not in os.environ or platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for what in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
        any(mallopt(what, size) for size in _LARGEST)  # the first that this glibc takes


def is_pipeline(source: Any) -> bool:  # noqa: ANN401
    """Whether a loaded source is a diffusers pipeline, and no function that makes runs itself."""
    return hasattr(source, "components") and hasattr(source, "set_progress_bar_config")


@contextmanager
def silent(source: Any) -> Iterator[None]:  # noqa: ANN401
    """The block asks a source without its progress bar, which each worker would print."""
    if not is_pipeline(source):
        yield
        return
    from ..model.components.patching import quiet

    with quiet(source):
        yield


def run_of(
    source: Any,  # noqa: ANN401  (any pipeline, or a function)
    arguments: Mapping[str, Any],
    seed: int,
    record: Record,
    cancelled: Callable[[], bool] = lambda: False,
    on_step: Callable[[Any], object] | None = None,
) -> Trace:
    """One run of a loaded source.

    Args:
        arguments: Those of the pipeline's call and of `run`; "scheduler" takes the place of the pipeline's own.
        cancelled: Asked after each step; True ends the run with Stopped.
        on_step: As `run` takes it.

    Raises:
        Stopped: It was cancelled.
    """
    if not is_pipeline(source):
        rest = {name: value for name, value in arguments.items() if name != "prompt"}
        after = _stopping(cancelled, on_step)
        return _trace(source(arguments.get("prompt"), seed=seed, record=record, on_step=after, **rest))
    return _called(source, arguments, seed, record, cancelled, on_step, one_image=True)[0]


def runs_of(
    source: Any,  # noqa: ANN401  (any pipeline)
    arguments: Mapping[str, Any],
    seed: int,
    record: Record,
    cancelled: Callable[[], bool],
) -> Sequence[Trace]:
    """Several runs, drawn by one call of a pipeline: the prompts in `arguments`, of the seed and those that follow it.

    Raises:
        RunError: The source is a function, which makes one run at a time.
        Stopped: They were cancelled.
    """
    if not is_pipeline(source):
        raise RunError("Study.run(batch=…): the source is a function, which makes one run at a time")
    return _called(source, arguments, seed, record, cancelled, None, one_image=False)


def _called(
    source: Any,  # noqa: ANN401  (as above)
    arguments: Mapping[str, Any],
    seed: int,
    record: Record,
    cancelled: Callable[[], bool],
    on_step: Callable[[Any], object] | None,
    *,
    one_image: bool,
) -> Sequence[Trace]:
    from ..model.runs.call import Call
    from ..model.runs.session import Background, session

    rest = {name: value for name, value in arguments.items() if name not in ("prompt", "scheduler")}
    prompt, scheduler = arguments.get("prompt"), arguments.get("scheduler")
    call = Call.of(prompt, rest, seed=seed, record=record, on_step=on_step, scheduler=scheduler)
    with session(source, call, function="Study.run", background=Background(cancelled), one_image=one_image) as running:
        found = running.run(call)
    return [found] if isinstance(found, Trace) else found


def made(source: Any, run: Mapping[str, Any], like: Trace) -> Trace:  # noqa: ANN401
    """The run of a dictionary, recorded as another trace was."""
    arguments = {name: value for name, value in run.items() if name not in ("seed", "about")}
    return run_of(source, arguments, int(run.get("seed", 0)), Record.from_json(like.call.get("record", {})))


def _trace(found: object) -> Trace:
    if isinstance(found, Trace):
        return found
    raise RunError(f"the source's function returned a {type(found).__name__} in place of a Trace")


def _stopping(cancelled: Callable[[], bool], on_step: Callable[[Any], object] | None) -> Callable[[Any], None]:
    def after(progress: Any) -> None:  # noqa: ANN401  (a Progress)
        if cancelled():
            progress.stop()
        elif on_step is not None:
            on_step(progress)

    return after
