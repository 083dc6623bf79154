"""Read-only probes of a denoiser: named outputs of one call, the image the same with and without.

Forward hooks sit on each attention's query and key projections (fused ones too) and compute softmax(Q Kᵀ)
in float32 beside the model's own attention, reduced at once. No processor is replaced and nothing is returned
to the model. The hooks come off however the block ends.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from diffusers.models.attention_processor import Attention
from jaxtyping import Float

from ..errors import RunError

Kind = Literal["cross_attention", "self_attention"]


@dataclass(frozen=True)
class LayerPlan:
    """How one attention layer is read.

    Attributes:
        head_mean: The mean over heads, or each of them.
        grids: If given, the layer is read only where its grid is (y, x) of one of these, or its longer side is the
            number.
    """

    kind: Kind
    head_mean: bool
    dtype: torch.dtype
    grids: tuple[int | tuple[int, int], ...] | None = None

    def wants(self, grid: tuple[int, int]) -> bool:
        """Whether a layer of this grid is read."""
        return self.grids is None or grid in self.grids or max(grid) in self.grids


@dataclass(frozen=True)
class CallPlan:
    """Which rows of one denoiser call are read, and how many leading columns stay apart.

    Attributes:
        roles: Role of every row of the batch.
        rows: The rows whose attention is read; none for a call whose attention is not kept.
        cuts: For each of `rows`, how many leading positions keep a column of their own before the rest is
            summed in one; None keeps all.
    """

    roles: tuple[str, ...]
    rows: tuple[int, ...] = ()
    cuts: tuple[int | None, ...] = ()


@dataclass
class DenoiserCall:
    """What one call of the denoiser gave.

    Attributes:
        noise_pred: (row, channel, y, x), the model's own tensor: copy it before it is changed.
        attention: Layer -> for each row of the plan (head, y, x, column).
        heard: Layers whose query and key were seen, whether or not their grid was wanted.
    """

    plan: CallPlan
    noise_pred: torch.Tensor | None = None
    attention: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)


def attention_modules(denoiser: torch.nn.Module) -> dict[str, Attention]:
    """Dotted name -> every attention layer of the denoiser."""
    return {name: module for name, module in denoiser.named_modules() if isinstance(module, Attention)}


def refuse_compiled(denoiser: torch.nn.Module) -> None:
    """Raises RunError for a denoiser that the user has compiled: hooks would silently never fire."""
    for name, module in denoiser.named_modules():
        if name.startswith("_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            where = f"its {name!r} is" if name and not name.startswith("_orig_mod") else "it is"
            raise RunError(
                f"cannot observe this {type(denoiser).__name__}: {where} compiled by torch.compile, where hooks never "
                "fire. Run before compiling, or assign the original: pipe.unet = pipe.unet._orig_mod"
            )


@contextmanager
def observing(
    denoiser: torch.nn.Module,
    layers: Mapping[str, LayerPlan],
    begin: Callable[[torch.Tensor, torch.Tensor | None], CallPlan],
    end: Callable[[DenoiserCall], None],
) -> Iterator[None]:
    """Calls `begin(sample, embeds)` before and `end(call)` after every call of the denoiser.

    Args:
        denoiser: The UNet as it stands; LoRA and fused projections are found where they are now.
        layers: Dotted name -> how to read that attention layer; others are left alone.
        begin: Says what to read of this call.
        end: Takes what was read.

    Raises:
        RunError: A layer that was to be read made no query and key, or the call has an attention mask.
    """
    modules = attention_modules(denoiser)
    current: list[DenoiserCall] = []
    grids: dict[str, tuple[int, int]] = {}

    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for mask in ("attention_mask", "encoder_attention_mask"):
            if kwargs.get(mask) is not None:
                raise RunError(f"cannot observe a denoiser call with {mask}: its probabilities would be wrong")
        sample = args[0] if args else kwargs["sample"]
        embeds = kwargs.get("encoder_hidden_states", args[2] if len(args) > 2 else None)  # noqa: PLR2004
        if isinstance(embeds, tuple):
            embeds = embeds[0]
        current[:] = [DenoiserCall(begin(sample, embeds))]

    def after(_: Any, __: Any, output: Any) -> None:
        (call,) = current
        call.noise_pred = output[0] if isinstance(output, tuple) else output.sample
        if call.plan.rows and (silent := layers.keys() - call.heard):
            raise RunError(f"these attention layers made no query and key that could be read: {sorted(silent)}")
        current.clear()
        end(call)

    def keep_grid(name: str) -> Callable[..., None]:
        def hook(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs["hidden_states"]
            if hidden.ndim == 4:  # noqa: PLR2004  (batch, channel, y, x)
                grids[name] = (hidden.shape[2], hidden.shape[3])

        return hook

    def reader(name: str, plan: LayerPlan) -> Callable[[torch.Tensor, torch.Tensor], None]:
        module = modules[name]
        parents = [".".join(name.split(".")[:i]) for i in range(name.count(".") + 1, 0, -1)]

        def read(query: torch.Tensor, key: torch.Tensor) -> None:
            if not current or not current[0].plan.rows:
                return
            call = current[0]
            call.heard.add(name)
            y, x = next(grids[parent] for parent in parents if parent in grids)
            if not plan.wants((y, x)):
                return
            cuts = call.plan.cuts if plan.kind == "cross_attention" else (None,) * len(call.plan.rows)
            call.attention[name] = [
                probs.unflatten(1, (y, x)) for probs in _probabilities(module, query, key, plan, call.plan.rows, cuts)
            ]

        return read

    with ExitStack() as stack:
        hooks = [
            denoiser.register_forward_pre_hook(before, with_kwargs=True),
            denoiser.register_forward_hook(after),
        ]
        for handle in hooks:
            stack.callback(handle.remove)
        ancestors = {".".join(n.split(".")[:i]) for n in layers for i in range(1, n.count(".") + 2)}
        for name, ancestor in denoiser.named_modules():
            if name in ancestors:
                handle = ancestor.register_forward_pre_hook(keep_grid(name), with_kwargs=True)
                stack.callback(handle.remove)
        for name, plan in layers.items():
            for handle in _read_projections(modules[name], reader(name, plan)):
                stack.callback(handle.remove)
        yield


def _read_projections(module: Attention, read: Callable[[torch.Tensor, torch.Tensor], None]) -> list[Any]:
    """Hooks on the layer's projections that call read(query, key) once both are there."""
    waiting: list[torch.Tensor] = []

    def query(_: Any, __: Any, output: torch.Tensor) -> None:
        waiting[:] = [output]

    def key(_: Any, __: Any, output: torch.Tensor) -> None:
        read(waiting.pop(), output)

    def key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        read(waiting.pop(), output.chunk(2, dim=-1)[0])

    def query_key_value(_: Any, __: Any, output: torch.Tensor) -> None:
        q, k, _v = output.chunk(3, dim=-1)
        read(q, k)

    hooks = {"to_q": query, "to_k": key, "to_kv": key_value, "to_qkv": query_key_value}
    return [
        projection.register_forward_hook(hook)
        for name, hook in hooks.items()
        if (projection := getattr(module, name, None)) is not None
    ]


