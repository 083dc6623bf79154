"""A run made again from the call that its trace holds; refused where the call is not enough."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from ...base.errors import RunError, did_you_mean
from ...trace.collections import Traces
from ...trace.record import Record
from ...trace.trace import Trace
from ..components.scheduler_exchange import exchanged_scheduler
from ..components.source_name import HUB_ID
from ..loading.load_pipeline import load
from ..runs.call import Call
from ..runs.provenance import described, given_again, in_order, is_summary, plain
from ..runs.session import session


def pipeline_for(source: Mapping[str, Any]) -> Any:
    """The pipeline that the trace came from, loaded again.

    Args:
        source: fingerprint, kind, call and provenance of a trace, as a sidecar has them.

    Raises:
        RunError: The trace names no model that can be loaded.
    """
    provenance = source["provenance"]
    model, kind = provenance.get("model"), provenance.get("pipeline")
    if model != "mini" and not (isinstance(model, str) and HUB_ID.fullmatch(model)):
        raise RunError(
            f"the model of trace {source['fingerprint']} is {model!r}, which is neither 'mini' nor a hub id, so it "
            "cannot be loaded by name: load it yourself and give pipe="
        )
    pipe = load(model, dtype=provenance.get("dtype"))
    if type(pipe).__name__ != kind:
        raise RunError(
            f"trace {source['fingerprint']} came from a {kind}, and {model!r} loads as a {type(pipe).__name__}: make "
            "the pipeline yourself and give pipe="
        )
    return pipe


def rerun(pipe: Any, source: Mapping[str, Any], given: Mapping[str, Any]) -> Trace:
    """The trace made again by `pipe`, with the trace's scheduler. The pipeline is restored afterwards.

    Args:
        source: fingerprint, kind, call and provenance of a trace, as a sidecar has them.
        given: Arguments that the call holds only as a summary: embeddings, pictures. Each must be the same value.

    Raises:
        RunError: The call cannot be made again; the message says why and what would help.
    """
    call, name = source["call"], source["fingerprint"]
    if source["kind"] != "run":
        raise RunError(
            f"trace {name} is a {source['kind']} at a picture, which the sidecar does not hold: make it again with "
            f"sdx.{source['kind']}(pipe, image, …)"
        )
    arguments = arguments_again(source, given)
    record = Record.from_json(call.get("record", {}))
    seed = call.get("seed")
    prompt = _argument(name, "prompt", call.get("prompt"), {})
    again = Call.of(prompt, arguments, seed=seed, record=record)
    with session(pipe, again, function="reproduce") as running:
        made = running.run(replace(again, scheduler=_scheduler(pipe, source)))
    number = call.get("image", 0)
    if isinstance(made, Traces):
        if not isinstance(number, int) or not 0 <= number < len(made):
            raise RunError(f"trace {name} is said to be image {number!r} of {len(made)}")
        return made[number]
    return made


def arguments_again(
    source: Mapping[str, Any], given: Mapping[str, Any], without: Collection[str] = ()
) -> dict[str, Any]:
    """The arguments of the trace's call as they were given, less those named in `without`.

    Args:
        source: fingerprint, kind, call and provenance of a trace, as a sidecar has them.
        given: Arguments of which the call has only a summary.
        without: Arguments that the caller makes himself.

    Raises:
        RunError: The run was stopped by hand; an argument is missing in `given`, is another there, or is unknown.
    """
    call, name = source["call"], source["fingerprint"]
    if call.get("stopped"):
        raise RunError(f"trace {name} was stopped by hand after some steps: there is no call that makes it again")
    told = {key: value for key, value in dict(call.get("arguments", {})).items() if key not in without}
    if unknown := sorted(given.keys() - told.keys()):
        raise RunError(f"trace {name} was made without {unknown[0]!r}; {did_you_mean(unknown[0], told)}")
    return {key: _argument(name, key, value, given) for key, value in told.items()}


@contextmanager
def scheduler_as_then(pipe: Any, source: Mapping[str, Any]) -> Iterator[None]:
    """The pipeline with the scheduler that the trace was made with."""
    with exchanged_scheduler(pipe, _scheduler(pipe, source)):
        yield


def _scheduler(pipe: Any, source: Mapping[str, Any]) -> Any:
    """The scheduler that the trace was made with; None where the pipeline has the same one."""
    then = source["provenance"].get("scheduler", {})
    config, name = then.get("config", {}), then.get("class")
    if name == type(pipe.scheduler).__name__ and in_order(config) == plain(dict(pipe.scheduler.config)):
        return None
    found = getattr(diffusers, name, None) if isinstance(name, str) and name.isidentifier() else None
    if not (isinstance(found, type) and issubclass(found, SchedulerMixin)):
        raise RunError(f"trace {source['fingerprint']} had scheduler {name!r}, which this diffusers does not have")
    return found.from_config(config)  # type: ignore[attr-defined]  # of ConfigMixin


def _argument(trace: str, name: str, value: Any, given: Mapping[str, Any]) -> Any:
    """The argument of the call; where the call holds a summary, the same value from `given`."""
    if name in given:
        if described(given[name]) != value:
            raise RunError(f"the {name} given is not the one that trace {trace} was made with: {_short(value)}")
        return given[name]
    if is_summary(value):
        raise RunError(
            f"trace {trace} was made with {name}={_short(value)}, of which only that is kept: give it as {name}="
        )
    return given_again(name, value)


def _short(value: Any) -> str:
    return f"{value!r:.120}"
