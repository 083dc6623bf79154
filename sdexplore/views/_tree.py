"""The module tree of a network, with its weight in parameters."""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..base.display import count
from ..base.errors import InspectionError
from ..figures.columns import BLOG_COLUMN
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..records.tree import ModuleNode, ModuleTree
from .made_from import made_from

_ROW = 0.19
_MOST = 120
# Okabe and Ito's, safe for the colour-blind.
_COLOURS: dict[str | None, str] = {"joint": "#009E73", "cross": "#D55E00", "self": "#0072B2", None: "#8c8c8c"}
_LABELS: dict[str | None, str] = {
    "joint": "joint attention",
    "cross": "cross-attention",
    "self": "self-attention",
    None: "the rest",
}
_BAR = 0.36  # of the width of the axes


@made_from("pipeline", calls=["tree"])
def tree(modules: ModuleTree, depth: int | None = None) -> Picture:
    """Draws a network's modules to `depth`, a line each, indented; the bar is its parameters.

    Bars are linear from 0 to the network's total, with the number behind. Orange is what belongs to cross-attention
    (it looks at the prompt), blue to self-attention (the picture looks at itself), green to joint attention (picture
    and prompt look at both, as in SD 3 and FLUX), grey the rest. Before the bar stand the class, the shape of its
    output (batch, channel, y, x; of tokens batch, token, width) and, for an attention layer, its kind, heads and
    their width. A block that returns words and picture has both shapes.

    Args:
        modules: What `sdx.tree(pipe, "unet")` returns, or a branch of it.
        depth: Levels below the root; by default the tree's own.

    Raises:
        InspectionError: More than 120 lines at this depth; the message names a smaller one.
    """
    levels = modules.depth if depth is None else depth
    rows = list(_rows(modules.root, levels))
    if len(rows) > _MOST:
        fitting = max(depth for depth in range(levels) if len(list(_rows(modules.root, depth))) <= _MOST)
        raise InspectionError(
            f"tree(depth={levels}): {len(rows)} modules do not fit in one figure ({_MOST} at most); "
            f"draw depth={fitting}, or a branch: tree[{modules.root.children[0].name!r}]"
        )
    total = modules.root.parameters or 1
    kinds = [layer.kind for layer in modules.attention_layers]
    known = [kind for kind in _LABELS if kind in kinds or kind is None]
    with style():
        figure = Figure(figsize=(BLOG_COLUMN + 1.5, _ROW * len(rows) + 0.6), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        for line, (level, node) in enumerate(rows):
            left = 1 - _BAR
            for kind, parameters in _shares(node, known).items():
                ax.barh(line, parameters / total * _BAR, left=left, color=_COLOURS[kind], height=0.7)
                left += parameters / total * _BAR
            ax.text(left + 0.005, line, count(node.parameters), va="center", fontsize=6.5)
            name = node.name.rpartition(".")[2] or modules.component or "(root)"
            ax.text(0.022 * level, line, drawable(name, 30), va="center", fontsize=7.5)
            ax.text(
                1 - _BAR - 0.01, line, drawable(_facts(node)), va="center", ha="right", fontsize=6.5, color="#555555"
            )
        handles = [Patch(color=_COLOURS[kind], label=_LABELS[kind]) for kind in known]
        ax.legend(handles=handles, loc="lower right", frameon=False, fontsize=7.5)
        ax.set(xlim=(0, 1.12), ylim=(len(rows) - 0.4, -0.6))
        where = ".".join(filter(None, (modules.component, modules.root.name)))
        title = drawable(where or modules.root.class_name)
        ax.set_title(f"{title}: {count(modules.parameters)} parameters", loc="left")
    branch = f"[{modules.root.name!r}]" if modules.root.name else ""
    component = f", {modules.component!r}" if modules.component else ""
    counts = [f"{kinds.count(kind)} {kind}-attention" for kind in ("joint", "cross", "self") if kind in kinds]
    held = f"{' and '.join(counts)} {'layer' if len(kinds) == 1 else 'layers'}" if counts else "no attention layer"
    return Picture(
        figure=figure,
        data={node.name: np.array(node.parameters) for _, node in rows},
        alt=f"The modules of {where or modules.root.class_name} ({modules.root.class_name}) to depth {levels}: "
        f"{count(modules.parameters)} parameters, {held}.",
        call=f"sdx.views.tree(sdx.tree(pipe{component}){branch}, depth={levels})",
    )


def _rows(node: ModuleNode, depth: int, level: int = 0) -> Iterator[tuple[int, ModuleNode]]:
    yield level, node
    if depth > 0:
        for child in node.children:
            yield from _rows(child, depth - 1, level + 1)


def _shares(node: ModuleNode, known: Iterable[str | None]) -> dict[str | None, int]:
    """Parameters in each known kind of attention, and in the rest of this branch."""
    shares: dict[str | None, int] = dict.fromkeys(known, 0) | {None: node.parameters}
    for part in node.walk():
        if part.attention is not None:
            shares[part.attention.kind] += part.parameters
            shares[None] -= part.parameters
    return shares


def _facts(node: ModuleNode) -> str:
    shapes = [f"{name} {' × '.join(map(str, shape))}".strip() for name, shape in node.told.items()]
    shape = f" → {', '.join(shapes)}" if shapes else ""
    if node.attention is None:
        return f"{node.class_name}{shape}"
    return f"{node.class_name}, {node.attention.kind}, {node.attention.heads} heads of {node.attention.head_dim}{shape}"
