"""Makes traces of what was recorded, one for each image, with x0 by closed form.

A trace gets a decoder for its steps. In a file the pictures that the Record names are there when it is closed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...base.data_order import in_data_order
from ...base.errors import TraceError
from ...base.user_warnings import warn_user
from ...text.shared_keys import SharedKeys, readers_of
from ...text.tokenization import Tokenizations
from ...theory import pred_original_sample, variance_preserving
from ...trace.concept_scores import ConceptScores
from ...trace.declaration import KEYED, Kind, declared, fixed_lengths, with_arrays
from ...trace.frame_axis import middle
from ...trace.provenance import Provenance
from ...trace.step_decoding import Decoder
from ...trace.trace import Attention, Features, Queries, Trace
from ..components.memory import give_back, ran_out
from ..schedulers import noise_levels
from .lacking import Lacking
from .module_readers import StatisticsReader, beyond_float16
from .pictures import pictures_of, videos_of
from .plans import LayerPlan, kept_of
from .recorder import Recorder

Decode = Callable[[np.ndarray], UInt8[np.ndarray, "Y X 3"]]


def _nothing() -> None:
    """Where no bar is shown."""


@dataclass(frozen=True)
class Assembly:
    """The parts of a finished (or stopped) run. What cannot be made of it costs that part, never the trace.

    Attributes:
        recorder: Finished: its copies are complete.
        decode: Latents (channel, y, x), or (channel, frame, y, x), on the variance-preserving scale -> picture; None
            decodes nothing.
        decoder: Returns what decodes steps when they are looked at; None if there is no VAE.
        latent_rgb: Returns the linear preview's matrix; None if there is no VAE, or the run was stopped.
        factor: Pixels along the side of a latent.
    """

    recorder: Recorder
    scheduler: Any
    call: Mapping[str, Any]
    provenance: Provenance
    decode: Decode | None
    decoder: Callable[[], Decoder] | None
    latent_rgb: Callable[[], np.ndarray] | None
    factor: int = 1

    def seal(self, output: Any | None) -> None:
        """Gives the keeper one Trace for each image of the pipeline's `output`, None if the run was stopped."""
        lacking = Lacking()
        video = self.recorder.family.video
        drawn = video and bool(self.recorder.decoded)  # else it is the latents that the pipeline returned
        frames = videos_of(output, self.recorder.roles.images, lacking) if drawn else None
        pictures, unsafe = (None, None) if video else pictures_of(output, self.recorder.roles.images, lacking)
        pictures = [one[middle(len(one))] for one in frames] if frames else pictures
        images = self.recorder.images
        decoder = self.decoder() if self.decoder is not None else None
        waiting = () if self.decode is None or self.recorder.keeper.in_files else self._steps_to_decode()
        for image in range(images):
            self._complete(image, pictures[image] if pictures else None, lacking, decoder)
            if frames:
                self.recorder.keeper.add((image, "frames"), frames[image])
            call = dict(self.call) | ({"image": image, "images": images} if images > 1 else {})
            flags = {} if unsafe is None else {"nsfw_content_detected": bool(unsafe[image])}
            trace = self._trace(image, call | ({"stopped": True} if output is None else {}), flags, lacking)
            if decoder is not None:
                trace.decoded_by(decoder, waiting)
            self.recorder.keeper.seal(image, trace)
        lacking.tell()

    def _steps_to_decode(self) -> tuple[int, ...]:
        return self.recorder.record.decoded_steps(len(self.recorder.steps))

    def _trace(self, image: int, call: Mapping[str, Any], flags: Mapping[str, bool], lacking: Lacking) -> Trace:
        """The Trace of everything that was kept of one image."""
        self._drop_what_does_not_fit(image, lacking)
        arrays = self.recorder.keeper.arrays(image)
        tokens, calls = self._calls(image, arrays)
        parts: dict[str, Any] = {
            one.name: one.value_in(arrays) for one in declared(Trace) if one.kind in (Kind.ARRAY, *KEYED)
        }
        names = next((one.names for one in self.recorder.readers if isinstance(one, StatisticsReader)), {})
        measured: Provenance = {"modules": list(names)} if names else {}
        provenance: Provenance = {**self.provenance, **measured, "guidance": self._guidance(), **lacking.entries()}
        if (size := self._size(arrays)) is not None and "used" in provenance:
            provenance["used"] = {**provenance["used"], "height": size[0], "width": size[1]}
        return Trace(kind="run", call=call, provenance=provenance, tokens=tokens, flags=flags, **parts, **calls)

    def _drop_what_does_not_fit(self, image: int, lacking: Lacking) -> None:
        """Forgets arrays whose shape is none that a trace can hold beside the latents."""
        keeper, sizes = self.recorder.keeper, fixed_lengths(Trace)
        arrays = keeper.arrays(image)
        for module in beyond_float16(self.recorder.readers):
            for key in [key for key in arrays if key.startswith("features/") and key.split("/", 2)[2] == module]:
                keeper.forget((image, key))
                lacking.note(key, "it reaches beyond 65504, the greatest float16; Record(dtype='float32') keeps it")
        for one in (each for each in with_arrays(Trace) if each.kind in (Kind.ARRAY, *KEYED)):
            for key in [key for key in arrays if key.split("/")[0] == one.name]:
                try:
                    one.check(one.value_in({key: arrays[key]}), sizes)
                except TraceError as error:
                    keeper.forget((image, key))
                    lacking.note(key, str(error))

    def _size(self, arrays: Mapping[str, np.ndarray]) -> tuple[int, int] | None:
        """(height, width) of the picture in pixels, or of the one that the latents stand for."""
        if (picture := arrays.get("image")) is not None:
            return picture.shape[0], picture.shape[1]
        last = self.recorder.last
        if last is None or last.ndim != 4 + self.recorder.family.video:  # (image, channel, y, x), or with frames
            return None
        return last.shape[-2] * self.factor, last.shape[-1] * self.factor

    def _complete(
        self, image: int, picture: UInt8[np.ndarray, "Y X 3"] | None, lacking: Lacking, decoder: Decoder | None
    ) -> None:
        """Gives the keeper the picture, and what follows from the rest: noise levels, x0, decoded steps."""
        keeper, marks = self.recorder.keeper, [step.mark for step in self.recorder.steps]
        keeper.add((image, "timesteps"), np.array([float(mark.timestep) for mark in marks], np.float64))
        if picture is not None:
            keeper.add((image, "image"), picture)
        sigmas: np.ndarray | None = None
        with lacking.unless("sigmas"):
            sigmas = noise_levels.sigmas(self.scheduler, marks)
        decoded: list[tuple[str, Callable[[], np.ndarray]]] = []
        if sigmas is not None:
            keeper.add((image, "sigmas"), sigmas)
            with lacking.unless("pred_original_sample"):
                self._original_sample(image, sigmas)
            decoded = self._to_decode(image, sigmas)
        if self.latent_rgb is not None and "latents" in keeper.arrays(image):
            self._make(image, [("latent_rgb", self.latent_rgb)], lacking)
        with decoder.bar(len(decoded)) if decoder is not None and decoded else nullcontext(_nothing) as made:
            self._make(image, decoded, lacking, made)

    def _make(
        self,
        image: int,
        wanted: Sequence[tuple[str, Callable[[], np.ndarray]]],
        lacking: Lacking,
        made: Callable[[], object] = _nothing,
    ) -> None:
        """Gives the keeper arrays that are made now, until memory runs out; calls `made` after each."""
        for number, (name, make) in enumerate(wanted):
            try:
                with lacking.unless(name):
                    self.recorder.keeper.add((image, name), make())
            except Exception as error:
                if not ran_out(error):
                    raise
                give_back(error)
                lacking.memory([one for one, _ in wanted[number:]])
                return
            made()

    def _guidance(self) -> dict[str, list[float]]:
        """The scales of guidance that the pipeline used, one number for each step."""
        steps = [step.guidance for step in self.recorder.steps]
        return {name: [step[name] for step in steps] for name in steps[0]} if steps else {}

    def _original_sample(self, image: int, sigmas: np.ndarray) -> None:
        keeper, scheduler = self.recorder.keeper, self.provenance["scheduler"]
        kept = keeper.arrays(image)
        if not {"latents", "noise_pred"} <= kept.keys():
            return
        # The scheduler's facts are known wherever its noise levels are.
        how: Any = (scheduler["prediction_type"], scheduler["space"], scheduler["sigma_data"])
        if kept["latents"].shape[1:] != kept["noise_pred"].shape[1:]:
            shapes = (kept[name].shape[1:] for name in ("noise_pred", "latents"))
            raise TraceError("predictions of {} beside latents of {}".format(*shapes))
        for step in range(len(sigmas)):  # one at a time, since a long run may be in a file
            rows = slice(step, step + 1)
            sigma = sigmas[rows].reshape(-1, *[1] * (kept["latents"].ndim - 1))
            x0 = pred_original_sample(kept["latents"][rows], kept["noise_pred"][rows], sigma, *how)
            keeper.add((image, "pred_original_sample"), x0.astype(np.float32), len(sigmas))

    def _to_decode(self, image: int, sigmas: np.ndarray) -> list[tuple[str, Callable[[], np.ndarray]]]:
        """The pictures of steps that go into the trace's file: the name of each, and a function that makes it."""
        kept = self.recorder.keeper.arrays(image)
        space: Any = self.provenance["scheduler"]["space"]  # known, as the noise levels are
        decode = self.decode
        if decode is None or "latents" not in kept or not self.recorder.keeper.in_files:
            return []

        def sample(step: int) -> np.ndarray:
            return decode(variance_preserving(kept["latents"][step], sigmas[step], space))

        def original_sample(step: int) -> np.ndarray:
            return decode(kept["pred_original_sample"][step])

        kinds = {"decoded": sample} | ({"decoded_x0": original_sample} if "pred_original_sample" in kept else {})
        steps = self._steps_to_decode()
        return [(f"{kind}/{step}", partial(make, step)) for kind, make in kinds.items() for step in steps]

    def _calls(self, image: int, arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tokenizations], dict[str, Any]]:
        """Tokens by role, and the fields of a Trace whose rows are denoiser calls."""
        recorder = self.recorder
        roles = dict.fromkeys(role for step in recorder.steps for role in step.roles) or dict.fromkeys(
            recorder.roles.encoded
        )
        if "cond" in roles:  # and the prompts that replaced its own
            roles |= dict.fromkeys(recorder.swapped(step) for step in range(len(recorder.steps)))
        tokens = {role: found for role in roles if (found := recorder.tokens_of(role, image)) is not None}
        fields: dict[str, dict[str, dict[str, Any]]] = {one.name: {} for one in declared(Trace) if one.rows}
        rows = {one.name: one.rows for one in declared(Trace)}
        readers: dict[str, dict[str, Any]] = {}
        for (owner, name), steps in recorder.calls.items():
            if owner != image or name not in arrays:  # one that did not fit
                continue
            kind, role, layer = name.split("/", 2)
            there = fields[kind].setdefault(role, {})
            if kind == "features":
                there[layer] = Features(values=arrays[name], steps=tuple(steps))
                continue
            if rows[kind] is Queries:
                there[layer] = Queries(values=arrays[name], steps=tuple(steps))
                continue
            if rows[kind] is ConceptScores:
                there[layer] = ConceptScores(
                    scores=arrays[name], steps=tuple(steps), concepts=tuple(recorder.record.concepts)
                )
                continue
            cross = kind != "self_attention"
            plan = next(one for one in recorder.layers[layer].readings if one.kind == kind)
            known = recorder.tokens_of(role, image) if cross else None
            if cross and role not in readers:
                readers[role] = readers_of(known or {}, recorder.family.text_columns(known or ()))
                if (parting := SharedKeys.of(known or {}, readers[role].get("tokenizers", ())).parting) is not None:
                    warn_user(f"run: in the prompt of {role!r}, {parting}; word_map(tokenizer=…) asks for one alone")
            first = recorder.family.text_columns(known or ())
            there[layer] = Attention(
                probs=arrays[name],
                steps=tuple(steps),
                columns=_columns(known, first, arrays[name].shape[-1], plan) if cross else (),
                head_mean=plan.head_mean,
                **(readers[role] if cross else {}),
            )
        read = {kind: _in_order(fields[kind], recorder.layers) for kind in fields.keys() - {"features"}}
        return tokens, fields | read


def _in_order(by_role: Mapping[str, Mapping[str, Any]], layers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Layers as the data pass them, and not as they were read."""
    order = in_data_order(layers)
    return {role: {name: found[name] for name in order if name in found} for role, found in by_role.items()}


def _columns(
    tokens: Tokenizations | None, first: Mapping[str, int], columns: int, plan: LayerPlan
) -> tuple[tuple[int, ...], ...]:
    """The positions of the prompt in each of the recorded columns.

    A `rest`, which has the picture in it, names no position: what it holds of padding is not known. Where words ask
    there is no column for others.
    """
    rest, others_too = plan.rest, plan.kind == "cross_attention"
    length = (
        max((begin + len(tokens[name].ids) for name, begin in first.items() if name in tokens), default=0)
        if tokens
        else 0
    )
    kept = kept_of(tokens, length, first) if tokens and first else None
    if kept is None or columns != len(kept) + others_too or (columns == length and not rest):
        kept = tuple(range(columns - rest))
        return (*((position,) for position in kept), *[()] * rest)
    others = () if rest else tuple(sorted(set(range(length)).difference(kept)))
    return (*((position,) for position in kept), *[others] * others_too)
