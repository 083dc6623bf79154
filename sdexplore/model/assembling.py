"""From what was recorded to traces: one per image, x0 by closed form, chosen steps decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..theory import Space, pred_original_sample, variance_preserving
from ..tokenization import Tokenizations
from ..trace import Attention, Queries, Trace
from . import noise_levels
from .hosting import stacked
from .recording import AttentionRecord, Recorder, cut_of, image_rows

Decode = Callable[[np.ndarray], UInt8[np.ndarray, "Y X 3"]]


@dataclass(frozen=True)
class Assembly:
    """The parts of a finished (or stopped) run.

    Attributes:
        recorder: Finished: its copies are complete.
        decode: Latents (channel, y, x) on the variance-preserving scale -> picture; None decodes nothing.
        latent_rgb: Gives the linear preview's matrix; None where there is no VAE, or the run was stopped.
    """

    recorder: Recorder
    scheduler: Any
    call: Mapping[str, Any]
    provenance: Mapping[str, Any]
    decode: Decode | None
    latent_rgb: Callable[[], np.ndarray] | None

    def traces(self, output: Any | None) -> list[Trace]:
        """One Trace for each image of the pipeline's `output`; None when it was stopped."""
        pictures, unsafe = _pictures(output)
        images = self.recorder.roles.images
        return [
            self._trace(image, images, pictures[image] if pictures else None, unsafe, stopped=output is None)
            for image in range(images)
        ]

    def _trace(
        self, image: int, images: int, picture: UInt8[np.ndarray, "Y X 3"] | None, unsafe: Any, *, stopped: bool
    ) -> Trace:
        recorder, record = self.recorder, self.recorder.record
        marks = [step.mark for step in recorder.steps]
        parts: dict[str, Any] = {"timesteps": np.array([float(mark.timestep) for mark in marks], np.float64)}
        sigmas = noise_levels.sigmas(self.scheduler, marks)
        if sigmas is not None:
            parts["sigmas"] = sigmas
        if record.latents and recorder.last is not None:
            samples = [step.sample[image].numpy() for step in recorder.steps if step.sample is not None]
            parts["latents"] = np.stack([*samples, recorder.last[image].numpy()])
        if record.noise_pred and recorder.steps:
            rows = image_rows(recorder.steps, image)
            parts |= {name: rows.pop(name) for name in ("noise_pred", "noise_pred_before_guide") if name in rows}
            parts["noise_preds"] = {name.removeprefix("noise_preds/"): array for name, array in rows.items()}
        parts |= self._original_sample(parts)
        parts |= self._decoded(parts)
        if self.latent_rgb is not None and "latents" in parts:
            parts["latent_rgb"] = self.latent_rgb()
        if picture is not None:
            parts["image"] = picture
        if unsafe is not None:
            parts["flags"] = {"nsfw_content_detected": bool(unsafe[image])}
        call = dict(self.call) | ({"image": image, "images": images} if images > 1 else {})
        tokens, attention = self._attention(image)
        parts |= attention
        parts["queries"] = self._queries(image)
        return Trace(
            kind="run",
            call=call | ({"stopped": True} if stopped else {}),
            provenance={**self.provenance, "guidance": self._guidance()},
            tokens=tokens,
            **parts,
        )

    def _guidance(self) -> dict[str, list[float]]:
        """The scales that the pipeline guided by, a number a step."""
        steps = [step.guidance for step in self.recorder.steps]
        return {name: [step[name] for step in steps] for name in steps[0]} if steps else {}

    def _original_sample(self, parts: Mapping[str, Any]) -> dict[str, np.ndarray]:
        if not {"latents", "noise_pred", "sigmas"} <= parts.keys():
            return {}
        scheduler = self.provenance["scheduler"]
        sigma = parts["sigmas"].reshape(-1, 1, 1, 1)
        x0 = pred_original_sample(
            parts["latents"][:-1],
            parts["noise_pred"],
            sigma,
            scheduler["prediction_type"],
            scheduler["space"],
            scheduler["sigma_data"],
        )
        return {"pred_original_sample": x0.astype(np.float32)}

    def _decoded(self, parts: Mapping[str, Any]) -> dict[str, dict[int, np.ndarray]]:
        found: dict[str, dict[int, np.ndarray]] = {}
        steps = self.recorder.record.decoded_steps(len(self.recorder.steps))
        if self.decode is None or not steps or not {"latents", "sigmas"} <= parts.keys():
            return found
        space: Space = self.provenance["scheduler"]["space"]
        found["decoded"] = {
            step: self.decode(variance_preserving(parts["latents"][step], parts["sigmas"][step], space))
            for step in steps
        }
        if "pred_original_sample" in parts:
            found["decoded_x0"] = {step: self.decode(parts["pred_original_sample"][step]) for step in steps}
        return found

    def _attention(self, image: int) -> tuple[dict[str, Tokenizations], dict[str, dict[str, dict[str, Attention]]]]:
        recorder = self.recorder
        roles = dict.fromkeys(role for step in recorder.steps for role in step.by_role) or dict.fromkeys(
            recorder.roles.encoded
        )
        if "cond" in roles:  # and the prompts that took its place
            roles |= dict.fromkeys(recorder.swapped(step) for step in range(len(recorder.steps)))
        tokens = {role: found for role in roles if (found := recorder.tokens(role, image)) is not None}
        attention: dict[str, dict[str, dict[str, Attention]]] = {"cross_attention": {}, "self_attention": {}}
        for layer, calls in recorder.attention.items():
            plan = recorder.layers[layer]
            for role in dict.fromkeys(role for call in calls for role, i in call.probs if i == image):
                seen: list[AttentionRecord] = [call for call in calls if (role, image) in call.probs]
                probs = stacked([call.probs[role, image] for call in seen])
                known = recorder.tokens(role, image) if plan.kind == "cross_attention" else None
                attention[plan.kind].setdefault(role, {})[layer] = Attention(
                    probs=probs,
                    steps=tuple(call.step for call in seen),
                    columns=_columns(known, probs.shape[-1]) if plan.kind == "cross_attention" else (),
                    tokenizer=next(iter(known)) if known else None,
                    head_mean=plan.head_mean,
                )
        return tokens, attention

    def _queries(self, image: int) -> dict[str, dict[str, Queries]]:
        found: dict[str, dict[str, Queries]] = {}
        for layer, calls in self.recorder.queries.items():
            for role in dict.fromkeys(role for call in calls for role, i in call.probs if i == image):
                seen = [call for call in calls if (role, image) in call.probs]
                values = stacked([call.probs[role, image] for call in seen])
                found.setdefault(role, {})[layer] = Queries(values=values, steps=tuple(call.step for call in seen))
        return found


def _columns(tokens: Tokenizations | None, columns: int) -> tuple[tuple[int, ...], ...]:
    """The positions of the prompt in each of the recorded columns."""
    apart = tuple((position,) for position in range(columns))
    if not tokens:
        return apart
    length = max(len(t.ids) for t in tokens.values())
    cut = cut_of(tokens, length)
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
