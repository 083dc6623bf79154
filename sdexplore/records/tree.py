"""The modules of a network as a tree, with the facts of its attention layers, without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from ..base.display import MOST_ROWS, Block, Line, Shown, Tree, count, to_html
from ..base.errors import look_up

EVERYTHING: Final = 10_000  # deeper than any model: the whole tree, as far as it fits on a page


@dataclass(frozen=True)
class AttentionLayer:
    """The facts of one attention layer.

    Attributes:
        name: Dotted, as in `unet.named_modules()`.
        kind: "cross" if its keys come from the prompt (or another sequence), "joint" if from prompt and picture
            together, as in SD 3 and FLUX, else "self".
        heads: Count of its heads.
        head_dim: Width of one head.
        key_dim: Width of what its keys are made from: `cross_attention_dim`, or its own input's.
        resolution: Its grid of queries (y, x); None where there is no grid, as in a text encoder.
    """

    name: str
    kind: Literal["cross", "self", "joint"]
    heads: int
    head_dim: int
    key_dim: int
    resolution: tuple[int, int] | None = None

    def __str__(self) -> str:
        facts = f"{self.kind}-attention, {self.heads} heads of {self.head_dim}, keys of {self.key_dim}"
        return f"{facts}, {self.resolution[0]} × {self.resolution[1]}" if self.resolution else facts


@dataclass(frozen=True, repr=False)
class ModuleNode(Shown):
    """One module of a network and all below it.

    Attributes:
        name: Dotted, from the network's root, whose name is empty.
        class_name: Its class.
        own_parameters: Count of the parameters that it holds itself; each counts once in a tree.
        output: Shape of its output, batch first; of several tensors it is the first one's; None if not known or no
            tensor.
        streams: What each of several tensors is ("words", "picture") -> its shape, in the order in which the module
            returns them; empty where it returns one, or where it is not known which is which.
        attention: Its facts; None if it is no attention layer.
        shared_with: Name of the earlier node that holds the very same module.
        children: Nodes below.
    """

    name: str
    class_name: str
    own_parameters: int = 0
    output: tuple[int, ...] | None = None
    attention: AttentionLayer | None = None
    shared_with: str | None = None
    children: tuple["ModuleNode", ...] = ()
    streams: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Count of the parameters in this node and below."""
        return self.own_parameters + sum(child.parameters for child in self.children)

    def walk(self) -> Iterator["ModuleNode"]:
        """This node and all below, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def blocks(self) -> tuple[Block, ...]:
        """One line."""
        return (Line(f"{self.name or '(root)'}: {self.class_name}  {self.facts}"),)

    @property
    def told(self) -> Mapping[str, tuple[int, ...]]:
        """Its output's shape by name: of two streams both, else one without a name; empty if it is not known."""
        return self.streams or ({"": self.output} if self.output else {})

    @property
    def facts(self) -> str:
        """Parameters, output's shape, attention, in one line."""
        own = f", {count(self.own_parameters)} its own" if self.children and self.own_parameters else ""
        parts = (
            f"{count(self.parameters)} parameters{own}" if self.parameters else "",
            f"→ {told}" if (told := ", ".join(f"{name} {shape}".strip() for name, shape in self.told.items())) else "",
            str(self.attention) if self.attention else "",
            f"shared with {self.shared_with}" if self.shared_with is not None else "",
        )
        return " · ".join(filter(None, parts))


@dataclass(frozen=True, repr=False)
class ModuleTree(Shown):
    """The modules of one network: text to `depth`, HTML foldable below that.

    `tree["mid_block"]` is the tree of that branch. A row's parameters are its subtree's, so the
    rows of one level and the parameters held by the levels above sum to the total. Modules stand in the order in which
    the data flows through them, as far as the network could be run; else in the order of its code.

    Attributes:
        component: Name of the component.
        root: The network itself.
        depth: Levels shown below the root, 0 for the root alone.
        note: The input that the shapes belong to, or why there are no shapes.
    """

    component: str
    root: ModuleNode
    depth: int = 2
    note: str = ""

    def __getitem__(self, name: str) -> "ModuleTree":
        nodes = {node.name: node for node in self}
        node = look_up(nodes, name, f"module in {self.component or self.root.class_name}")
        return ModuleTree(self.component, node, self.depth, self.note)

    def __iter__(self) -> Iterator[ModuleNode]:
        return self.root.walk()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def parameters(self) -> int:
        """Count of all parameters."""
        return self.root.parameters

    @property
    def attention_layers(self) -> tuple[AttentionLayer, ...]:
        """Facts of every attention layer, in the order of the rows."""
        return tuple(node.attention for node in self if node.attention)

    def blocks(self, depth: int | None = None) -> tuple[Block, ...]:
        """The root's facts, then one tree for each of its children, to `depth` levels."""
        depth = self.depth if depth is None else depth
        where = ".".join(filter(None, (self.component, self.root.name)))
        title = f"{where}: {self.root.class_name}" if where else self.root.class_name
        facts = " · ".join(filter(None, (self.root.facts, self.note)))
        children = self.root.children if depth else ()
        return (
            Line(title, strong=True),
            Line(facts),
            *(self._branch(c, _fitting(c, depth - 1), self.depth - 1) for c in children[:MOST_ROWS]),
        )

    def _branch(self, node: ModuleNode, depth: int, unfolded: int) -> Tree:
        inside = sum(1 for _ in node.walk()) - 1
        hidden = f"{count(inside)} module{'s' * (inside > 1)} inside" if inside and not depth else ""
        return Tree(
            f"{node.name.rpartition('.')[2]}: {node.class_name}",
            " · ".join(filter(None, (node.facts, hidden))),
            [self._branch(c, depth - 1, unfolded - 1) for c in node.children] if depth > 0 else (),
            unfolded=unfolded > 0,
        )

    def _repr_html_(self) -> str:
        try:
            return to_html(self.blocks(EVERYTHING))
        except Exception:  # noqa: BLE001  (a repr never raises)
            return super()._repr_html_()


def _fitting(node: ModuleNode, depth: int) -> int:
    """How many levels below `node`, `depth` at most, fit into one drawn tree."""
    level, rows = [node], 1
    for fitting in range(depth):
        level = [child for above in level for child in above.children]
        rows += len(level)
        if not level or rows > MOST_ROWS:
            return fitting
    return depth
