"""What a run would record of a pipeline, and what prevents that, known before the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..base.display import Block, Line, Shown, Table


@dataclass(frozen=True)
class LayerNote:
    """How one attention layer of the denoiser would be recorded.

    Attributes:
        grid: (y, x) for the pipeline's default image; None if only a run tells it.
        processor: Class of its attention processor.
        recorded: How it is kept ("mean over 8 heads, float16"); empty where the Record does not ask for it.
    """

    name: str
    kind: Literal["cross", "self", "joint"]
    heads: int
    grid: tuple[int, int] | None
    processor: str
    recorded: str


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Shown):
    """What `run` would do with a pipeline in its present state.

    Attributes:
        pipeline: Its class.
        obstacles: Why a run would be refused, each with the way out; empty if a run would start.
        warnings: What a reader of the record should know.
        facts: What is fused, offloaded, adapted, patched, and which operation computes attention.
        roles: Role -> when the pipeline computes it.
        recorded_roles: Roles whose attention the Record keeps.
        layers: Every attention layer of the denoiser, in the order of its modules.
    """

    pipeline: str
    obstacles: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: Mapping[str, str]
    roles: Mapping[str, str]
    recorded_roles: tuple[str, ...]
    layers: tuple[LayerNote, ...]

    @property
    def observable(self) -> bool:
        """Whether `run` would start."""
        return not self.obstacles

    def blocks(self) -> list[Block]:
        """What the repr shows: the verdict, obstacles, warnings, facts, roles, layers."""
        verdict = "can be observed, its image unchanged" if self.observable else "cannot be observed as it is"
        kept = sum(bool(layer.recorded) for layer in self.layers)
        return [
            Line(f"{self.pipeline}: {verdict}; {kept} of {len(self.layers)} attention layers recorded", strong=True),
            *(Line(f"✗ {obstacle}") for obstacle in self.obstacles),
            *(Line(f"! {warning}") for warning in self.warnings),
            Table(("what", "how"), list(self.facts.items())),
            Table(
                ("role", "computed", "attention"),
                [(role, when, "recorded" if role in self.recorded_roles else "") for role, when in self.roles.items()],
            ),
            Table(
                ("layer", "kind", "heads", "grid", "processor", "recorded"),
                [_row(layer) for layer in self.layers],
                frozenset({"heads"}),
            ),
        ]


def _row(layer: LayerNote) -> tuple[str, ...]:
    grid = "{} × {}".format(*layer.grid) if layer.grid else ""
    return layer.name, layer.kind, str(layer.heads), grid, layer.processor, layer.recorded
