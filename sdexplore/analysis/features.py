"""What the denoiser's modules gave, looked at: the main directions of features, and which places are alike.

A *cell* is one place of a module's grid. All is computed in float64 from the recorded values.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..base.display import Block, Line, Shown, Table
from ..base.errors import TraceError, did_you_mean, errors_named
from ..trace.trace import Features, Trace
from .selection import WHOLE, Whole

_SIDES = 2  # of a pixel: row and column


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FeatureComponents(Shown):
    """Principal components of one module's features at one step: over cells, of the channels.

    Attributes:
        module, step, role: Of which features.
        maps: Each component's score at each cell: the features less their mean over cells, times `directions`.
        directions: Unit vectors of channels, orthogonal, the one of the greatest variance first.
        explained: The share of the variance, summed over channels, that each explains.
        mean: Of each channel over the cells, which was taken off.
        fingerprint: Of the trace.
    """

    module: str
    step: int
    role: str
    maps: Float32[np.ndarray, "component y x"]
    directions: Float32[np.ndarray, "component channel"]
    explained: Float32[np.ndarray, " component"]
    mean: Float32[np.ndarray, " channel"]
    fingerprint: str

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a component."""
        y, x = self.maps.shape[1:]
        rows = [
            (str(number), f"{share:.1%}", f"{found.min():.3g}", f"{found.max():.3g}")
            for number, (share, found) in enumerate(zip(self.explained, self.maps, strict=True), start=1)
        ]
        headers = ("component", "explained variance", "least", "greatest")
        channels = self.directions.shape[1]
        return [
            Line(
                f"Components of {self.module} at step {self.step} ({self.role}): {channels} channels on {y} × {x}, "
                f"trace {self.fingerprint}",
                strong=True,
            ),
            Table(headers, rows, frozenset(headers)),
        ]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FeatureSimilarity(Shown):
    """How alike every cell's features are to those of one cell, at one step.

    Attributes:
        module, step, role: Of which features.
        pixel: (row, column) in the picture, as asked for.
        cell: (row, column) of the module's cell in which that pixel lies.
        values: Cosine, −1 to 1, of the features less their mean over cells. NaN where a cell's are the mean itself.
        fingerprint: Of the trace.
    """

    module: str
    step: int
    role: str
    pixel: tuple[int, int]
    cell: tuple[int, int]
    values: Float32[np.ndarray, "y x"]
    fingerprint: str

    def blocks(self) -> list[Block]:
        """What the repr shows: where the pixel lies, and how many cells are alike."""
        y, x = self.values.shape
        alike = [f"{(self.values > level).mean():.0%} above {level}" for level in (0.5, 0.8)]
        return [
            Line(
                f"Features of {self.module} at step {self.step} ({self.role}), beside pixel {self.pixel}", strong=True
            ),
            Line(f"cell {self.cell} of {y} × {x}; of all cells, {', '.join(alike)}; trace {self.fingerprint}"),
        ]


def feature_components(
    trace: Trace, module: str, *, step: Whole = -1, count: int = 3, role: str = "cond"
) -> FeatureComponents:
    """The principal components of a module's features at one step: what differs most between cells.

    The mean over cells is taken off each channel; nothing is scaled. The sign of a component means nothing: it is such
    that the score of the greatest magnitude is positive (of several, the first cell's). The same features give the same
    components; where two explain the same variance, which of their mixtures is shown is the solver's choice.

    Args:
        module: As recorded, `Record(features=…)`; "name#1" is its second time in a call.
        step: Negative ones count from the end.
        count: How many; at most as many as channels, and as cells less one.

    Raises:
        TraceError: That was not recorded; the count is beyond; the features hold NaN or Inf, or are the same
            everywhere.
    """
    found = features_at(trace, "feature_components", module, step, role)
    channels, y, x = found.shape
    most = min(channels, y * x - 1)
    if not isinstance(count, WHOLE) or not 1 <= count <= most:
        raise TraceError(
            f"feature_components(count={count}): {module!r} has {channels} channels in {y * x} cells, so 1 to {most}"
        )
    centred, mean = _centred(found)
    # The smaller of the two Gram matrices has the same spectrum.
    by_channel = channels <= y * x
    values, vectors = np.linalg.eigh(centred.T @ centred if by_channel else centred @ centred.T)
    leading = np.argsort(values)[::-1][:count]
    directions = vectors[:, leading] if by_channel else centred.T @ vectors[:, leading]
    directions /= np.maximum(np.linalg.norm(directions, axis=0), np.finfo(np.float64).tiny)
    scores = centred @ directions
    signs = np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(count)])
    signs[signs == 0] = 1
    return FeatureComponents(
        module=filed(module),
        step=trace.check_step(step),
        role=role,
        maps=np.asarray((scores * signs).T.reshape(count, y, x), np.float32),
        directions=np.asarray((directions * signs).T, np.float32),
        explained=np.asarray(np.square(scores).sum(0) / np.square(centred).sum(), np.float32),
        mean=mean.astype(np.float32),
        fingerprint=trace.fingerprint,
    )


