"""How a field of a Trace is declared: once, with the field itself. File, checks, cost, xarray and repr read it here.

The annotation of a field says what it holds: `Float32[np.ndarray, "step y x"]` is one array of that type and with those
axes, `Mapping[str, …]` of such arrays one a role, `Mapping[int, …]` one a step, `Mapping[str, Mapping[str, Attention]]`
one a role and layer. Every other field is JSON. A `Note` in its metadata holds what no annotation tells.
"""

from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from functools import cache
from math import prod
from types import MappingProxyType, NoneType
from typing import Any, Literal, cast, get_args, get_origin

import numpy as np

from ..base.errors import TraceError
from ..text.tokenization import Tokenizations
from .layers import LayerRows, described, read_only
from .lazy import Part, StoredArray, StoredArrays, array_of, held
from .step_decoding import StepPictures

NOTE = "note"
"""The key of a field's Note in its metadata."""
_MAYBE = "*"  # before an axis that arrays may lack, as jaxtyping writes it
_NONE = -1  # in the place of a length, where the arrays lack the axis


class Kind(Enum):
    """What a field holds."""

    VALUE = "one JSON value"
    OBJECT = "a JSON object"
    TOKENS = "role -> Tokenizations"
    ARRAY = "one array"
    BY_ROLE = "role -> array"
    BY_STEP = "step -> array"
    BY_LAYER = "role -> layer -> Attention, Queries or Features"


FACTS = (Kind.VALUE, Kind.OBJECT, Kind.TOKENS)
KEYED = (Kind.BY_ROLE, Kind.BY_STEP)
ARRAYS = (Kind.ARRAY, *KEYED, Kind.BY_LAYER)
"""Kinds that hold arrays, in the order in which files and reprs list them."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the annotation of a field does not tell; the metadata of the field hold it under `NOTE`.

    Attributes:
        missing: What an error says of a trace without this field: how to record it, or why there is none.
        when: What a run must be asked for or have so that it keeps the field, as names of fields of the Record and of
            the outlined call (`sdexplore.model.runs.call_outline`). None: the field is too small for `cost` to count.
        live: Whether a row comes with each step of the run. Else the field is made when the run is over.
        by_formula: Whether the field needs noise levels, so that the scheduler's refusal explains why it is missing.
        lengths: Axis -> its length by another axis, as in "channel+1". It serves where the annotation cannot say so,
            because the array with the other axis may be missing.
    """

    missing: str = ""
    when: tuple[str, ...] | None = None
    live: bool = False
    by_formula: bool = False
    lengths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """One field of a Trace, as declared.

    Attributes:
        dtype: Of each array; "" where the field holds none, or layers.
        axes: Of each array, as in ("step+1", "channel", "*frame", "y", "x"). An axis has one length wherever it is
            named. One with a star may be missing: then from every array that names it.
        rows: What the field holds of each layer; None where it holds no layers.
        optional: Whether a trace may lack it.
        note: What the annotation does not tell.
    """

    name: str
    kind: Kind
    dtype: str
    axes: tuple[str, ...]
    rows: type[LayerRows] | None
    optional: bool
    note: Note

    def parts(self, record: object) -> dict[str, Part]:
        """The arrays in this field of a trace under their names in the file, as in "noise_preds/cond"; none is read."""
        value = held(record, self.name)
        match self.kind:
            case Kind.ARRAY:
                return {} if value is None else {self.name: value}
            case Kind.BY_ROLE | Kind.BY_STEP:
                return {f"{self.name}/{key}": part for key, part in parts_in(value).items()}
            case Kind.BY_LAYER:
                return {
                    f"{self.name}/{role}/{layer}": rows.part
                    for role, layers in value.items()
                    for layer, rows in layers.items()
                }
            case _:
                return {}

    def arrays(self, record: object) -> dict[str, np.ndarray]:
        """The same arrays, read."""
        return {name: array_of(part) for name, part in self.parts(record).items()}

    def value_in(self, arrays: Mapping[str, np.ndarray]) -> Any:  # noqa: ANN401  (of every kind)
        """The value of an ARRAY, BY_ROLE or BY_STEP field from arrays under their names in the file."""
        if self.kind is Kind.ARRAY:
            return arrays.get(self.name)
        named = ((name.partition("/"), array) for name, array in arrays.items())
        of_step = self.kind is Kind.BY_STEP
        return {int(key) if of_step else key: array for (name, _, key), array in named if name == self.name}

    def frozen(self, value: Any) -> Any:  # noqa: ANN401  (of every kind)
        """`value` with arrays, and the mapping that holds them, that cannot be written to."""
        if self.kind is Kind.ARRAY:
            return value if value is None or isinstance(value, StoredArray) else read_only(value)
        if self.kind is Kind.BY_STEP and not isinstance(value, StepPictures):
            return StepPictures({step: self._fixed(part) for step, part in parts_in(value).items()})
        if self.kind is Kind.BY_ROLE and not isinstance(value, StoredArrays):
            return MappingProxyType({key: read_only(array) for key, array in value.items()})
        return value

    @staticmethod
    def _fixed(part: Part) -> Part:
        return part if isinstance(part, StoredArray) else read_only(part)

    def check(self, value: Any, sizes: dict[str, int]) -> None:  # noqa: ANN401  (of every kind)
        """Checks type and shape of the field's arrays against the axes' known lengths; adds their own to `sizes`.

        Raises:
            TraceError: A type, a number of axes or a length is another; layers name steps beyond the run.
        """
        if self.kind is Kind.ARRAY and value is not None:
            self._fit(self.name, value, sizes)
        elif self.kind in KEYED:
            for key, part in parts_in(value).items():
                self._fit(f"{self.name}[{key!r}]", part, sizes)
        if self.kind is Kind.BY_STEP and (beyond := [step for step in value if step not in range(sizes["step"])]):
            raise TraceError(f"{self.name} names step {beyond[0]!r}, beyond the {sizes['step']} of the run")
        if self.kind is Kind.BY_LAYER:
            for role, layers in value.items():
                for layer, rows in layers.items():
                    if any(step not in range(sizes["step"]) for step in rows.steps):
                        what = "features" if self.name == "features" else "attention"
                        raise TraceError(
                            f"{what} of {role} at {layer} names steps beyond the {sizes['step']} of the run"
                        )

    def bytes_of(self, lengths: Mapping[str, int], *, row: bool = False) -> int:
        """Bytes of one array whose axes have these lengths, or of one row along its first axis."""
        counts = [
            lengths.get(name, 1) if axis[0] == _MAYBE else lengths[name] + more
            for axis, (name, more) in ((axis, _split(axis)) for axis in self.axes[row:])
        ]
        return np.dtype(self.dtype).itemsize * prod(counts)

    def axes_of(self, ndim: int) -> tuple[str, ...]:
        """The names of the axes of an array with so many, without those that it lacks and may lack."""
        several = tuple(axis for axis in self.axes if axis[0] != _MAYBE) if ndim < len(self.axes) else self.axes
        return tuple(axis.removeprefix(_MAYBE) for axis in several)

    def _fit(self, name: str, array: Part, sizes: dict[str, int]) -> None:
        axes = [_split(axis) for axis in self.axes_of(array.ndim)]
        own = {axis: length - more for (axis, more), length in zip(axes, array.shape, strict=False)}
        own |= {axis[1:]: _NONE for axis in self.axes if axis[0] == _MAYBE and array.ndim < len(self.axes)}
        unlike = any(sizes.get(axis, length) != length for axis, length in own.items())
        if array.dtype != self.dtype or array.ndim != len(axes) or unlike:
            right = [axis for axis in self.axes if (own | sizes).get(axis.removeprefix(_MAYBE)) != _NONE]
            shown = [axis.removeprefix(_MAYBE) for axis in right]
            known = ", ".join(
                f"{axis} = {sizes[axis]}" for axis, _ in map(_split, shown) if axis in sizes and not axis.isdigit()
            )
            must = f"{self.dtype} ({' '.join(shown)}){f', here {known}' if known else ''}"
            raise TraceError(f"{name} is {described(array)}; it must be {must}")
        if any(not length and axis != "step" for (axis, _), length in zip(axes, array.shape, strict=True)):
            raise TraceError(f"{name} is {described(array)}: it holds no number")
        sizes |= own


