"""The record of one image's way through a pipeline. No torch, no diffusers: a Trace opens anywhere."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from . import tracefile
from .display import Block, Line, Shown, Table, clip, size
from .errors import TraceError, did_you_mean
from .theory import Space, variance_preserving
from .tokenization import Tokenizations

Column = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """Attention probabilities of one layer and one role; one row per denoiser call.

    Attributes:
        probs: Softmax of the layer's scaled queries times keys, computed in float32. They sum to 1 over all
            columns; y and x are the layer's own grid. With the mean over heads there is one "head".
        steps: The step of each call.
        columns: The positions of the prompt summed in each column; for self-attention column i is the
            pixel (i // x, i % x) and columns is empty.
        tokenizer: The tokenizer whose tokens name the positions; None where there is none.
        head_mean: Whether the one head is the mean over all.
    """

    probs: Float[np.ndarray, "call head y x column"]
    steps: tuple[int, ...]
    columns: tuple[Column, ...] = ()
    tokenizer: str | None = None
    head_mean: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "probs", _read_only(self.probs))
        if len(self.steps) != self.probs.shape[0]:
            raise TraceError(f"attention of {self.probs.shape[0]} calls names {len(self.steps)} steps")
        if self.columns and len(self.columns) != self.probs.shape[-1]:
            raise TraceError(f"attention of {self.probs.shape[-1]} columns names {len(self.columns)}")

    def column(self, position: int) -> int:
        """The column that holds `position` of the padded prompt, and nothing else.

        Raises:
            TraceError: No column does: the position is beyond the prompt, or summed with others.
        """
        for number, positions in enumerate(self.columns):
            if positions == (position,):
                return number
        raise TraceError(
            f"position {position} was not recorded by itself: columns='prompt' sums the padding; "
            "record with Record(columns='all') to have it apart"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Trace(Shown):
    """One image's way, as read-only numpy arrays on the CPU. A *step* is one call of `scheduler.step`.

    Rows are steps, never timesteps: second-order schedulers repeat those. What the Record left out is None,
    or absent from its mapping; `recorded(name)` asks for it with a message that helps.

    Attributes:
        kind: "run", "look" or "invert".
        call: Every argument as given, as JSON.
        provenance: Model source, component classes, scheduler and config, versions, device, dtype, wall time.
        tokens: Role -> tokenizer -> Tokenization.
        timesteps: Training time of each step, as the scheduler was given it.
        sigmas: √(1−ᾱ)/√ᾱ of the sample at each step.
        latents: x_T first, as the scheduler holds them (`space` says on which scale); the last row is what the last
            step returned.
        noise_preds: Role -> the model's own prediction; NaN rows where a role was not computed.
        noise_pred: What the scheduler got, after guidance.
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
    pred_original_sample: Float32[np.ndarray, "step channel y x"] | None = None
    cross_attention: Mapping[str, Mapping[str, Attention]] = field(default_factory=dict)
    self_attention: Mapping[str, Mapping[str, Attention]] = field(default_factory=dict)
    decoded: Mapping[int, UInt8[np.ndarray, "Y X 3"]] = field(default_factory=dict)
    decoded_x0: Mapping[int, UInt8[np.ndarray, "Y X 3"]] = field(default_factory=dict)
    latent_rgb: Float32[np.ndarray, "features 3"] | None = None
    image: UInt8[np.ndarray, "Y X 3"] | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, _read_only(array))
        for name in ("noise_preds", "decoded", "decoded_x0"):
            arrays = {key: _read_only(array) for key, array in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(arrays))
        self._check()

    def _check(self) -> None:
        """The shapes that must agree, so that a damaged or hand-made trace fails here and not in a view."""
        steps, latents = len(self.timesteps), self.latents
        expected: dict[str, tuple[int, ...]] = {"sigmas": (steps,)}
        if latents is not None:
            inner = latents.shape[1:]
            expected["latents"] = (steps + 1, *inner)
            expected |= dict.fromkeys(("noise_pred", "pred_original_sample"), (steps, *inner))
            expected["latent_rgb"] = (inner[0] + 1, 3)
        for name, shape in expected.items():
            if (array := getattr(self, name)) is not None and array.shape != shape:
                raise TraceError(f"{name} has shape {array.shape}; with {steps} steps it must be {shape}")
        for role, array in self.noise_preds.items():
            if latents is not None and array.shape != (steps, *latents.shape[1:]):
                raise TraceError(f"noise_preds[{role!r}] has shape {array.shape}; there are {steps} steps")
        for role, layers in (*self.cross_attention.items(), *self.self_attention.items()):
            for layer, attention in layers.items():
                if any(not 0 <= step < steps for step in attention.steps):
                    raise TraceError(f"attention of {role} at {layer} names steps beyond the {steps} of the run")

    @property
    def space(self) -> Space:
        """On which scale the scheduler holds latents: "variance preserving" or "variance exploding"."""
        space: Space = self.provenance.get("scheduler", {}).get("space", "variance preserving")
        return space

    @property
    def prompt(self) -> str | None:
        """The prompt of this image as its first tokenizer got it; None where there was none."""
        texts = [t.text for t in self.tokens.get("cond", {}).values()]
        return texts[0] if texts else None

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
            raise TraceError(f"this trace holds no {name}: {_MISSING.get(name, f'there is no field {name!r}')}")
        return value

    def scaled_latents(self, step: int) -> Float32[np.ndarray, "channel y x"]:
        """x_t before `step` on the variance-preserving scale, on which steps and schedulers compare."""
        sample = self.recorded("latents")[self.check_step(step)]
        if self.space == "variance preserving":
            return np.asarray(sample)
        sigma = self.recorded("sigmas")[step]
        return variance_preserving(sample, np.float64(sigma), self.space).astype(np.float32)

    def check_step(self, step: int) -> int:
        """`step` as a number from 0, negative ones counted from the end; one beyond the run raises TraceError."""
        if not -self.num_steps <= step < self.num_steps:
            raise TraceError(f"there is no step {step}: the trace has {self.num_steps}, 0 to {self.num_steps - 1}")
        return step % self.num_steps

    def attention(self, role: str = "cond") -> Mapping[str, Attention]:
        """Layer -> cross-attention of `role`; TraceError if it was not recorded."""
        if role not in self.cross_attention:
            if not self.cross_attention:
                raise TraceError("this trace holds no cross-attention: run with Record(cross_attention='mean')")
            raise TraceError(
                f"no cross-attention of role {role!r}; {did_you_mean(role, self.cross_attention)} "
                f"To have it, run with Record(roles=('cond', {role!r}))"
            )
        return self.cross_attention[role]

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of what was called and what came of it; a saved trace keeps its own."""
        content = hashlib.sha256(json.dumps(dict(self.call), sort_keys=True, default=str).encode())
        content.update(np.ascontiguousarray(self.timesteps))
        for name in ("latents", "image"):
            if (array := getattr(self, name)) is not None:
                content.update(np.ascontiguousarray(array[-1]))
        return content.hexdigest()[:8]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array under its name in the file, for example "cross_attention/cond/mid_block…attn2"."""
        found = {name: array for name in _ARRAYS if (array := getattr(self, name)) is not None}
        found |= {f"noise_preds/{role}": array for role, array in self.noise_preds.items()}
        for name in ("cross_attention", "self_attention"):
            for role, layers in getattr(self, name).items():
                found |= {f"{name}/{role}/{layer}": attention.probs for layer, attention in layers.items()}
        for name in ("decoded", "decoded_x0"):
            if pictures := getattr(self, name):
                found[name] = np.stack(list(pictures.values()))
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together: the size of the file, but for its header."""
        return sum(array.nbytes for array in self.arrays().values())

    def save(self, path: str | Path) -> Path:
        """Writes the trace to one safetensors file, atomically; returns the path.

        Raises:
            TraceError: The name does not end in .safetensors.
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise TraceError(f"cannot save a trace as {path.name!r}: the name must end in .safetensors")
        tracefile.write(path, _facts(self), self.arrays())
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """The trace saved at `path`; arrays are read from the file when they are touched.

        Raises:
            TraceError: There is no such file, or it is damaged, foreign, or does not fit together.
        """
        from .traceparts import assemble

        path = Path(path)
        return assemble(cls, path.name, *tracefile.read(path))

    def verify(self) -> "Trace":
        """Reads every array and compares it with what was saved; returns the trace itself.

        Raises:
            TraceError: The content differs; or the trace was never in a file.
        """
        digests = self.__dict__.get("digests")
        if digests is None:
            raise TraceError("this trace does not come from a file: there is nothing to verify it against")
        tracefile.verify(f"trace {self.fingerprint}", self.arrays(), digests)
        return self

    def blocks(self) -> list[Block]:
        """What the repr shows: the call, the run in numbers, every array with its shape."""
        model = self.provenance.get("model", "?")
        prompt = f" {clip(self.prompt, 80)!r}" if self.prompt is not None else ""
        scheduler = self.provenance.get("scheduler", {}).get("class", "?")
        guidance = self.call.get("arguments", {}).get("guidance_scale", "default")
        lines: list[Block] = [
            Line(f"Trace {self.fingerprint}: {self.kind} of {model},{prompt}".rstrip(","), strong=True),
            Line(
                f"{self.num_steps} steps of {scheduler}, guidance_scale {guidance}, seed {self.call.get('seed')}, "
                f"roles {', '.join(self.noise_preds) or 'not recorded'}, {size(self.nbytes)}"
            ),
        ]
        if self.call.get("stopped"):
            lines.append(Line(f"Stopped after step {self.num_steps}; no picture was decoded."))
        if any(self.flags.values()):
            lines.append(Line("The safety checker found the picture unsafe and made it black."))
        rows = [(name, str(array.dtype), " × ".join(map(str, array.shape))) for name, array in _summary(self)]
        return [*lines, Table(("array", "type", "shape"), rows)]


