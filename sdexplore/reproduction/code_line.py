"""The line of code of a published picture, read and drawn again. Only known functions are called."""

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from .. import views
from ..base.display import clip
from ..base.errors import PublishError, SdexploreError, did_you_mean
from ..figures.code_lines import without_language
from ..publish.animations import animation
from ..trace.collections import Comparison
from ..trace.trace import Trace
from ..views.made_from import MADE_FROM, MadeFrom

_LITERAL_CALLS: Final[Mapping[str, Callable[..., Any]]] = {"slice": slice, "range": range}
_A_TRACE: Final = "trace.image"
_A_PIPELINE: Final = re.compile(r"pipe_\d+")  # where the schedules of several models stand in one picture
_NO_NAMES_OF_TRACES: Final = frozenset({"sdx", "pipe", "comparison", *_LITERAL_CALLS})


@dataclass(frozen=True)
class Line:
    """A line of code: a call of a view with literals and names, or `trace.image`.

    Attributes:
        text: The line without its comment.
        tree: The same, parsed.
        made_from: What the view says of its line.
        names: What its traces are called, in their order.
        given: Names for what the user gives: "image", "mask".
    """

    text: str
    tree: ast.expr
    made_from: MadeFrom
    names: tuple[str, ...]
    given: tuple[str, ...]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Line":
        """The line in a sidecar, checked before anything is run.

        Raises:
            PublishError: There is no line; it calls a function that its view does not register; a name is unknown;
                the view cannot be made again.
        """
        code = facts["code"]
        if code is None:
            raise PublishError(
                f"{clip(str(facts.get('file')))!r} was given as an image or figure: no line of code makes it"
            )
        code = without_language(code)
        try:
            tree = ast.parse(code.strip(), mode="eval").body
            written = ast.unparse(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise PublishError(f"the sidecar's line of code is not Python: {clip(code)!r}") from error
        text = code.partition("  #")[0]
        made_from = MadeFrom(("trace",)) if written == _A_TRACE else _made_from(text, tree)
        names = _names(tree)
        traces = tuple(name for name in names if name not in _NO_NAMES_OF_TRACES and not made_from.given(name))
        line = cls(text, tree, made_from, traces, tuple(name for name in names if made_from.given(name)))
        line._check(facts)
        return line

    @property
    def needs_pipeline(self) -> bool:
        """Whether something of it is made by a pipeline; a study is the user's, and its numbers are there."""
        return self.made_from.sources != ("study",)

    def _check(self, facts: Mapping[str, Any]) -> None:
        if not set(_names(self.tree)) - {"sdx"}:
            raise PublishError(f"{self.text!r} names no record that it draws; a view's own line names one")
        if len(pipes := [name for name in self.names if _A_PIPELINE.fullmatch(name)]) > 1:
            raise PublishError(
                f"{self.text!r} shows {len(pipes)} models ({', '.join(pipes)}), and reproduce has one pipeline: draw "
                "it again by that line, with each of them loaded under its name"
            )
        count, over = len(facts["traces"]), facts.get("over")
        known = ["pipe", *self.given]
        if over is not None:
            known.append("comparison")
        elif len(self.names) == count:
            known += self.names
        if ast.unparse(self.tree) == _A_TRACE:
            if count != 1:
                raise PublishError(f"{self.text!r}: the sidecar holds {count} traces in place of one")
            return
        _Reader(self, _makers({}), dry=True).value(self.tree, dict.fromkeys(known))

    def draw(
        self,
        pipe: Any,  # noqa: ANN401  (any pipeline)
        traces: Sequence[Trace],
        over: Mapping[str, Any] | None,
        given: Mapping[str, Any],
        of_runs: Mapping[str, Any],
    ) -> Any:  # noqa: ANN401  (a Picture, an Animation, a Trace)
        """What the line makes.

        Args:
            pipe: What `pipe` stands for in it.
            traces: In the order of `names`; or, with `over`, the cells of the comparison with these axes.
            given: Name in the line → what the user gives.
            of_runs: Arguments of the run that the user gives again, since its call has only a summary of them.

        Raises:
            PublishError: An argument is not what the function takes.
        """
        if ast.unparse(self.tree) == _A_TRACE:
            return traces[0]
        known = {"pipe": pipe, **given}
        if over is not None:
            axes = {name: tuple(values) for name, values in over.items()}
            known["comparison"] = Comparison(over=axes, traces=tuple(traces))
        else:
            known |= dict(zip(self.names, traces, strict=True))
        return _Reader(self, _makers(of_runs)).value(self.tree, known)


@dataclass(frozen=True)
class _Reader:
    """Walks through a line; `dry` checks that every call fits its function and calls none."""

    line: Line
    makers: Mapping[str, Callable[..., Any]]
    dry: bool = False

    def value(self, node: ast.expr, known: Mapping[str, Any]) -> Any:  # noqa: ANN401  (what code stands for)
        match node:
            case ast.Name(id=name):
                if name in known:
                    return known[name]
                raise PublishError(
                    f"{self.line.text!r}: the sidecar does not hold {name!r}, so the picture cannot be made"
                )
            case ast.Call():
                return self._called(node, known)
            case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=key)):
                return self._part(self._called(call, known), lambda record: record[key])
            case ast.Attribute(value=ast.Call() as call, attr=part) if part == self.line.made_from.part:
                return self._part(self._called(call, known), lambda record: getattr(record, part))
            case ast.List(elts=inner) | ast.Tuple(elts=inner):
                values = [self.value(one, known) for one in inner]
                return values if isinstance(node, ast.List) else tuple(values)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError) as error:
            raise PublishError(
                f"{self.line.text!r}: {clip(ast.unparse(node))!r} is not a literal, and nothing is run"
            ) from error

    def _called(self, node: ast.Call, known: Mapping[str, Any]) -> Any:  # noqa: ANN401
        function = self._function(node.func)
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            raise PublishError(f"{self.line.text!r}: no arguments by * or ** are taken from a sidecar")
        given = [self.value(one, known) for one in node.args]
        named = {str(one.arg): self.value(one.value, known) for one in node.keywords}
        if self.dry and function not in _LITERAL_CALLS.values():
            self._safely(lambda: inspect.signature(function).bind(*given, **named))
            return None
        return self._safely(lambda: function(*given, **named))

    def _part(self, record: Any, take: Callable[[Any], Any]) -> Any:  # noqa: ANN401
        """What `take` takes of a record; of a dry reading, which has none, None."""
        return None if self.dry else self._safely(lambda: take(record))

    def _safely(self, do: Callable[[], Any]) -> Any:  # noqa: ANN401
        """What `do` returns; a line of another sdexplore, or no line of ours at all, is a PublishError."""
        try:
            return do()
        except SdexploreError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise PublishError(f"{self.line.text!r} cannot be called so: {error}") from error

    def _function(self, node: ast.expr) -> Callable[..., Any]:
        name = ast.unparse(node)
        makers = {f"sdx.{call}": self.makers[call] for call in self.line.made_from.calls}
        known = {**_drawing(), **_LITERAL_CALLS, **makers}
        if name not in known:
            raise PublishError(
                f"{self.line.text!r}: {clip(name)!r} is not called from a sidecar; {did_you_mean(name, known)}"
            )
        return known[name]


