"""The record of one image's way through a pipeline. No torch, no diffusers: a Trace opens anywhere."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import index
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from ..base import atomic_files
from ..base.display import Block, Line, Shown, Table, Thumbnail, Thumbnails, clip, counted, size
from ..base.errors import TraceError, did_you_mean
from ..text.tokenization import Tokenizations
from ..theory import Space, linear_preview, variance_preserving
from . import file
from .layout import ARRAYS, MAPPINGS, Attention, Queries, fit, read_only

Steps = int | slice | Sequence[int] | None
"""Steps as they are named: one, several, a slice, or None for every one; negative ones count from the end."""
__all__ = ["Attention", "Queries", "Trace"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Trace(Shown):
    """One image's way, as read-only numpy arrays on the CPU. A *step* is one call of `scheduler.step`.

    Rows are steps, never timesteps: second-order schedulers repeat those. What the Record left out is None,
    or absent from its mapping; `recorded(name)` asks for it with a message that helps.

    Attributes:
        kind: "run", "look" or "invert".
        call: Every argument as given, as JSON.
        provenance: Model source, component classes, scheduler and config, versions, device, dtype, wall time.
        queries: Role -> cross-attention layer -> Queries; with Record(queries=True).
        tokens: Role -> tokenizer -> Tokenization.
        timesteps: Training time of each step, as the scheduler was given it.
        sigmas: √(1−ᾱ)/√ᾱ of the sample at each step.
        latents: x_T first, as the scheduler holds them (`space` says on which scale); the last row is what the last
            step returned.
        noise_preds: Role -> the model's own prediction; NaN rows where a role was not computed.
        noise_pred: What the scheduler got, after guidance.
        noise_pred_before_guide: The same before a `guide` pushed it; None without one.
        pred_original_sample: x0 by closed form, variance-preserving scale, unclipped; None where the scheduler's
            noise levels are not known to sdexplore.
        cross_attention, self_attention: Role -> layer (its dotted name in the denoiser) -> Attention.
        decoded, decoded_x0: Step -> x_t before the step, and predicted x0, decoded by the VAE.
        latent_rgb: Linear preview: [latents, 1] @ latent_rgb is RGB in 0..1; fitted on this pipeline's VAE.
        image: The pipeline's picture; None when it was asked for latents, or stopped.
        flags: The safety checker's verdict, {"nsfw_content_detected": …}; empty without checker.

    Raises:
        TraceError: The parts do not fit together.
    """

    kind: Literal["run", "look", "invert"]
    call: Mapping[str, Any]
    provenance: Mapping[str, Any]
    tokens: Mapping[str, Tokenizations] = field(default_factory=dict)
    timesteps: Float64[np.ndarray, " step"]
    sigmas: Float64[np.ndarray, " step"] | None = None
    latents: Float32[np.ndarray, "step+1 channel y x"] | None = None
    noise_preds: Mapping[str, Float32[np.ndarray, "step channel y x"]] = field(default_factory=dict)
    noise_pred: Float32[np.ndarray, "step channel y x"] | None = None
    noise_pred_before_guide: Float32[np.ndarray, "step channel y x"] | None = None
    pred_original_sample: Float32[np.ndarray, "step channel y x"] | None = None
    cross_attention: Mapping[str, Mapping[str, Attention]] = field(default_factory=dict)
    self_attention: Mapping[str, Mapping[str, Attention]] = field(default_factory=dict)
    queries: Mapping[str, Mapping[str, Queries]] = field(default_factory=dict)
    decoded: Mapping[int, UInt8[np.ndarray, "Y X 3"]] = field(default_factory=dict)
    decoded_x0: Mapping[int, UInt8[np.ndarray, "Y X 3"]] = field(default_factory=dict)
    latent_rgb: Float32[np.ndarray, "features 3"] | None = None
    image: UInt8[np.ndarray, "Y X 3"] | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ARRAYS:
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(array))
        for name in MAPPINGS:
            arrays = {key: read_only(array) for key, array in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(arrays))
        self._check()

    def _check(self) -> None:
        """The shapes that must agree, so that a damaged or hand-made trace fails here and not in a view."""
        sizes = {"3": 3}
        for name in ARRAYS:
            if (array := getattr(self, name)) is not None:
                fit(name, array, ARRAYS[name], sizes)
        for name, layout in MAPPINGS.items():
            for key, array in getattr(self, name).items():
                fit(f"{name}[{key!r}]", array, layout, sizes)
        steps = self.num_steps
        for name in ("decoded", "decoded_x0"):
            if beyond := [step for step in getattr(self, name) if step not in range(steps)]:
                raise TraceError(f"{name} names step {beyond[0]!r}, beyond the {steps} of the run")
        self._check_calls(steps)

    def _check_calls(self, steps: int) -> None:
        named: list[tuple[str, Mapping[str, Attention | Queries]]] = []
        for kind in (self.cross_attention, self.self_attention, self.queries):
            named.extend(kind.items())
        for role, layers in named:
            for layer, one in layers.items():
                if any(step not in range(steps) for step in one.steps):
                    raise TraceError(f"attention of {role} at {layer} names steps beyond the {steps} of the run")

    @property
    def space(self) -> Space:
        """On which scale the scheduler holds latents: "variance preserving", "variance exploding", "flow matching".

        Raises:
            TraceError: sdexplore does not know this scheduler.
        """
        scheduler = self.provenance.get("scheduler", {})
        space: Space = scheduler.get("space", "variance preserving")
        if space not in get_args(Space):
            name = scheduler.get("class", "its scheduler")
            raise TraceError(f"this trace holds latents of {name} on a scale that sdexplore does not know: {space!r}")
        return space

    @property
    def prompt(self) -> str | None:
        """The prompt of this image as its first tokenizer got it; None where there was none."""
        texts = [t.text for t in self.tokens.get("cond", {}).values()]
        return texts[0] if texts else None

    @property
    def unconditional(self) -> bool:
        """Whether the model is told nothing of what to draw: no prompt, no guidance; its one role is "uncond"."""
        return bool(self.provenance.get("unconditional", False))

    @property
    def num_steps(self) -> int:
        """How many times the scheduler stepped; more than num_inference_steps for second-order schedulers."""
        return len(self.timesteps)

    @property
    def noise_pred_uncond(self) -> Float32[np.ndarray, "step channel y x"]:
        """The unconditional (or negative prompt's) prediction; TraceError without guidance."""
        return self._role("uncond")

    @property
    def noise_pred_cond(self) -> Float32[np.ndarray, "step channel y x"]:
        """The conditional prediction (`noise_pred_text` in diffusers' pipelines)."""
        return self._role("cond")

    def _role(self, role: str) -> Float32[np.ndarray, "step channel y x"]:
        if role not in self.noise_preds:
            known = ", ".join(map(repr, self.noise_preds)) or "none (Record(noise_pred=False))"
            raise TraceError(f"no noise prediction of role {role!r} in this trace; recorded: {known}")
        return self.noise_preds[role]

    def recorded(self, name: str) -> Any:  # noqa: ANN401  (arrays of several shapes)
        """The array `name`; one that was not recorded raises TraceError saying how to record it."""
        value = getattr(self, name, None)
        if value is None:
            reason = self.provenance.get("scheduler", {}).get("refusal") if name in _BY_FORMULA else None
            known = _MISSING.get(name, f"there is no field {name!r}")
            raise TraceError(f"this trace holds no {name}: {known}{f' ({reason})' if reason else ''}")
        return value

    def scaled_latents(self, step: int) -> Float32[np.ndarray, "channel y x"]:
        """x_t before `step` on the variance-preserving scale, on which steps and schedulers compare."""
        sample = self.recorded("latents")[self.check_step(step)]
        if self.space == "variance preserving":
            return np.asarray(sample)
        sigma = self.recorded("sigmas")[step]
        return variance_preserving(sample, np.float64(sigma), self.space).astype(np.float32)

    def check_step(self, step: SupportsIndex) -> int:
        """`step` as an int from 0, negative ones counted from the end; one beyond the run raises TraceError."""
        number = index(step)
        if not -self.num_steps <= number < self.num_steps:
            raise TraceError(f"there is no step {number}: the trace has {self.num_steps}, 0 to {self.num_steps - 1}")
        return number % self.num_steps

    def check_steps(self, steps: Steps | np.integer[Any]) -> tuple[int, ...]:
        """The steps that are named, as ints from 0, in their order and each once; None names all.

        Args:
            steps: A step, several, or a slice; negative ones count from the end.

        Raises:
            TraceError: A step beyond the run, or something else than steps.
        """
        every = range(self.num_steps)
        several = (steps,) if isinstance(steps, int | np.integer) else steps
        try:
            if several is None or isinstance(several, slice):
                return tuple(every[several or slice(None)])
            return tuple(dict.fromkeys(map(self.check_step, several)))
        except TypeError as error:
            raise TraceError(
                f"steps={steps!r}: name a step (5), several ([0, 5, -1]) or a slice; the trace has {self.num_steps}, "
                f"0 to {self.num_steps - 1}"
            ) from error

    def attention(self, role: str = "cond") -> Mapping[str, Attention]:
        """Layer -> cross-attention of `role`; TraceError if it was not recorded."""
        if role not in self.cross_attention:
            if self.unconditional:
                raise TraceError("this pipeline is unconditional: it has no prompt for cross-attention to look at")
            if not self.cross_attention:
                raise TraceError("this trace holds no cross-attention: run with Record(cross_attention='mean')")
            raise TraceError(
                f"no cross-attention of role {role!r}; {did_you_mean(role, self.cross_attention)} "
                "(Record(roles=…) says whose is kept)"
            )
        return self.cross_attention[role]

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of what was called and what came of it; a saved trace keeps its own."""
        content = hashlib.sha256(json.dumps(dict(self.call), sort_keys=True, default=str).encode())
        for array in (self.timesteps, None if self.latents is None else self.latents[-1], self.image):
            if array is not None:
                content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()[:8]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array under its name in the file, for example "cross_attention/cond/mid_block…attn2"."""
        found = {name: array for name in ARRAYS if (array := getattr(self, name)) is not None}
        for name in MAPPINGS:
            found |= {f"{name}/{key}": array for key, array in getattr(self, name).items()}
        for name in ("cross_attention", "self_attention"):
            for role, layers in getattr(self, name).items():
                found |= {f"{name}/{role}/{layer}": attention.probs for layer, attention in layers.items()}
        for role, kept in self.queries.items():
            found |= {f"queries/{role}/{layer}": queries.values for layer, queries in kept.items()}
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together: the size of the file, but for its header."""
        return sum(array.nbytes for array in self.arrays().values())

    def save(self, path: str | Path) -> Path:
        """Writes the trace to one safetensors file, atomically; returns the path.

        Its header holds a small picture too, "preview", a data URI of WebP: what lists files can show it.

        Raises:
            TraceError: The name does not end in .safetensors.
        """
        from .codec import facts_of

        path = atomic_files.named(path)
        if path.suffix != ".safetensors":
            raise TraceError(f"cannot save a trace as {path.name!r}: the name must end in .safetensors")
        file.write(path, facts_of(self), self.arrays(), preview=preview_in(self))
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """The trace saved at `path`; arrays are read from the file when they are touched.

        Raises:
            TraceError: There is no such file, or it is damaged, foreign, or does not fit together.
        """
        from .codec import assemble

        path = atomic_files.named(path)
        return assemble(cls, path.name, *file.read(path))

    def verify(self) -> "Trace":
        """Reads every array and compares it with what was saved; returns the trace itself.

        Raises:
            TraceError: The content differs; or the trace was never in a file.
        """
        digests = self.__dict__.get("digests")
        if digests is None:
            raise TraceError("this trace does not come from a file: there is nothing to verify it against")
        file.verify(f"trace {self.fingerprint}", self.arrays(), digests)
        return self

    def to_xarray(self) -> Any:  # noqa: ANN401  (an xarray.DataTree, where xarray is installed)
        """The trace as an xarray DataTree with named axes (extra `sdexplore[xarray]`); see `sdexplore.trace.xarray`."""
        from .xarray import datatree

        return datatree(self)

    def blocks(self) -> list[Block]:
        """What the repr shows: the call, the run in numbers, every array with its shape."""
        model = self.provenance.get("model", "?")
        prompt = f" {clip(self.prompt, 80)!r}" if self.prompt is not None else ""
        scheduler = self.provenance.get("scheduler", {}).get("class", "?")
        lines: list[Block] = [
            Line(f"Trace {self.fingerprint}: {self.kind} of {model},{prompt}".rstrip(","), strong=True),
            Line(
                f"{counted(self.num_steps, 'step')} of {scheduler}, guidance_scale {guidance_scale_of(self)}, "
                f"seed {self.call.get('seed')}, "
                f"roles {', '.join(self.noise_preds) or 'not recorded'}, {size(self.nbytes)}"
            ),
        ]
        if self.call.get("stopped"):
            lines.append(Line(f"Stopped after {counted(self.num_steps, 'step')}; no picture was decoded."))
        if compiled := self.provenance.get("compiled"):
            lines.append(Line(_compiled(compiled)))
        if missing := self.provenance.get("out_of_memory"):
            lines.append(
                Line(f"Memory did not suffice to decode steps afterwards; missing: {clip(', '.join(missing))}.")
            )
        if quality := self.provenance.get("reconstruction"):
            redrawn, best = quality["psnr_db"], quality["vae_psnr_db"]
            lines.append(Line(f"Reconstruction from its noise: {redrawn:g} dB PSNR (the VAE alone: {best:g} dB)."))
        if any(self.flags.values()):
            lines.append(Line("The safety checker found the picture unsafe and made it black."))
        if (thumbnail := thumbnail_of(self)) is not None:
            lines.append(Thumbnails([thumbnail]))
        rows = [(name, str(array.dtype), " × ".join(map(str, array.shape))) for name, array in _summary(self)]
        return [*lines, Table(("array", "type", "shape"), rows)]


_BY_FORMULA = ("sigmas", "pred_original_sample")  # there where the scheduler is not refused
_MISSING = {
    "latents": "run with Record(latents=True)",
    "noise_pred": "run with Record(noise_pred=True)",
    "noise_pred_before_guide": "it needs run(guide=…) and Record(noise_pred=True)",
    "pred_original_sample": "it needs Record(latents=True, noise_pred=True) and a scheduler with known noise levels",
    "sigmas": "the noise levels of its scheduler are not known to sdexplore",
    "latent_rgb": "the pipeline has no VAE to fit it on, or the run was stopped",
    "image": "the run was stopped, or asked for output_type='latent'",
}


def preview_in(trace: Trace) -> str | None:
    """The picture, or the linear preview of the last predicted x0, as a small data URI; None without either."""
    from .preview import preview_of

    if trace.image is not None:
        return preview_of(trace.image)
    if trace.pred_original_sample is None or trace.latent_rgb is None:
        return None
    return preview_of(linear_preview(trace.pred_original_sample[-1], trace.latent_rgb), small=True)


def thumbnail_of(trace: Trace) -> Thumbnail | None:
    """The trace's picture, or its last predicted x0, as a record shows it; None without either."""
    if (preview := preview_in(trace)) is None:
        return None
    drawn = trace.image is not None
    what, how = ("the picture", "small") if drawn else ("the last predicted x0", "linear preview")
    of = f" of {clip(trace.prompt, 80)!r}" if trace.prompt else ""
    return Thumbnail(preview, f"{what}{of}, {how}")


def _compiled(used: Mapping[str, str]) -> str:
    if "eager" in used:
        return f"Compilation was asked for; ran without it: {used['eager']}."
    return f"Denoiser compiled ({', '.join(used)}): as an uncompiled run within rounding, not to the bit."


def guidance_scale_of(trace: Trace) -> str:
    """By how much the pipeline guided, as it said itself: "7.5", or "7.5 to 0" where it changed on the way.

    "default" where only the call is known, and names none.
    """
    told = trace.provenance.get("guidance", {}).get("guidance_scale")
    if not told:
        return str(trace.call.get("arguments", {}).get("guidance_scale", "default"))
    return " to ".join(dict.fromkeys(f"{scale:g}" for scale in (told[0], told[-1])))


def _summary(trace: Trace) -> list[tuple[str, np.ndarray]]:
    """Arrays to list: attention layers of one shape share a row, so that SDXL's seventy take four."""
    alike: dict[tuple[str, str, tuple[int, ...]], list[np.ndarray]] = {}
    for name, array in trace.arrays().items():
        kind, _, rest = name.partition("/")
        if kind in ("cross_attention", "self_attention", "queries"):
            group, unit = f"{kind}/{rest.partition('/')[0]}", "layer"
        else:
            group, unit = (kind, "step") if kind in ("decoded", "decoded_x0") else (name, "")
        alike.setdefault((group, unit, array.shape), []).append(array)
    return [
        (f"{group}: {counted(len(arrays), unit)}" if unit else group, arrays[0])
        for (group, unit, _), arrays in alike.items()
    ]
