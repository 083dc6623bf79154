"""Pictures of steps, decoded when they are first looked at, and remembered.

A run puts a decoder on its trace, which is made where pipelines are known. It is no field: not in the file, not in the
fingerprint, not in a pickle. Pictures are decoded one at a time: a VAE that decodes several at once rounds otherwise,
and a picture would depend on what else was looked at.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from ..base.errors import TraceError
from ..strings.wording import Told, told, why_of
from ..theory import Space, variance_preserving
from .lazy import Part, array_of, row_of

Name: TypeAlias = Literal["decoded", "decoded_x0"]
NAMES: Final[tuple[Name, ...]] = ("decoded", "decoded_x0")
"""The fields of a Trace that hold pictures of steps: x_t before the step, and predicted x0."""
VAE: Final = "VAE"
"""What `DecodedSteps.decoder` names the pipeline's own VAE."""


@runtime_checkable
class Decoder(Protocol):
    """Turns latents into a picture. It holds the pipeline weakly.

    Attributes:
        name: How pictures name it.
    """

    name: str

    def lacking(self) -> str | None:
        """Why it cannot decode any more, in words; None while it can. Nothing is computed."""

    def turn(self) -> AbstractContextManager[object]:
        """Its turn: nothing else computes with the same network in the block."""

    def bar(self, total: int) -> AbstractContextManager[Callable[[], object]]:
        """A progress bar as the pipeline shows them; the block calls the function after each picture."""

    def __call__(self, latents: Float[np.ndarray, "channel *frame y x"]) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture of latents on the variance-preserving scale; TraceError that says why there is none."""


@dataclass
class DecodeProgress:
    """Where `Trace.decode` stands: what `on_step` is given after each picture.

    Attributes:
        step: The step of the picture that was just made, from 0.
        x0: Whether the picture is that of the predicted x0, and not that of x_t.
        done: How many pictures there are by now, of `total`. Those that were there before do not count.
        total: How many pictures this call makes.
        stopped: Whether `stop()` was called.
    """

    step: int
    x0: bool
    done: int
    total: int
    stopped: bool = field(default=False, init=False)

    def stop(self) -> None:
        """Ends the decoding after this picture: `decode` raises Stopped, and keeps what it made."""
        self.stopped = True


@dataclass(frozen=True, eq=False)
class DecodedSteps:
    """The pictures of some steps, all by one decoder.

    Attributes:
        decoded: Step -> x_t before the step.
        decoded_x0: Step -> the predicted x0; empty where the trace holds none.
        decoder: "VAE" for the pipeline's own; else the class of the decoder and where it came from.
    """

    decoded: Mapping[int, UInt8[np.ndarray, "Y X 3"]]
    decoded_x0: Mapping[int, UInt8[np.ndarray, "Y X 3"]]
    decoder: str

    def __repr__(self) -> str:
        return f"DecodedSteps: steps {', '.join(map(str, self.decoded))}, by {self.decoder}"


@dataclass(frozen=True, eq=False)
class Samples:
    """What steps are decoded from.

    Attributes:
        latents, sigmas, x0: Those of the trace, or None.
        space: On which scale the latents are.
    """

    latents: Part | None
    sigmas: Part | None
    x0: Part | None
    space: Space

    def names(self) -> tuple[Name, ...]:
        """The kinds of pictures that there can be."""
        if self.latents is None or (self.sigmas is None and self.space != "variance preserving"):
            return ()
        return NAMES if self.x0 is not None else NAMES[:1]

    def of(self, name: Name, step: int) -> Float[np.ndarray, "channel *frame y x"]:
        """The latents of a picture, on the variance-preserving scale."""
        if name == "decoded_x0":
            return row_of(self._there(self.x0), step)
        sample = row_of(self._there(self.latents), step)
        if self.space == "variance preserving":
            return sample
        return variance_preserving(sample, array_of(self.sigmas)[step], self.space)

    @staticmethod
    def _there(part: Part | None) -> Part:
        if part is None:
            raise TraceError("this trace holds no latents to decode: run with Record(latents=True, noise_pred=True)")
        return part


class StepDecoding:
    """Makes the pictures of a trace's steps, and remembers them.

    Attributes:
        samples: What they are made from.
        decoder: The pipeline's own; None where the trace was read from a file.
        made: Pictures by that decoder.
        others: Pictures by another decoder, each with its name.
    """

    def __init__(self, samples: Samples, decoder: Decoder | None) -> None:
        self.samples, self.decoder = samples, decoder
        self.made: Mapping[tuple[Name, int], np.ndarray] = {}
        self.others: dict[tuple[Name, int], tuple[np.ndarray, str]] = {}
        self._guard = threading.Lock()

    def lacking(self) -> str | None:
        """Why no step can be decoded, in words; None where one can."""
        if self.decoder is None:
            return told("decoding.no_vae")
        if not self.samples.names():
            return told("decoding.no_latents")
        return self.decoder.lacking()

    def picture(self, name: Name, step: int) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture of a step by the pipeline's own decoder.

        Raises:
            TraceError: It cannot be made.
        """
        if (found := self.made.get((name, step))) is not None:
            return found
        why = self.lacking()
        if self.decoder is None or why is not None:
            raise TraceError(f"step {step} cannot be decoded: {why}")
        with self.decoder.turn():
            if (found := self.made.get((name, step))) is None:  # else another thread made it meanwhile
                found = self._made(self.decoder, name, step)
                with self._guard:
                    self.made = {**self.made, (name, step): found}  # a new one: a thread may be reading the old one
        return found

    def by(self, decoder: Decoder, name: Name, step: int) -> UInt8[np.ndarray, "Y X 3"]:
        """The picture of a step by another decoder, remembered beside those of the pipeline's own.

        Raises:
            TraceError: It cannot be made.
        """
        with self.decoder.turn() if self.decoder is not None else nullcontext():  # it may be this pipeline's network
            found = self._made(decoder, name, step)
        with self._guard:
            self.others = {**self.others, (name, step): (found, decoder.name)}
        return found

    def _made(self, decoder: Decoder, name: Name, step: int) -> np.ndarray:
        try:
            picture = decoder(self.samples.of(name, step))
        except TraceError as error:
            why, said = why_of(error), f"step {step} cannot be decoded: {error}"
            raise TraceError(Told(said, why.key, why.fields) if isinstance(why, Told) else said) from error
        picture.flags.writeable = False
        return picture