def _drawing() -> dict[str, Callable[..., Any]]:
    """What a line may call to draw."""
    return {"sdx.animation": animation} | {f"sdx.views.{view}": getattr(views, view) for view in views.__all__}


def _makers(of_runs: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """What a line may call to make a view's record; views say which of them.

    Those that ask the denoiser with the arguments of the run are given what the trace has only a summary of.
    """
    from ..calibration.measuring import calibrate
    from ..model.components.tokens import tokens
    from ..model.experiments.attribution import attribution
    from ..model.experiments.autoencoder import latent_statistics, reconstruction
    from ..model.experiments.head_effects import head_effects
    from ..model.experiments.occlusion import occlusion
    from ..model.experiments.text_encoding import text_encoding
    from ..model.inspection.architecture import pipeline_architecture
    from ..model.inspection.components import components, tree
    from ..model.inspection.equation_checks import equation_checks, time_embedding
    from ..model.inspection.schedule import schedule

    made = (
        *(calibrate, components, equation_checks, latent_statistics, pipeline_architecture, reconstruction),
        *(schedule, text_encoding, time_embedding, tokens, tree),
    )
    asking = {one.__name__: partial(one, **of_runs) for one in (attribution, head_effects, occlusion)}
    return {function.__name__: function for function in made} | asking


def _made_from(text: str, tree: ast.expr) -> MadeFrom:
    """What the view that the line calls says of it.

    Raises:
        PublishError: It calls no view; or one that cannot be made again.
    """
    name = ast.unparse(tree.func) if isinstance(tree, ast.Call) else ast.unparse(tree)
    if name == "sdx.animation":
        return MadeFrom(("trace",))
    view = name.removeprefix("sdx.views.")
    if not isinstance(tree, ast.Call) or name not in _drawing():
        raise PublishError(f"{text!r}: {clip(name)!r} is not called from a sidecar; {did_you_mean(name, _drawing())}")
    found = MADE_FROM[view]
    if found.refusal:
        raise PublishError(f"{text!r}: sdx.views.{view} is not made again: {found.refusal}")
    return found


def _names(tree: ast.expr) -> list[str]:
    """Its names, each once, in the order of the line."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    ordered = sorted(names, key=lambda name: (name.lineno, name.col_offset))
    return list(dict.fromkeys(name.id for name in ordered))
