"""Watches one call of a pipeline while it runs, step by step, and has kept what the Record asks for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from itertools import chain
from typing import Any

import torch

from ...base.errors import RunError, TokenError
from ...changes.change import several
from ...text.shared_keys import SharedKeys
from ...text.tokenization import Tokenization, Tokenizations
from ...trace.record import Record
from ..components.patching import replaced
from ..components.pipeline_parts import autoencoder
from ..families.family import Call, Family
from ..families.grids import Grid
from ..interventions.changing import Changing
from ..interventions.edit import Now
from ..schedulers import noise_levels
from ..schedulers.step_arguments import in_order_of, of_three
from .denoiser_call import DenoiserCall
from .hooks import StandIn, observing
from .memory_sink import Keeper
from .module_names import Times
from .module_readers import FeatureReader, StatisticsReader
from .own_calls import OwnCalls
from .plans import DTYPES, CallPlan, Kept, LayerPlan, kept_of
from .roles import Roles
from .word_attention import PromptedCall

_UNSEEN = (
    "run: the scheduler made its first step, and no call of the {} was seen: the pipeline calls something else "
    "instead, or calls its forward past all hooks"
)


@dataclass
class StepRecord:
    """One call of `scheduler.step`: where it was, the scales of guidance, and the roles that predicted noise."""

    mark: noise_levels.StepMark
    roles: tuple[str, ...]
    guidance: dict[str, float] = field(default_factory=dict)


@dataclass
class Recorder:
    """Gives the keeper what the Record asks for while the pipeline runs.

    Attributes:
        family: The denoiser's.
        keeper: Gets the rows of every image's arrays, under their names in a trace's file.
        tokens: (role, image) -> the tokens of its prompt; None if there was no text.
        layers: Attention layers to read, by dotted name.
        concepts: (concept, width), the embeddings of the Record's concepts; None without.
        features: Modules whose outputs are kept, and at which times of a call.
        channels: Of the latents; a variance that the denoiser predicts behind them is left out. None keeps all.
        after_step: Called with (step, timestep, latents on the device) once a step is recorded.
        total: How many steps there will be.
        guidance: Given a timestep, the scales of guidance that the pipeline uses at it.
        guide: Called with (model output, timestep, sample, step, the call that predicted the prompt's rows); the
            scheduler gets its result.
        changing: What changes the denoiser while it runs; None where nothing does.
        swapped: Given a step, the role that attention to the prompt has at it.
        seen: The roles of the run so far, in order.
        calls: (image, array of attention or queries) -> the step of each of its rows.
        last: What the last step returned; `finish` may be told that the pipeline changed it.
        own: Tells the run's own calls from others.
        decoded: What the autoencoder was given after the last step.
        settled: What the pipeline settled by itself: "num_inference_steps" and "eta", if it told the scheduler.
        beside: Denoisers beside the first, to which the pipeline changes during its steps.
        padding: Frames of latents in front that the pipeline drops before it decodes; they are not kept.
        heard: Layer -> whether its kernel handed out its normaliser, at each call so far.
        readers: What reads features and statistics, once the run has begun.
        skipped: Role -> layers that the pipeline left out of a call of that role by its own arguments.
        reused: Role -> layer -> steps at which a cache left the layer out.
    """

    record: Record
    family: Family
    keeper: Keeper
    roles: Roles
    tokens: Callable[[str, int], Tokenizations | None]
    layers: dict[str, LayerPlan]
    after_step: Callable[[int, Any, torch.Tensor], None]
    total: Callable[[], int]
    guidance: Callable[[Any], dict[str, float]] = lambda _: {}
    guide: Callable[[torch.Tensor, Any, torch.Tensor, int, PromptedCall | None], torch.Tensor] | None = None
    swapped: Callable[[int], str] = lambda _: "cond"
    changing: Changing | None = None
    concepts: torch.Tensor | None = None
    features: Mapping[str, Times] = field(default_factory=dict)
    channels: int | None = None
    own: OwnCalls = field(default_factory=OwnCalls)
    steps: list[StepRecord] = field(default_factory=list)
    seen: dict[str, None] = field(default_factory=dict)
    calls: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    last: torch.Tensor | None = None
    decoded: list[torch.Tensor] = field(default_factory=list)
    settled: dict[str, Any] = field(default_factory=dict)
    beside: tuple[torch.nn.Module, ...] = ()
    padding: int = 0
    heard: dict[str, bool] = field(default_factory=dict)
    skipped: dict[str, dict[str, None]] = field(default_factory=dict)
    readers: list[FeatureReader | StatisticsReader] = field(default_factory=list)
    _denoiser: torch.nn.Module | None = None
    reused: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    _encodings: int = 0  # calls of encode_prompt
    _measured: dict[tuple[int, str], None] = field(default_factory=dict)  # arrays of statistics
    _by_role: list[str] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)
    _wanted_steps: frozenset[int] | None = None
    _prompted: PromptedCall | None = None  # of the last call with rows of the prompt, where a guide may ask for it
    _size: Grid = (0, 0)  # of the latents in the last call of the denoiser
    _with_gradients: bool | None = None  # of the pipeline's call itself

    @contextmanager
    def watching(self, pipe: Any, denoiser: torch.nn.Module, stand_in: StandIn | None = None) -> Iterator[None]:
        """Observes encode_prompt, the denoiser and scheduler.step of `pipe` in the block; see `observing`."""
        mixed = None if self.changing is None else self.changing.mixed
        self._denoiser = denoiser
        if self.features:
            dtype = DTYPES[self.record.dtype]
            self.readers.append(FeatureReader(self.family, denoiser, self.features, dtype, self.own))
        if self.record.statistics:
            self.readers.append(StatisticsReader(denoiser, self.own))
        hooked = (self.layers, self._begin, self._end, stand_in, self.own, mixed, self.concepts, self.readers)
        with (
            replaced(pipe, "encode_prompt", self._encode_prompt),
            replaced(pipe.scheduler, "set_timesteps", self._set_timesteps),
            replaced(pipe.scheduler, "step", self._scheduler_step(pipe.scheduler)),
            replaced(autoencoder(pipe), "decode", self._decode),
            self.changing.watching(self.own.here) if self.changing else nullcontext(),  # what is read is what is used
            observing((denoiser, *self.beside), self.family, *hooked),
        ):
            yield

    @property
    def begun(self) -> bool:
        """Whether the denoiser has been called."""
        return bool(self.seen)

    @property
    def images(self) -> int:
        """How many images the user asked for; rows of sources that ride along are none."""
        riding = 0 if self.changing is None else len(self.changing.sources)
        return self.roles.images // (1 + riding)

    def finish(self, last: torch.Tensor | None = None) -> None:
        """Waits for the copies; then everything that was kept can be read.

        Args:
            last: The last latents, if the pipeline changed what its last step returned.
        """
        self.last = self.last if last is None else last
        if self.last is not None and self.record.latents:
            self._keep("latents", self.last, len(self.steps) + 1)
        for role in dict.fromkeys(role for step in self.steps for role in step.roles):
            for image in range(self.images):
                self.keeper.fill((image, f"noise_preds/{role}"), len(self.steps))
        for key in self._measured:
            self.keeper.fill(key, len(self.steps))
        self.keeper.wait()

    def _keep(self, name: str, rows: torch.Tensor, expected: int, at: int | None = None) -> None:
        """Gives the keeper one row of every image."""
        for image, row in zip(range(self.images), rows, strict=False):
            self.keeper.take((image, name), row, expected, torch.float32, at)

    def _encode_prompt(self, encode_prompt: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(encode_prompt)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = encode_prompt(*args, **kwargs)
            if not self.own.here():
                return result
            self._with_gradients = torch.is_grad_enabled() if not self.seen else self._with_gradients
            self.roles.take(self.family.encoded(result, self._encodings))
            self._encodings += 1
            return result

        return watched

    def _scheduler_step(self, scheduler: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrapper(own_step: Callable[..., Any]) -> Callable[..., Any]:
            step = of_three(own_step)

            def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
                if not self.own.is_scheduler_call():
                    return step(model_output, timestep, sample, *args, **kwargs)
                self.own.check()
                if not self.steps and not self._taken:
                    raise RunError(_UNSEEN.format(self.family.title))
                first_order = bool(getattr(scheduler, "state_in_first_order", True))
                guidance, total = self.guidance(timestep), self.total()
                latents, whole = (self._unpacked(one) for one in (sample, model_output))
                noise_pred = whole[:, : self.channels]
                if self.guide is not None:
                    if self.record.noise_pred:
                        self._keep("noise_pred_before_guide", noise_pred, total)
                    with self.own.beside():
                        noise_pred = self.guide(noise_pred, timestep, latents, len(self.steps), self._prompted)
                    behind = [] if self.channels is None else [whole[:, self.channels :]]
                    whole = torch.cat([noise_pred, *behind], dim=1) if behind and behind[0].numel() else noise_pred
                    model_output = self.family.packed(whole, self._size)
                if self.record.latents:
                    self._keep("latents", latents, total + 1)
                if self.record.noise_pred:
                    self._keep("noise_pred", noise_pred, total)
                result = step(model_output, timestep, sample, *args, **kwargs)
                if "eta" not in self.settled:
                    self.settled["eta"] = _given_or_default(
                        step, "eta", (model_output, timestep, sample, *args), kwargs
                    )
                mark = noise_levels.StepMark(timestep, getattr(scheduler, "step_index", None), first_order)
                self.steps.append(StepRecord(mark, tuple(self._by_role), guidance))
                self._by_role, self._taken = [], set()
                result, after = self._stepped(result)
                self.last = self._unpacked(after)
                self.keeper.step_done()
                self.own.steps = len(self.steps)
                with self.own.beside():
                    self.after_step(len(self.steps) - 1, timestep, self.last)
                self.own.check()
                self.decoded.clear()
                return result

            return in_order_of(own_step, watched)

        return wrapper

    def _unpacked(self, latents: torch.Tensor) -> torch.Tensor:
        found = self.family.unpacked(latents, self._size)
        return found[:, :, self.padding :] if self.padding else found

    def _stepped(self, result: Any) -> tuple[Any, torch.Tensor]:
        """What the scheduler's step returned, and the sample in it, as changes of the run leave them."""
        own = result[0] if isinstance(result, tuple) else result.prev_sample
        made = own if self.changing is None else self.changing.stepped(own)
        if made is not own and isinstance(result, tuple):
            return (made, *result[1:]), made
        if made is not own:
            result.prev_sample = made
        return result, made

    def _set_timesteps(self, set_timesteps: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(set_timesteps)  # pipelines read its signature to decide which arguments to pass
        def watched(*args: Any, **kwargs: Any) -> Any:
            if self.own.is_scheduler_call(anew=True):
                names = ("num_inference_steps", "timesteps", "sigmas")
                found = {name: _given_or_default(set_timesteps, name, args, kwargs) for name in names}
                lists = [one for one in (found["timesteps"], found["sigmas"]) if one is not None]
                self.settled["num_inference_steps"] = len(lists[0]) if lists else found["num_inference_steps"]
            return set_timesteps(*args, **kwargs)

        return watched

    def _decode(self, decode: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(decode)
        def watched(*args: Any, **kwargs: Any) -> Any:
            given = next((one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)), None)
            if given is not None and self.steps and self.own.here():
                self.decoded.append(given.detach())
            return decode(*args, **kwargs)

        return watched

    def _begin(self, call: Call) -> CallPlan:
        self._size = self.family.latent_size(call)
        aside = self._with_gradients is False and torch.is_grad_enabled()
        embeds = self.family.embeddings(call)
        if (named := self.family.named_role(call)) is not None:
            roles: tuple[str, ...] = (named,) * self.family.rows(call)
        else:
            roles = self.roles.of_call(self.family.rows(call), embeds, self._taken, aside=aside)
        self._taken |= set(roles)
        self.seen |= dict.fromkeys(roles)
        if self.changing:
            step, images = len(self.steps), self.roles.images
            skipped = self.family.skipped(call)
            now = Now(step, self.total(), roles, self.swapped(step), images, self.images, call, skipped)
            self.changing.begin(now)
        if self._wanted_steps is None:
            self._wanted_steps = self.record.attention_steps(self.total())
        if len(self.steps) not in self._wanted_steps or not (self.layers or self.readers):
            return CallPlan(roles)
        shown = (row for row in range(len(roles)) if row % self.roles.images < self.images)
        rows = tuple(row for row in shown if roles[row] in self.record.roles)
        lengths = {row: self.family.text_length(call, row) for row in rows}
        kept = tuple(self._kept(self._filed(roles[row]), row % self.roles.images, lengths[row]) for row in rows)
        return CallPlan(roles, rows, kept)

    def _kept(self, role: str, image: int, length: int) -> Kept:
        """The positions that keep a column of their own; None keeps all."""
        tokens = self.tokens_of(role, image)
        if self.record.columns == "all" or tokens is None:
            return None
        return kept_of(tokens, length, self.family.text_columns(tokens))

    def tokens_of(self, role: str, image: int) -> Tokenizations | None:
        """The tokens of the text that the role's rows were given; None without text."""
        return self.tokens(self.roles.alike.get(role, role), image)

    def _filed(self, role: str) -> str:
        return self.swapped(len(self.steps)) if role == "cond" else role

    def _note_silent(self, call: DenoiserCall, step: int) -> None:
        """Takes down which layers a call left out, by its own arguments or since a cache had their results."""
        for role in call.plan.roles if call.skipped else ():
            self.skipped.setdefault(role, {}).update(dict.fromkeys(sorted(call.skipped)))
        for role in dict.fromkeys(call.plan.roles[row] for row in call.plan.rows):
            for layer in sorted(call.reused):
                self.reused.setdefault(role, {}).setdefault(layer, []).append(step)

    def _end(self, call: DenoiserCall) -> None:
        images, step = self.roles.images, len(self.steps)
        if self.changing:
            self.changing.end()
        for layer in call.heard:
            self.heard[layer] = layer in call.by_kernel and self.heard.get(layer, True)
        if self.guide is not None:
            self._note_prompted(call)
        self._note_silent(call, step)
        if self.record.noise_pred and call.noise_pred is not None:
            for start in range(0, len(call.plan.roles), images):
                role = call.plan.roles[start]
                made = call.noise_pred[start : start + images, : self.channels]
                made = made[:, :, self.padding :] if self.padding else made
                self._keep(f"noise_preds/{role}", made, self.total(), at=step)
                self._by_role.append(role)
        self._keep_parts(call, step)
        for row, numbers in call.statistics.items():
            key = (row % images, f"statistics/{call.plan.roles[row]}")
            self.keeper.take(key, numbers, self.total(), at=step)
            self._measured[key] = None

    def _keep_parts(self, call: DenoiserCall, step: int) -> None:
        """Keeps what layers and modules gave in a call."""
        expected, images = len(self._wanted_steps or ()), self.roles.images
        queries = ((("queries", layer), rows) for layer, rows in call.queries.items())
        concepts = ((("concept_scores", layer), rows) for layer, rows in call.concept_scores.items())
        features = ((("features", module), rows) for module, rows in call.features.items())
        for (kind, layer), rows in chain(call.attention.items(), queries, concepts, features):
            for row, one in rows.items():
                role = call.plan.roles[row]
                filed = role if kind in {"self_attention", "concept_scores", "features"} else self._filed(role)
                key = (row % images, f"{kind}/{filed}/{layer}")
                self.keeper.take(key, one, expected)
                self.calls.setdefault(key, []).append(step)

    def _note_prompted(self, call: DenoiserCall) -> None:
        """Keeps hold of a call with the prompt's rows until the next one, for `GuideStep.attention`."""
        shown = (row for row in range(len(call.plan.roles)) if row % self.roles.images < self.images)
        rows = tuple(row for row in shown if call.plan.roles[row] == "cond")
        if rows and call.noise_pred is not None and self._denoiser is not None:
            made, count = call.noise_pred[list(rows)], len(call.plan.roles)
            self._prompted = PromptedCall(
                self._denoiser, self.family, call.inputs, rows, made, count, self._positions, self._changed_again
            )

    def _changed_again(self, call: Call) -> AbstractContextManager[None]:
        """In the block a call for the prompt's rows alone is changed as the run's own calls of this step are."""
        if self.changing is None:
            return nullcontext()
        step, roles = len(self.steps), ("cond",) * self.images
        skipped = self.family.skipped(call)
        return self.changing.again(
            Now(step, self.total(), roles, self.swapped(step), self.images, self.images, call, skipped)
        )

    def _positions(self, word: Any, occurrence: Any) -> list[tuple[int, ...]]:
        """The keys of a word in the prompt of each image, as it stands at this step.

        Raises:
            TokenError: One of the prompts has no such word.
        """
        found = []
        for image in range(self.images):
            tokens: Mapping[str, Tokenization] = self.tokens_of(self._filed("cond"), image) or {}
            keys = SharedKeys.of(tokens, self.family.text_columns(tokens).items())
            if not keys.read and isinstance(word, str):
                raise TokenError("the run has embeddings and no text; name positions")
            found.append(keys.positions(word, occurrence) if keys.read else several(word))
        return found


def _given_or_default(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The value that a call gives to the argument `name`; None where the function takes none."""
    try:
        bound = signature(function).bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return kwargs.get(name)
    bound.apply_defaults()
    return bound.arguments.get(name, kwargs.get(name))
