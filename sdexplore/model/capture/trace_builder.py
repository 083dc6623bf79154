"""Makes traces of what was recorded: one for each image, with x0 by closed form and chosen steps decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...base.user_warnings import warn_user
from ...text.shared_keys import SharedKeys, readers_of
from ...text.tokenization import Tokenizations
from ...theory import pred_original_sample, variance_preserving
from ...trace.declaration import KEYED, Kind, declared
from ...trace.provenance import Provenance
from ...trace.trace import Attention, Queries, Trace
from ..components.memory import give_back, ran_out
from ..schedulers import noise_levels
from .plans import cut_of
from .recorder import Recorder

Decode = Callable[[np.ndarray], UInt8[np.ndarray, "Y X 3"]]


@dataclass(frozen=True)
class Assembly:
    """The parts of a finished (or stopped) run.

    Attributes:
        recorder: Finished: its copies are complete.
        decode: Latents (channel, y, x) on the variance-preserving scale -> picture; None decodes nothing.
        latent_rgb: Returns the linear preview's matrix; None if there is no VAE, or the run was stopped.
    """

    recorder: Recorder
    scheduler: Any
    call: Mapping[str, Any]
    provenance: Provenance
    decode: Decode | None
    latent_rgb: Callable[[], np.ndarray] | None

    def seal(self, output: Any | None) -> None:
        """Gives the keeper one Trace for each image of the pipeline's `output`, None if the run was stopped."""
        pictures, unsafe = _pictures(output)
        images = self.recorder.roles.images
        for image in range(images):
            missing = self._complete(image, pictures[image] if pictures else None)
            call = dict(self.call) | ({"image": image, "images": images} if images > 1 else {})
            flags = {} if unsafe is None else {"nsfw_content_detected": bool(unsafe[image])}
            trace = self._trace(image, call | ({"stopped": True} if output is None else {}), flags, missing)
            self.recorder.keeper.seal(image, trace)

    def _trace(self, image: int, call: Mapping[str, Any], flags: Mapping[str, bool], missing: Provenance) -> Trace:
        """The Trace of everything that was kept of one image."""
        arrays = self.recorder.keeper.arrays(image)
        tokens, calls = self._calls(image, arrays)
        parts: dict[str, Any] = {
            one.name: one.value_in(arrays) for one in declared(Trace) if one.kind in (Kind.ARRAY, *KEYED)
        }
        provenance: Provenance = {**self.provenance, "guidance": self._guidance(), **missing}
        return Trace(kind="run", call=call, provenance=provenance, tokens=tokens, flags=flags, **parts, **calls)

    def _complete(self, image: int, picture: UInt8[np.ndarray, "Y X 3"] | None) -> Provenance:
        """Gives the keeper the picture, and what follows from the rest: noise levels, x0, decoded steps.

        Returns:
            The entry of provenance about pictures for which memory did not suffice.
        """
        keeper, marks = self.recorder.keeper, [step.mark for step in self.recorder.steps]
        keeper.add((image, "timesteps"), np.array([float(mark.timestep) for mark in marks], np.float64))
        sigmas = noise_levels.sigmas(self.scheduler, marks)
        if picture is not None:
            keeper.add((image, "image"), picture)
        if sigmas is not None:
            keeper.add((image, "sigmas"), sigmas)
            self._original_sample(image, sigmas)
        wanted = [] if sigmas is None else self._to_decode(image, sigmas)
        if self.latent_rgb is not None and "latents" in keeper.arrays(image):
            wanted.insert(0, ("latent_rgb", self.latent_rgb))
        for number, (name, make) in enumerate(wanted):
            try:
                keeper.add((image, name), make())
            except Exception as error:
                if not ran_out(error):
                    raise
                give_back(error)
                return _lacking([name for name, _ in wanted[number:]])
        return {}

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
        for step in range(len(sigmas)):  # one at a time, since a long run may be in a file
            rows = slice(step, step + 1)
            sigma = sigmas[rows].reshape(-1, 1, 1, 1)
            x0 = pred_original_sample(kept["latents"][rows], kept["noise_pred"][rows], sigma, *how)
            keeper.add((image, "pred_original_sample"), x0.astype(np.float32), len(sigmas))

    def _to_decode(self, image: int, sigmas: np.ndarray) -> list[tuple[str, Callable[[], np.ndarray]]]:
        """The pictures of steps that the Record asks for: the name of each, and a function that makes it."""
        kept = self.recorder.keeper.arrays(image)
        space: Any = self.provenance["scheduler"]["space"]  # known, as the noise levels are
        decode = self.decode
        if decode is None or "latents" not in kept:
            return []

        def sample(step: int) -> np.ndarray:
            return decode(variance_preserving(kept["latents"][step], sigmas[step], space))

        def original_sample(step: int) -> np.ndarray:
            return decode(kept["pred_original_sample"][step])

        kinds = {"decoded": sample} | ({"decoded_x0": original_sample} if "pred_original_sample" in kept else {})
        steps = self.recorder.record.decoded_steps(len(self.recorder.steps))
        return [(f"{kind}/{step}", partial(make, step)) for kind, make in kinds.items() for step in steps]

    def _calls(self, image: int, arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tokenizations], dict[str, Any]]:
        """Tokens by role, and the fields of a Trace whose rows are denoiser calls."""
        recorder = self.recorder
        roles = dict.fromkeys(role for step in recorder.steps for role in step.roles) or dict.fromkeys(
            recorder.roles.encoded
        )
        if "cond" in roles:  # and the prompts that replaced its own
            roles |= dict.fromkeys(recorder.swapped(step) for step in range(len(recorder.steps)))
        tokens = {role: found for role in roles if (found := recorder.tokens(role, image)) is not None}
        fields: dict[str, dict[str, dict[str, Any]]] = {one.name: {} for one in declared(Trace) if one.rows}
        rows = {one.name: one.rows for one in declared(Trace)}
        readers: dict[str, dict[str, Any]] = {}
        for (owner, name), steps in recorder.calls.items():
            if owner != image:
                continue
            kind, role, layer = name.split("/", 2)
            there = fields[kind].setdefault(role, {})
            if rows[kind] is Queries:
                there[layer] = Queries(values=arrays[name], steps=tuple(steps))
                continue
            cross, plan = kind == "cross_attention", recorder.layers[layer]
            known = recorder.tokens(role, image) if cross else None
            if cross and role not in readers:
                readers[role] = readers_of(known or {}, recorder.family.text_columns(known or ()))
                if (parting := SharedKeys.of(known or {}, readers[role].get("tokenizers", ())).parting) is not None:
                    warn_user(f"run: in the prompt of {role!r}, {parting}; word_map(tokenizer=…) asks for one alone")
            first = recorder.family.text_columns(known or ())
            there[layer] = Attention(
                probs=arrays[name],
                steps=tuple(steps),
                columns=_columns(known, first, arrays[name].shape[-1], rest=plan.rest) if cross else (),
                head_mean=plan.head_mean,
                **(readers[role] if cross else {}),
            )
        return tokens, fields


