"""What a run is asked for, as one value: the arguments of `run` itself, and those of the pipeline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...trace.record import USUAL, Record
from .classifier_guidance import GuideFunction
from .progress import Progress
from .provenance import call_of

OURS = ("change", "guide", "guide_scale", "prompt_at")  # arguments of `run` that the pipeline never sees


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a pipeline, not made yet.

    Attributes:
        arguments: Those of the pipeline's own call, without the prompt.
        scheduler: A scheduler, or its name, that takes the place of the pipeline's own during this call.
        prompt, seed, record, on_step, guide, guide_scale, prompt_at, to, change: As `run` takes them.
    """

    prompt: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int | np.integer[Any] = 0
    record: Record = USUAL
    on_step: Callable[[Progress], object] | None = None
    guide: GuideFunction | None = None
    guide_scale: float = 1.0
    prompt_at: Mapping[Any, str] | None = None
    to: str | Path | None = None
    scheduler: Any = None
    change: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.seed, np.integer):  # of a list made with numpy: in the record it is a number as any other
            object.__setattr__(self, "seed", int(self.seed))

    @classmethod
    def of(cls, prompt: Any, arguments: Mapping[str, Any], **more: Any) -> "Call":
        """A call whose `arguments` hold, beside the pipeline's own, those of `run` that a trace's call names (OURS)."""
        rest = {name: value for name, value in arguments.items() if name not in OURS}
        own = {name: arguments[name] for name in OURS if name in arguments}
        return cls(prompt, rest, **own, **more)

    @property
    def outlined(self) -> dict[str, Any]:
        """The arguments that tell what the run makes: the pipeline's, `guide` and `prompt_at`."""
        return {**self.arguments, "guide": self.guide, "prompt_at": self.prompt_at}

    def facts(self) -> dict[str, Any]:
        """The call as a trace names it, in JSON."""
        own = {
            "change": self.change,
            "guide": self.guide,
            "guide_scale": self.guide_scale if self.guide else None,
            "prompt_at": self.prompt_at,
        }
        given = {**self.arguments, **{name: value for name, value in own.items() if value is not None}}
        return call_of("run", self.prompt, int(self.seed), self.record, given)
