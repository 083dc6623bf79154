"""The controls that say one change: of which kind it is, and its arguments; those of other kinds are not seen."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import ipywidgets as widgets

from ..base.errors import RunError
from ..changes.ablate import Ablate
from ..changes.change import Change
from ..changes.keep import Keep
from ..changes.reweight import Reweight
from ..strings.wording import wording
from .controls import column, control, follow, labelled, row

_KINDS: Final = ("Reweight", "Ablate", "Keep")  # the classes of changes

_OF = {  # control -> the kinds that it is of
    "word": ("Reweight",),
    "scale": ("Reweight",),
    "modules": ("Reweight", "Ablate"),
    "heads": ("Reweight", "Ablate"),
    "left with": ("Ablate",),
    "source": ("Keep",),
    "to words": ("Keep",),
    "to picture": ("Keep",),
    "blend": ("Keep",),
    "steps": ("Reweight", "Ablate"),
}


class ChangeControls:
    """The controls of one change.

    Args:
        moved: Called when one of them has moved.

    Attributes:
        widget: All of them.
    """

    def __init__(self, moved: Callable[[], object]) -> None:
        self._kind = control(
            widgets.Dropdown,
            *labelled("dashboard.change.kind"),
            width="320px",
            options=[(wording(f"dashboard.change.{kind.lower()}"), kind) for kind in _KINDS],
        )
        typed: dict[str, Any] = {"continuous_update": False}
        share: dict[str, Any] = {"min": 0.0, "max": 1.0, "step": 0.05, **typed}
        self._of: dict[str, Any] = {
            "word": control(
                widgets.Combobox, *labelled("dashboard.change.word"), width="260px", ensure_option=False, **typed
            ),
            "scale": control(
                widgets.FloatText,
                *labelled("dashboard.change.scale"),
                width="180px",
                value=3.0,
                step=0.5,
                **typed,
            ),
            "modules": control(
                widgets.Text,
                *labelled("dashboard.change.modules"),
                width="420px",
                **typed,
            ),
            "heads": control(
                widgets.Text,
                *labelled("dashboard.change.heads"),
                width="180px",
                placeholder=wording("dashboard.change.heads.all"),
                **typed,
            ),
            "left with": control(
                widgets.Dropdown,
                *labelled("dashboard.change.left"),
                width="200px",
                options=[(wording(f"dashboard.change.left.{to}"), to) for to in ("zero", "mean")],
            ),
            "source": control(widgets.Text, *labelled("dashboard.change.source"), width="420px", **typed),
            "to words": control(
                widgets.FloatSlider,
                *labelled("dashboard.change.to_words"),
                width="340px",
                value=0.8,
                **share,
            ),
            "to picture": control(
                widgets.FloatSlider,
                *labelled("dashboard.change.to_picture"),
                width="340px",
                value=0.4,
                **share,
            ),
            "blend": control(
                widgets.Text,
                *labelled("dashboard.change.blend"),
                width="420px",
                **typed,
            ),
            "steps": control(
                widgets.IntRangeSlider,
                *labelled("dashboard.change.steps"),
                width="420px",
                value=(0, 1),
                min=0,
                max=1,
                **typed,
            ),
        }
        self._moved, self._settled = moved, True
        for one in (self._kind, *self._of.values()):
            follow(one, self._follow)
        wide = [name for name in self._of if name != "modules"]
        self._tree = row([], align_items="flex-start")
        self.widget = column([row([self._kind, *(self._of[name] for name in wide)]), self._of["modules"], self._tree])
        self._show_kind()

    def beside_tree(self, tree: Any) -> None:  # noqa: ANN401  (widgets have no types)
        """Puts the tree of modules beneath the field that its clicks write into."""
        self._tree.children = [tree]

    def offer(self, words: Sequence[str], chosen: Sequence[str], steps: int) -> None:
        """The words of the prompt, of which one is proposed, and the steps of the next run."""
        self._settled = False
        word, slider = self._of["word"], self._of["steps"]
        word.options = list(words)
        if not word.value:
            word.value = next(iter(chosen), max(words, key=len, default=""))
        whole = slider.value == (slider.min, slider.max)
        last = max(1, steps - 1)
        if slider.max != last:
            low, high = slider.value
            slider.max = last
            slider.value = (0, last) if whole else (min(low, last), min(high, last))
        self._settled = True

    def choose(self, module: str) -> None:
        """Writes a module into its field."""
        self._of["modules"].value = module

    def change(self) -> Change:
        """The change that the controls say.

        Raises:
            RunError: They say none.
        """
        value = {name: one.value for name, one in self._of.items()}
        low, high = value["steps"]
        slider = self._of["steps"]
        steps = None if (low, high) == (slider.min, slider.max) else slice(low, high + 1)
        modules, heads = _parts(value["modules"], ","), _heads(value["heads"])
        match self._kind.value:
            case "Reweight":
                return Reweight(value["word"], value["scale"], layers=_alone(modules), heads=heads, steps=steps)
            case "Ablate":
                if (named := _alone(modules)) is None:
                    raise RunError("Ablate: name a module, or click one in the tree, as in mid_block")
                return Ablate(named, to=value["left with"], heads=heads, steps=steps)
        if not value["source"].strip():
            raise RunError("Keep: write the source, the prompt whose attention is kept")
        shares = {"cross_attention": value["to words"], "self_attention": value["to picture"]}
        return Keep(value["source"], **shares, blend=_alone(_parts(value["blend"], ";")))

    def _follow(self) -> None:
        if self._settled:
            self._show_kind()
            self._moved()

    def _show_kind(self) -> None:
        kind = self._kind.value
        for name, one in self._of.items():
            one.layout.display = "" if kind in _OF[name] else "none"
        self._of["modules"].placeholder = wording("dashboard.change.modules.all") if kind == "Reweight" else "mid_block"
        self._tree.layout.display = "" if kind in _OF["modules"] else "none"


def _parts(text: str, between: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(between) if part.strip())


def _alone(names: tuple[str, ...]) -> str | tuple[str, ...] | None:
    """One name as it is, several together; None without any."""
    return names if len(names) > 1 else next(iter(names), None)


def _heads(text: str) -> tuple[int, ...] | None:
    """The numbers in a text; None where it is empty.

    Raises:
        RunError: A part is no number.
    """
    parts = [part for part in re.split(r"[,;\s]+", text.strip()) if part]
    if bad := next((part for part in parts if not part.isdecimal()), None):
        raise RunError(f"heads {text!r}: {bad!r} is no number of a head; write for example 0, 3")
    return tuple(map(int, parts)) or None
