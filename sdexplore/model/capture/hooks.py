"""Read-only probes of a denoiser: named outputs of one call, the image the same with and without.

Forward hooks sit on each attention's query and key projections (fused ones too) and compute softmax(Q Kᵀ)
in float32 beside the model's own attention, reduced at once. No processor is replaced and nothing is returned
to the model. The hooks come off however the block ends. What is not exactly one query and one key for every pixel of
every row is refused: an error, rather than a wrong number.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch.utils.hooks import RemovableHandle

from ...base.errors import RunError
from .plans import CallPlan, LayerPlan, Shape


@dataclass
class DenoiserCall:
    """What one call of the denoiser gave.

    Attributes:
        noise_pred: (row, channel, y, x), the model's own tensor: copy it before it is changed.
        attention: Layer -> row of the plan -> (head, y, x, column). Rows that the layer made without attention
            (perturbed-attention guidance puts the identity in its place) are absent.
        queries: Layer -> row of the plan -> (head, y, x, width).
        waiting: (rows, columns) -> layers whose maps are finished together, when the call is over: (layer, its
            (head, y, x), probabilities (row, head, pixel, column) in float32).
        heard: Layers whose query and key were seen, whether or not their grid was wanted.
    """

    plan: CallPlan
    noise_pred: torch.Tensor | None = None
    attention: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    queries: dict[str, dict[int, torch.Tensor]] = field(default_factory=dict)
    waiting: dict[tuple[tuple[int, ...], int], list[tuple[str, Shape, torch.Tensor]]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)

    def finish(self, layers: Mapping[str, LayerPlan]) -> None:
        """Sums and rounds what was waiting: a handful of operations a call, where a layer each would take tens."""
        for (rows, _), several in self.waiting.items():
            shapes = [(layer, shape) for layer, shape, _ in several]
            self.take(rows, shapes, packed([probs for *_, probs in several]), layers[shapes[0][0]])
        self.waiting.clear()

    def take(
        self,
        rows: Sequence[int],
        shapes: Sequence[tuple[str, Shape]],
        maps: Float[torch.Tensor, "row place column"],
        plan: LayerPlan,
    ) -> None:
        """Files the maps of several layers, places of the one behind those of the other, with the columns that stay."""
        cuts = dict(zip(self.plan.rows, self.plan.cuts, strict=True)) if plan.kind == "cross_attention" else {}
        wanted = [cuts.get(row) for row in rows]
        if len(set(wanted)) == 1:
            kept: Iterable[torch.Tensor] = columns(maps, wanted[0]).to(plan.dtype)
        else:
            kept = [columns(one, cut).to(plan.dtype) for one, cut in zip(maps, wanted, strict=True)]
        for row, one in zip(rows, kept, strict=True):
            pieces = one.split([math.prod(shape) for _, shape in shapes])  # type: ignore[no-untyped-call]
            for (layer, shape), piece in zip(shapes, pieces, strict=True):
                self.attention.setdefault(layer, {})[row] = piece.reshape(*shape, -1)


def packed(
    maps: Sequence[Float[torch.Tensor, "row _ _ column"]],
) -> Float[torch.Tensor, "row place column"]:
    """Maps (row, head, pixel, column) of several layers, one behind the other."""
    return torch.cat([probs.flatten(1, 2) for probs in maps], dim=1)


def attention_modules(denoiser: torch.nn.Module) -> dict[str, Attention]:
    """Dotted name -> every attention layer of the denoiser over pixels; GLIGEN's, over pixels and boxes, are not."""
    found = {name: module for name, module in denoiser.named_modules() if isinstance(module, Attention)}
    return {name: module for name, module in found.items() if ".fuser." not in name}


StandIn = Callable[["Observer"], AbstractContextManager[None]]
Begin = Callable[[torch.Tensor, torch.Tensor | None], CallPlan]
End = Callable[[DenoiserCall], None]


@contextmanager
def observing(
    denoiser: torch.nn.Module,
    layers: Mapping[str, LayerPlan],
    begin: Begin,
    end: End,
    stand_in: "StandIn | None" = None,
) -> Iterator[None]:
    """Calls `begin(sample, embeds)` before and `end(call)` after every call of the denoiser.

    Args:
        denoiser: The UNet as it stands; LoRA and fused projections are found where they are now.
        layers: Dotted name -> how to read that attention layer; others are left alone.
        begin: Says what to read of this call.
        end: Takes what was read.
        stand_in: Puts something in the place of the denoiser's own forward for the block, which then fills in
            `observer.call` what the hooks would have read: a compiled graph (`compiling`).

    Raises:
        RunError: A layer that was to be read made no query and key, or not one for each pixel and row; or the call
            has an attention mask.
    """
    observer = Observer(layers, begin, end)
    modules = attention_modules(denoiser)
    ancestors = {ancestor for name in layers for ancestor in _ancestors(name)}
    with ExitStack() as stack:
        stack.callback(denoiser.register_forward_pre_hook(observer.before, with_kwargs=True).remove)
        stack.callback(denoiser.register_forward_hook(observer.after).remove)
        for name in ancestors:
            around = denoiser.get_submodule(name)
            hook = around.register_forward_pre_hook(partial(observer.keep_grid, name), with_kwargs=True)
            if stand_in is None:  # a graph takes note of the hooks that were there when it was made
                observer.around[name] = hook
            stack.callback(hook.remove)
        for name in layers:
            for handle in _read_projections(modules[name], partial(observer.read, name, modules[name])):
                stack.callback(handle.remove)
        if stand_in is not None:
            stack.enter_context(stand_in(observer))
        yield