def feature_similarity(
    trace: Trace, pixel: tuple[Whole, Whole], module: str, *, step: Whole = -1, role: str = "cond"
) -> FeatureSimilarity:
    """How alike every cell of a module is to the one in which a pixel lies: the cosine of their features.

    The mean over cells is taken off before, so that what all cells share makes none of them alike.

    Args:
        pixel: (row, column) in the picture.
        module, step, role: As `feature_components` takes them.

    Raises:
        TraceError: That was not recorded; the pixel lies outside the picture; the features hold NaN or Inf; the pixel's
            cell has the mean of all.

    Source: cf. Tang et al., NeurIPS 2023 (DIFT), who do not take off the mean.
    """
    found = features_at(trace, "feature_similarity", module, step, role)
    _, y, x = found.shape
    row, column = checked_pixel(trace, pixel)
    high, wide = size_of(trace)
    cell = (row * y // high, column * x // wide)
    units = unit_vectors(found)
    own = units[cell[0] * x + cell[1]]
    if not np.isfinite(own).all():
        raise TraceError(
            f"feature_similarity(pixel={pixel!r}): its cell {cell} of {module!r} has the mean of all cells, so that "
            "nothing is alike or unlike it"
        )
    return FeatureSimilarity(
        module=filed(module),
        step=trace.check_step(step),
        role=role,
        pixel=(row, column),
        cell=cell,
        values=np.asarray((units @ own).clip(-1, 1).reshape(y, x), np.float32),
        fingerprint=trace.fingerprint,
    )


def features_at(trace: Trace, function: str, module: str, step: Whole, role: str) -> Float64[np.ndarray, "channel y x"]:
    """A module's features at a step; the mean, where the module ran in several calls of that step.

    Args:
        function: What the user called; errors name it.

    Raises:
        TraceError: That was not recorded, or holds NaN or Inf.
    """
    found = recorded(trace, function, module, role)
    with errors_named(function):
        number = trace.check_step(step)
    calls = [call for call, seen in enumerate(found.steps) if seen == number]
    if not calls:
        raise TraceError(
            f"{function}(step={step}): features of {module!r} were not recorded at step {number}; there are those of "
            f"{', '.join(map(str, dict.fromkeys(found.steps)))}"
        )
    values = found.rows(calls).astype(np.float64).mean(axis=0)
    if not np.isfinite(values).all():
        raise TraceError(
            f"{function}: features of {module!r} hold numbers that are none at step {number} "
            f"({np.mean(~np.isfinite(values)):.1%}); name another step, or run with Record(statistics=True), which "
            "names the module that they come from"
        )
    return np.asarray(values)


def recorded(trace: Trace, function: str, module: str, role: str) -> Features:
    """The features of a module; TraceError where they were not recorded."""
    if not isinstance(module, str):
        raise TraceError(f"{function}(module={module!r:.80}): a module is named, as in 'mid_block'")
    if not trace.features:
        raise TraceError(f"{function}: this trace holds no features: run with Record(features=({module!r},))")
    if role not in trace.features:
        raise TraceError(
            f"{function}(role={role!r}): no features of that role; {did_you_mean(role, trace.features)} "
            "(Record(roles=…) says whose are kept)"
        )
    there = trace.features[role]
    if filed(module) not in there:
        raise TraceError(f"{function}: no features of {module!r} were recorded; {did_you_mean(module, there)}")
    return there[filed(module)]


def filed(module: str) -> str:
    """The name under which a trace holds a module's features: its first time in a call has no number."""
    return module.removesuffix("#0")


def unit_vectors(features: Float64[np.ndarray, "channel y x"]) -> Float64[np.ndarray, "cell channel"]:
    """Each cell's features less their mean over cells, of length 1; NaN where nothing is left but rounding."""
    centred, mean = _centred(features, same=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    least = np.finfo(np.float64).eps * max(1.0, float(np.abs(mean).max())) * centred.shape[1]
    return np.asarray(np.divide(centred, length, out=np.full_like(centred, np.nan), where=length > least))


def size_of(trace: Trace) -> tuple[int, int]:
    """(height, width) in pixels of the picture, or of that which the latents stand for.

    Raises:
        TraceError: The trace tells neither.
    """
    if (shape := trace.shape_of("image")) is not None:
        return shape[0], shape[1]
    used = trace.provenance.get("used", {})
    if "height" in used and "width" in used:
        return int(used["height"]), int(used["width"])
    raise TraceError("this trace has no picture, and does not tell the size of one, so that no pixel lies in it")


def checked_pixel(trace: Trace, pixel: tuple[Whole, Whole]) -> tuple[int, int]:
    """(row, column) of a pixel of the picture; TraceError where it is none."""
    high, wide = size_of(trace)
    several = tuple(pixel) if isinstance(pixel, tuple | list) else ()
    if len(several) != _SIDES or not all(isinstance(one, WHOLE) for one in several):
        raise TraceError(f"feature_similarity(pixel={pixel!r}): a pixel is (row, column), as in (120, 80)")
    row, column = map(int, several)
    if not (0 <= row < high and 0 <= column < wide):
        raise TraceError(
            f"feature_similarity(pixel={pixel!r}): a pixel is (row, column) in a picture {high} high and {wide} wide"
        )
    return row, column


def _centred(features: Float64[np.ndarray, "channel y x"], *, same: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(cell, channel) without the mean over cells, and that mean; `same`: whether all cells may be alike."""
    flat = features.reshape(len(features), -1).T
    mean = flat.mean(axis=0)
    if not same and (flat == flat[0]).all():
        raise TraceError("feature_components: these features are the same in all cells: nothing differs between them")
    return flat - mean, mean
