"""What a run is asked to keep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import index
from typing import Any, Final, Literal, SupportsIndex, TypeAlias

from ..base.display import counted
from ..base.errors import RunError

Layer: TypeAlias = str | int | tuple[int, int]


def spread(steps: Sequence[int], most: int) -> tuple[int, ...]:
    """At most `most` of `steps`, evenly from first to last; one alone is the last."""
    if len(steps) <= most:
        return tuple(steps)
    if most == 1:
        return (steps[-1],)
    return tuple(steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most))


@dataclass(frozen=True, kw_only=True)
class Record:
    """What `run` keeps of every step. What is not kept costs nothing.

    Attributes:
        latents: x_t before every step and after the last; with noise_pred also x0.
        noise_pred: What the scheduler got, and each role's own prediction before guidance.
        cross_attention: "mean" over heads, "heads" for each head, False for none.
        columns: "prompt" keeps a column for the start, each token of the prompt and the first end,
            and sums the padding in one; "all" keeps every position.
        roles: Whose cross- and self-attention, features and statistics are kept, for example ("cond", "uncond"). A role
            that the run never computes (no guidance, say) is simply absent from the trace; a name that no run has is
            refused.
        queries: Of those cross-attention layers, each head's scaled queries too, so that any word can be asked for
            afterwards (`open_word_map`). They take some 20 times the bytes of a short prompt's head mean.
        self_attention: Layers by name (or the beginning of one) or resolution: (16, 32) for every layer whose
            longer side is 16 or 32, ((12, 16),) for y = 12, x = 16. None by default: with the mean over heads,
            one 64 x 64 layer is 32 MiB a step and role in float16.
        word_attention: Where words and picture share one softmax (Stable Diffusion 3, FLUX, …), how much each token of
            the prompt attends to each pixel, too; of the same layers, columns and heads as cross_attention. What the
            words take in the last layer is read by no layer after it.
        concepts: Words or phrases that the prompt need not have, for `concept_maps`; of Stable Diffusion 3 and FLUX.1.
            They go through the denoiser beside the text, at the kept steps and roles, and change nothing in it.
        features: Modules of the denoiser whose outputs are kept, by dotted name ("mid_block", "up_blocks.1"). Of one
            that runs several times in a call every time is kept; "name#1" names the second alone. In a changed run they
            are what the change leaves, as are the statistics. Two blocks of SD 1.5 take some 3 MiB a step and role in
            float16.
        statistics: Whether mean, standard deviation, least, greatest and share of not finite numbers of every module's
            output are kept (`activation_statistics`). They name the module in which numbers cease to be finite, and
            make a call of a small model on a CPU up to three times as long.
        steps: Steps whose attention, features and statistics are kept: a slice or step numbers, negative ones from the
            end; None: all.
        layers: Cross-attention layers by name, or the beginning of one ("up_blocks.1"); None: all.
        decode: How many steps, evenly spread from first to last, have pictures; or the numbers of the steps. They are
            decoded when they are first looked at, and are what the trace's file keeps.
        dtype: Of attention probabilities and features. float16 keeps three digits, nothing below 6e-8 and nothing
            above 65504: features that reach beyond are left out, and a warning says so.

    Raises:
        RunError: A value is not one of these.
    """

    latents: bool = True
    noise_pred: bool = True
    cross_attention: Literal["mean", "heads", False] = "mean"
    columns: Literal["prompt", "all"] = "prompt"
    roles: Sequence[str] = ("cond",)
    queries: bool = False
    self_attention: Sequence[Layer] = ()
    word_attention: bool = False
    concepts: Sequence[str] = ()
    features: Sequence[str] = ()
    statistics: bool = False
    steps: slice | Sequence[int] | None = None
    layers: Sequence[str] | None = None
    decode: int | Sequence[int] = 8
    dtype: Literal["float16", "float32"] = "float16"

    def __post_init__(self) -> None:
        for field, known in _CHOICES.items():
            if getattr(self, field) not in known:
                shown = ", ".join(map(repr, known))
                raise RunError(f"Record({field}={getattr(self, field)!r}): {field} is one of {shown}")
        for field in ("roles", "layers", "concepts", "features"):
            object.__setattr__(self, field, _names(field, getattr(self, field)))
        if len(set(self.concepts)) != len(self.concepts) or not all(one.strip() for one in self.concepts):
            raise RunError(f"Record(concepts={self.concepts!r}): concepts are different words, none of them empty")
        layers = self.self_attention
        several = layers if isinstance(layers, Iterable) and not isinstance(layers, str) else (layers,)
        object.__setattr__(self, "self_attention", tuple(map(_layer, several)))
        if not (self.steps is None or isinstance(self.steps, slice)):
            object.__setattr__(self, "steps", _numbers("steps", self.steps))
        decode: object = self.decode
        if isinstance(decode, Iterable):
            object.__setattr__(self, "decode", _numbers("decode", decode))
        elif isinstance(decode, SupportsIndex) and index(decode) >= 0:
            object.__setattr__(self, "decode", index(decode))
        else:
            raise RunError(
                f"Record(decode={decode!r}): decode is a number of steps, or names the steps; 0 decodes none"
            )

    def attention_steps(self, total: int) -> frozenset[int]:
        """The steps of a run of `total` whose attention is kept; a step beyond it raises RunError."""
        if self.steps is None:
            return frozenset(range(total))
        if isinstance(self.steps, slice):
            return frozenset(range(total)[self.steps])
        return frozenset(_step("steps", step, total) for step in self.steps)

    def decoded_steps(self, total: int) -> tuple[int, ...]:
        """The steps of a run of `total` that are decoded, ascending; a step beyond it raises RunError."""
        if not isinstance(self.decode, int):
            return tuple(sorted({_step("decode", step, total) for step in self.decode}))
        return spread(range(total), self.decode) if self.decode else ()

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON values; without younger ones that were left as they are, as older calls say it."""
        fields = {name: value for name, value in asdict(self).items() if name not in _YOUNGER or value}
        if isinstance(self.steps, slice):
            fields["steps"] = {"slice": [self.steps.start, self.steps.stop, self.steps.step]}
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Record":
        """The Record that `to_json` wrote."""
        values = dict(fields)
        if isinstance(values.get("steps"), dict):
            values["steps"] = slice(*values["steps"]["slice"])
        values["self_attention"] = [tuple(w) if isinstance(w, list) else w for w in values.get("self_attention", ())]
        return cls(**values)


