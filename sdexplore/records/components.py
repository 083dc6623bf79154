"""What a pipeline is made of, as records without torch: components, configs, module trees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from ..base.display import MOST_ROWS, Block, Line, Shown, Table, Tree, count, size, to_html
from ..base.errors import InspectionError, did_you_mean

Value = TypeVar("Value")

EVERYTHING: Final = 10_000  # deeper than any model: the whole tree, as far as it fits on a page


class UnknownNameError(InspectionError, KeyError):
    """A name that a record does not hold; a KeyError too, as in any mapping."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


@dataclass(frozen=True)
class Component:
    """One component of a pipeline.

    Attributes:
        name: As in `pipe.components`.
        class_name: Its class; None if the pipeline holds null there.
        library: Top-level package of the class.
        parameters: Count of its parameters, shared ones once; None if it is no network.
        dtypes: Number formats of its parameters, most frequent first; one where all is well.
        devices: Where they are; "meta" means that the weights are offloaded or not loaded.
        bytes: Size of its parameters and buffers.
    """

    name: str
    class_name: str | None = None
    library: str = ""
    parameters: int | None = None
    dtypes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Components(Shown, Mapping[str, Component]):
    """The components of a pipeline by name, and what its parts say together.

    Attributes:
        pipeline: Class of the pipeline.
        entries: Component of every name, in the pipeline's own order.
        summary: Facts that the article-reader looks up by hand: guidance, prediction type,
            latents, attention layers by resolution, scheduler.
    """

    pipeline: str
    entries: Mapping[str, Component]
    summary: Mapping[str, str]

    def __getitem__(self, name: str) -> Component:
        return _look_up(self.entries, name, f"component in the {self.pipeline}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def parameters(self) -> int:
        """Parameters of all components."""
        return sum(component.parameters or 0 for component in self.values())

    @property
    def bytes(self) -> int:
        """Size of all components' parameters and buffers."""
        return sum(component.bytes for component in self.values())

    def blocks(self) -> tuple[Block, ...]:
        """One row a component, then the summary."""
        null = sum(component.class_name is None for component in self.values())
        headers = ("component", "class", "library", "parameters", "dtype", "device", "size")
        return (
            Line(
                f"{self.pipeline}: {len(self)} components{f', {null} of them null' * (null > 0)}; "
                f"{count(self.parameters)} parameters, {size(self.bytes)}",
                strong=True,
            ),
            Table(
                headers,
                [_component_row(c) for c in self.values()],
                frozenset(("parameters", "size")),
            ),
            *(Line(f"{fact}: {what}") for fact, what in self.summary.items()),
        )


def _component_row(component: Component) -> tuple[str, ...]:
    network = component.parameters is not None
    return (
        component.name,
        component.class_name or "null",
        component.library,
        count(component.parameters) if component.parameters is not None else "",
        ", ".join(component.dtypes),
        ", ".join(component.devices),
        size(component.bytes) if network else "",
    )


@dataclass(frozen=True, eq=False, repr=False)
class Config(Shown, Mapping[str, object]):
    """The configuration of one component, as plain values under diffusers' own keys.

    Attributes:
        component: Name of the component; empty where a bare object was asked about.
        class_name: Class that was configured.
        entries: Values by key; private keys and local paths are left out.
    """

    component: str
    class_name: str
    entries: Mapping[str, object]

    def __getitem__(self, key: str) -> object:
        return _look_up(self.entries, key, f"key in the config of {self.class_name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def blocks(self) -> tuple[Block, ...]:
        """One row a key."""
        title = f"{self.component}: {self.class_name}" if self.component else self.class_name
        rows = [(key, repr(value)) for key, value in self.items()]
        return (Line(title, strong=True), Table(("key", "value"), rows))


class _Absent:
    def __repr__(self) -> str:
        return "—"


ABSENT: Final = _Absent()
"""Stands in a `Difference` on the side that does not have the key."""


@dataclass(frozen=True)
class Difference:
    """One key whose value differs; `ABSENT` on the side that lacks it."""

    key: str
    a: object = ABSENT
    b: object = ABSENT

    @property
    def only_in(self) -> Literal["a", "b"] | None:
        """The side that alone has the key; None where both have it."""
        return "b" if self.a is ABSENT else "a" if self.b is ABSENT else None


@dataclass(frozen=True, repr=False)
class ConfigDiff(Shown):
    """Where two configs differ; false if nowhere. Lists and tuples of equal values are equal.

    Attributes:
        a: Name of the first config.
        b: Name of the second.
        rows: Differences: in both first, then only in a, then only in b.
        same: Count of the keys whose values are equal.
    """

    a: str
    b: str
    rows: tuple[Difference, ...]
    same: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Difference]:
        return iter(self.rows)

    def __getitem__(self, key: str) -> Difference:
        return _look_up({row.key: row for row in self.rows}, key, "differing key")

    def blocks(self) -> tuple[Block, ...]:
        """One row a difference."""
        title = f"{self.a} against {self.b}: {count(len(self))} differ, {count(self.same)} equal"
        rows = [(row.key, repr(row.a), repr(row.b), f"only in {row.only_in}" if row.only_in else "") for row in self]
        table = (Table(("key", f"a: {self.a}", f"b: {self.b}", ""), rows),) if rows else ()
        return (Line(title, strong=True), *table)


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
        output: Shape of what it returned, batch first; None if not known or not a tensor.
        attention: Its facts if it is an attention layer.
        shared_with: Name of the node where the very same module stands already.
        children: Nodes below.
    """

    name: str
    class_name: str
    own_parameters: int = 0
    output: tuple[int, ...] | None = None
    attention: AttentionLayer | None = None
    shared_with: str | None = None
    children: tuple["ModuleNode", ...] = ()

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
    def facts(self) -> str:
        """Parameters, output's shape, attention, in one line."""
        own = f", {count(self.own_parameters)} its own" if self.children and self.own_parameters else ""
        parts = (
            f"{count(self.parameters)} parameters{own}" if self.parameters else "",
            f"→ {self.output}" if self.output else "",
            str(self.attention) if self.attention else "",
            f"shared with {self.shared_with}" if self.shared_with is not None else "",
        )
        return " · ".join(filter(None, parts))


@dataclass(frozen=True, repr=False)
class ModuleTree(Shown):
    """The modules of one network: text to `depth`, HTML foldable below that.

    `tree["mid_block"]` is the tree of that branch. A row's parameters are its subtree's, so the
    rows of one level and the parameters held by the levels above sum to the total.

    Attributes:
        component: Name of the component.
        root: The network itself.
        depth: Levels shown below the root, 0 for the root alone.
        note: What the shapes were made for, or why there are none.
    """

    component: str
    root: ModuleNode
    depth: int = 2
    note: str = ""

    def __getitem__(self, name: str) -> "ModuleTree":
        nodes = {node.name: node for node in self}
        node = _look_up(nodes, name, f"module in {self.component or self.root.class_name}")
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
        """Facts of every attention layer, in the order of the modules."""
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
    """Levels below `node`, `depth` at most, that together fit into one drawn tree."""
    level, rows = [node], 1
    for fitting in range(depth):
        level = [child for above in level for child in above.children]
        rows += len(level)
        if not level or rows > MOST_ROWS:
            return fitting
    return depth


def _look_up(entries: Mapping[str, Value], name: str, what: str) -> Value:
    try:
        return entries[name]
    except (KeyError, TypeError):
        raise UnknownNameError(f"no {what} is called {name!r}; {did_you_mean(str(name), entries)}") from None
