"""What a dashboard is set to: one small object that code reads and sets, and that shows itself as code."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from traitlets import Any as Anything
from traitlets import CaselessStrEnum, Float, HasTraits, Int, TraitError, Unicode, validate

from ..base.errors import RunError, did_you_mean
from .language import as_now

RUN: Final = (
    "prompt",
    "negative_prompt",
    "seed",
    "num_inference_steps",
    "guidance_scale",
    "scheduler",
    "height",
    "width",
)
"""The values that a run uses."""

FIGURES: Final = ("words", "by step", "by layer", "where it all went", "segmentation")
"""The figures of the section Attention."""

MOST_SEED: Final = 2**53 - 1
"""The greatest whole number that a browser holds exactly."""

SHOW: Final = ("section", "figure", "step", "words", "steps", "layers", "head", "role", "method", "scale")
"""The values that choose what is shown."""


class State(HasTraits):
    """What a dashboard is set to. Setting a value moves its control, and a moved control sets the value.

    Attributes:
        prompt, negative_prompt: As the pipeline takes them; an empty negative prompt is not passed.
        seed: Of the first image's noise, from 0 to MOST_SEED.
        num_inference_steps, guidance_scale: As the pipeline takes them.
        scheduler: A name as in `load(scheduler=…)`, for the next runs; "" for the pipeline's own.
        height, width: In pixels; None for the size that the model was made for.
        section: The title of the section that is open.
        figure: What the section Attention draws: one of FIGURES.
        step: The denoising step that is shown, from 0.
        words: The words whose attention is drawn; () for every word of the prompt, eight at most.
        steps: (first, last) of the steps over which attention is averaged, both included; None for all.
        layers: Attention layers by name, the beginning of one, or the longer side of its grid; None for all.
        head: One head of each layer (needs Record(cross_attention="heads")); None for the mean over heads.
        role: "cond" for the prompt, "uncond" for the negative prompt.
        method: "mean", or a published method as `word_map` takes it.
        scale: "shared" for one colour scale of all words, "each" for one scale a word.
    """

    prompt = Unicode("")
    negative_prompt = Unicode("")
    seed = Int(0, min=0, max=MOST_SEED)
    num_inference_steps = Int(25, min=1)
    guidance_scale = Float(7.5)
    scheduler = Unicode("")
    height = Int(None, allow_none=True, min=1)
    width = Int(None, allow_none=True, min=1)
    section = Unicode("")
    figure = CaselessStrEnum(list(FIGURES), "words")
    step = Int(0, min=0)
    words = Anything(())
    steps = Anything(None)
    layers = Anything(None)
    head = Int(None, allow_none=True, min=0)
    role = Unicode("cond")
    method = Unicode("mean")
    scale = CaselessStrEnum(["shared", "each"], "shared")

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  (a value of any trait)
        _known(values)
        super().__init__(**values)

    @validate("words")
    def _check_words(self, proposal: Mapping[str, Any]) -> tuple[str, ...]:
        words = proposal["value"]
        several = (words,) if isinstance(words, str) else words
        if not isinstance(several, list | tuple) or not all(isinstance(word, str) for word in several):
            raise TraitError(f"words={words!r}: words are names from the prompt, as in ('cat', 'rocket')")
        return tuple(several)

    @validate("steps")
    def _check_steps(self, proposal: Mapping[str, Any]) -> tuple[int, int] | None:
        steps = proposal["value"]
        if steps is None:
            return None
        pair = isinstance(steps, list | tuple) and len(steps) == 2 and all(isinstance(step, int) for step in steps)  # noqa: PLR2004
        if not pair or not 0 <= steps[0] <= steps[1]:
            raise TraitError(f"steps={steps!r}: steps is (first, last), both included, as in (0, 9); None for all")
        return (steps[0], steps[1])

    def update(self, **values: Any) -> None:  # noqa: ANN401  (as above)
        """Sets several values at once: all of them, or none if one is not valid.

        Raises:
            RunError: There is no such value.
            TraitError: A value is not valid.
        """
        _known(values)
        State(**values)
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    def follow(self, names: tuple[str, ...], changed: Callable[[], object]) -> Callable[[], None]:
        """Calls `changed` whenever one of the values changes; returns a function that ends this."""
        said = as_now(changed)

        def observer(_: object) -> None:
            said()

        self.observe(observer, list(names))
        return lambda: self.unobserve(observer, list(names))

    def values(self, names: tuple[str, ...] = (*RUN, *SHOW)) -> dict[str, Any]:
        """Name -> value of the values in `names`."""
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        usual = State()
        said = {name: value for name, value in self.values().items() if value != getattr(usual, name)}
        return f"State({', '.join(f'{name}={value!r}' for name, value in said.items())})"

    def arguments(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for the pipeline's call: the values of a run that the call names and that are set."""
        given = {name: getattr(self, name) for name in RUN if name not in ("prompt", "seed", "scheduler")}
        unset: dict[str, tuple[Any, ...]] = {"negative_prompt": ("",), "height": (None,), "width": (None,)}
        return {name: value for name, value in given.items() if name in known and value not in unset.get(name, ())}

    @property
    def selection(self) -> dict[str, Any]:
        """The attention that is shown, as arguments of `word_map` and the views."""
        steps = None if self.steps is None else slice(self.steps[0], self.steps[1] + 1)
        return {"role": self.role, "steps": steps, "layers": self.layers, "heads": self.head}


def _known(values: Mapping[str, Any]) -> None:
    for name in values:
        if name not in (*RUN, *SHOW):
            raise RunError(f"a dashboard's state has no {name!r}; {did_you_mean(name, (*RUN, *SHOW))}")
