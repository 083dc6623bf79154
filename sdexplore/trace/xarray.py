"""A trace as an xarray DataTree, for readers who work with named axes; needs the extra `sdexplore[xarray]`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import TraceError
from ..text.shared_keys import SharedKeys
from .concept_scores import ConceptScores
from .declaration import Declared, Kind, parts_in, with_arrays
from .features import Features
from .fields import TraceFields
from .layers import Attention, LayerRows

if TYPE_CHECKING:
    import xarray

# Names of axes: where the declaration has others.
_ROOT = {"step+1": "point", "channel+1": "feature", "3": "rgb", "Y": "row", "X": "column"}
_ROOT |= {"decoded_Y": "decoded_row", "decoded_X": "decoded_column"}
_LAYER = {"y": "query_y", "x": "query_x", "column": "key"}
_WORD_LAYER = {"y": "key_y", "x": "key_x", "column": "query"}  # where words ask
_MODULE = {"channel": "feature_channel", "y": "feature_y", "x": "feature_x"}
_ROOT["5"] = "quantity"


def datatree(trace: TraceFields) -> "xarray.DataTree":
    """The trace's arrays under the names of its fields; one group a role and layer of attention and queries.

    Root: latents (point, channel, y, x) where point is step + 1; noise_pred, noise_pred_<role>, noise_pred_before_guide
    and pred_original_sample (step, channel, y, x); decoded (decoded_step, decoded_row, decoded_column, rgb) and the
    same of decoded_x0, with the steps as coordinates; latent_rgb (feature, rgb); image (row, column, rgb); timestep and
    sigma as coordinates of step. Of a video, arrays with channels have an axis frame behind it, and frames is
    (video_frame, row, column, rgb).
    Groups cross_attention/<role>/<layer> and self_attention/<role>/<layer>: probs (call, head, query_y, query_x, key)
    with of_step as a coordinate of call and, where the columns are known, token of key.
    Groups word_attention/<role>/<layer>: probs (call, head, key_y, key_x, query), with token as a coordinate of query.
    Groups concept_scores/<role>/<layer>: scores (call, query_y, query_x, concept), with the texts as coordinates.
    Groups queries/<role>/<layer>: values (call, head, query_y, query_x, width) with of_step as a coordinate of call.
    Groups features/<role>/<module>: values (call, feature_channel, feature_y, feature_x) with of_step, likewise.
    statistics_<role> (step, module, quantity) at the root: the quantities as `Trace.statistics` lists them.
    Coordinates of steps and calls are not indexes: timesteps and tokens repeat.
    Arrays of float16 are float32 here, with the same numbers and twice the memory: xarray would sum float16 in float16,
    and a mean over thousands of attention probabilities would come out several times too small.

    Raises:
        TraceError: xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise TraceError("to_xarray needs xarray: pip install 'sdexplore[xarray]'") from error
    arrays, along = dict[str, Any](), dict[str, Any]()
    groups = {}
    for one in with_arrays(type(trace)):
        value = getattr(trace, one.name)
        if one.kind is Kind.BY_LAYER:
            for role, layers in value.items():
                for layer, rows in layers.items():
                    groups[f"/{one.name}/{role}/{layer}"] = xr.Dataset(*_group(trace, one.name, role, rows))
        elif one.axes == ("step",):
            along |= {} if value is None else {_singular(one.name): ("step", _summable(value))}
        else:
            arrays |= dict(_variables(one, value))
            along |= {f"{one.name}_step": list(parts_in(value))} if one.kind is Kind.BY_STEP and parts_in(value) else {}
    root = xr.Dataset(arrays, along, {"prompt": trace.prompt or "", "fingerprint": trace.fingerprint})
    return xr.DataTree.from_dict({"/": root, **groups})


def _variables(one: Declared, value: Any) -> Iterator[tuple[str, tuple[tuple[str, ...], np.ndarray]]]:  # noqa: ANN401
    """Name, axes and array of each variable that a field becomes."""

    def axes(array: np.ndarray) -> tuple[str, ...]:
        return tuple(_ROOT.get(axis, axis) for axis in one.axes_of(array.ndim))

    if one.kind is Kind.BY_ROLE:
        for role, array in value.items():
            yield (
                f"{one.name if one.name == 'statistics' else _singular(one.name)}_{role}",
                (axes(array), _summable(array)),
            )
    elif one.kind is Kind.BY_STEP and (there := parts_in(value)):
        pictures = np.stack([value[step] for step in there])
        yield one.name, ((f"{one.name}_step", *axes(pictures[0])), pictures)
    elif one.kind is Kind.ARRAY and value is not None:
        yield one.name, (axes(value), _summable(value))


def _summable(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _singular(name: str) -> str:
    return name.removesuffix("s")


def _group(trace: TraceFields, field: str, role: str, rows: LayerRows) -> tuple[dict[str, Any], dict[str, Any]]:
    """Variables and coordinates of one role and layer."""
    name, axes = rows.named_axes()
    other = _MODULE if isinstance(rows, Features) else _WORD_LAYER if field == "word_attention" else _LAYER
    arrays = {name: (tuple(other.get(axis, axis) for axis in axes), _summable(rows.array))}
    coordinates: dict[str, Any] = {"of_step": ("call", list(rows.steps))}
    if isinstance(rows, Attention) and rows.columns:
        coordinates["token"] = (other["column"], _tokens(trace, role, rows))
    if isinstance(rows, ConceptScores):
        coordinates["concept"] = ("concept", list(rows.concepts))
    return arrays, coordinates


def _tokens(trace: TraceFields, role: str, attention: Attention) -> list[str]:
    """What each column holds: a token's text, or start, end, padding; "rest" is the picture and padding together."""
    keys = SharedKeys.of(trace.tokens.get(role, {}), attention.read_by)
    several = {True: "padding", False: "rest"}
    if not keys.read:
        return [str(column[0]) if column else several[False] for column in attention.columns]
    return [keys.label(column[0]) if len(column) == 1 else several[bool(column)] for column in attention.columns]
