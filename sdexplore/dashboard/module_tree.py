"""A tree of modules to unfold and click."""

from typing import Any

import ipywidgets as widgets

from ..base.display import count
from ..records.tree import AttentionLayer, ModuleNode
from ..strings.wording import listed, wording
from .controls import close
from .language import as_now


class Branch:
    """One module of the tree: a button to unfold it and a button for its facts. Unfolding makes its branches."""

    def __init__(self, node: ModuleNode, looked_at: Any, *, unfolded: bool = False) -> None:  # noqa: ANN401  (a function)
        self.node, self._looked_at = node, looked_at
        own = _called(node)
        self._below = widgets.VBox([], layout=widgets.Layout(margin="0 0 0 18px", width="auto"))
        fold = widgets.Layout(width="28px", padding="0", visibility="visible" if node.children else "hidden")
        self._fold = widgets.Button(description="▸", tooltip=wording("dashboard.tree.unfold", name=own), layout=fold)
        turn, shown = as_now(self.turn), as_now(looked_at)
        self._fold.on_click(lambda _: turn())
        sign = "" if node.attention is None else " ○" if node.attention.kind == "self" else " ◉"
        look = widgets.Button(
            description=f"{own}: {node.class_name}{sign}",
            tooltip=f"{node.name or own} — {facts(node)}",
            layout=widgets.Layout(width="auto", max_width="460px"),
            style={"button_color": "transparent"},
        )
        look.on_click(lambda _: shown(node))
        self.widget: Any = widgets.VBox([widgets.HBox([self._fold, look]), self._below])
        if unfolded:
            self.turn()

    def turn(self) -> None:
        """Unfolds the branch, or folds it."""
        below, folded = self._below.children, not self._below.children
        self._below.children = [Branch(child, self._looked_at).widget for child in self.node.children] if folded else []
        close(*below)
        self._fold.description = "▾" if folded else "▸"
        way = "dashboard.tree.fold" if folded else "dashboard.tree.unfold"
        self._fold.tooltip = wording(way, name=_called(self.node))


def _called(node: ModuleNode) -> str:
    return node.name.rpartition(".")[2] or wording("dashboard.tree.root")


def facts(node: ModuleNode) -> str:
    """Parameters, output's shape, attention, in one line, as `ModuleNode.facts` has them in English."""
    parts = []
    if node.parameters and node.children and node.own_parameters:
        fields = {"number": count(node.parameters), "own": count(node.own_parameters)}
        parts.append(wording("dashboard.module.parameters_own", **fields))
    elif node.parameters:
        parts.append(wording("dashboard.module.parameters", number=count(node.parameters)))
    if node.told:
        parts.append(f"→ {listed(f'{stream(name)} {shape}'.strip() for name, shape in node.told.items())}")
    if node.attention is not None:
        parts.append(_attention(node.attention))
    if node.shared_with is not None:
        parts.append(wording("dashboard.module.shared", name=node.shared_with))
    return " · ".join(parts)


def _attention(layer: AttentionLayer) -> str:
    key = f"dashboard.module.attention.{layer.kind}"
    said = wording(key, heads=layer.heads, width=layer.head_dim, keys=layer.key_dim)
    return listed([said, "{} × {}".format(*layer.resolution)]) if layer.resolution else said


def stream(name: str) -> str:
    """What one of several outputs of a module is, in words."""
    return wording(f"dashboard.module.stream.{name}") if name in ("words", "picture") else name
