"""What guidance did: the two halves of each step, apart and against each other, and put together again."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float32, Float64

from ..base.display import Block, Line, Shown, Table, counted
from ..base.errors import TraceError
from ..theory import PredictionType, guided, norm_kept, perturbed_attention_guided, pred_original_sample, rescaled
from ..trace.non_finite import in_words, non_finite, not_computed
from ..trace.trace import Trace

_NO_GUIDANCE = (
    "this run had no classifier-free guidance: the unconditional half was never computed. "
    "Run with guidance_scale above 1 and Record(noise_pred=True)"
)
_NO_NEGATIVE = (
    "this run had no classifier-free guidance: the unconditional half was never computed. "
    "Run with a negative_prompt, true_cfg_scale above 1 and Record(noise_pred=True)"
)
_ALONE = ". This model takes the guidance scale as an input (FLUX's `guidance`), and makes one prediction of it"
_EMBEDDED = (
    "this model is distilled: it takes the guidance scale as an input (FLUX's `guidance`, the `timestep_cond` of LCM) "
    "and makes one prediction, guided already. There is no unconditional half, and nothing to put together"
)
_HALF = {"float16": 2.0**-10, "bfloat16": 2.0**-7}  # rounding of predictions by the denoiser's dtype
_SINGLE = 2.0**-23
_ROUNDINGS = 64  # more than a few operations on a prediction lose
_OTHERS = {  # by a word in the pipeline's class: how it guides
    "SAG": "self-attention guidance adds a term of the prediction on degraded latents (role extra_0)",
    "Semantic": "semantic guidance adds masked terms of its edits (roles edit_0 …), with a momentum",
    "Safe": "safe latent diffusion adds a term that leads away from a safety concept, with a momentum",
}
_THREE_WAYS = (
    "this run was guided three ways, by its prompt and by its picture (InstructPix2Pix); its halves do not "
    "make the whole: ε_u + s (ε_c − ε_i) + s_i (ε_i − ε_u)"
)


@dataclass(frozen=True)
class Halves:
    """The unconditional and the conditional half of a run.

    Attributes:
        steps: Steps at which both were computed.
        x0_uncond, x0_cond: x0 as each half alone predicts it, on the variance-preserving scale.
        difference: Root mean square over channels of noise_pred_cond − noise_pred_uncond: where the prompt
            (against the negative prompt) changes the prediction.
    """

    steps: tuple[int, ...]
    x0_uncond: Float32[np.ndarray, "step channel *frame y x"]
    x0_cond: Float32[np.ndarray, "step channel *frame y x"]
    difference: Float32[np.ndarray, "step *frame y x"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GuidanceSteps(Shown):
    """What guidance did at each step that had both halves; numbers run over all channels and pixels of a step.

    Attributes:
        steps: Those steps; a step after guidance was cut off is not among them.
        guidance_scale, guidance_rescale: By how much the pipeline guided there, as it said itself; pag_scale: of
            perturbed-attention guidance, 0 without. Where the model takes `guidance_scale` as an input (FLUX.1), the
            halves are put together by `true_cfg_scale`, which then stands here.
        skip_layer_scale: Of skip-layer guidance (SD 3.5), 0 at steps without.
        difference: Map, root mean square over channels of ε_c − ε_u; difference_rms: its root mean square over all.
        ratio: ‖ε_c − ε_u‖ / ‖ε_c‖: how large a share of the prediction the prompt is.
        cosine: Of the angle between ε_c and ε_u, as vectors: 1 where the prompt changes no direction.
        overshoot: ‖guided ε‖ / ‖ε_c‖ before `guidance_rescale`.
        spread: std(guided ε) / std(ε_c) before rescaling: what Lin et al. pull back; after: with it.
        formula: How the halves are put together, with the names of this class: ε_u, ε_c for the predictions; ε_p with
            perturbed attention, ε_l with layers skipped.
        unexplained: Why the formula does not give what the scheduler got; empty where it does.
        without_numbers: What was left out, since it holds NaN or Inf: arrays and steps in words; "" if nothing was.
        residual: Largest |ε put together from the halves − ε that the scheduler (or a guide) got|.
    """

    steps: tuple[int, ...]
    guidance_scale: Float64[np.ndarray, " step"]
    guidance_rescale: Float64[np.ndarray, " step"]
    pag_scale: Float64[np.ndarray, " step"]
    skip_layer_scale: Float64[np.ndarray, " step"]
    difference: Float32[np.ndarray, "step *frame y x"]
    difference_rms: Float64[np.ndarray, " step"]
    ratio: Float64[np.ndarray, " step"]
    cosine: Float64[np.ndarray, " step"]
    overshoot: Float64[np.ndarray, " step"]
    spread: Float64[np.ndarray, " step"]
    spread_after: Float64[np.ndarray, " step"]
    residual: Float64[np.ndarray, " step"]
    formula: str = ""
    unexplained: str = ""
    source: str = ""
    without_numbers: str = ""

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a step."""
        columns = {
            "step": self.steps,
            "s": self.guidance_scale,
            "rescale": self.guidance_rescale,
            "‖ε_c − ε_u‖ rms": self.difference_rms,
            "share of ε_c": self.ratio,
            "cosine": self.cosine,
            "std guided / std ε_c": self.spread,
            "after rescale": self.spread_after,
            "residual": self.residual,
        }
        shown = {"step": "d", "cosine": "+.5f", "residual": ".1e"}
        rows = [
            tuple(format(value, shown.get(name, ".4g")) for name, value in zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
        title = f"Guidance of {self.source}: {counted(len(self.steps), 'step')} with both halves"
        put = f"Put together from its halves, ε differs from the one used by at most {self.residual.max():.1e}."
        how = [Line(f"Formula: {self.formula}")] if self.formula else []
        why = [Line(f"That is not what the scheduler got: {self.unexplained}")] if self.unexplained else []
        lost = [Line(f"Left out, since they are no numbers: {self.without_numbers}.")]
        return [
            Line(title, strong=True),
            *how,
            Line(put),
            *why,
            *lost[: bool(self.without_numbers)],
            Table(tuple(columns), rows, frozenset(columns)),
        ]


def halves(trace: Trace) -> Halves:
    """Both halves of every step that had them.

    Raises:
        TraceError: The run had no guidance, or its noise predictions or noise levels are not there.
    """
    steps = computed_steps(trace)
    uncond, cond = trace.noise_pred_uncond, trace.noise_pred_cond
    rows = list(steps)
    x0_uncond, x0_cond = (_original_sample(trace, half, rows) for half in (uncond, cond))
    return Halves(steps, x0_uncond, x0_cond, _difference(cond[rows], uncond[rows]))


def guidance_steps(trace: Trace) -> GuidanceSteps:
    """How far apart the halves of guidance were at each step, and how the pipeline combined them.

    The prediction is put together from its recorded halves, ε_u + s (ε_c − ε_u) (Ho & Salimans 2022, Eq. 6), with
    perturbed-attention guidance's term where there is one (Ahn et al. 2024) and `guidance_rescale` (Lin et al. 2023,
    Eqs. 15 and 16), in the order of diffusers' pipelines, and compared with the one that was used: `residual`.
    `formula` names what was put together. `unexplained` says why it is not what the scheduler got, where it is not.

    Raises:
        TraceError: The run had no guidance, or the trace does not say by how much; noise predictions are not there;
            it was guided three ways (InstructPix2Pix).
    """
    if "image" in trace.noise_preds:
        raise TraceError(_THREE_WAYS)
    steps = _steps(trace)
    used = trace.noise_pred_before_guide
    used = trace.recorded("noise_pred") if used is None else used
    steps = tuple(step for step in steps if np.isfinite(used[step]).all())
    if not steps:
        raise TraceError(f"no step of this run has predictions of numbers: {_without_numbers(trace)}")
    names = (_named_scale(trace), "guidance_rescale", "pag_scale")
    scale, rescale, pag = (_scales(trace, name) for name in names)
    skip, guided_by = _skip_scales(trace), str(trace.provenance.get("guided_by", ""))
    found: dict[str, list[float]] = {}
    for step in steps:
        uncond, cond = trace.noise_pred_uncond[step], trace.noise_pred_cond[step]
        whole = _combined(guided_by, uncond, cond, float(scale[step]))
        if pag[step]:
            whole = perturbed_attention_guided(whole, cond, trace.noise_preds["perturbed"][step], float(pag[step]))
        if skip[step]:
            whole = perturbed_attention_guided(whole, cond, trace.noise_preds["skipped"][step], float(skip[step]))
        final = rescaled(whole, cond, float(rescale[step])) if rescale[step] > 0 else whole
        for name, value in _numbers(uncond, cond, whole, final).items():
            found.setdefault(name, []).append(value)
        found.setdefault("residual", []).append(float(np.abs(final - used[step]).max()))
        found.setdefault("size", []).append(float(np.abs(scale[step]) * max(np.abs(uncond).max(), np.abs(cond).max())))
    rows, sizes = list(steps), found.pop("size")
    return GuidanceSteps(
        steps=steps,
        guidance_scale=scale[rows],
        guidance_rescale=rescale[rows],
        pag_scale=pag[rows],
        skip_layer_scale=skip[rows],
        difference=_difference(trace.noise_pred_cond[rows], trace.noise_pred_uncond[rows]),
        formula=_formula(rescale[rows], pag[rows], skip[rows], guided_by),
        unexplained=_unexplained(trace, np.array(found["residual"]), np.array(sizes)),
        source=f"trace {trace.fingerprint}",
        without_numbers=_without_numbers(trace),
        **{name: np.array(values) for name, values in found.items()},
    )


def _without_numbers(trace: Trace) -> str:
    return in_words(non_finite(trace, attention=False), trace.num_steps)


def _numbers(uncond: np.ndarray, cond: np.ndarray, whole: np.ndarray, final: np.ndarray) -> dict[str, float]:
    c, u, w = (array.astype(np.float64).ravel() for array in (cond, uncond, whole))
    size = np.linalg.norm(c)
    return {
        "difference_rms": float(np.sqrt(np.square(c - u).mean())),
        "ratio": float(np.linalg.norm(c - u) / size),
        "cosine": float(c @ u / (size * np.linalg.norm(u))),
        "overshoot": float(np.linalg.norm(w) / size),
        "spread": float(w.std() / c.std()),
        "spread_after": float(final.astype(np.float64).std() / c.std()),
    }


def _steps(trace: Trace) -> tuple[int, ...]:
    """The steps whose two halves were computed and hold numbers alone."""
    computed = computed_steps(trace)
    uncond, cond = trace.noise_pred_uncond, trace.noise_pred_cond
    steps = tuple(i for i in computed if np.isfinite(uncond[i]).all() and np.isfinite(cond[i]).all())
    if not steps:
        raise TraceError(f"no step of this run has two halves of numbers: {_without_numbers(trace)}")
    return steps


def computed_steps(trace: Trace) -> tuple[int, ...]:
    """The steps at which both halves were computed, whatever they hold.

    Raises:
        TraceError: There is none: the run had no guidance.
    """
    if trace.unconditional:
        raise TraceError("this pipeline is unconditional: there is no prompt, and so no guidance towards one")
    if "uncond" not in trace.noise_preds:
        if _named_scale(trace) == "true_cfg_scale":
            raise TraceError(_NO_NEGATIVE + _ALONE * _embeds(trace))
        raise TraceError(_EMBEDDED if _embeds(trace) else _NO_GUIDANCE)
    left_out = not_computed(trace, trace.noise_pred_uncond) | not_computed(trace, trace.noise_pred_cond)
    steps = tuple(step for step in range(trace.num_steps) if step not in left_out)
    if not steps:
        raise TraceError("no step of this run computed both halves of guidance")
    return steps


def _embeds(trace: Trace) -> bool:
    """Whether the denoiser took the scale as an input: guidance above 1 was asked for and used, with one row."""
    used = trace.provenance.get("used", {})
    scale = used.get("guidance_scale")
    return scale is not None and scale > 1 and "guidance_scale" not in used.get("ignored", ())


def _named_scale(trace: Trace) -> str:
    """The scale that puts the halves together: `true_cfg_scale` where `guidance_scale` is an input of the model."""
    return "true_cfg_scale" if "true_cfg_scale" in trace.provenance.get("guidance", {}) else "guidance_scale"


def _skip_scales(trace: Trace) -> Float64[np.ndarray, " step"]:
    """Of skip-layer guidance, 0 at the steps that predicted nothing without layers."""
    found = trace.noise_preds.get("skipped")
    if found is None:
        return np.zeros(trace.num_steps)
    there = [step not in not_computed(trace, found) for step in range(trace.num_steps)]
    return np.where(there, _scales(trace, "skip_layer_guidance_scale"), 0.0)


def _combined(guided_by: str, uncond: np.ndarray, cond: np.ndarray, scale: float) -> np.ndarray:
    """The halves put together as the pipeline's family does it (`Provenance.guided_by`)."""
    if guided_by == "from the prompt":
        return np.asarray(cond + scale * (cond - uncond))
    whole = guided(uncond, cond, scale)
    if guided_by == "norm of a row":
        return norm_kept(whole, cond, -1)
    if guided_by == "norm of a patch":
        apart, own = (one.reshape(len(one), one.shape[1] // 2, 2, one.shape[2] // 2, 2) for one in (whole, cond))
        return norm_kept(apart, own, (0, 2, 4)).reshape(whole.shape)
    return whole


_FORMULAS = {
    "from the prompt": "ε_c + s (ε_c − ε_u)",
    "norm of a row": "ε_u + s (ε_c − ε_u), with the norm that ε_c has along x",
    "norm of a patch": "ε_u + s (ε_c − ε_u), with the norm that ε_c has in each patch of 2 × 2 latents",
}


def _formula(rescale: np.ndarray, pag: np.ndarray, skip: np.ndarray, guided_by: str) -> str:
    perturbed = " + s_p (ε_c − ε_p)" if np.any(pag > 0) else ""
    perturbed += " + s_l (ε_c − ε_l)" if np.any(skip > 0) else ""
    spread = ", pulled back to the spread of ε_c by guidance_rescale" if np.any(rescale > 0) else ""
    return f"{_FORMULAS.get(guided_by, 'ε_u + s (ε_c − ε_u)')}{perturbed}{spread}"


def _unexplained(trace: Trace, residual: np.ndarray, size: np.ndarray) -> str:
    """Why the halves do not make the prediction that was used; empty where they do, but for rounding."""
    rounding = _HALF.get(str(trace.provenance.get("dtype", "")), _SINGLE)
    if not np.any(residual > _ROUNDINGS * rounding * np.maximum(size, 1.0)):
        return ""
    name = str(trace.provenance.get("pipeline", "this pipeline"))
    reason = next((text for word, text in _OTHERS.items() if word in name), "it guides by another formula")
    return f"{name}: {reason}."


def _scales(trace: Trace, name: str) -> Float64[np.ndarray, " step"]:
    """A scale of every step: as the pipeline said, else as the call gave it."""
    recorded = trace.provenance.get("guidance", {}).get(name)
    if recorded is not None:
        return np.array(recorded, np.float64)
    given = trace.call.get("arguments", {}).get(name, None if name == "guidance_scale" else 0.0)
    if not isinstance(given, int | float):
        raise TraceError(f"this trace does not say its {name}: it was recorded before sdexplore kept it; run it again")
    return np.full(trace.num_steps, float(given))


def _difference(cond: np.ndarray, uncond: np.ndarray) -> Float32[np.ndarray, "step *frame y x"]:
    return np.asarray(np.sqrt(np.square(cond - uncond).mean(axis=1)))


def _original_sample(trace: Trace, half: np.ndarray, rows: list[int]) -> Float32[np.ndarray, "step channel *frame y x"]:
    scheduler = trace.provenance.get("scheduler", {})
    kind = scheduler.get("prediction_type")
    sigma = trace.recorded("sigmas")[rows].reshape(-1, *[1] * (half.ndim - 1))
    if kind is None or kind not in get_args(PredictionType):
        raise TraceError(f"this trace does not say how its model predicts: prediction_type is {kind!r}")
    data = float(scheduler.get("sigma_data", 1.0))
    sample = trace.recorded("latents")[rows]
    return pred_original_sample(sample, half[rows], sigma, kind, trace.space, data).astype(np.float32)
