"""The module tree of a network, with its weight in parameters."""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..base.display import count, width
from ..base.errors import InspectionError
from ..figures.columns import BLOG_COLUMN
from ..figures.font_families import drawable
from ..figures.panels import panel_grid
from ..figures.picture import Picture, style
from ..records.tree import ModuleNode, ModuleTree
from ..strings.wording import counted, listed, wording
from .made_from import made_from

_ROW = 0.2  # inches
_MOST = 120
_SIZE = 8.5  # points
_INDENT, _NUMBER, _TALL = 0.16, 0.85, 0.66  # inches of a level and behind the longest bar; of a row, how high a bar is
# Okabe and Ito's, safe for the colour-blind.
_COLOURS: dict[str | None, str] = {"joint": "#009E73", "cross": "#D55E00", "self": "#0072B2", None: "#8c8c8c"}
_BAR, _LEAST = 1.6, 0.7  # inches of the whole network's, and where lines are long
_LETTER = 0.066  # inches


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
    known = [kind for kind in _COLOURS if kind in kinds or kind is None]
    where = ".".join(filter(None, (modules.component, modules.root.name)))
    with style():
        lines = [(level, _name(modules, node), drawable(_facts(node)), node) for level, node in rows]
        longest = max(_INDENT * level + _LETTER * (width(name) + width(facts)) for level, name, facts, _ in lines)
        bar = min(_BAR, max(_LEAST, BLOG_COLUMN - _NUMBER - longest - 0.2))
        start = BLOG_COLUMN - bar - _NUMBER
        figure = Figure(figsize=(BLOG_COLUMN, _ROW * len(rows) + 0.75), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        for line, (level, name, facts, node) in enumerate(lines):
            left = start
            for kind, parameters in _shares(node, known).items():
                ax.barh(line, parameters / total * bar, left=left, color=_COLOURS[kind], height=_TALL)
                left += parameters / total * bar
            ax.text(left + 0.05, line, count(node.parameters), va="center", fontsize=_SIZE)
            ax.text(_INDENT * level, line, name, va="center", fontsize=_SIZE)
            ax.text(start - 0.07, line, facts, va="center", ha="right", fontsize=_SIZE, color="#555555")
        handles = [
            Patch(color=_COLOURS[kind], label=wording(f"attention.{kind}") if kind else wording("tree.rest"))
            for kind in known
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
        ax.set(xlim=(0, BLOG_COLUMN), ylim=(len(rows) - 0.4, -0.6))
        title = wording(
            "tree.title", network=drawable(where or modules.root.class_name), parameters=count(modules.parameters)
        )
        ax.set_title(title, loc="left", fontsize=10)
    branch = f"[{modules.root.name!r}]" if modules.root.name else ""
    component = f", {modules.component!r}" if modules.component else ""
    counts = [
        wording(f"tree.layers.{kind}", n=kinds.count(kind)) for kind in ("joint", "cross", "self") if kind in kinds
    ]
    return Picture(
        figure=figure,
        data={node.name: np.array(node.parameters) for _, node in rows},
        alt=wording(
            "tree.alt",
            network=where or modules.root.class_name,
            class_name=modules.root.class_name,
            depth=levels,
            lines=counted(len(rows), "line"),
            parameters=count(modules.parameters),
            layers=listed(counts) if counts else wording("tree.no_layer"),
        ),
        caption=wording("tree.caption" if counts else "tree.caption.plain", class_name=modules.root.class_name),
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


def _name(modules: ModuleTree, node: ModuleNode) -> str:
    """The last part of a module's name; the component's for its root."""
    return drawable(node.name.rpartition(".")[2] or modules.component or "(root)", 30)


def _facts(node: ModuleNode) -> str:
    """Class, attention and shape, as code has them; a stream of words and one of the picture each have a shape."""
    shapes = [f"{_stream(name)} {' × '.join(map(str, shape))}".strip() for name, shape in node.told.items()]
    shape = f" → {listed(shapes)}" if shapes else ""
    if node.attention is None:
        return f"{node.class_name}{shape}"
    kind = wording(f"tree.kind.{node.attention.kind}", heads=node.attention.heads, width=node.attention.head_dim)
    return f"{node.class_name}, {kind}{shape}"


def _stream(name: str) -> str:
    known = {"words": "tree.words", "picture": "tree.picture", "registers and words": "tree.registers"}
    return wording(known[name]) if name in known else name