class Promised(Mapping[tuple[Name, int], Any]):  # not of arrays: a checker of types would look at one, and decode it
    """(kind, step) -> picture, of steps that count as decoded: each is made by `decoding` when it is first read."""

    def __init__(self, decoding: StepDecoding, keys: Sequence[tuple[Name, int]]) -> None:
        self._decoding, self._keys = decoding, tuple(dict.fromkeys(keys))

    def __getitem__(self, key: tuple[Name, int]) -> np.ndarray:
        if key not in self._keys:
            raise KeyError(key)
        return self._decoding.picture(*key)

    def __iter__(self) -> Iterator[tuple[Name, int]]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys


class StepPictures(Mapping[int, Any]):  # not of arrays: a checker of types would look at one, and decode it
    """Step -> picture. One that was not made yet is decoded when it is touched, and remembered.

    Keys, length and `in` decode nothing.
    """

    def __init__(
        self,
        parts: Mapping[int, Part],
        *,
        waiting: Sequence[int] = (),
        decoding: StepDecoding | None = None,
        name: Name = "decoded",
    ) -> None:
        self._stored = dict(parts)
        self._waiting = tuple(step for step in waiting if step not in self._stored)
        self._steps = (*self._stored, *self._waiting) if not self._waiting else tuple(sorted({*parts, *waiting}))
        self._name = name
        self.decoding = decoding

    @property
    def made(self) -> tuple[int, ...]:
        """The steps whose pictures are there: reading them decodes nothing."""
        if self.decoding is None or not self._waiting:
            return tuple(self._stored)
        return tuple(step for step in self._steps if step in self._stored or (self._name, step) in self.decoding.made)

    @property
    def parts(self) -> dict[int, Part]:
        """The pictures that are there, or their places in the file."""
        if self.decoding is None or not self._waiting:
            return self._stored
        there = self._stored | {step: one for (name, step), one in self.decoding.made.items() if name == self._name}
        return {step: there[step] for step in self._steps if step in there}

    def __getitem__(self, step: int) -> np.ndarray:
        if step in self._stored:
            return np.asarray(array_of(self._stored[step]))
        if step in self._waiting and self.decoding is not None:
            return self.decoding.picture(self._name, step)
        raise KeyError(step)

    def __iter__(self) -> Iterator[int]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __contains__(self, step: object) -> bool:
        return step in self._steps

    def __repr__(self) -> str:
        there = f"{len(self.made)} of {len(self)} pictures decoded" if self._waiting else f"{len(self)} pictures"
        return f"<{there}: steps {', '.join(map(str, self))}>"


_MAKERS: list[Callable[[object], Decoder]] = []


def made_by(maker: Callable[[object], Decoder]) -> None:
    """Tells how a network becomes a decoder. A trace opens without torch, so the room that knows networks tells it."""
    _MAKERS[:] = [maker]


def decoder_of(network: object) -> Decoder:
    """A decoder made of an autoencoder of diffusers.

    Raises:
        TraceError: It is none; or nothing that knows networks was loaded in this process.
    """
    if not _MAKERS:
        raise TraceError(
            "decode(with_=…): this trace was opened without sdx; name sdx.Trace once, which knows networks"
        )
    return _MAKERS[0](network)
