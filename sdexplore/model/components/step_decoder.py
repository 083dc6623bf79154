"""Decoders for a trace: the pipeline's own VAE, held weakly, and another autoencoder that is given."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from weakref import ref

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from jaxtyping import Float, UInt8

from ...base.error_lines import named_line
from ...base.errors import TraceError
from ...base.user_warnings import warn_user
from ...strings.wording import Told, told
from ...trace.step_decoding import made_by
from . import decoding
from .memory import give_back, ran_out
from .pipeline_lock import lock_of
from .pipeline_parts import autoencoder, in_pixel_space
from .vae_condition import VaeCondition

_WAY_OUT = "trace.decode(with_=vae) takes another decoder, and pictures say which"


class PipelineDecoder:
    """Decodes as the pipeline did in a run, or says what was changed since.

    It keeps neither the pipeline nor the VAE alive. A VAE that was moved to another device decodes on, with a warning:
    its pictures are the same within rounding.

    Attributes:
        name: How pictures name it.
    """

    name = "VAE"

    def __init__(self, pipe: Any) -> None:
        vae: Any = autoencoder(pipe)
        self._pipe, self._vae = ref(pipe), ref(vae)
        self._processor = decoding.image_processor(pipe)
        self._lock = lock_of(pipe)
        self._then = VaeCondition.of(vae, decoding.device_of_decoder(pipe))
        self._told = False

    def lacking(self) -> str | None:
        """Why it cannot decode any more, in words; None while it can."""
        pipe, vae = self._pipe(), self._vae()
        if pipe is not None and autoencoder(pipe) is not vae:
            what, key = ("None", "none") if autoencoder(pipe) is None else ("another one than in the run", "other")
            return Told(f"pipe.vae is {what} now: put the first one back, or {_WAY_OUT}", f"decoding.vae.{key}")
        if vae is None or pipe is None:
            return Told(
                "the pipeline is not there any more, and a trace does not keep it: keep it, or save the trace while it "
                f"is there; {_WAY_OUT}",
                "decoding.gone",
            )
        return None

    def turn(self) -> AbstractContextManager[object]:
        """Its turn among the pipeline's runs."""
        return self._lock

    @contextmanager
    def bar(self, total: int) -> Iterator[Callable[[], object]]:
        """The pipeline's own progress bar."""
        pipe = self._pipe()
        if pipe is None:
            yield lambda: None
            return
        with pipe.progress_bar(total=total) as bar:
            bar.set_description("decoding")
            yield bar.update

    def __call__(self, latents: Float[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture that the VAE makes of latents on the variance-preserving scale."""
        pipe, vae = self._pipe(), self._vae()
        if (why := self.lacking()) is not None or pipe is None or vae is None:
            raise TraceError(why)
        device = decoding.device_of_decoder(pipe)
        now = VaeCondition.of(vae, device)
        if (changes := self._then.changes(now, max(latents.shape[-2:]))) is not None:
            raise TraceError(changes)
        if now.device != self._then.device and not self._told:
            self._told = True
            warn_user(
                f"decode: the VAE computes on {now.device} now, and on {self._then.device} in the run: pictures are "
                "the same within rounding"
            )
        return _decoded(vae, self._processor, device, latents)


class PixelDecoder:
    """For pipelines in pixel space, whose latents are the picture: nothing is needed of the pipeline."""

    name = "VAE"

    def lacking(self) -> str | None:
        """None: it can always."""

    def turn(self) -> AbstractContextManager[object]:
        """No turn: nothing is computed with a network."""
        return nullcontext()

    def bar(self, total: int) -> AbstractContextManager[Callable[[], object]]:  # noqa: ARG002
        """No bar: it takes no time."""
        return nullcontext(lambda: None)

    def __call__(self, latents: Float[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture."""
        return decoding.of_pixels(latents)


class GivenDecoder(PixelDecoder):
    """An autoencoder that the user gave, such as TAESD.

    Attributes:
        name: Its class, and where it came from.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        config = dict(vae.config)
        self._channels = config.get("latent_channels")
        source = str(config.get("_name_or_path") or "")
        dtype = next(vae.parameters()).dtype
        said = [source] * bool(source) + [str(dtype).removeprefix("torch.")] * (dtype != torch.float32)
        said += ["in tiles"] * bool(getattr(vae, "use_tiling", False))
        self.name = type(vae).__name__ + (f" ({', '.join(said)})" if said else "")
        self._processor = VaeImageProcessor()

    def __call__(self, latents: Float[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture."""
        if self._channels is not None and len(latents) != self._channels:
            raise TraceError(
                f"decode(with_={self.name}): it takes latents of {self._channels} channels, and the trace has "
                f"{len(latents)}: give the little decoder of the same family of models"
            )
        return _decoded(self._vae, self._processor, next(self._vae.parameters()).device, latents)


def decoder_for(pipe: Any) -> PipelineDecoder | PixelDecoder:
    """What decodes the steps of this pipeline's runs."""
    return PixelDecoder() if in_pixel_space(pipe) else PipelineDecoder(pipe)


def decoder_of(vae: Any) -> GivenDecoder:
    """A decoder made of an autoencoder of diffusers.

    Raises:
        TraceError: It is none.
    """
    if not isinstance(vae, torch.nn.Module) or not callable(getattr(vae, "decode", None)) or not hasattr(vae, "config"):
        raise TraceError(
            f"decode(with_={vae!r:.60}): give an autoencoder of diffusers, as in "
            'diffusers.AutoencoderTiny.from_pretrained("madebyollin/taesd")'
        )
    return GivenDecoder(vae)


def _decoded(vae: Any, processor: Any, device: torch.device, latents: np.ndarray) -> np.ndarray:
    """The picture; TraceError where the network fails."""
    try:
        return decoding.decode_with(vae, processor, device, latents)
    except Exception as error:
        if ran_out(error):
            give_back(error)
            raise TraceError(
                Told(
                    f"memory does not suffice ({named_line(error)}); with pipe.vae.enable_tiling(), "
                    "trace.decode(with_=pipe.vae) needs less",
                    "decoding.memory",
                    {"error": named_line(error)},
                )
            ) from error
        raise TraceError(told("decoding.failed", error=named_line(error))) from error


made_by(decoder_of)
