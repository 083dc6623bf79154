"""Read-only probes of a denoiser: named outputs of one call, the image the same with and without.

The denoiser's family says how a layer's query and key are heard (hooks on its projections, or what torch's fused
attention is given); here softmax(Q Kᵀ) is computed from them in float32, beside the model's own attention, and reduced
at once. No processor is replaced and nothing is returned to the model. The hooks come off however the block ends. A
layer must give exactly one query and one key for every pixel of every row: anything else is an error, since its numbers
would be wrong.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

import torch

from ...base.errors import RunError
from ...base.known_names import lies_in
from ..families.attention_modules import Layer, Places
from ..families.concept_stream import ConceptStream, listen_to_conditioning
from ..families.family import Call, Family
from ..families.grids import Grids
from ..families.modules import modules_of
from ..families.ways_in import Attended
from .denoiser_call import DenoiserCall
from .module_readers import ModuleReader
from .obstacles import reusing
from .own_calls import OwnCalls
from .plans import CallPlan, Kept, LayerPlan
from .probabilities import of_picture, of_text, of_words, probabilities

SPARED = 1 << 17
"""How many scores must be spared for the kernel's normaliser to pay in a UNet.

Measured on a CPU with one thread, with 11 of 77 columns read: where 2¹⁹ scores are spared (1024 pixels, 8 heads) it
costs a fifth of what a whole softmax costs, at 2¹⁷ four fifths, and at 2¹⁵ one and a half times as much: the mode costs
50 to 100 µs.
"""
StandIn = Callable[["Observer"], AbstractContextManager[None]]
Begin = Callable[[Call], CallPlan]
Mixed = Callable[[str, int, torch.Tensor, Callable[[int], torch.Tensor]], torch.Tensor]
"""(layer, row, its probabilities (head, pixel, key), the same of another row) -> the row's probabilities."""
End = Callable[[DenoiserCall], None]


@contextmanager
def observing(  # noqa: PLR0913, PLR0917  (each is another part of what a run reads)
    denoisers: Sequence[torch.nn.Module],
    family: Family,
    layers: Mapping[str, LayerPlan],
    begin: Begin,
    end: End,
    stand_in: "StandIn | None" = None,
    own: OwnCalls | None = None,
    mixed: Mixed | None = None,
    concepts: torch.Tensor | None = None,
    readers: Sequence[ModuleReader] = (),
) -> Iterator[None]:
    """Calls `begin(arguments by name)` before and `end(call)` after every call of the denoiser.

    Args:
        denoisers: The first as it stands; LoRA and fused projections are found where they are now. Others of its family
            are called in its place at some steps; no layer of theirs is read.
        family: The denoiser's.
        layers: Dotted name -> how to read that attention layer; others are left alone.
        begin: Says what to read of this call.
        end: Takes what was read.
        stand_in: Replaces the denoiser's own forward in the block by something that fills `observer.call` with what the
            hooks would have read: a compiled graph (`compiled.denoiser`).
        own: Tells the run's own calls from others; by default those of this thread.
        concepts: (concept, width), the embeddings of words that go beside the text, where some layers read them.
        readers: Read what modules give, in the same calls and rows.
        mixed: Makes, of a row's probabilities as query and key tell them, those by which it attends.

    Raises:
        RunError: A layer that was to be read made no query and key, or not one for each pixel and row; or the call
            is of a kind that the family refuses.
    """
    denoiser = denoisers[0]
    known = family.attention_layers(denoiser)
    grids = family.grids(denoiser, layers)
    observer = Observer(family, {name: known[name] for name in layers}, layers, grids, begin, end, own or OwnCalls())
    observer.mixed, observer.concepts, observer.readers = mixed, concepts, readers
    observer.reusing = {layer: hook for one in denoisers for layer, hook in reusing(modules_of(one), layers).items()}
    with ExitStack() as stack:
        stack.callback(grids.remove)
        for network in denoisers:
            stack.callback(network.register_forward_pre_hook(observer.before, with_kwargs=True).remove)
            stack.callback(network.register_forward_hook(observer.after).remove)
        if concepts is not None:
            stack.callback(listen_to_conditioning(denoiser, family.concept_conditioning, observer.condition).remove)
        for name in layers:
            for hook in family.listen(known[name], partial(observer.read, name), partial(observer.pays, name)):
                stack.callback(hook.remove)
        for reader in readers:
            for hook in reader.hooks():
                stack.callback(hook.remove)
        if stand_in is not None:
            observer.settles = False  # a graph takes note of the hooks that were there when it was made
            stack.enter_context(stand_in(observer))
        yield