_CHOICES: dict[str, tuple[Any, ...]] = {
    "latents": (True, False),
    "noise_pred": (True, False),
    "queries": (True, False),
    "word_attention": (True, False),
    "statistics": (True, False),
    "cross_attention": ("mean", "heads", False),
    "columns": ("prompt", "all"),
    "dtype": ("float16", "float32"),
}
# Absent from the JSON where nothing is kept: fingerprints of older runs stay.
_YOUNGER = ("word_attention", "concepts", "features", "statistics")
_EXAMPLES = {"roles": "('cond', 'uncond')", "layers": "('mid_block', 'up_blocks.1')", "concepts": "('sky', 'grass')"}
_EXAMPLES["features"] = _EXAMPLES["layers"]
_LAYERS = "name layers ('up_blocks.1'), a resolution (16) or (y, x), as in ((12, 16),)"


def _names(field: str, names: object) -> tuple[str, ...] | None:
    if names is None and field == "layers":
        return None
    several = tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)
    if not all(isinstance(name, str) for name in several):
        raise RunError(f"Record({field}={names!r}): {field} are names, as in {_EXAMPLES[field]}")
    return several


def _numbers(field: str, steps: object) -> tuple[int, ...]:
    several = tuple(steps) if isinstance(steps, Iterable) else (steps,)
    if not all(isinstance(step, SupportsIndex) for step in several):
        raise RunError(f"Record({field}={steps!r}): {field} are step numbers, as in (0, 5, -1)")
    return tuple(map(index, several))


def _layer(wanted: object) -> Layer:
    if isinstance(wanted, str) or (isinstance(wanted, int) and wanted > 0):
        return wanted
    if isinstance(wanted, tuple | list) and len(wanted) == 2 and all(isinstance(n, int) for n in wanted):  # noqa: PLR2004
        return (wanted[0], wanted[1])
    raise RunError(f"Record(self_attention={wanted!r}): {_LAYERS}")


def _step(field: str, step: int, total: int) -> int:
    if not -total <= step < total:
        raise RunError(
            f"Record({field}=…): there is no step {step}; this run has {counted(total, 'step')}, 0 to {total - 1}"
        )
    return step % total


USUAL: Final = Record()
"""What is kept where no Record is given."""
