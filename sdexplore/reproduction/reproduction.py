"""`reproduce`: a published picture made again from its sidecar. The sidecar is data: nothing in it is executed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..base.atomic_files import named
from ..base.display import Block, Line, Shown, clip
from ..base.errors import PublishError
from ..base.options import Options, pinned
from ..figures.picture import Picture
from ..publish.material import material_of
from ..publish.sidecars import drawn_otherwise, read_sidecar, sha256
from ..trace.provenance import UNKNOWN
from ..trace.trace import Trace
from . import code_line
from .pictures_of_steps import decode_all, decoded_as_then
from .pixels import compared
from .record_differences import differences
from .runs_again import run_again

Verdict = Literal["same", "rounding", "other"]

_VERDICTS: Mapping[Verdict, str] = {
    "same": "The same picture.",
    "rounding": "The same picture up to rounding.",
    "other": "Another picture.",
}


@dataclass(frozen=True, eq=False, repr=False)
class Reproduction(Shown):
    """A published picture, made again.

    Attributes:
        verdict: "same": every pixel is as published. "rounding": no channel differs by more than 2 of 255, at most
            1 % of the values differ, and the records differ in nothing but threads, device or versions. "other":
            anything else.
        picture: What was drawn now: a Picture, an Animation, or the Trace whose picture it is.
        traces: The runs made for it.
        found: What is the same and what is not, in words; the last says how large the difference of the pixels is.
    """

    verdict: Verdict
    picture: Any
    traces: tuple[Trace, ...]
    found: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every pixel is as published."""
        return self.verdict == "same"

    def blocks(self) -> list[Block]:
        """What the repr shows: the verdict and its reasons."""
        return [Line(_VERDICTS[self.verdict], strong=True), *map(Line, self.found)]


def reproduce(sidecar: str | Path, pipe: Any = None, **arguments: Any) -> Reproduction:  # noqa: ANN401  (any pipeline)
    """Makes a published picture again and says whether it is the same.

    The runs that it shows are made again (the model is loaded by its name; scheduler, seed, arguments and Record
    are those of the sidecar), then the line of code that drew it. Of that line only views, and the functions of `sdx`
    that make their records, are called with literal arguments; nothing is evaluated.

    Every view can be made again but `benchmark`, which shows measured seconds, and `maps`, which shows arrays of your
    own.

    Args:
        sidecar: The .json beside the picture, or the picture.
        pipe: The pipeline, where the model has no name that leads to it, or to save loading it again. A picture of
            a pipeline alone (its tokens, tree, components, text encoders …) always needs it.
        arguments: What the sidecar has only a summary of: `prompt_embeds=`, `ip_adapter_image=` of a run; `image=`,
            `images=`, `mask=`, `scheduler=` or `study=` of a line of code; `inversion=`, the Trace that was drawn from.

    Raises:
        PublishError: There is no line of code, or it calls something else; its view cannot be made again; what it
            needs is not given, or is another than then.
        RunError: A run cannot be made again; the message says why.
    """
    untyped: object = sidecar
    if isinstance(untyped, Trace | Picture):
        what = f"Trace {untyped.fingerprint}" if isinstance(untyped, Trace) else "a Picture"
        raise PublishError(
            f"reproduce({what}): what is made again is a published picture, named by the .json beside it, which an "
            "Article's add writes. A run alone is made again by sdx.run with what its trace.call holds"
        )
    facts = read_sidecar(sidecar)
    line = code_line.Line.of(facts)
    sources: Sequence[Mapping[str, Any]] = facts["traces"]
    given, of_runs = _sorted(line, sources, arguments)
    loaded_here = pipe is None and bool(sources)
    pipe = _pipeline(line, sources) if pipe is None and line.needs_pipeline else pipe
    traces = tuple(run_again(pipe, source, _of(source, sources, of_runs)) for source in sources)
    found, harmless = [], True
    for trace, source in zip(traces, sources, strict=True):
        if trace.fingerprint == source["fingerprint"]:
            found.append(f"Trace {trace.fingerprint} is the same.")
        else:
            found.append(f"Trace {source['fingerprint']} came out as {trace.fingerprint}: not the same numbers.")
            if note := (trace.provenance.get("foreign", {}).get("tome") or {}).get("note"):
                found.append(f"Merged tokens: {note}.")
        apart = differences(source, trace)
        harmless &= all(one.harmless for one in apart)
        found += [f"Otherwise: {one}." for one in apart]
        if trace.provenance.get("model") == UNKNOWN:
            found.append("The pipeline does not say where its weights are from.")
    found += [said for trace, source in zip(traces, sources, strict=True) for said in decoded_as_then(trace, source)]
    with pinned(Options(lang=facts.get("lang", "en"), theme=facts.get("theme", "light"))):
        made = line.draw(pipe, traces, facts.get("over"), given, of_runs)
    _check_given(line, facts, made)
    most = facts.get("most_bytes")
    again = material_of(
        made,
        alt=facts.get("alt"),
        caption=facts.get("caption"),
        most_bytes=most if isinstance(most, int) else None,
        theme=facts.get("theme", "light") if isinstance(made, Picture) else None,  # an animation has its own
    ).encoded
    if loaded_here:  # the traces hold their pipeline weakly, and it ends here
        for trace in traces:
            decode_all(trace)
    found += [f"Otherwise: {one}." for one in drawn_otherwise(facts)]
    verdict, said = _verdict(named(sidecar), facts, again.content, harmless=harmless)
    return Reproduction(verdict=verdict, picture=made, traces=traces, found=(*dict.fromkeys(found), said))


