"""The run of a trace made again by the function that made it: run, look, invert, redraw, interpolation, clip skip."""

from collections.abc import Mapping
from typing import Any

from ..base.errors import RunError
from ..trace.record import Record
from ..trace.trace import Trace

_EMBEDDINGS = ("prompt_embeds", "pooled_prompt_embeds")


def run_again(pipe: Any, source: Mapping[str, Any], given: Mapping[str, Any]) -> Trace:  # noqa: ANN401  (any pipeline)
    """The trace made again by `pipe`.

    Args:
        source: fingerprint, kind, call and provenance of the trace, as a sidecar has them.
        given: Arguments of which the call has only a summary: embeddings, pictures. Each must be the same as then.

    Raises:
        RunError: The call cannot be made again; the message says why and what would help.
    """
    from ..model.series.rerun import rerun

    call, kind = source["call"], source["kind"]
    if kind in ("look", "invert"):
        return _at_a_picture(pipe, source, given)
    if call.get("function") == "redraw":
        return _redrawn(pipe, source, given)
    if isinstance(call.get("conditioning"), Mapping) and not given.keys() & set(_EMBEDDINGS):
        return _from_made_embeddings(pipe, source, given)
    return rerun(pipe, source, given)


def _at_a_picture(pipe: Any, source: Mapping[str, Any], given: Mapping[str, Any]) -> Trace:  # noqa: ANN401
    """What `look` or `invert` finds in the picture that is given."""
    from ..model.experiments.look_and_invert import invert, look
    from ..model.series.rerun import arguments_again

    call, kind, name = source["call"], source["kind"], source["fingerprint"]
    if "image" not in given:
        raise RunError(
            f"trace {name} is a {kind} at a picture, which the sidecar does not hold: give the picture as image="
        )
    # invert sets the scale of guidance itself.
    arguments = arguments_again(source, given, without=("guidance_scale",) if kind == "invert" else ())
    image, record, prompt = arguments.pop("image"), Record.from_json(call["record"]), call.get("prompt")
    if kind == "invert":
        return invert(pipe, image, prompt, record=record, **arguments)
    made = look(pipe, image, prompt, seed=call.get("seed", 0), record=record, **arguments)
    if not isinstance(made, Trace):
        raise RunError(f"trace {name} is said to be one look, and its call looks at t = {arguments['t']!r}")
    return made


def _redrawn(pipe: Any, source: Mapping[str, Any], given: Mapping[str, Any]) -> Trace:  # noqa: ANN401
    """What `redraw` draws from the inversion that is given."""
    from ..model.experiments.look_and_invert import redraw
    from ..model.series.rerun import arguments_again

    call, name = source["call"], source["fingerprint"]
    wanted, inversion = call.get("arguments", {}).get("inversion"), given.get("inversion")
    if not isinstance(inversion, Trace) or inversion.fingerprint != wanted:
        raise RunError(
            f"trace {name} was drawn from the inversion {wanted}, which the sidecar does not hold: give that trace, "
            "which sdx.invert returned, as inversion="
        )
    rest = {key: value for key, value in given.items() if key != "inversion"}
    arguments = arguments_again(source, rest, without=("inversion",))
    return redraw(pipe, inversion, call.get("prompt"), record=Record.from_json(call["record"]), **arguments)


def _from_made_embeddings(pipe: Any, source: Mapping[str, Any], given: Mapping[str, Any]) -> Trace:  # noqa: ANN401
    """One run of `clip_skip_ladder` or of `interpolation`: its embeddings are made again from the prompts."""
    from ..model.experiments.prompt_embeddings import clip_skip_ladder, interpolation
    from ..model.series.rerun import arguments_again, scheduler_as_then

    call, made = source["call"], source["call"]["conditioning"]
    common = {"seed": call.get("seed", 0), "record": Record.from_json(call["record"])}
    arguments = common | arguments_again(source, given, without=_EMBEDDINGS)
    # Outside the pipeline's lock, which these functions take themselves.
    with scheduler_as_then(pipe, source):
        if "clip_skip" in made:
            return clip_skip_ladder(pipe, made["prompt"], (made["clip_skip"],), **arguments).traces[0]
        ends = (made["prompt"], made["other"])
        return interpolation(pipe, *ends, (made["weight"],), method=made["method"], **arguments).traces[0]