class Observer:
    """The hooks of one block of observation, and the denoiser call that is under way.

    Attributes:
        layers: Dotted name -> how that attention layer is read.
        call: What is being filled in; None between two calls of the denoiser.
        around: The hooks on what is around the layers, until it is known which of them see a grid.
    """

    def __init__(self, layers: Mapping[str, LayerPlan], begin: Begin, end: End) -> None:
        self.layers, self._begin, self._end = layers, begin, end
        self.call: DenoiserCall | None = None
        self.around: dict[str, RemovableHandle] = {}
        self._grids: dict[str, tuple[int, int]] = {}
        self._grid_of: dict[str, str] = {}
        self._ever_heard: set[str] = set()

    @contextmanager
    def reading(self, plan: CallPlan) -> Iterator[DenoiserCall]:
        """What the hooks read in the block goes to a call of its own, by this plan, and `call` is as it was after."""
        before = self.call
        self.call = call = DenoiserCall(plan)
        try:
            yield call
            self._check(call)
        finally:
            self.call = before

    def before(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hook on the denoiser: opens the call."""
        for mask in ("attention_mask", "encoder_attention_mask"):
            if kwargs.get(mask) is not None:
                raise RunError(f"cannot observe a denoiser call with {mask}: its probabilities would be wrong")
        sample = args[0] if args else kwargs["sample"]
        embeds = kwargs.get("encoder_hidden_states", args[2] if len(args) > 2 else None)  # noqa: PLR2004
        if isinstance(embeds, tuple):  # an IP-Adapter's image embeddings come behind the text's
            embeds = embeds[0]
        self.call = DenoiserCall(self._begin(sample, embeds))

    def after(self, _: Any, __: Any, output: Any) -> None:
        """Hook on the denoiser: closes the call and hands it on."""
        call, self.call = self.call, None
        if call is None:
            return
        call.noise_pred = output[0] if isinstance(output, tuple) else output.sample
        self._check(call)
        if call.heard and self.around:
            self._take_off_what_sees_no_grid()
        call.finish(self.layers)
        self._end(call)

    def _check(self, call: DenoiserCall) -> None:
        if not call.plan.rows:
            return
        self._ever_heard |= call.heard
        for name in self.layers.keys() - call.heard:
            if (grid := self._grid(name)) is None or self.layers[name].wants(grid):
                raise RunError(self._silence(name))

    def _silence(self, name: str) -> str:
        if name in self._ever_heard:
            why = "was skipped, though it ran in an earlier call: something (a cache, a gate) reuses old results"
        else:
            why = "made no query and key with its to_q and to_k: its processor or a patch does otherwise"
        return f"attention layer {name!r} {why}. Switch that off, or leave the layer out: Record(layers=…)"

    def keep_grid(self, name: str, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hook on what is around a layer: the grid (y, x) that it works on."""
        hidden = args[0] if args else kwargs.get("hidden_states")
        if isinstance(hidden, torch.Tensor) and hidden.ndim == 4:  # noqa: PLR2004  (batch, channel, y, x)
            self._grids[name] = (hidden.shape[2], hidden.shape[3])

    def read(self, name: str, module: Attention, query: torch.Tensor, key: torch.Tensor) -> None:
        """Reads one layer's attention from its query and key (row, position, inner)."""
        call = self.call
        if call is None or not call.plan.rows:
            return
        plan, grid = self.layers[name], self._grid(name)
        if name in call.heard:
            raise RunError(f"attention layer {name!r} attended twice in one call of the denoiser: which one counts?")
        call.heard.add(name)
        if grid is not None and not plan.wants(grid):
            return
        if grid is None or query.shape[1] != grid[0] * grid[1]:
            raise RunError(
                f"attention layer {name!r} has {query.shape[1]} queries on the grid (y, x) = {grid}: something merges "
                "or adds pixels. Take it off, or leave the layer out: Record(layers=…, self_attention=…)"
            )
        if len(query) != (batch := len(call.plan.roles)) and not _name(module.processor).startswith("PAG"):
            raise RunError(f"attention layer {name!r} attends in {len(query)} rows, the denoiser in a batch of {batch}")
        # Perturbed-attention guidance attends in the leading rows only.
        rows = tuple(row for row in call.plan.rows if row < len(query))
        if not rows:
            return
        q, k, scale = by_head(module, *(_rows(x, rows) for x in (query, key)))
        probs = _probabilities(q, k, scale, head_mean=plan.head_mean)
        shape = (probs.shape[1], *grid)
        if plan.waits:
            call.waiting.setdefault((rows, probs.shape[-1]), []).append((name, shape, probs))
        else:
            call.take(rows, [(name, shape)], probs.flatten(1, 2), plan)
        if plan.queries:
            kept = (q * scale).to(plan.dtype).unflatten(2, grid)  # type: ignore[no-untyped-call]
            call.queries[name] = dict(zip(rows, kept, strict=True))

    def _grid(self, name: str) -> tuple[int, int] | None:
        around = self._grid_of.get(name) or next((one for one in _ancestors(name) if one in self._grids), None)
        if around is None:
            return None
        self._grid_of[name] = around
        return self._grids[around]

    def _take_off_what_sees_no_grid(self) -> None:
        """Each hook costs its module torch's slow way of calling, and three of four are on what has no grid."""
        unknown = {one for name in self.layers.keys() - self._grid_of.keys() for one in _ancestors(name)}
        for name in self.around.keys() - self._grid_of.values() - unknown:
            self.around[name].remove()
        self.around.clear()


def _ancestors(name: str) -> list[str]:
    """A module's dotted name and those of the modules around it, innermost first."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(len(parts), 0, -1)]


def _name(processor: Any) -> str:
    return type(processor).__name__


def _read_projections(module: Attention, read: Callable[[torch.Tensor, torch.Tensor], None]) -> list[Any]:
    """Hooks on the layer's projections that call read(query, key) once both are there, in whatever order."""
    waiting: dict[str, torch.Tensor] = {}

    def take(**made: torch.Tensor) -> None:
        waiting.update(made)
        if len(waiting) == 2:  # noqa: PLR2004  (query and key)
            read(waiting.pop("query"), waiting.pop("key"))

    def query(_: Any, __: Any, output: torch.Tensor) -> None:
        take(query=output)

    def key(_: Any, __: Any, output: torch.Tensor) -> None:
        take(key=output)

    def key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        take(key=output.chunk(2, dim=-1)[0])

    def query_key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        q, k, _v = output.chunk(3, dim=-1)
        take(query=q, key=k)

    hooks = {"to_q": query, "to_k": key, "to_kv": key_value, "to_qkv": query_key_value}
    return [
        projection.register_forward_hook(hook)
        for name, hook in hooks.items()
        if (projection := getattr(module, name, None)) is not None
    ]


def by_head(
    attn: Attention, query: Float[torch.Tensor, "row pixel inner"], key: Float[torch.Tensor, "row position inner"]
) -> tuple[Float[torch.Tensor, "row head pixel width"], Float[torch.Tensor, "row head position width"], float]:
    """Queries and keys by head in float32, and the scale: the attention is the softmax of scale · Q Kᵀ."""
    q, k = _heads(attn, query), _heads(attn, key)
    scale = attn.scale
    if _name(attn.processor).endswith("2_0"):  # those on torch's fused attention norm both, and have its own scale
        q, k = (x if norm is None else norm(x) for x, norm in ((q, attn.norm_q), (k, attn.norm_k)))
        scale = q.shape[-1] ** -0.5
    # Converted and brought in order at once: the product would copy what is not contiguous.
    return _in_order(q), _in_order(k), scale


def _probabilities(
    q: Float[torch.Tensor, "row head pixel width"],
    k: Float[torch.Tensor, "row head position width"],
    scale: float,
    *,
    head_mean: bool,
) -> Float[torch.Tensor, "row kept pixel position"]:
    """The softmax of scale · Q Kᵀ, in float32; one "head", their mean, if that is wanted."""
    # The scale in the product itself: an operation less. With beta=0 what it would be added to is never read.
    scores = torch.baddbmm(q.new_empty(1, 1, 1), q.flatten(0, 1), k.flatten(0, 1).mT, beta=0, alpha=scale)
    probs = torch.softmax(scores, dim=-1).view(*q.shape[:3], -1)
    return probs.mean(1, keepdim=True) if head_mean else probs


def _in_order(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.float32, memory_format=torch.contiguous_format)


def _rows(x: torch.Tensor, rows: tuple[int, ...]) -> torch.Tensor:
    if len(rows) == len(x):
        return x
    if rows == tuple(range(rows[0], rows[-1] + 1)):  # the usual case, and a view
        return x[rows[0] : rows[-1] + 1]
    return torch.stack([x[row] for row in rows])


def _heads(attn: Attention, x: torch.Tensor) -> torch.Tensor:
    return x.reshape(*x.shape[:2], attn.heads, -1).transpose(1, 2)


def columns(probs: torch.Tensor, cut: int | None) -> torch.Tensor:
    """The first `cut` columns, and the sum of the rest as one more; all of them where `cut` is None or holds all."""
    if cut is None or cut >= probs.shape[-1]:
        return probs
    return torch.cat([probs[..., :cut], probs[..., cut:].sum(-1, keepdim=True)], dim=-1)
