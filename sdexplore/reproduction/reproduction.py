"""`reproduce`: a published picture made again from its sidecar. The sidecar is data: nothing in it is executed."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import views
from ..base.atomic_files import named
from ..base.display import Block, Line, Shown, clip
from ..base.errors import PublishError, SdexploreError, did_you_mean
from ..publish.animations import animation
from ..publish.material import material_of
from ..publish.sidecars import difference, drawn_otherwise, read_sidecar, sha256
from ..trace.collections import Comparison
from ..trace.trace import Trace


@dataclass(frozen=True, eq=False, repr=False)
class Reproduction(Shown):
    """A published picture, made again.

    Attributes:
        same: Whether every pixel is as published.
        picture: What was drawn now: a Picture, an Animation, or the Trace whose picture it is.
        traces: The runs made for it.
        found: What is the same and what is not, in words.
    """

    same: bool
    picture: Any
    traces: tuple[Trace, ...]
    found: tuple[str, ...]

    def blocks(self) -> list[Block]:
        """What the repr shows: the verdict and its reasons."""
        return [Line("The same picture." if self.same else "Another picture.", strong=True), *map(Line, self.found)]


def reproduce(sidecar: str | Path, pipe: Any = None, **arguments: Any) -> Reproduction:  # noqa: ANN401  (any pipeline)
    """Makes a published picture again and says whether it is the same.

    The runs that it shows are made again (the model is loaded by its name, the scheduler, seed, arguments and Record
    are those of the sidecar), then the line of code that drew it; of that line only known views with literal arguments
    are called, and nothing is evaluated.

    Args:
        sidecar: The .json beside the picture, or the picture.
        pipe: The pipeline, where the model has no name that leads to it, or to save loading it again.
        arguments: What the sidecar has only a summary of: `prompt_embeds=`, `ip_adapter_image=` …

    Raises:
        PublishError: There is no line of code, or it calls something else.
        RunError: A run cannot be made again; the message says why.
    """
    facts = read_sidecar(sidecar)
    drawing = _Drawing.of(facts)
    from ..model.series import rerun

    sources: Sequence[Mapping[str, Any]] = facts["traces"]
    if pipe is None:
        if not sources:
            raise PublishError(f"{drawing.line!r} reads a pipeline of which the sidecar tells nothing: give pipe=")
        pipe = rerun.pipeline_for(sources[0])
        if len({source["provenance"].get("model") for source in sources}) > 1:
            raise PublishError("its traces come from several models: run them yourself")
    traces = tuple(rerun.rerun(pipe, source, arguments) for source in sources)
    found = []
    for trace, source in zip(traces, sources, strict=True):
        if trace.fingerprint == source["fingerprint"]:
            found.append(f"Trace {trace.fingerprint} is the same.")
        else:
            found.append(f"Trace {source['fingerprint']} came out as {trace.fingerprint}: not the same numbers.")
        found += [f"Otherwise: {one}." for one in rerun.differences(pipe, source, trace)]
    made = drawing.draw(pipe, traces, facts.get("over"))
    most = facts.get("most_bytes")
    theme = facts.get("theme", "light")
    again = material_of(
        made,
        alt=facts.get("alt"),
        caption=facts.get("caption"),
        most_bytes=most if isinstance(most, int) else None,
        theme=theme,
    ).encoded
    found += [f"Otherwise: {one}." for one in drawn_otherwise(facts)]
    same, verdict = _compared(named(sidecar), facts, again.content)
    return Reproduction(same=same, picture=made, traces=traces, found=(*dict.fromkeys(found), verdict))


def _compared(sidecar: Path, facts: Mapping[str, Any], content: bytes) -> tuple[bool, str]:
    if sha256(content) == facts.get("sha256"):
        return True, "The file is the same, to the byte."
    name = facts.get("file")
    published = sidecar.parent / Path(str(name)).name
    if not published.is_file():
        return False, f"The file is not the same; {clip(str(name))!r} is not there to compare its pixels."
    there = published.read_bytes()
    if sha256(there) != facts.get("sha256"):
        return False, f"{published.name} is not the file that the sidecar tells of: it was changed since."
    apart = difference(there, content)
    return (False, f"{published.name}: {apart}.") if apart else (True, "Every pixel is the same.")


@dataclass(frozen=True)
class _Drawing:
    """The line of code of a picture, parsed: a call of something known, with literals and names."""

    line: str
    tree: ast.expr

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "_Drawing":
        line = facts["code"]
        if line is None:
            raise PublishError(
                f"{clip(str(facts.get('file')))!r} was given as an image or figure: no line of code makes it"
            )
        try:
            tree = ast.parse(line.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise PublishError(f"the sidecar's line of code is none: {clip(line)!r}") from error
        return cls(line.partition("  #")[0], tree)

    def draw(self, pipe: Any, traces: Sequence[Trace], over: Mapping[str, Any] | None) -> Any:  # noqa: ANN401
        """What the line makes, its names standing for `pipe` and the traces, in their order."""
        if ast.unparse(self.tree) == "trace.image" and len(traces) == 1:
            return traces[0]
        names = list(dict.fromkeys(name.id for name in _walked(self.tree) if name.id not in ("sdx", "slice", "pipe")))
        known: dict[str, Any] = {"pipe": pipe}
        if over is not None:
            axes = {name: tuple(values) for name, values in over.items()}
            known["comparison"] = Comparison(over=axes, traces=tuple(traces))
        elif len(names) == len(traces):
            known |= dict(zip(names, traces, strict=True))
        return self._value(self.tree, known)

    def _value(self, node: ast.expr, known: Mapping[str, Any]) -> Any:  # noqa: ANN401  (what code stands for)
        match node:
            case ast.Name(id=name):
                if name in known:
                    return known[name]
                raise PublishError(f"{self.line!r}: the sidecar does not hold {name!r}, so the picture cannot be made")
            case ast.Call(func=function, args=arguments, keywords=keywords):
                call = self._function(function)
                if any(isinstance(one, ast.Starred) for one in arguments) or any(one.arg is None for one in keywords):
                    raise PublishError(f"{self.line!r}: no arguments by * or ** are taken from a sidecar")
                named = {str(one.arg): self._value(one.value, known) for one in keywords}
                given = [self._value(one, known) for one in arguments]
                try:
                    return call(*given, **named)
                except SdexploreError:
                    raise
                except (AttributeError, LookupError, TypeError, ValueError) as error:
                    # a line of another sdexplore, or no line of ours at all
                    raise PublishError(f"{self.line!r} cannot be called so: {error}") from error
            case ast.List(elts=inner):
                return [self._value(one, known) for one in inner]
            case ast.Tuple(elts=inner):
                return tuple(self._value(one, known) for one in inner)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError) as error:
            raise PublishError(
                f"{self.line!r}: {clip(ast.unparse(node))!r} is no literal, and nothing is run"
            ) from error

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        name = ast.unparse(node)
        drawn = {f"sdx.views.{view}": getattr(views, view) for view in views.__all__}
        known = drawn | {"sdx.animation": animation, "slice": slice} | _read_of_a_pipeline()
        if name not in known:
            raise PublishError(
                f"{self.line!r}: {clip(name)!r} is not called from a sidecar; {did_you_mean(name, known)}"
            )
        function: Callable[..., Any] = known[name]
        return function


def _read_of_a_pipeline() -> dict[str, Callable[..., Any]]:
    from ..model.components.tokens import tokens
    from ..model.inspection.components import components, tree

    return {"sdx.tokens": tokens, "sdx.components": components, "sdx.tree": tree}


def _walked(tree: ast.expr) -> list[ast.Name]:
    """Its names, in the order of the line."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return sorted(names, key=lambda name: (name.lineno, name.col_offset))
