"""One call of a denoiser as a graph whose outputs are its noise prediction and the maps that a Record asks for.

`torch.export` traces the graph from the model's own code while the probes of `capture.hooks` are on it: what is read,
and how it is reduced, is written once, there. The graph's parameters are the model's own.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ..capture.denoiser_call import DenoiserCall, packed
from ..capture.hooks import Observer
from ..capture.plans import CallPlan, Kind, LayerPlan, Shape
from .cuda_graph import Function, Replayed

Forward = Callable[..., Any]
Maps = tuple[tuple[int, ...], Kind, tuple[tuple[str, Shape], ...]]

_SDPA = torch.ops.aten.scaled_dot_product_attention.default
# Of a head on the CPU: at width 16, torch's fused attention takes 0.77 of its time at 8; at 32, 1.7 times that.
WIDTH = 16


@dataclass(frozen=True)
class Arguments:
    """The arguments of a denoiser: its tensors, and everything else as constants of the graph.

    Attributes:
        leaves: The call's arguments by name, flattened.
        spec: How they were nested.
    """

    leaves: tuple[Any, ...]
    spec: Any

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> "Arguments":
        """The arguments of a call by name."""
        leaves, spec = pytree.tree_flatten(dict(named))
        return cls(tuple(leaves), spec)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The tensors among the leaves, in their order."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor))

    def named(self, tensors: Sequence[torch.Tensor]) -> dict[str, Any]:
        """The arguments by name, with these tensors in place of their own."""
        left = iter(tensors)
        leaves = [next(left) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        named: dict[str, Any] = pytree.tree_unflatten(leaves, self.spec)
        return named

    def key(self) -> tuple[Any, ...]:
        """What a graph is traced for: shapes, formats and devices of tensors, and the values of everything else."""
        seen = [
            (tuple(leaf.shape), leaf.stride(), leaf.dtype, leaf.device) if isinstance(leaf, torch.Tensor) else (leaf,)
            for leaf in self.leaves
        ]
        return (str(self.spec), *seen)  # a spec of torch 2.6 has no hash


@dataclass(frozen=True)
class Graph:
    """A traced denoiser, ready to run.

    Attributes:
        function: Tensors of the arguments -> noise prediction, then a tensor for each of `maps`, then one for each
            of `queries`.
        output_class: Class of what the denoiser returns.
        maps: Rows, kind, and layers with their (head, y, x); they lie one behind the other in the tensor (row, place,
            column).
        queries: (layer, row) of each tensor.
        layers: How each layer is read.
        reused: Whether the next call overwrites the tensors of this one.
    """

    function: Function
    output_class: type
    maps: tuple[Maps, ...]
    queries: tuple[tuple[str, int], ...]
    layers: Mapping[str, LayerPlan]
    reused: bool = False

    def run(self, arguments: Arguments, call: DenoiserCall) -> torch.Tensor:
        """The noise prediction; attention and queries of the planned rows go to `call`."""
        noise_pred, *rest = self.function(*arguments.tensors)
        for (rows, kind, shapes), maps in zip(self.maps, rest, strict=False):
            plan = next(one for one in self.layers[shapes[0][0]].readings if one.kind == kind)
            own = (
                maps.clone() if self.reused and maps.dtype == plan.dtype else maps
            )  # another dtype makes a copy anyway
            call.take(rows, shapes, own, plan)
        for (layer, row), made in zip(self.queries, rest[len(self.maps) :], strict=True):
            call.queries.setdefault(layer, {})[row] = made.clone() if self.reused else made
        call.heard |= self.layers.keys()
        return noise_pred.clone() if self.reused else noise_pred


def traced(
    denoiser: torch.nn.Module, forward: Forward, observer: Observer, arguments: Arguments, plan: CallPlan
) -> Graph:
    """The graph of one call of `denoiser` by its own `forward`, with what `observer` reads of the plan's rows.

    Every column of a prompt is an output, since one graph serves every prompt: `Graph.run` then drops columns.
    """
    outputs = _Outputs()
    region = _Region(denoiser, forward, observer, arguments, replace(plan, kept=(None,) * len(plan.rows)), outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about torch's internals
        exported = torch.export.export(region, arguments.tensors, strict=False)
        module = exported.module()
    if arguments.tensors[0].device.type == "cpu":
        widen_heads(module)
    layers = observer.layers if plan.rows else {}
    return Graph(module, outputs.output_class, outputs.maps, outputs.queries, layers)


@dataclass
class _Outputs:
    """Which output is which, by the names of `Graph`; tracing a region fills it in."""

    output_class: type = object
    maps: tuple[Maps, ...] = ()
    queries: tuple[tuple[str, int], ...] = ()


class _Region(torch.nn.Module):
    """The denoiser with the probes' reductions as further outputs."""

    def __init__(
        self,
        denoiser: torch.nn.Module,
        forward: Forward,
        observer: Observer,
        arguments: Arguments,
        plan: CallPlan,
        outputs: _Outputs,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self._forward, self._observer, self._arguments, self._plan = forward, observer, arguments, plan
        self._outputs = outputs  # export resets attributes of the module itself

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = self._arguments.named(tensors)
        with self._observer.reading(self._plan, given) as call:
            output = self._forward(**given, return_dict=True)
        self._outputs.output_class = type(output)
        groups: dict[tuple[tuple[int, ...], Kind, int], list[tuple[str, Shape, torch.Tensor]]] = {
            (rows, "cross_attention", columns): several for (rows, columns), several in call.waiting.items()
        }
        for (kind, layer), by_row in call.attention.items():
            for row, maps in by_row.items():
                alike = ((row,), kind, maps.shape[-1])
                several = groups.setdefault(alike, [])
                several.append((layer, tuple(maps.shape[:-1]), maps.flatten(0, -2)[None, None]))
        self._outputs.maps = tuple(
            (rows, kind, tuple((layer, shape) for layer, shape, _ in several))
            for (rows, kind, _), several in groups.items()
        )
        flat = [packed([maps for *_, maps in several]) for several in groups.values()]
        queries = {(layer, row): made for layer, rows in call.queries.items() for row, made in rows.items()}
        self._outputs.queries = tuple(queries)
        return (getattr(output, self._observer.family.output), *flat, *queries.values())


def widen_heads(module: torch.fx.GraphModule) -> int:
    """Pads heads narrower than `WIDTH` with zeros wherever attention is computed; returns in how many places.

    Zeros add nothing to a product: only the order of summation changes the numbers.
    """
    narrow = [
        node
        for node in module.graph.nodes
        if node.target is _SDPA and all(arg.meta["val"].shape[-1] < WIDTH for arg in node.args[:3])
    ]
    for node in narrow:
        width = node.args[0].meta["val"].shape[-1]
        values = node.args[2].meta["val"].shape[-1]
        scale = node.kwargs.get("scale") or width**-0.5
        with module.graph.inserting_before(node):
            wide = [
                module.graph.call_function(
                    torch.ops.aten.constant_pad_nd.default, (arg, [0, WIDTH - arg.meta["val"].shape[-1]], 0.0)
                )
                for arg in node.args[:3]
            ]
            attended = module.graph.call_function(_SDPA, (*wide, *node.args[3:]), {**node.kwargs, "scale": scale})
            cut = module.graph.call_function(torch.ops.aten.slice.Tensor, (attended, -1, 0, values))
        node.replace_all_uses_with(cut)
        module.graph.erase_node(node)
    module.recompile()
    return len(narrow)


def compiled(graph: Graph) -> Graph:
    """The same graph through torch's compiler, which compiles at its first call."""
    # `captured` makes the CUDA graphs here: torch's own belong to the thread that made them.
    function = torch.compile(graph.function, fullgraph=True, dynamic=False, options={"triton.cudagraphs": False})
    return replace(graph, function=function)


def captured(graph: Graph, arguments: Arguments) -> Graph:
    """The same graph as one CUDA graph, which a single call starts; it is warmed up here."""
    return replace(graph, function=Replayed(graph.function, arguments.tensors), reused=True)
