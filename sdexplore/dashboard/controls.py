"""Controls with a label and a tooltip: how they are made, tied to the state, arranged and closed."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ..strings.wording import wording
from .language import as_now
from .state import State

WIDE = {"description_width": "84px"}
UNCHOSEN = ""
"""The value of a list of choices for "no choice": None would leave its box blank in the page."""


def control(make: Callable[..., Any], label: str, tooltip: str, *, width: str = "auto", **options: Any) -> Any:  # noqa: ANN401  (widgets have no types)
    """A control of kind `make` (a class of ipywidgets) with its label and its tooltip."""
    return make(
        description=label, tooltip=tooltip, style=WIDE, layout=widgets.Layout(width=width, min_width="0"), **options
    )


def button(label: str, tooltip: str, pressed: Callable[[], object], **options: Any) -> Any:  # noqa: ANN401  (as above)
    """A button that calls `pressed`."""
    made = widgets.Button(description=label, tooltip=tooltip, layout=widgets.Layout(width="auto"), **options)
    said = as_now(pressed)
    made.on_click(lambda _: said())
    return made


def labelled(key: str) -> tuple[str, str]:
    """The label of a control and its tooltip: the strings of `key` and of `key`.tip."""
    return wording(key), wording(f"{key}.tip")


def follow(made: Any, changed: Callable[[], object]) -> None:  # noqa: ANN401  (as above)
    """Calls `changed` whenever the control's value changes."""
    said = as_now(changed)
    made.observe(lambda _: said(), "value")


def bind(
    state: State,
    name: str,
    made: Any,  # noqa: ANN401  (as above)
    *,
    shown: Callable[[Any], Any] = lambda value: value,
    meant: Callable[[Any], Any] = lambda value: value,
) -> Any:  # noqa: ANN401
    """Ties the control to one value of the state, both ways. A value that the control cannot show does not move it.

    Args:
        shown: From the state's value to the control's.
        meant: From the control's value to the state's.
    """

    def to_control(_: object = None) -> None:
        value = shown(getattr(state, name))
        options = [option[1] if isinstance(option, tuple) else option for option in getattr(made, "options", ())]
        if made.value == value or (options and value not in options):
            return
        # A slider that does not reach the value would show another one than the state has.
        if isinstance(value, int | float) and hasattr(made, "max"):
            made.max, made.min = max(made.max, value), min(made.min, value)
        made.value = value

    def to_state(_: object) -> None:
        value = meant(made.value)
        if getattr(state, name) != value:
            setattr(state, name, value)
        elif shown(value) != made.value:  # what was typed means what is set already
            to_control()

    to_control()
    made.observe(to_state, "value")
    state.observe(to_control, name)
    return made


def close(*made: Any) -> None:  # noqa: ANN401  (as above)
    """Closes widgets and all widgets in them, since ipywidgets' registry keeps a widget that only left the page."""
    for one in made:
        inner = getattr(one, "children", ())
        own = [getattr(one, name, None) for name in ("layout", "style")]
        one.close()
        for widget in filter(None, own):
            widget.close()
        close(*inner)


def row(children: Sequence[Any], **layout: Any) -> Any:  # noqa: ANN401  (as above)
    """Controls side by side; on a narrow screen they wrap."""
    return widgets.HBox(
        list(children),
        layout=widgets.Layout(**{"flex_flow": "row wrap", "align_items": "center", "width": "100%", **layout}),
    )


def column(children: Sequence[Any], **layout: Any) -> Any:  # noqa: ANN401  (as above)
    """Controls one below the other."""
    return widgets.VBox(list(children), layout=widgets.Layout(**{"width": "100%", "min_width": "0", **layout}))
