"""The linked explorer in a notebook: a stored trace in the browser, which needs no kernel once it is shown."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from .. import views
from ..base.display import clip
from ..base.errors import SdexploreError
from ..base.options import pinned
from ..browser.explorer_strings import explorer_strings
from ..browser.front_end import front_end
from ..browser.packing import BUDGET, one_trace, pack
from ..figures.picture import Picture
from ..trace.trace import Trace
from .language import speaking


class LinkedExplorer(anywidget.AnyWidget):
    """Point at a pixel and see its words; point at a word and see its pixels.

    All its data is in the browser, so it works without the kernel. The picture shows the map of the chosen word in
    viridis, from 0 to the printed value. The orange frame is the pixel or region whose words are ranked. The notebook's
    file also holds a still picture and a text, for viewers that show no widgets.

    Attributes:
        trace: The trace that is explored.
        state: The present selection: word, role, step (None: mean over all), layers (the longer side of their grid, or
            None for all), view, look, scale, pixel (row, column of the latent grid), box. Of a trace with features
            also features (the module whose likeness a click shows; None for none) and alike (whether it is shown, and
            not a word's map). Assign a dict with some of them to change it.
        facts, data: The packed trace; see `sdexplore.browser.packing`. Nothing is decoded for it: steps that were not
            looked at before have linear previews.
        strings: What the explorer says, in the language that held when it was made.

    Raises:
        TraceError: The trace does not fit the budget of bytes, or is neither a Trace nor the path of a saved one.
    """

    _esm = front_end()
    facts = traitlets.Dict().tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)
    strings = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        trace: Trace | str | Path,
        *,
        budget: int = BUDGET,
        **options: Any,  # noqa: ANN401  (ipywidgets')
    ) -> None:
        whole = one_trace(trace)
        with pinned():
            packed, strings = pack(whole, budget, decode=False), explorer_strings()
        options.setdefault("layout", {"width": "100%"})  # else it would shrink in a row of widgets
        super().__init__(facts=dict(packed.facts), data=packed.data, strings=strings, **options)
        self.trace, self._budget = whole, budget

    def pack(self) -> None:
        """Packs the trace again, with the pictures that were decoded meanwhile; what is chosen stays."""
        with speaking(self.strings["lang"]):
            packed = pack(self.trace, self._budget, decode=False)
        with self.hold_sync():
            self.facts, self.data = dict(packed.facts), packed.data

    def __repr__(self) -> str:
        prompt = "no prompt" if self.trace.prompt is None else f"“{clip(self.trace.prompt, 80)}”"
        return f"LinkedExplorer of trace {self.trace.fingerprint}: {prompt}, {self.trace.num_steps} steps"

    def snapshot(self) -> Picture:
        """A still picture of the word maps at the present step and layers, for every viewer of notebooks.

        Of a trace without word maps, a picture of its denoising or of its latents.

        Raises:
            TraceError: The trace holds nothing that can be drawn.
        """
        errors = []
        for draw in _stills(self.trace, self.state):
            try:
                with speaking(self.strings["lang"]):
                    return draw()
            except SdexploreError as error:
                errors.append(error)
        raise errors[0]

    @cached_property
    def _still(self) -> Picture | None:
        try:
            return self.snapshot()
        except SdexploreError:
            return None

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401  (Jupyter's)
        shown = super()._repr_mimebundle_(**options)
        if shown is None:
            return None
        data, metadata = shown if isinstance(shown, tuple) else (shown, {})
        still = self._still
        text = f"{self!r}\nWhere widgets run, this is interactive."
        if still is None:
            return {**data, "text/plain": f"{text} Elsewhere this text stands for it."}, metadata
        kept = {**still.kept(), "text/plain": f"{text} Elsewhere a still picture stands for it. {still.alt}"}
        return {**data, **kept}, {**metadata, "image/png": {"alt": still.alt}}


def _stills(trace: Trace, state: Mapping[str, Any]) -> Iterator[Callable[[], Picture]]:
    """The pictures that can stand for a trace, the most informative first."""
    role, scale = state.get("role") or "cond", state.get("scale", "shared")
    steps, layers = state.get("step"), state.get("layers")
    yield lambda: views.attention(trace, role=role, steps=steps, layers=layers, scale=scale)
    yield lambda: views.denoising(trace)
    yield lambda: views.latents(trace)
