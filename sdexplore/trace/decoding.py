"""What a trace decodes: the pictures of its steps, when they are first looked at, or asked for by name."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, cast

import numpy as np
from jaxtyping import UInt8

from ..base.display import counted
from ..base.errors import SdexploreError, Stopped, TraceError
from ..base.user_warnings import warn_user
from .lazy import held
from .record import spread
from .step_decoding import (
    NAMES,
    VAE,
    DecodedSteps,
    DecodeProgress,
    Decoder,
    Name,
    Promised,
    Samples,
    StepDecoding,
    StepPictures,
    decoder_of,
)
from .steps import Steps, StepsOfTrace

_SHOWN = 8  # steps, where none are named


class DecodingTrace(StepsOfTrace):
    """How pictures of a trace's steps are made and remembered."""

    @property
    def undecodable(self) -> str | None:
        """Why steps cannot be decoded (any more), in words; None where they can. Nothing is computed."""
        return self.decoding.lacking()

    @property
    def shown_steps(self) -> tuple[int, ...]:
        """The steps that a view shows where none are named: the Record's; eight, evenly spread, if it names none."""
        return spread(tuple(self.decoded) or range(self.num_steps), _SHOWN)

    def decode(
        self,
        steps: Steps | np.integer[Any] = None,
        *,
        with_: object = None,
        on_step: Callable[[DecodeProgress], object] | None = None,
    ) -> DecodedSteps:
        """Decodes x_t and predicted x0 of steps, those that were not before; remembers and returns them.

        The pipeline's own VAE is waited for, and each picture is made alone, so that it has the bits that it always
        has. Of a video it is the middle frame, for which a VAE of videos decodes the whole: a picture takes as long as
        the run's own decoding did. Pictures stay in memory with the trace. Those of steps that the Record names are in
        `decoded` and `decoded_x0` (which decode by themselves when they are touched) and go into the file. Views show
        others too.

        Args:
            steps: A step, several, or a slice. None: those that the Record names, or eight if it names none.
            with_: Another autoencoder of diffusers with latents of the same kind, for example an `AutoencoderTiny`
                (TAESD). What it makes is approximate: views show it where the VAE's picture was not made, and name it.
                It is never in `decoded`, `decoded_x0` or the file.
            on_step: A function that is called with a DecodeProgress after each picture; it may call its `stop()`. None:
                a progress bar as the pipeline shows them.

        Raises:
            TraceError: A step lies beyond the run; there is nothing to decode; the VAE is not there any more, or was
                changed since the run; `with_` is no autoencoder, or has latents of another kind.
            Stopped: `on_step` called `stop()`. What was made stays.
        """
        chosen = self.shown_steps if steps is None else self.check_steps(steps)
        decoding = self.decoding
        names = decoding.samples.names()
        if with_ is not None:
            decoder = decoder_of(with_)
            if not names:
                raise TraceError(
                    "decode(with_=…): this trace holds no latents on a known scale: there is nothing to decode"
                )
            found = {(name, step): partial(decoding.by, decoder, name, step) for step in chosen for name in names}
            return self._decoded(found, chosen, decoder, on_step)
        wanted_kinds = names or NAMES[:1]  # where there can be none, x_t, so that it is said
        there = {name: self.decoded_steps(name) for name in wanted_kinds}
        missing = [(name, step) for step in chosen for name in wanted_kinds if step not in there[name]]
        if missing and (why := decoding.lacking()) is not None:
            raise TraceError(f"decode: step {missing[0][1]} cannot be decoded: {why}")
        wanted = {(name, step): partial(decoding.picture, name, step) for name, step in missing}
        return self._decoded(wanted, chosen, decoding.decoder, on_step)

    def _decoded(
        self,
        wanted: Mapping[tuple[Name, int], Callable[[], np.ndarray]],
        chosen: Sequence[int],
        decoder: Decoder | None,
        on_step: Callable[[DecodeProgress], object] | None,
    ) -> DecodedSteps:
        """Makes the wanted pictures one after the other; returns those of the chosen steps."""
        own = decoder is self.decoding.decoder
        made: dict[tuple[Name, int], np.ndarray] = {}
        shows = self.decoding.decoder or decoder  # the pipeline's bar, where there is one: its user may have put it off
        bar = shows.bar(len(wanted)) if shows is not None and wanted and on_step is None else nullcontext(_nothing)
        with bar as more:
            for done, ((name, step), make) in enumerate(wanted.items(), 1):
                made[name, step] = make()
                more()
                if on_step is not None:
                    progress = DecodeProgress(step, name == "decoded_x0", done, len(wanted))
                    on_step(progress)
                    if progress.stopped:
                        raise Stopped(f"decode: stopped after {done} of {len(wanted)} pictures, which stay", self)
        pictures: dict[Name, dict[int, np.ndarray]] = {name: {} for name in NAMES}
        for name in NAMES:
            for step in chosen:
                found = self._own_picture(name, step, decode=False) if own else made.get((name, step))
                if found is not None:
                    pictures[name][step] = found
        return DecodedSteps(
            pictures["decoded"], pictures["decoded_x0"], VAE if own or decoder is None else decoder.name
        )

    def picture_of_step(
        self, step: int, *, x0: bool = False, decode: bool = True
    ) -> tuple[UInt8[np.ndarray, "Y X 3"], str] | None:
        """The picture of x_t before a step, or of its predicted x0, and what decoded it ("VAE", or another decoder).

        Args:
            decode: Whether it is decoded if it was not before; else None is returned for it.

        Returns:
            The VAE's picture; else another decoder's that was made before; None where there is none, and none can be.

        Raises:
            TraceError: Decoding failed.
        """
        name: Name = "decoded_x0" if x0 else "decoded"
        if (picture := self._own_picture(name, step, decode=False)) is not None:
            return picture, VAE
        if (other := self.decoding.others.get((name, step))) is not None:
            return other
        picture = self._own_picture(name, step, decode=decode)
        return None if picture is None else (picture, VAE)

    def _own_picture(self, name: Name, step: int, *, decode: bool) -> np.ndarray | None:
        pictures, decoding = self.pictures(name), self.decoding
        if step in pictures.made:
            return np.asarray(pictures[step])
        if (found := decoding.made.get((name, step))) is not None:
            return found
        if decode and name in decoding.samples.names() and decoding.lacking() is None:
            return decoding.picture(name, step)
        return None

    def pictures(self, name: Name) -> StepPictures:
        """`decoded` or `decoded_x0`; its `made` names the steps whose pictures are there already."""
        return cast("StepPictures", held(self, name))

    @property
    def decoding(self) -> StepDecoding:
        """What makes the pictures of this trace's steps, and remembers them."""
        pictures = self.pictures("decoded")
        if pictures.decoding is not None:
            return pictures.decoding
        if (found := self.__dict__.get("decoding")) is None:
            found = self.__dict__.setdefault("decoding", StepDecoding(self._samples(), None))
        return cast("StepDecoding", found)

    def _samples(self) -> Samples:
        try:
            space = self.space
        except TraceError:
            return Samples(None, None, None, "variance preserving")
        return Samples(held(self, "latents"), held(self, "sigmas"), held(self, "pred_original_sample"), space)

    def decoded_steps(self, name: Name) -> set[int]:
        """The steps whose pictures by the VAE are there, those beyond the Record too. Nothing is decoded."""
        return {*self.pictures(name).made, *(step for kind, step in self.decoding.made if kind == name)}

    def decoded_as(self, named: Sequence[int], there: Mapping[Name, Sequence[int]]) -> None:
        """From then on some steps count as decoded, and no other: views show what they showed where no more were.

        Their pictures are made when they are first looked at: a figure that shows none of them decodes none.

        Args:
            named: Those that `decoded` and `decoded_x0` have as keys from then on.
            there: Those that count as decoded, x_t and predicted x0.

        Raises:
            TraceError: A step lies beyond the run, or cannot be decoded.
        """
        self.check_steps(tuple(named))
        there = {name: self.check_steps(tuple(steps)) for name, steps in there.items()}
        decoding, kept = self.decoding, {name: self.decoded_steps(name) for name in NAMES}
        if (missing := sorted({step for name in there for step in {*there[name]} - kept[name]})) and (
            why := decoding.lacking()
        ) is not None:
            raise TraceError(f"decode: step {missing[0]} cannot be decoded: {why}")
        kinds = decoding.samples.names()
        keys = [(name, step) for name in there for step in there[name] if name in kinds or step in kept[name]]
        stored = {(name, step): self.pictures(name)[step] for name in NAMES for step in self.pictures(name).made}
        decoding.made = {**decoding.made, **stored}
        for name in NAMES:
            object.__setattr__(self, name, StepPictures({}))
        self.decoded_by(None, named)
        self.decoding.made = Promised(decoding, keys)

    def decoded_by(self, decoder: Decoder | None, steps: Sequence[int]) -> None:
        """Puts a decoder on the trace. It is no field: not in the file, not in the fingerprint, not in a pickle.

        Args:
            decoder: None can decode nothing.
            steps: Those that the Record names: the keys of `decoded`, and of `decoded_x0` where there is x0.
        """
        decoding = StepDecoding(self._samples(), decoder)
        kinds = decoding.samples.names()
        for name in NAMES:
            stored = self.pictures(name).parts
            waiting = steps if name in kinds else ()
            pictures = StepPictures(stored, waiting=waiting, decoding=decoding, name=name)
            object.__setattr__(self, name, pictures)

    def decode_what_is_kept(self, function: str) -> None:
        """Decodes what the Record names; warns where that cannot be."""
        try:
            if waiting := self.undecoded:
                self.decode(waiting)
        except Stopped:
            raise
        except SdexploreError as error:
            left = self.undecoded
            warn_user(
                f"{function}: the pictures of {counted(len(left), 'step')} ({', '.join(map(str, left))}) are left out: "
                f"{error}"
            )

    @property
    def undecoded(self) -> tuple[int, ...]:
        """The steps that the Record names and that were not decoded yet, x_t or predicted x0."""
        there = [(one, set(one.made)) for one in map(self.pictures, NAMES)]
        return tuple(step for step in self.decoded if any(step in one and step not in made for one, made in there))

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array under its name in the file, for example "cross_attention/cond/mid_block…attn2"; all are read.

        Steps that the Record names are decoded before; where that cannot be, they are left out, and a warning says so.
        """
        self.decode_what_is_kept("Trace.arrays")
        return super().arrays()


def _nothing() -> None:
    """Where no bar is shown."""
