"""The section "Attention": where the picture attends to each word, by step, layer, head, role and method."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import ipywidgets as widgets

from ...analysis.attention import most_striking
from ...analysis.published_methods import answering
from ...analysis.selection import Selection
from ...analysis.trajectory import are_decoded
from ...figures.picture import Picture
from ...figures.titles import MOST_STEPS
from ...strings.wording import counted, listed, wording
from ...trace.record import spread
from ...trace.trace import Attention, Trace
from ..board import Board
from ..controls import UNCHOSEN, bind, close, column, control, labelled, row
from ..state import FIGURES, State
from .components import ATTENTION
from .section import Section

_WIDTHS = {"layers": "280px"}  # room for "128 × 128 (10 layers)"


class AttentionSection(Section):
    """Heat maps of words. The controls offer what the trace holds.

    Each word is a button. The pressed words are drawn; if none is pressed, the words of the prompt, eight at most.
    """

    title: ClassVar[str] = ATTENTION
    uses: ClassVar[tuple[str, ...]] = ("words", "steps", "layers", "head", "role", "method", "scale", "figure")

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        state = board.state
        self._words: Any = row([])
        self._figure = bind(
            state,
            "figure",
            control(
                widgets.Dropdown, *labelled("dashboard.attention.figure"), width="220px", options=_figures_offered()
            ),
        )
        self._steps = control(
            widgets.IntRangeSlider,
            *labelled("dashboard.attention.steps"),
            width="380px",
            min=0,
            max=0,
            continuous_update=False,
        )
        bind(
            state,
            "steps",
            self._steps,
            shown=self._steps_shown,
            meant=lambda span: None if span == (0, self._steps.max) else tuple(span),
        )
        choices: tuple[tuple[str, str, str, list[Any]], ...] = (
            ("layers", *labelled("dashboard.attention.layers"), [_all_layers()]),
            (
                "head",
                *labelled("dashboard.attention.head"),
                [_mean_of_heads()],
            ),
            ("role", *labelled("dashboard.attention.role"), ["cond"]),
            (
                "method",
                *labelled("dashboard.attention.method"),
                ["mean"],
            ),
            (
                "scale",
                *labelled("dashboard.attention.scale"),
                ["shared", "each"],
            ),
        )
        self._choices = {
            name: bind(
                state,
                name,
                control(widgets.Dropdown, label, tooltip, width=_WIDTHS.get(name, "220px"), options=options),
                shown=_held,
                meant=lambda value: None if value == UNCHOSEN else value,
            )
            for name, label, tooltip, options in choices
        }
        self.widget = column(
            [
                self._words,
                row([self._figure, *self._choices.values(), self._steps]),
                self.message.widget,
                self.box.widget,
            ],
            padding="6px 0",
        )
        self._offered: tuple[Trace, str] | None = None
        self._drawn: tuple[Any, ...] | None = None
        self._striking = ""  # the most striking of the offered words; "" until a figure needs it

    def _steps_shown(self, steps: tuple[int, int] | None) -> tuple[int, int]:
        return (0, self._steps.max) if steps is None else steps

    def _draw(self) -> None:
        trace, state = self._trace(), self.board.state
        if self._offered != (trace, state.role):
            if trace.cross_attention and state.role not in trace.cross_attention:
                state.role = next(iter(trace.cross_attention))  # this draws again
                return
            self._offered = (trace, state.role)
            with state.hold_trait_notifications():  # a list whose options change sets its value meanwhile
                self._offer(trace, state)
        for name, figures in _APPLIES.items():
            self._choices[name].disabled = state.figure not in figures
        for toggle in self._words.children:
            toggle.value = toggle.description in state.words
        asked = (trace, *(getattr(state, name) for name in self.uses))
        if asked == self._drawn and self.box.given is not None:
            return
        self._drawn = None  # an error on the way leaves nothing drawn
        if state.figure in _OF_WORDS and not state.words and not _words(trace, state.role):
            self.box.clear()
            self.message.say(_without_words(trace, state.role))
            return
        word = self._one(trace, state) if state.figure in _OF_ONE else ""
        self._redraw(_figures(trace, state, word)[state.figure])
        self._drawn = asked
        if word and not state.words:
            self.message.say(wording("dashboard.attention.one.striking", word=word))
        elif word and len(state.words) > 1:
            self.message.say(wording("dashboard.attention.one.pressed", word=word))

    def _one(self, trace: Trace, state: State) -> str:
        """The word of a figure that has room for one: the first pressed word, or else the most striking one."""
        if state.words:
            return str(state.words[0])
        if not self._striking:
            self._striking = most_striking(trace, _words(trace, state.role), role=state.role)
        return self._striking

    def _offer(self, trace: Trace, state: State) -> None:
        """Makes the controls offer what this trace holds."""
        role, self._striking = state.role, ""
        self._choices["role"].options = list(trace.cross_attention) or ["cond"]
        state.role = self._choices["role"].value = role if trace.cross_attention else "cond"
        recorded = trace.attention(state.role)
        layers = [_all_layers(), *_grids(recorded), *((name, name) for name in recorded)]
        heads = (
            0 if any(one.head_mean for one in recorded.values()) else min(a.probs.shape[1] for a in recorded.values())
        )
        for name, options in (("layers", layers), ("head", [_mean_of_heads(), *((str(h), h) for h in range(heads))])):
            kept = getattr(state, name)
            self._choices[name].options = options
            known = [value for _, value in options]
            setattr(state, name, kept if kept in known else None)
            self._choices[name].value = _held(getattr(state, name))
        kept_method, methods = state.method, ["mean", *answering(trace, Selection(state.role).of(trace))]
        self._choices["method"].options = methods
        state.method = self._choices["method"].value = kept_method if kept_method in methods else "mean"
        kept_steps = state.steps
        self._steps.max = trace.num_steps - 1
        fits = kept_steps is not None and kept_steps[1] < trace.num_steps
        state.steps = kept_steps if fits else None
        self._steps.value = self._steps_shown(state.steps)
        before = self._words.children
        self._words.children = [self._toggle(word) for word in _words(trace, state.role)]
        close(*before)
        known_words = {toggle.description for toggle in self._words.children}
        state.words = tuple(word for word in state.words if word in known_words or " " in word)

    def _toggle(self, word: str) -> Any:  # noqa: ANN401  (widgets have no types)
        toggle = widgets.ToggleButton(
            description=word,
            tooltip=wording("dashboard.attention.word.tip", word=word),
            value=word in self.board.state.words,
            layout=widgets.Layout(width="auto", margin="1px"),
        )

        def pressed(_: object) -> None:
            state = self.board.state
            if toggle.value != (word in state.words):  # else the button follows the state
                words = tuple(w for w in state.words if w != word)
                state.words = (*words, word) if toggle.value else words

        toggle.observe(pressed, "value")
        return toggle

    def forget(self) -> None:
        """Drops the trace."""
        super().forget()
        self._offered = self._drawn = None


def _held(value: Any) -> Any:  # noqa: ANN401  (of any trait)
    """From the state's value to that of a list of choices."""
    return UNCHOSEN if value is None else value


