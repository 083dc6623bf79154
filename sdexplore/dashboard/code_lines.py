"""Lines of code that make again what a dashboard shows, ready to be copied into a cell."""

import ast
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..changes.several import as_code
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .state import SHOW, State

_NOT_A_VALUE = (
    {"tensor", "dtype", "sha256"},
    {"array", "dtype", "sha256"},
    {"image", "mode", "sha256"},
    {"object"},
    {"path"},
)


def line_of_run(
    prompt: str | None, seed: object, arguments: Mapping[str, Any], record: Record, scheduler: str = ""
) -> str:
    """A run as code. An argument that has no literal (for example a picture) is written as a variable of its name.

    Args:
        prompt: None if the call had none.
        arguments: The other arguments of the pipeline's call.
        scheduler: The scheduler that replaces the pipeline's own; "" for its own.
    """
    said, kept = _said(arguments, record)
    given = "" if prompt is None else f", {prompt!r}"
    if scheduler:
        return f"trace, = sdx.compare(pipe{given}, over={{'scheduler': [{scheduler!r}]}}, seed={seed}{said}{kept})"
    return f"trace = sdx.run(pipe{given}, seed={seed}{said}{kept})"


def line_of_change(
    prompt: str | None, change: str, seed: object, arguments: Mapping[str, Any], record: Record, scheduler: str = ""
) -> str:
    """A run as it is and the same run changed, as code; see `line_of_run`.

    Args:
        change: As code.
    """
    said, kept = _said(arguments, record)
    given = "" if prompt is None else f", {prompt!r}"
    other = f", 'scheduler': [{scheduler!r}]" if scheduler else ""
    over = f"{{'change': [None, {change}]{other}}}"
    return f"comparison = sdx.compare(pipe{given}, over={over}, seed={seed}{said}{kept})"


def _said(arguments: Mapping[str, Any], record: Record) -> tuple[str, str]:
    """The arguments and the record as they stand in a call."""
    said = "".join(f", {name}={_written(name, value)}" for name, value in arguments.items())
    fields = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    own = [f"{name}={value!r}" for name, value in fields.items() if value != getattr(USUAL, name)]
    kept = f", record=sdx.Record({', '.join(own)})" if own else ""
    return said, kept


def line_of_trace(trace: Trace, own_scheduler: str) -> str:
    """The run of a trace as code, from the call that the trace records; a comment names the trace.

    Args:
        own_scheduler: Class of the pipeline's scheduler; the line names the scheduler only of a run that used another
            one. "" if there is no pipeline: then the line opens the trace's file, or is the trace alone.
    """
    call, name = trace.call, f"trace {trace.fingerprint}"
    if not own_scheduler:
        return f"trace  # {name}" if trace.path is None else f"trace = sdx.Trace.load({_near(trace.path)!r})  # {name}"
    if call.get("stopped"):
        name = f"does all steps; the shown {name} was stopped after {trace.num_steps}"
    prompt = call.get("prompt")
    used = str(trace.provenance.get("scheduler", {}).get("class", own_scheduler))
    run = line_of_run(
        prompt if isinstance(prompt, str) else None,
        call.get("seed"),
        call.get("arguments", {}),
        Record.from_json(call["record"]) if "record" in call else USUAL,
        "" if used == own_scheduler else used,
    )
    return f"{run}  # {name}"


def line_of_selection(state: State) -> str:
    """The selection as code that sets it; "" for the selection of a new dashboard."""
    usual = State()
    said = [f"{name}={value!r}" for name, value in state.values(SHOW).items() if value != getattr(usual, name)]
    return f"explorer.state.update({', '.join(said)})" if said else ""


def _written(name: str, value: object) -> str:
    """`value` as a literal; the name of the argument, as a variable, if no literal gives the value."""
    if name == "change":
        return as_code(value)
    if isinstance(value, Mapping) and set(value) in _NOT_A_VALUE:  # how a trace describes a value that it did not keep
        return name
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return name
    return repr(value)


def _near(path: Path) -> str:
    """The path from the working folder on, where it lies in it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