_ARRAYS = ("timesteps", "sigmas", "latents", "noise_pred", "pred_original_sample", "latent_rgb", "image")
_MISSING = {
    "latents": "run with Record(latents=True)",
    "noise_pred": "run with Record(noise_pred=True)",
    "pred_original_sample": "it needs Record(latents=True, noise_pred=True) and a scheduler whose noise levels are known",
    "sigmas": "the noise levels of its scheduler are not known to sdexplore",
    "latent_rgb": "the pipeline has no VAE to fit it on, or the run was stopped",
    "image": "the run was stopped, or asked for output_type='latent'",
}


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _summary(trace: Trace) -> list[tuple[str, np.ndarray]]:
    """Arrays to list: attention layers of one shape share a row, so that SDXL's seventy take four."""
    rows: dict[str, np.ndarray] = {}
    alike: dict[tuple[str, str, tuple[int, ...]], list[np.ndarray]] = {}
    for name, array in trace.arrays().items():
        if "attention/" in name:
            kind, role, _ = name.split("/", 2)
            alike.setdefault((kind, role, array.shape), []).append(array)
        else:
            rows[name] = array
    for (kind, role, _), arrays in alike.items():
        rows[f"{kind}/{role}: {len(arrays)} layer{'s' * (len(arrays) > 1)} {arrays[0].shape[2:4]}"] = arrays[0]
    return list(rows.items())


def _facts(trace: Trace) -> dict[str, Any]:
    described = {
        f"{name}/{role}/{layer}": {
            "steps": list(attention.steps),
            "columns": [list(column) for column in attention.columns],
            "tokenizer": attention.tokenizer,
            "head_mean": attention.head_mean,
        }
        for name in ("cross_attention", "self_attention")
        for role, layers in getattr(trace, name).items()
        for layer, attention in layers.items()
    }
    return {
        "kind": trace.kind,
        "call": dict(trace.call),
        "provenance": dict(trace.provenance),
        "tokens": {role: {name: t.to_json() for name, t in by.items()} for role, by in trace.tokens.items()},
        "attention": described,
        "decoded": list(trace.decoded),
        "decoded_x0": list(trace.decoded_x0),
        "flags": dict(trace.flags),
    }
