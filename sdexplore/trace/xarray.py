"""A trace as an xarray DataTree, for who works with named axes; needs the extra `sdexplore[xarray]`."""

from typing import TYPE_CHECKING, Any

from ..base.errors import TraceError
from .trace import Attention, Trace

if TYPE_CHECKING:
    import xarray

_AXES = ("channel", "y", "x")


def datatree(trace: Trace) -> "xarray.DataTree":
    """The trace's arrays under the names of its fields; one group a role and layer of attention.

    Root: latents (point, channel, y, x) where point is step + 1; noise_pred, noise_pred_<role> and
    pred_original_sample (step, channel, y, x); image (row, column, rgb); timestep and sigma as coordinates of step.
    Groups cross_attention/<role>/<layer>: probs (call, head, query_y, query_x, key) with of_step as a coordinate of
    call and token of key. Coordinates are not indexes: timesteps and tokens repeat.

    Raises:
        TraceError: xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise TraceError("to_xarray needs xarray: pip install 'sdexplore[xarray]'") from error
    groups = {"/": xr.Dataset(*_root(trace), {"prompt": trace.prompt or "", "fingerprint": trace.fingerprint})}
    for kind in ("cross_attention", "self_attention"):
        for role, layers in getattr(trace, kind).items():
            for layer, attention in layers.items():
                probs = (("call", "head", "query_y", "query_x", "key"), attention.probs)
                groups[f"/{kind}/{role}/{layer}"] = xr.Dataset({"probs": probs}, _along(trace, role, attention))
    return xr.DataTree.from_dict(groups)


def _root(trace: Trace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and coordinates of the root group, each with its axes."""
    found = {
        "latents": (("point", *_AXES), trace.latents),
        "noise_pred": (("step", *_AXES), trace.noise_pred),
        "pred_original_sample": (("step", *_AXES), trace.pred_original_sample),
        "image": (("row", "column", "rgb"), trace.image),
        **{f"noise_pred_{role}": (("step", *_AXES), array) for role, array in trace.noise_preds.items()},
    }
    coordinates = {"timestep": ("step", trace.timesteps), "sigma": ("step", trace.sigmas)}
    arrays, along = (
        {name: (axes, array) for name, (axes, array) in part.items() if array is not None}
        for part in (found, coordinates)
    )
    return arrays, along


def _along(trace: Trace, role: str, attention: Attention) -> dict[str, Any]:
    steps = ("call", list(attention.steps))
    return (
        {"of_step": steps, "token": ("key", _tokens(trace, role, attention))}
        if attention.columns
        else {"of_step": steps}
    )


def _tokens(trace: Trace, role: str, attention: Attention) -> list[str]:
    """What each column holds: a token's text, or start, end, padding."""
    by_tokenizer = trace.tokens.get(role)
    if by_tokenizer is None or attention.tokenizer is None:
        return [str(column[0]) for column in attention.columns]
    known = {t.position: t.text or t.kind for t in by_tokenizer[attention.tokenizer].tokens}
    return [known[column[0]] if len(column) == 1 else "padding" for column in attention.columns]