def parts_in(value: Any) -> Mapping[Any, Part]:  # noqa: ANN401  (a checker of types would read an array)
    """The arrays of a mapping that are there; none is read, and none is decoded."""
    return value.parts if isinstance(value, StoredArrays | StepPictures) else value


def _split(axis: str) -> tuple[str, int]:
    """An axis as its name, or its fixed length, and what is added to the length: "step+1" is ("step", 1)."""
    name, _, more = axis.removeprefix(_MAYBE).partition("+")
    return name, int(more or 0)


def declared(record: type[Any]) -> tuple[Declared, ...]:
    """Every field of a Trace, or of another such dataclass, in the order of their declaration."""
    return _declared_by(cast("Hashable", record))


@cache
def _declared_by(record: Any) -> tuple[Declared, ...]:  # noqa: ANN401  (a dataclass)
    return tuple(map(_declared, fields(record)))


def declaration_of(record: type[Any], name: str) -> Declared | None:
    """The declaration of the field `name`; None where there is no such field."""
    return next((one for one in declared(record) if one.name == name), None)


def with_arrays(record: type[Any]) -> tuple[Declared, ...]:
    """The fields that hold arrays, in the order in which files and reprs list them."""
    return tuple(one for kind in ARRAYS for one in declared(record) if one.kind is kind)


def fixed_lengths(record: type[Any]) -> dict[str, int]:
    """Axes whose name is their length, as the "3" of "Y X 3"."""
    return {axis: int(axis) for one in declared(record) for axis in one.axes if axis.isdigit()}


def _declared(one: Field[Any]) -> Declared:
    note: Note = one.metadata.get(NOTE, Note())
    kind, held = _kind(one.type)
    axes = tuple(note.lengths.get(axis, axis) for axis in getattr(held, "dim_str", "").split())
    return Declared(
        name=one.name,
        kind=kind,
        dtype=held.dtypes[0] if axes else "",
        axes=axes,
        rows=held if kind is Kind.BY_LAYER else None,
        optional=not one.default is one.default_factory is MISSING,
        note=note,
    )


def _kind(annotation: Any) -> tuple[Kind, Any]:  # noqa: ANN401  (any annotation)
    """What an annotation declares, and the innermost type that it names."""
    parts = get_args(annotation)
    if NoneType in parts:
        return _kind(next(part for part in parts if part is not NoneType))
    if hasattr(annotation, "dim_str"):
        return Kind.ARRAY, annotation
    if annotation is str or get_origin(annotation) is Literal:
        return Kind.VALUE, annotation
    return _kind_of_mapping(*parts) if get_origin(annotation) is Mapping else (Kind.OBJECT, annotation)


def _kind_of_mapping(key: Any, inner: Any) -> tuple[Kind, Any]:  # noqa: ANN401  (any annotations)
    if inner is Tokenizations:
        return Kind.TOKENS, inner
    if hasattr(inner, "dim_str"):
        return (Kind.BY_STEP if key is int else Kind.BY_ROLE), inner
    layer = (get_args(inner) or (None,))[-1]
    if isinstance(layer, type) and issubclass(layer, LayerRows):
        return Kind.BY_LAYER, layer
    return Kind.OBJECT, inner
