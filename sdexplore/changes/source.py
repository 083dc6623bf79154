"""The run that a change takes something from: a prompt, or the run that a trace holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import RunError
from ..strings.wording import wording
from ..trace.trace import Trace

_NOT_AGAIN = {  # arguments of a run that its row in another run's batch would be made without
    "change": "was changed itself",
    "guide": "was guided",
    "prompt_at": "changed its prompt",
    "latents": "began with given latents",
}


@dataclass(frozen=True)
class Source:
    """One image's run, as far as another run makes it again in its own batch.

    Attributes:
        prompt: Its prompt.
        seed: Of its noise; None: that of the image beside which it runs.
        trace: Fingerprint of the trace that it was named by; None where a prompt was given.
        record: That trace, where it is at hand.
    """

    prompt: str
    seed: int | None = None
    trace: str | None = None
    record: Trace | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, change: str, given: object) -> "Source":
        """The source in a prompt, a trace, or the JSON of a source.

        Args:
            change: The class of the change; errors name it.

        Raises:
            RunError: It is none of these, or the trace is of no run that can be made again beside another.
        """
        match given:
            case Source():
                return given
            case str():
                return cls(given)
            case Trace():
                return cls._of_trace(change, given)
            case {"prompt": str(prompt), "seed": int(seed), "trace": str(trace)}:
                return cls(prompt, seed, trace)
            case {"prompt": str(prompt), "seed": int(seed)}:
                return cls(prompt, seed)
        raise RunError(f"{change}(source={given!r:.120}): source is a prompt, or a Trace that sdx.run made")

    @classmethod
    def _of_trace(cls, change: str, trace: Trace) -> "Source":
        call, name = trace.call, f"{change}(source=<Trace {trace.fingerprint}>)"
        arguments: Mapping[str, Any] = call.get("arguments", {})
        if trace.kind != "run" or call.get("function") != "run":
            raise RunError(
                f"{name}: it is no run from noise ({call.get('function')}); give one of sdx.run, or a prompt"
            )
        if trace.prompt is None:
            raise RunError(f"{name}: it has no prompt as text")
        if again := next((one for one in _NOT_AGAIN if one in arguments), None):
            raise RunError(f"{name}: that run {_NOT_AGAIN[again]}, and its source is made by prompt and seed alone")
        return cls(trace.prompt, int(call.get("seed", 0)) + int(call.get("image", 0)), trace.fingerprint, trace)

    def to_json(self) -> dict[str, Any]:
        """The source as JSON, without the trace's arrays."""
        told = {"prompt": self.prompt, "seed": self.seed, "trace": self.trace}
        return {name: value for name, value in told.items() if value is not None}

    def in_words(self) -> str:
        """As captions say it."""
        run = wording("change.word", word=self.prompt)
        return run if self.trace is None else wording("change.trace", run=run, trace=self.trace)
