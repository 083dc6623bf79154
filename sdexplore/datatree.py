"""A trace as an xarray DataTree, for who works with named axes; needs the extra `sdexplore[xarray]`."""

from typing import TYPE_CHECKING, Any

from .errors import TraceError
from .trace import Trace

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
    arrays: dict[str, Any] = {}
    for name in ("noise_pred", "pred_original_sample"):
        if (array := getattr(trace, name)) is not None:
            arrays[name] = (("step", *_AXES), array)
    arrays |= {f"noise_pred_{role}": (("step", *_AXES), array) for role, array in trace.noise_preds.items()}
    if trace.latents is not None:
        arrays["latents"] = (("point", *_AXES), trace.latents)
    if trace.image is not None:
        arrays["image"] = (("row", "column", "rgb"), trace.image)
    coordinates: dict[str, Any] = {"timestep": ("step", trace.timesteps)}
    if trace.sigmas is not None:
        coordinates["sigma"] = ("step", trace.sigmas)
    groups = {"/": xr.Dataset(arrays, coordinates, {"prompt": trace.prompt or "", "fingerprint": trace.fingerprint})}
    for kind in ("cross_attention", "self_attention"):
        for role, layers in getattr(trace, kind).items():
            for layer, attention in layers.items():
                along: dict[str, Any] = {"of_step": ("call", list(attention.steps))}
                if attention.columns:
                    along["token"] = ("key", _tokens(trace, role, attention))
                probs = (("call", "head", "query_y", "query_x", "key"), attention.probs)
                groups[f"/{kind}/{role}/{layer}"] = xr.Dataset({"probs": probs}, along)
    return xr.DataTree.from_dict(groups)


def _tokens(trace: Trace, role: str, attention: Any) -> list[str]:
    """What each column holds: a token's text, or start, end, padding."""
    by_tokenizer = trace.tokens.get(role)
    if by_tokenizer is None or attention.tokenizer is None:
        return [str(column[0]) for column in attention.columns]
    known = {t.position: t.text or t.kind for t in by_tokenizer[attention.tokenizer].tokens}
    return [known[column[0]] if len(column) == 1 else "padding" for column in attention.columns]
