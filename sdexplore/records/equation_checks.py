"""Equations compared with the code that implements them: the largest difference at every timestep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from ..base.display import Block, Line, Shown, Table, count
from ..base.errors import TraceError, did_you_mean
from ..theory.embeddings import cosine_similarity


@dataclass(frozen=True, kw_only=True, eq=False)
class EquationCheck:
    """One equation compared with the scheduler's own code.

    Attributes:
        equation: As the paper numbers it: "Eq. 11".
        formula: In symbols.
        against: The part of the scheduler that it was compared with.
        float32: Largest absolute difference at each timestep, with the scheduler unchanged: its numbers are float32.
        float64: The same with the scheduler's schedule and samples in float64: the difference is that of the equation.
        size: Root mean square of the equation's result there, as the scale of the differences.
    """

    equation: str
    formula: str
    against: str
    float32: Float64[np.ndarray, " t"]
    float64: Float64[np.ndarray, " t"]
    size: Float64[np.ndarray, " t"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class EquationChecks(Shown, Mapping[str, EquationCheck]):
    """DDPM's equations compared with a scheduler's `add_noise` and `step`, timestep by timestep.

    Attributes:
        own_scheduler: Class of the pipeline's scheduler, whose betas were taken.
        beta_schedule: Their name in its config; "trained" where it has none.
        steps, num_train_timesteps: How many timesteps the DDPMScheduler was set to, of how many.
        timesteps: Every timestep that was checked.
        numbers: How many numbers were compared at each timestep.
        num_inference_steps: As the user gave it; None for all training timesteps.
        seed: Of the samples that were compared.
        checks: By equation.
    """

    own_scheduler: str
    beta_schedule: str
    steps: int
    num_train_timesteps: int
    timesteps: Int64[np.ndarray, " t"]
    numbers: int
    num_inference_steps: int | None
    checks: Mapping[str, EquationCheck]
    seed: int = 0

    @property
    def scheduler(self) -> str:
        """Class and schedule, in words."""
        schedule = f"{self.beta_schedule}, {self.steps} of {self.num_train_timesteps} steps"
        return f"DDPMScheduler on the betas of this {self.own_scheduler} ({schedule})"

    def __getitem__(self, equation: str) -> EquationCheck:
        try:
            return self.checks[equation]
        except KeyError:
            raise _NoEquationError(f"{equation!r} was not checked; {did_you_mean(equation, self.checks)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def blocks(self) -> list[Block]:
        """What the repr shows: a row an equation, its largest difference and where."""
        headers = ("equation", "formula", "held against", "largest, float32", "at t", "largest, float64", "size")
        rows = [
            (
                one.equation,
                one.formula,
                one.against,
                f"{one.float32.max():.1e}",
                str(self.timesteps[int(one.float32.argmax())]),
                f"{one.float64.max():.1e}",
                f"{one.size.min():.2g} to {one.size.max():.2g}",
            )
            for one in self.values()
        ]
        return [
            Line(f"DDPM's equations against {self.scheduler}", strong=True),
            Line(
                f"{count(len(self.timesteps))} timesteps, {self.timesteps.min()} to {self.timesteps.max()}, "
                f"{count(self.numbers)} numbers at each; absolute differences"
            ),
            Table(headers, rows, frozenset(headers[3:])),
        ]


class _NoEquationError(TraceError, KeyError):
    """A TraceError that is a KeyError too, which Mapping's own `get` and `in` need."""

    __str__ = Exception.__str__


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TimestepEmbedding(Shown):
    """How a UNet gets the timestep: as sinusoids, which two linear layers transform.

    Attributes:
        timesteps: The timesteps that are embedded.
        sinusoids: The closed form, `theory.timestep_embedding`.
        learned: What the UNet adds in its residual blocks: the sinusoids through `time_embedding`.
        deviation: Largest difference between the closed form and the UNet's own `time_proj`.
        flip_sin_to_cos, freq_shift: Of the UNet's config.
        unet: Its class.
        asked: The timesteps that were asked for; None for all training timesteps.
    """

    timesteps: Float64[np.ndarray, " t"]
    sinusoids: Float32[np.ndarray, "t width"]
    learned: Float32[np.ndarray, "t learned"]
    deviation: float
    flip_sin_to_cos: bool
    freq_shift: float
    unet: str
    asked: tuple[float, ...] | None = None

    def similarity(self, *, learned: bool = False) -> Float32[np.ndarray, "t t"]:
        """Cosine similarity of the embeddings of every two timesteps, −1 to 1."""
        return cosine_similarity(self.learned if learned else self.sinusoids)

    def blocks(self) -> list[Block]:
        """What the repr shows: the widths, and how similar a timestep is to others."""
        first = self.timesteps[0]
        apart = [gap for gap in (1, 10, 100, len(self.timesteps) - 1) if gap < len(self.timesteps)]
        rows = [
            (
                f"{first:g} and {self.timesteps[gap]:g}",
                f"{self.similarity()[0, gap]:.3f}",
                f"{self.similarity(learned=True)[0, gap]:.3f}",
            )
            for gap in dict.fromkeys(apart)
        ]
        headers = ("timesteps", "cosine of sinusoids", "cosine after time_embedding")
        order = "cosines, then sines" if self.flip_sin_to_cos else "sines, then cosines"
        return [
            Line(f"Timestep embedding of the {self.unet}", strong=True),
            Line(
                f"{self.sinusoids.shape[1]} sinusoids ({order}, shift {self.freq_shift:g}), through time_embedding to "
                f"{self.learned.shape[1]}; the closed form differs from the model's own by {self.deviation:.1e} at most"
            ),
            Table(headers, rows, frozenset(headers[1:])),
        ]