_OF_WORDS = ("words", "by step", "by layer", "segmentation")
"""Figures that draw words."""

_OF_ONE = ("by step", "by layer")
"""Figures that have room for one word."""

_APPLIES = {
    "method": ("words",),
    "scale": ("words", "by layer"),
    "head": ("words", "by step", "where it all went", "segmentation"),
}
"""Control -> the figures on which it has an effect."""


def _by_step(trace: Trace, word: str, chosen: Mapping[str, Any]) -> Picture:
    """The figure of as many of the chosen steps as it has room for; no picture is waited for."""
    from ...views import attention_steps

    few = spread(Selection(**chosen).of(trace).steps, MOST_STEPS)
    steps = None if chosen["steps"] is None else list(few)
    waits = {} if are_decoded(trace, few) else {"decode": False}
    return attention_steps(trace, word, **{**chosen, "steps": steps, **waits})


def _grids(recorded: Mapping[str, Attention]) -> list[tuple[str, int]]:
    """(words, longer side) of each grid of these layers, the finest first; the side is what `layers` takes."""
    counts = Counter((int(one.probs.shape[2]), int(one.probs.shape[3])) for one in recorded.values())
    sides = sorted({max(grid) for grid in counts}, reverse=True)
    offered = []
    for side in sides:
        grids = [grid for grid in sorted(counts, reverse=True) if max(grid) == side]
        layers = sum(counts[grid] for grid in grids)
        named = listed(f"{y} × {x}" for y, x in grids)
        offered.append((wording("dashboard.attention.grid", grids=named, layers=counted(layers, "layer")), side))
    return offered


def _words(trace: Trace, role: str) -> list[str]:
    tokens = next(iter(trace.tokens.get(role, {}).values()), None)
    return [] if tokens is None else list(dict.fromkeys(word.text for word in tokens.words if word.positions))


def _without_words(trace: Trace, role: str) -> str:
    """Says that there is no word to draw, and what can be seen instead."""
    if not trace.tokens.get(role):
        return wording("dashboard.attention.no_prompt", role=repr(role))
    which = role if role in ("cond", "uncond") else "other"
    return wording(f"dashboard.attention.no_word.{which}", role=repr(role))


def _figures_offered() -> list[tuple[str, str]]:
    """(what the list says, value of the state) of each figure."""
    return [(wording(f"dashboard.attention.figure.{name.replace(' ', '_')}"), name) for name in FIGURES]


def _all_layers() -> tuple[str, str]:
    return wording("dashboard.attention.layers.all"), UNCHOSEN


def _mean_of_heads() -> tuple[str, str]:
    return wording("dashboard.attention.head.mean"), UNCHOSEN


def _figures(trace: Trace, state: State, word: str) -> dict[str, Callable[[], Picture]]:
    """Name -> function that makes the figure from the present state; it may be called when the state has changed.

    Args:
        word: The word of a figure that has room for one.
    """
    from ... import views

    words, chosen, scale, method = list(state.words) or None, state.selection, state.scale, state.method
    without_heads = {name: value for name, value in chosen.items() if name != "heads"}

    return {
        "words": lambda: views.attention(trace, words, scale=scale, method=method, **chosen),
        "by step": lambda: _by_step(trace, word, chosen),
        "by layer": lambda: views.attention_layers(trace, word, **without_heads, scale=scale),
        "where it all went": lambda: views.attention_mass(trace, **chosen),
        "segmentation": lambda: views.segmentation(trace, words, **chosen),
    }