def _probabilities(
    attn: Attention,
    query: Float[torch.Tensor, "batch pixel inner"],
    key: Float[torch.Tensor, "batch position inner"],
    plan: LayerPlan,
    rows: tuple[int, ...],
    cuts: Sequence[int | None],
) -> list[torch.Tensor]:
    """For each row (head, pixel, column): softmax of scaled Q Kᵀ in float32, then mean, then columns."""
    q, k = (_heads(attn, _rows(x, rows), norm) for x, norm in ((query, attn.norm_q), (key, attn.norm_k)))
    probs = torch.softmax(torch.matmul(q.float() * attn.scale, k.float().transpose(-1, -2)), dim=-1)
    if plan.head_mean:
        probs = probs.mean(1, keepdim=True)
    if len(set(cuts)) == 1:
        return list(_columns(probs, cuts[0]).to(plan.dtype))
    return [_columns(row, cut).to(plan.dtype) for row, cut in zip(probs, cuts, strict=True)]


def _rows(x: torch.Tensor, rows: tuple[int, ...]) -> torch.Tensor:
    if rows == tuple(range(rows[0], rows[-1] + 1)):  # the usual case, and a view
        return x[rows[0] : rows[-1] + 1]
    return torch.stack([x[row] for row in rows])


def _heads(attn: Attention, x: torch.Tensor, norm: torch.nn.Module | None) -> torch.Tensor:
    x = x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
    return x if norm is None else norm(x)


def _columns(probs: torch.Tensor, cut: int | None) -> torch.Tensor:
    if cut is None or cut >= probs.shape[-1]:
        return probs
    return torch.cat([probs[..., :cut], probs[..., cut:].sum(-1, keepdim=True)], dim=-1)
