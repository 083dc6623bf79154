"""A Trace packed for the browser: facts in JSON, arrays and pictures in one buffer, within a budget of bytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis.attention import latent_grid
from ..analysis.guidance import Halves, halves
from ..analysis.trajectory import preview
from ..base.display import clip, size
from ..base.errors import SdexploreError, TraceError
from ..strings.wording import counted, listed, wording
from ..trace.declaration import with_arrays
from ..trace.one_frame import one_frame, shown_frame
from ..trace.record import spread
from ..trace.step_decoding import NAMES
from ..trace.trace import Attention, Trace
from .buffers import Bits, Buffer
from .feature_vectors import FeatureVectors
from .picture_files import File, all_small, exact
from .provenance_facts import provenance_facts
from .role_maps import RoleMaps, role_maps

BUDGET = 16 * 2**20


@dataclass(frozen=True, repr=False)
class Packed:
    """What the browser receives.

    Attributes:
        facts: Plain JSON values, whose sentences are in the language of the options; what an error says stays English.
            Their texts may come from outside, so the browser shows them as text only.
        data: The buffer that the references in `facts` point into. Its first `facts["first"]` bytes hold the means over
            all steps, which a reader shows first.
    """

    facts: Mapping[str, Any]
    data: bytes

    def __repr__(self) -> str:
        reduced = "; ".join(self.facts["reduction"]) or "nothing left out"
        return f"Packed: trace {self.facts['fingerprint']}, {size(len(self.data))} ({reduced})"


@dataclass(frozen=True)
class _Plan:
    """How a trace is reduced: bits of a map's level, which steps, and whether decoded pictures are included."""

    bits: Bits
    steps: tuple[int, ...]
    decoded: bool


def pack(trace: Trace, budget: int = BUDGET, *, decode: bool = True, for_page: bool = False) -> Packed:
    """The trace as facts and one buffer of at most `budget` bytes.

    The buffer holds the mean of the cross-attention over layers and heads, for each role, resolution, step and word,
    and the mean over all steps. A trace that does not fit the budget is reduced: first the maps of single steps have 8
    bits instead of 16, then pictures decoded on the way are left out, then single steps, evenly. `facts["reduction"]`
    says what was reduced. The mean over all steps is always that of all recorded steps. Recorded features are packed so
    that a click shows where they are alike (`feature_vectors`); they take an eighth of the budget, and at most 1 MiB.
    Of a video the middle frame is packed, and `facts["missing"]` says so.

    Args:
        budget: The most bytes.
        decode: Whether the steps that the Record names are decoded before. Where they are not, linear previews stand.
        for_page: Whether a page of its own carries the result: it has the finished picture itself, and pictures decoded
            on the way take the fewest bytes and more time.

    Raises:
        TraceError: The picture and the means alone are larger than the budget.
    """
    if decode:
        trace.decode_what_is_kept("pack")
    trace = one_frame(trace)
    parts, smallest = _Parts.of(trace, budget, for_page=for_page), 0
    for packed in _ever_smaller(parts, budget):
        smallest = len(packed.data)
        if smallest <= budget:
            return packed
    raise TraceError(
        f"this trace does not fit {budget} bytes: its picture, its mean maps and two steps take {smallest}; "
        "give a larger budget"
    )


def one_trace(given: object) -> Trace:
    """`given`, which is a Trace, or the path of one that was saved.

    Raises:
        TraceError: It is neither, or the file holds no trace.
    """
    if isinstance(given, str | Path):
        return Trace.load(given)
    if isinstance(given, Trace):
        return given
    raise TraceError(f"one Trace is explored at a time, and this is {type(given).__name__}: choose one, as traces[0]")