def _lacking(names: list[str]) -> Provenance:
    """The entry of provenance for missing pictures; a warning names them too."""
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")  # noqa: PLR2004
    warn_user(
        f"run: the run is whole, but memory did not suffice to decode its steps afterwards; missing: {shown}. "
        "Record(decode=0) decodes none, pipe.vae.enable_tiling() needs less memory"
    )
    return {"out_of_memory": names}


def _columns(
    tokens: Tokenizations | None, first: Mapping[str, int], columns: int, *, rest: bool
) -> tuple[tuple[int, ...], ...]:
    """The positions of the prompt in each of the recorded columns.

    A `rest`, which has the picture in it, names no position: what it holds of padding is not known.
    """
    apart: tuple[tuple[int, ...], ...] = tuple((position,) for position in range(columns))
    if rest:
        return (*apart[:-1], ())
    if not tokens or not first:
        return apart
    length = max(begin + len(tokens[name].ids) for name, begin in first.items())
    cut = cut_of(tokens, length, first)
    if cut is None or columns != cut + 1 or columns == length:
        return apart
    return (*apart[:-1], tuple(range(cut, length)))


def _pictures(output: Any | None) -> tuple[list[UInt8[np.ndarray, "Y X 3"]] | None, Any]:
    """The pipeline's pictures as uint8, and the safety checker's verdicts; None for latents and for no output."""
    if output is None:
        return None, None
    images = output[0] if isinstance(output, tuple) else output.images
    unsafe = (
        output[1] if isinstance(output, tuple) and len(output) > 1 else getattr(output, "nsfw_content_detected", None)
    )
    if isinstance(images, list) and all(isinstance(image, Image.Image) for image in images):
        return [np.asarray(image.convert("RGB")) for image in images], unsafe
    if isinstance(images, np.ndarray) and images.shape[-1] == 3:  # noqa: PLR2004  (RGB)
        return [(image * 255).round().astype(np.uint8) for image in images], unsafe
    if hasattr(images, "cpu") and images.shape[1] == 3:  # noqa: PLR2004  (RGB; latents have more channels)
        array = images.detach().float().cpu().permute(0, 2, 3, 1).numpy()
        return [(image * 255).round().astype(np.uint8) for image in array], unsafe
    return None, unsafe