class Observer:
    """The hooks of one block of observation, and the denoiser call that is under way.

    Attributes:
        family: The denoiser's.
        layers: Dotted name -> how that attention layer is read.
        mixed, concepts, readers: As `observing` takes them.
        reusing: Layer -> the hook of a cache that may leave it out of a call.
        settles: Whether hooks that turn out to see no grid are taken off after the first call.
    """

    def __init__(
        self,
        family: Family,
        modules: Mapping[str, Layer],
        layers: Mapping[str, LayerPlan],
        grids: Grids,
        begin: Begin,
        end: End,
        own: OwnCalls,
    ) -> None:
        self.family, self.layers, self._modules = family, layers, modules
        self._grids, self._begin, self._end, self._own = grids, begin, end, own
        self._call: DenoiserCall | None = None
        self.settles = True
        self.mixed: Mixed | None = None
        self.concepts: torch.Tensor | None = None
        self.readers: Sequence[ModuleReader] = ()
        self.reusing: Mapping[str, str] = {}
        self._ever_heard: set[str] = set()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Observer":
        """The hooks of a copied denoiser read nothing."""
        copied = object.__new__(Observer)
        copied._own, copied._call = deepcopy(self._own, memo), None
        return copied

    @property
    def call(self) -> DenoiserCall | None:
        """What is being filled in; None between two calls of the denoiser, and in a call that is not the run's."""
        return self._call if self._own.here() else None

    @contextmanager
    def reading(self, plan: CallPlan, inputs: Call) -> Iterator[DenoiserCall]:
        """What the hooks read in the block goes to a call of its own, by this plan; afterwards `call` is restored."""
        before = self._call
        self._call = call = DenoiserCall(plan, inputs)
        try:
            yield call
            self._check(call)
            self._read_unread(call)
        finally:
            self._call = before

    def before(self, denoiser: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hook on the denoiser: opens the call."""
        if not self._own.is_denoiser_call():
            return
        self._own.check()
        inputs = self.family.named(args, kwargs)
        if (reason := self.family.refusal(inputs)) is not None:
            raise RunError(f"run: cannot observe a call of the {self.family.title} {reason}")
        self._grids.begin(inputs)
        self._call = DenoiserCall(self._begin(inputs), inputs)
        if self.concepts is not None:
            through = self._through(inputs)
            self._call.stream = ConceptStream(denoiser, self.concepts, self._call.plan.rows, through)
        for reader in self.readers:
            reader.begin(self._call)

    def _through(self, inputs: Call) -> list[str]:
        """The layers that the concepts go through in a call."""
        left_out = self.family.skipped(inputs)
        kinds = {name: {one.kind for one in plan.readings} for name, plan in self.layers.items()}
        return [name for name, found in kinds.items() if "concept_scores" in found and not lies_in(name, *left_out)]

    def condition(self, made: torch.Tensor) -> None:
        """The denoiser was told the time: the concepts of the call begin."""
        if (call := self.call) is not None and call.stream is not None:
            call.stream.condition(made)

    def after(self, _: Any, __: Any, output: Any) -> None:
        """Hook on the denoiser: closes the call and hands it on."""
        if (call := self.call) is None:
            return
        self._call = None
        call.noise_pred = self.family.noise_pred(output, call.inputs)
        self._check(call)
        self._read_unread(call)
        for reader in self.readers:
            reader.end()
        if call.heard and self.settles:
            self._grids.settle()
        call.finish(self.layers)
        self._end(call)

    def _check(self, call: DenoiserCall) -> None:
        if not call.plan.rows:
            return
        self._ever_heard |= call.heard
        if skipped := self.family.skipped(call.inputs):
            call.skipped = {name for name in self.layers.keys() - call.heard if lies_in(name, *skipped)}
        for name in self.layers.keys() - call.heard - call.skipped:
            if (grid := self._grids.of(name)) is not None and not _wanted(self.layers[name], grid):
                continue
            if name not in self.reusing or name not in self._ever_heard:
                raise RunError(self._silence(name))
            call.reused.add(name)

    def _silence(self, name: str) -> str:
        if name in self._ever_heard:
            why = "was skipped, though it ran in an earlier call: something (a cache, a gate) reuses old results"
        elif name in self.reusing:
            why = (
                f"attended in no call: {self.reusing[name]} gave a result of an earlier run (its hook's reset_state "
                f"forgets that), or the layer {self.family.heard_by}"
            )
        else:
            why = f"{self.family.heard_by}: its processor or a patch does otherwise"
        return f"attention layer {name!r} {why}. Switch that off, or leave the layer out: Record(layers=…)"

    def pays(self, name: str, queries: int, keys: int) -> bool:
        """Whether the layer of this name is cheaper to read by the kernel's normaliser, in the call under way."""
        call = self.call
        if call is None or self.mixed is not None or self.layers[name].kind != "cross_attention":
            return False
        spared = sum(keys - len(kept) for kept in call.plan.kept if kept is not None)
        return self._modules[name].heads * queries * spared >= SPARED

    def read(self, name: str, attended: Attended) -> None:
        """Reads one layer's attention from its query and key."""
        call = self.call
        if call is None or not call.plan.rows:
            return
        layer = self._modules[name]
        if name in call.heard:
            raise RunError(f"attention layer {name!r} attended twice in one call of the denoiser: which one counts?")
        call.heard.add(name)
        if attended.normaliser is not None:
            call.by_kernel.add(name)
        if not self._may_wait(layer, attended):
            self._read(call, name, attended)
        elif not call.put_off(name, attended):
            self._read_unread(call)

    def _may_wait(self, layer: Layer, attended: Attended) -> bool:
        """Whether a layer may be read when the call is over.

        On a CPU that takes half the time: the model's own numbers have the caches between two layers, and layers that
        are read one behind the other find there what reading needs.
        """
        cpu = attended.query.is_cpu and not torch.compiler.is_compiling()  # a graph reads in its own order
        return cpu and self.mixed is None and self.family.stays(layer)

    def _read_unread(self, call: DenoiserCall) -> None:
        """Reads the layers that were put off."""
        for name, attended in call.to_read():
            self._read(call, name, attended)

    def _read(self, call: DenoiserCall, name: str, attended: Attended) -> None:
        plan, grid, layer = self.layers[name], self._grids.of(name), self._modules[name]
        readings = [one for one in plan.readings if grid is None or one.wants(grid)]
        if not readings:
            return
        rows = self._rows(layer, attended, call.plan)
        kept = dict(zip(call.plan.rows, call.plan.kept, strict=True))
        places = {row: self.family.places(layer, call.inputs, row, math.prod(grid or ())) for row in rows}
        alike: dict[tuple[Any, ...], list[int]] = {}
        for row in rows:
            alone = places[row] is not None or attended.normaliser is not None
            alike.setdefault(_key(places[row], kept[row]) if alone else (), []).append(row)
        for several in alike.values():
            first = several[0]
            self._check_grid(layer, attended, places[first])
            for reading in readings:
                self._read_rows(call, layer, attended, tuple(several), places[first], kept[first], reading)

    def _rows(self, layer: Layer, attended: Attended, plan: CallPlan) -> tuple[int, ...]:
        """The rows of the plan that the layer attends in."""
        there, batch = len(attended.query), len(plan.roles)
        if there != batch and not self.family.leading_rows_only(layer):
            raise RunError(
                f"attention layer {layer.name!r} attends in {there} rows, the denoiser in a batch of {batch}"
            )
        return tuple(row for row in plan.rows if row < there)

    def _read_rows(
        self,
        call: DenoiserCall,
        layer: Layer,
        attended: Attended,
        rows: tuple[int, ...],
        places: Places | None,
        kept: Kept,
        plan: LayerPlan,
    ) -> None:
        """Reads the rows of one layer in which picture and words stand at the same places."""
        grid = self._grids.of(layer.name) or ()
        if plan.kind == "concept_scores":
            reached = [row for row in rows if call.stream is not None and call.stream.reaches(layer, row)]
            if call.stream is not None and places is not None and reached:
                scores = call.stream.attend(layer, attended, places, reached).unflatten(1, grid)  # type: ignore[no-untyped-call]
                call.concept_scores.setdefault(layer.name, {}).update(zip(reached, scores, strict=True))
            return
        there, family, head_mean = attended.of_rows(rows), self.family, plan.head_mean
        if places is None:
            by_head = family.by_head(layer, there)
            wanted = kept if plan.kind == "cross_attention" else None
            probs = probabilities(by_head, wanted, head_mean=head_mean)
            if self.mixed is not None:  # joint layers refuse what mixes probabilities, before the run
                probs = self._mixed(layer, attended, rows, probs, head_mean=head_mean)
        elif plan.kind == "self_attention":
            probs = of_picture(family, layer, there, places, head_mean=head_mean)
        elif plan.kind == "word_attention":
            probs = of_text(family, layer, there, places, kept, head_mean=head_mean)
        else:
            probs = of_words(family, layer, there, places, kept, head_mean=head_mean)
        shape = (probs.shape[1], *grid)
        if plan.waits:
            call.wait(layer.name, rows, shape, probs, plan)
        else:
            call.take(rows, [(layer.name, shape)], probs.flatten(1, 2), plan)
        if plan.queries:
            if places is not None:
                by_head = family.by_head(layer, there.of_queries(places.picture))
            queries = (by_head.query * by_head.scale).to(plan.dtype).unflatten(2, grid)  # type: ignore[no-untyped-call]
            call.queries.setdefault(layer.name, {}).update(zip(rows, queries, strict=True))

    def _check_grid(self, layer: Layer, attended: Attended, places: Places | None) -> None:
        """RunError where the picture's queries do not fill the layer's grid."""
        grid, positions = self._grids.of(layer.name), attended.query.shape[-2]
        pixels = positions if places is None else len(range(*places.picture.indices(positions)))
        if grid is None or pixels != grid[0] * grid[1]:
            raise RunError(
                f"attention layer {layer.name!r} has {pixels} queries on the grid (y, x) = {grid}: something merges "
                "or adds pixels. Take it off, or leave the layer out: Record(layers=…, self_attention=…)"
            )

    def _mixed(
        self, layer: Layer, attended: Attended, rows: tuple[int, ...], probs: torch.Tensor, *, head_mean: bool
    ) -> torch.Tensor:
        """The rows' probabilities as a change of the run leaves them."""

        def of_row(row: int) -> torch.Tensor:
            return probabilities(self.family.by_head(layer, attended.of_rows((row,))), head_mean=head_mean)[0]

        mix = self.mixed or (lambda _, __, own, ___: own)
        made = [mix(layer.name, row, own, of_row) for row, own in zip(rows, probs, strict=True)]
        return probs if all(one is own for one, own in zip(made, probs, strict=True)) else torch.stack(made)


def _wanted(plan: LayerPlan, grid: tuple[int, int]) -> bool:
    return any(one.wants(grid) for one in plan.readings)


def _key(places: Places | None, kept: Kept) -> tuple[Any, ...]:
    """What rows that are read together share; a slice has no hash before Python 3.12."""
    if places is None:
        return (kept,)
    return (places.picture.start, places.picture.stop, places.words.start, places.words.stop, kept)
