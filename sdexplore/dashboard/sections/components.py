"""The section "Components": the parts of the pipeline, its configs, and a tree of modules to unfold and click."""

from contextlib import suppress
from functools import partial
from typing import ClassVar

import ipywidgets as widgets

from ...base.display import Line, Table, to_html
from ...base.errors import InspectionError, TraceError
from ...figures.picture import Picture
from ...records.tree import ModuleNode, ModuleTree
from ...strings.wording import wording
from ...trace.provenance import model_in_words
from ..article_form import ArticleForm
from ..board import Board
from ..controls import button, close, column, control, follow, labelled, row
from ..module_tree import Branch, stream
from ..records_in_words import components_in_words
from .section import Section

ATTENTION = "Attention"
"""The title of the section that a click on an attention layer opens."""


class ComponentsSection(Section):
    """The components, the module tree of one of them, and the facts of the clicked module.

    A filled circle marks attention to words (cross-attention, joint attention), an empty one self-attention.
    """

    title: ClassVar[str] = "Components"
    needs_trace: ClassVar[bool] = False

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._parts = widgets.HTML(layout=widgets.Layout(width="100%", overflow="auto"))
        self._of_run = widgets.HTML(layout=widgets.Layout(width="100%", overflow="auto"))
        self._facts = widgets.HTML(layout=widgets.Layout(width="100%", overflow="auto"))
        self._to_attention = button(*labelled("dashboard.components.look"), self._look, icon="search", disabled=True)
        self._tree = column([], flex="1 1 380px", max_height="520px", overflow="auto")
        self._which = control(
            widgets.Dropdown, *labelled("dashboard.components.which"), width="320px", options=["unet"]
        )
        self._node: ModuleNode | None = None
        self._denoiser, self._followed = "", False
        right = column([self._facts, self._to_attention], flex="1 1 300px")
        self.widget = column(
            [
                self._parts,
                self._of_run,
                self._which,
                row([self._tree, right], align_items="flex-start"),
                self.message.widget,
            ]
        )
        if board.pipe is not None:  # a stored trace has no figure of its components
            self.widget.children = [*self.widget.children, ArticleForm(board.article, self.figure).widget]
        self._drawn: object = None

    def _draw(self) -> None:
        self._say_of_run()
        source = self.board.pipe if self.board.pipe is not None else self._trace()
        if self._drawn is source:
            return
        self.message.say("")
        if self.board.pipe is None:
            self._recorded()
        else:
            self._found()
        self._drawn = source

    def _found(self) -> None:
        """Shows the components of the pipeline, and the tree of one of them."""
        from ...model.inspection.components import components, denoiser_name

        found = components(self.board.pipe)
        self._parts.value = to_html(components_in_words(found))
        networks = [name for name, part in found.items() if part.parameters]
        self._which.options = networks
        with suppress(InspectionError):  # it has none
            self._denoiser = denoiser_name(self.board.pipe)
        self._which.value = self._denoiser if self._denoiser in networks else networks[0] if networks else None
        if not self._followed:
            follow(self._which, self._grow)
            self._followed = True
        self._grow()

    def _say_of_run(self) -> None:
        """Says where the run that is shown used another scheduler than the pipeline has."""
        trace, pipe = self.board.trace, self.board.pipe
        used = None if trace is None else trace.provenance.get("scheduler", {}).get("class")
        own = None if pipe is None else type(pipe.scheduler).__name__
        other = wording("dashboard.components.scheduler", used=used, own=own)
        self._of_run.value = to_html([Line(other)]) if own and used not in (None, own) else ""

    def _grow(self) -> None:
        if self.board.pipe is None or self._which.value is None:
            return
        from ...model.inspection.components import tree

        found: ModuleTree = tree(self.board.pipe, self._which.value)
        before = self._tree.children
        self._tree.children = [Branch(found.root, self.look_at, unfolded=True).widget]
        close(*before)
        self.look_at(found.root)

    def _recorded(self) -> None:
        """Shows what a stored trace says of its model, and its layers as buttons."""
        trace = self._trace()
        rows = [(name, str(cls)) for name, cls in trace.provenance.get("components", {}).items()]
        scheduler = trace.provenance.get("scheduler", {})
        rows += [(f"scheduler.{key}", repr(value)) for key, value in scheduler.get("config", {}).items()]
        pipeline, model = trace.provenance.get("pipeline", "?"), model_in_words(trace.provenance)
        named = wording("dashboard.components.of_model", pipeline=pipeline, model=model)
        heading = Line(pipeline if model == pipeline else named, strong=True)
        note = Line(wording("dashboard.components.recorded"))
        heads = (wording("dashboard.components.part"), wording("dashboard.value"))
        self._parts.value = to_html([heading, note, Table(heads, rows)])
        self._which.layout.display = "none"
        layers = trace.cross_attention.get(self.board.state.role, {})
        before = self._tree.children
        self._tree.children = [
            button(name, wording("dashboard.components.open.tip", name=name), partial(self._open, name))
            for name in layers
        ]
        close(*before)

    def look_at(self, node: ModuleNode) -> None:
        """Shows the facts of a module."""
        self._node = node
        attention = node.attention
        rows = [
            (wording("dashboard.components.class"), node.class_name),
            (wording("dashboard.components.parameters"), f"{node.parameters:,}"),
        ]
        rows += [
            (wording("dashboard.components.output", name=stream(name)).strip(), " × ".join(map(str, shape)))
            for name, shape in node.told.items()
        ]
        if attention:
            rows += [
                (
                    wording("dashboard.components.attention"),
                    wording(f"dashboard.components.attention.{attention.kind}"),
                ),
                (
                    wording("dashboard.components.heads"),
                    wording("dashboard.components.heads.of", heads=attention.heads, width=attention.head_dim),
                ),
                (
                    wording("dashboard.components.keys"),
                    wording("dashboard.components.keys.of", features=attention.key_dim),
                ),
            ]
            if attention.resolution:
                rows.append((wording("dashboard.components.grid"), "{} × {}".format(*attention.resolution)))
        name = Line(node.name or wording("dashboard.tree.root"), strong=True)
        self._facts.value = to_html([name, Table((wording("dashboard.fact"), wording("dashboard.value")), rows)])
        sees_words = attention is not None and attention.kind != "self"
        self._to_attention.disabled = not (sees_words and self._which.value == self._denoiser)

    def _look(self) -> None:
        if self._node is not None:
            self._open(self._node.name)

    def _open(self, layer: str) -> None:
        self.board.state.layers = layer
        self.board.state.section = ATTENTION

    def figure(self) -> Picture:
        """The components as a figure."""
        if self.board.pipe is None:
            raise TraceError("a stored trace has no components to draw; the section Attention has a figure")
        from ...model.inspection.components import components
        from ...views import components as drawn

        return drawn(components(self.board.pipe))

    def clear(self) -> None:
        """Removes the components and the tree."""
        super().clear()
        self._node, self._drawn, before = None, None, self._tree.children
        self._tree.children = []
        self._parts.value = self._of_run.value = self._facts.value = ""
        close(*before)