def _sorted(
    line: code_line.Line, sources: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user's arguments: those that the line names, and those of the runs.

    Raises:
        PublishError: One that the line names is not there; one that it does not name, where nothing is run.
    """
    given = {name: arguments[name] for name in line.given if name in arguments}
    if missing := [name for name in line.given if name not in arguments]:
        raise PublishError(f"{line.text!r}: the sidecar does not hold {missing[0]!r}: give it as {missing[0]}=")
    of_runs = {name: value for name, value in arguments.items() if name not in given}
    if of_runs and not sources:
        raise PublishError(f"reproduce({next(iter(of_runs))}=…): {line.text!r} names no such thing; leave it out")
    return given, of_runs


def _of(
    source: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Of the arguments of all runs those of this one; what no run was made with stays, and is refused there."""
    own, every = ({name for one in some for name in one["call"].get("arguments", {})} for some in ((source,), sources))
    return {name: value for name, value in arguments.items() if name in own or name not in every}


def _pipeline(line: code_line.Line, sources: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401  (a pipeline)
    """The pipeline of the traces, loaded by its name."""
    if not sources:
        raise PublishError(f"{line.text!r} reads a pipeline of which the sidecar tells nothing: give pipe=")
    if len({str(source["provenance"].get("model")) for source in sources}) > 1:
        raise PublishError(f"{line.text!r}: its traces come from several models, which reproduce cannot load at once")
    from ..model.series.rerun import pipeline_for

    return pipeline_for(sources[0])


def _check_given(line: code_line.Line, facts: Mapping[str, Any], made: object) -> None:
    """PublishError where the user gives another array than the one that was drawn."""
    now = made.given if isinstance(made, Picture) else {}
    for name, digest in facts.get("given", {}).items():
        if name in now and now[name] != digest:
            raise PublishError(f"{line.text!r}: the {name} given is not the one that was drawn, {digest!r:.120}")


def _verdict(sidecar: Path, facts: Mapping[str, Any], content: bytes, *, harmless: bool) -> tuple[Verdict, str]:
    """The verdict, and the difference of the pixels in words; `harmless`: that of the records."""
    if sha256(content) == facts.get("sha256"):
        return "same", "The file is the same, to the byte."
    name = facts.get("file")
    published = sidecar.parent / Path(str(name)).name
    if not published.is_file():
        return "other", f"The file is not the same; {clip(str(name))!r} is not there to compare its pixels."
    there = published.read_bytes()
    if sha256(there) != facts.get("sha256"):
        return "other", f"{published.name} is not the file that the sidecar tells of: it was changed since."
    apart = compared(there, content)
    if isinstance(apart, str):
        return "other", f"{published.name}: {apart}."
    if not apart.largest:
        return "same", "Every pixel is the same."
    return "rounding" if apart.rounding and harmless else "other", f"{published.name}: {apart}."