def _ever_smaller(parts: "_Parts", budget: int) -> Iterator[Packed]:
    """The trace packed with every step in three ways, then with fewer and fewer steps."""
    every = tuple(range(parts.trace.num_steps))
    if any(parts.trace.pictures(name).made for name in NAMES):
        yield parts.pack(_Plan(16, every, decoded=True))
        yield parts.pack(_Plan(8, every, decoded=True))
    else:
        yield parts.pack(_Plan(16, every, decoded=False))
    whole = parts.pack(_Plan(8, every, decoded=False))
    yield whole
    fixed = len(parts.pack(_Plan(8, every[:1], decoded=False)).data)
    a_step = (len(whole.data) - fixed) / max(1, len(every) - 1)
    most = min(len(every), max(2, int((budget - fixed) / max(1, a_step)) + 2))
    while most > 2:  # noqa: PLR2004  (first and last)
        yield parts.pack(_Plan(8, spread(every, most), decoded=False))
        most = max(2, most * 9 // 10)
    yield parts.pack(_Plan(8, spread(every, 2), decoded=False))


@dataclass(frozen=True, eq=False)
class _Parts:
    """What a trace holds and what it lacks, determined once for all plans."""

    trace: Trace
    roles: list[RoleMaps]
    features: FeatureVectors | None
    halves: Halves | None
    missing: list[str]
    for_page: bool

    @classmethod
    def of(cls, trace: Trace, budget: int, *, for_page: bool) -> "_Parts":
        missing = list(_absent(trace))
        roles = []
        for role in sorted(trace.cross_attention, key=lambda name: name != "cond"):
            try:
                roles.append(role_maps(trace, role))
            except SdexploreError as error:
                missing.append(wording("packed.missing.maps", role=clip(role), error=error))
        try:
            found = halves(trace)
        except SdexploreError as error:
            found = None
            missing.append(wording("packed.missing.guidance", error=error))
        features = FeatureVectors.of(trace, budget)
        missing += features.missing if features else []
        return cls(trace, roles, features, found, missing, for_page)

    @cached_property
    def files(self) -> dict[str, dict[str, File]]:
        """The files of the pictures that were decoded on the way, made once for all plans."""
        kinds = {"x_t": self.trace.pictures("decoded"), "x0": self.trace.pictures("decoded_x0")}
        return {
            name: all_small({str(step): pictures[step] for step in pictures.made}, smallest=self.for_page)
            for name, pictures in kinds.items()
        }

    def pictures(self, buffer: Buffer, *, decoded: bool) -> dict[str, Any]:
        image = self.trace.image
        found: dict[str, Any] = {"image": None, "x_t": {}, "x0": {}}
        if image is not None:
            found["image"] = {"of_page": True} if self.for_page else buffer.picture(exact(image, smallest=False))
        if decoded:
            for name, files in self.files.items():
                found[name] = {step: buffer.picture(file) for step, file in files.items()}
        return found

    def pack(self, plan: _Plan) -> Packed:
        trace, buffer = self.trace, Buffer()
        missing = list(self.missing)
        facts: dict[str, Any] = {
            "format": 2,
            "fingerprint": trace.fingerprint,
            "kind": trace.kind,
            "prompt": trace.prompt,
            "grid": list(latent_grid(trace, _layers(trace))),
            "size": _size(trace),
            "steps": [
                {
                    "step": step,
                    "timestep": float(trace.timesteps[step]),
                    "sigma": None if trace.sigmas is None else _finite(trace.sigmas[step]),
                }
                for step in plan.steps
            ],
            "num_steps": trace.num_steps,
            "roles": [role.pack(buffer, plan.bits, plan.steps) for role in self.roles],
            "pictures": self.pictures(buffer, decoded=plan.decoded),
            "previews": _previews(trace, buffer, plan.steps, missing),
            "guidance": self._guidance(buffer, plan.steps),
            "flagged": any(trace.flags.values()),
            "stopped": bool(trace.call.get("stopped")),
            "provenance": provenance_facts(trace),
            "missing": missing,
            "reduction": [*_reduction(trace, plan), *(self.features.reduced if self.features else ())],
            "bits": plan.bits,
        }
        if self.features is not None and (vectors := self.features.pack(buffer)) is not None:
            facts["features"] = vectors
        lost = sum(group["maps"]["lost"] for role in facts["roles"] for group in role["groups"])
        if lost:
            missing.append(wording("packed.missing.not_finite", values=counted(lost, "attention_value")))
        data, facts["first"] = buffer.finished()
        return Packed(facts, data)

    def _guidance(self, buffer: Buffer, kept: tuple[int, ...]) -> dict[str, Any] | None:
        found = self.halves
        if found is None:
            return None
        rows = [row for row, step in enumerate(found.steps) if step in kept]
        difference = found.difference[:, None]
        levels, mean = buffer.levels(difference[rows], np.nanmean(difference, axis=0, keepdims=True), 16)
        facts: dict[str, Any] = {
            "steps": [found.steps[row] for row in rows],
            "averaged": len(found.steps),
            "difference": levels,
            "mean": mean,
        }
        if self.trace.latent_rgb is not None:
            for name, latents in (("uncond", found.x0_uncond), ("cond", found.x0_cond)):
                facts[name] = buffer.colours(np.stack([preview(self.trace, np.nan_to_num(latents[r])) for r in rows]))
        return facts


def _absent(trace: Trace) -> Iterator[str]:
    shown = shown_frame(trace)
    if shown is not None:
        yield wording("packed.missing.frames", frame=shown.in_words())
    if trace.call.get("stopped"):
        yield wording("packed.missing.stopped", steps=counted(trace.num_steps, "step"))
    elif trace.image is None:
        yield wording("packed.missing.picture")
    if not trace.cross_attention and shown is not None:
        yield wording("packed.missing.video")
    elif not trace.cross_attention:
        yield wording("packed.missing.attention")
    elif not trace.tokens.get("cond"):
        yield wording("packed.missing.prompt")
    names = list(trace.tokens.get("cond", {}))
    if len(names) > 1:
        layers = trace.cross_attention.get("cond", {}).values()
        read = {name for attention in layers for name, _ in attention.read_by}
        used = [name for name in names if name in read]
        read_with = {"number": len(names), "names": listed(names)}
        if used:
            yield wording("packed.missing.tokenizers.used", **read_with, used=wording("packed.and").join(used))
        else:
            yield wording("packed.missing.tokenizers", **read_with)


def _previews(trace: Trace, buffer: Buffer, kept: tuple[int, ...], missing: list[str]) -> dict[str, Any]:
    """Linear previews of x_t and of predicted x0 at the kept steps, one pixel a latent pixel."""
    found: dict[str, Any] = {}
    if trace.latent_rgb is None:
        missing.append(wording("packed.missing.previews"))
        return found
    if trace.latents is not None:
        try:
            samples = [trace.scaled_latents(step) for step in kept]
        except SdexploreError as error:
            missing.append(wording("packed.missing.x_t", error=error))
        else:
            found["x_t"] = buffer.colours(np.stack([preview(trace, np.nan_to_num(sample)) for sample in samples]))
    if trace.pred_original_sample is not None:
        x0 = np.nan_to_num(trace.pred_original_sample[list(kept)])
        found["x0"] = buffer.colours(np.stack([preview(trace, one) for one in x0]))
    return found


def _layers(trace: Trace) -> list[Attention]:
    return [layer for layers in trace.cross_attention.values() for layer in layers.values()]


def _size(trace: Trace) -> list[int] | None:
    fields = {one.name: one for one in with_arrays(Trace)}
    pictures = (part for name in ("image", "decoded_x0", "decoded") for part in fields[name].parts(trace).values())
    return next((list(part.shape[:2]) for part in pictures), None)


def _finite(number: np.float64) -> float | None:
    return float(number) if np.isfinite(number) else None


def _reduction(trace: Trace, plan: _Plan) -> Iterator[str]:
    """Sentences that say what was reduced to fit the budget."""
    if plan.bits < 16:  # noqa: PLR2004  (the full precision)
        yield wording("packed.reduced.bits")
    if not plan.decoded and (trace.pictures("decoded").made or trace.pictures("decoded_x0").made):
        yield wording("packed.reduced.decoded")
    if len(plan.steps) < trace.num_steps:
        yield wording("packed.reduced.steps", kept=len(plan.steps), all=trace.num_steps)
