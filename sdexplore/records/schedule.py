"""A schedule as a record: the noise level at every call of the denoiser, beside those of training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..base.display import Block, Line, Shown, Table, counted, with_infinity
from ..base.errors import TraceError
from ..theory import betas, sigma_of_alpha_bar, snr
from ..trace.facts import facts_of
from ..trace.layers import read_only
from ..trace.trace import Trace

_SMALL = (
    2.0  # timesteps of other families (c_noise, angles) stay below it and are not whole; training timesteps are whole
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Schedule(Shown):
    """The noise levels of one run's calls, and those of the training schedule that they are taken from.

    Attributes:
        scheduler: Its class.
        space: The scale on which it holds samples.
        timesteps, sigmas: Of each call of the denoiser: a row a call, also where one step takes two.
        train_betas: β_t for t = 0, 1 …; None where the family has none (flow matching, EDM).
        train_sigmas: √(1−ᾱ_t)/√ᾱ_t for t = 0, 1 …; of flow matching τ/(1−τ), where τ = t/1000 is the share of noise;
            None where timesteps are no training steps.
        source: The trace's fingerprint, or the pipeline's model, or where that has no name, its class.
        asked: Of a pipeline: the arguments of `sdx.schedule` beside it; None of a trace, or where they are not known.
        run: Of a trace: how it was made, as `trace.facts.facts_of` says it; empty of a pipeline.
    """

    scheduler: str
    space: str
    timesteps: Float64[np.ndarray, " call"]
    sigmas: Float64[np.ndarray, " call"]
    train_betas: Float64[np.ndarray, " t"] | None = None
    train_sigmas: Float64[np.ndarray, " t"] | None = None
    source: str = ""
    asked: Mapping[str, Any] | None = None
    run: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("timesteps", "sigmas", "train_betas", "train_sigmas"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(array))

    def __len__(self) -> int:
        return len(self.timesteps)

    @property
    def alphas_cumprod(self) -> Float64[np.ndarray, " call"]:
        """ᾱ of each call, the share of x_t's variance that is signal (DDPM Eq. 4)."""
        return np.asarray(1.0 / (1.0 + np.square(self.sigmas)))

    @property
    def snr(self) -> Float64[np.ndarray, " call"]:
        """Signal-to-noise ratio ᾱ/(1−ᾱ) of each call."""
        return np.asarray(snr(self.sigmas))

    @property
    def log_snr(self) -> Float64[np.ndarray, " call"]:
        """Natural logarithm of the ratio, −2 ln σ."""
        with np.errstate(divide="ignore"):  # −∞ where there is noise alone, ∞ where there is none
            return np.asarray(-2.0 * np.log(self.sigmas))

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a call."""
        columns = (self.timesteps, self.sigmas, self.alphas_cumprod, self.snr, self.log_snr)
        rows = [
            (str(call), *(with_infinity(float(value), ".4g") for value in levels), with_infinity(float(log), "+.3f"))
            for call, (*levels, log) in enumerate(zip(*columns, strict=True))
        ]
        headers = ("call", "timestep", "σ", "ᾱ", "SNR", "ln SNR")
        of = f" of {self.source}" if self.source else ""
        return [
            Line(
                f"{self.scheduler}{of}: {counted(len(self), 'call')} of the denoiser, samples {self.space}", strong=True
            ),
            Table(headers, rows, frozenset(headers)),
        ]


def schedule_of_trace(trace: Trace) -> Schedule:
    """The schedule that a recorded run followed.

    Raises:
        TraceError: The trace holds no noise levels, or no step.
    """
    scheduler = trace.provenance.get("scheduler", {})
    sigmas = np.asarray(trace.recorded("sigmas"))
    if not len(sigmas):
        raise TraceError("this trace has no step: there is no schedule to show")
    config = scheduler.get("config", {})
    return Schedule(
        scheduler=str(scheduler.get("class", "?")),
        space=trace.space,
        timesteps=np.asarray(trace.timesteps),
        sigmas=sigmas,
        source=f"trace {trace.fingerprint}",
        run=facts_of(trace),
        **trained(str(scheduler.get("class", "")), config, trace.timesteps),
    )


def trained(scheduler: str, config: dict[str, Any], timesteps: Float64[np.ndarray, " call"]) -> dict[str, Any]:
    """`train_betas` and `train_sigmas` by closed form from a scheduler's config; empty where its family has none."""
    steps = config.get("num_train_timesteps", 1000)
    if config.get("use_flow_sigmas") or (scheduler.startswith("FlowMatch") and not config.get("invert_sigmas")):
        share = np.arange(steps) / steps
        return {"train_sigmas": share / (1.0 - share)}
    other = float(np.max(timesteps)) < _SMALL and not np.array_equal(timesteps, np.round(timesteps))
    if "beta_schedule" not in config or other or scheduler.startswith("CogVideoX"):
        return {}
    if (given := config.get("trained_betas")) is not None:
        found = np.asarray(given, np.float64)
    else:
        try:
            found = betas(
                config["beta_schedule"],
                config["beta_start"],
                config["beta_end"],
                steps,
                rescale_betas_zero_snr=bool(config.get("rescale_betas_zero_snr", False)),
            )
        except ValueError:  # a custom schedule
            return {}
    return {"train_betas": found, "train_sigmas": sigma_of_alpha_bar(np.cumprod(1.0 - found))}
