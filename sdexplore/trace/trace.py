"""The record of one image's way through a pipeline. No torch, no diffusers: a Trace opens anywhere."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ..base.atomic_files import named
from ..base.display import Block, Shown
from ..base.errors import TraceError, did_you_mean
from ..base.user_warnings import warn_user
from ..theory import variance_preserving
from . import codec, file, saving
from .declaration import declaration_of, declared
from .decoding import DecodingTrace
from .description import blocks_of
from .features import Features
from .fields import TraceFields
from .frame_axis import latent_frames
from .layers import Attention, Queries
from .lazy import StoredArray, held, made
from .steps import Steps
from .stored import Content, Held, OnDisk
from .xarray import datatree

__all__ = ["Attention", "Features", "Queries", "Steps", "Trace"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Trace(DecodingTrace, Shown):
    """One image's way, as read-only numpy arrays on the CPU. A *step* is one call of `scheduler.step`.

    Rows are steps, never timesteps: second-order schedulers repeat those. What the Record left out is None,
    or absent from its mapping; `recorded(name)` asks for it with a message that helps.

    Raises:
        TraceError: The parts do not fit together.
    """

    @property
    def unconditional(self) -> bool:
        """Whether the model takes no prompt, so that there is no guidance and the one role is "uncond"."""
        return bool(self.provenance.get("unconditional", False))

    @property
    def video(self) -> bool:
        """Whether it is the way of a video: it holds frames, or latents and predictions with frames."""
        return latent_frames(self) is not None or self.shape_of("frames") is not None

    @property
    def noise_pred_uncond(self) -> Float32[np.ndarray, "step channel *frame y x"]:
        """The unconditional (or negative prompt's) prediction; TraceError without guidance."""
        return self._role("uncond")

    @property
    def noise_pred_cond(self) -> Float32[np.ndarray, "step channel *frame y x"]:
        """The conditional prediction (`noise_pred_text` in diffusers' pipelines)."""
        return self._role("cond")

    def _role(self, role: str) -> Float32[np.ndarray, "step channel *frame y x"]:
        if role not in self.noise_preds:
            known = ", ".join(map(repr, self.noise_preds)) or "none (Record(noise_pred=False))"
            raise TraceError(f"no noise prediction of role {role!r} in this trace; recorded: {known}")
        return self.noise_preds[role]

    def recorded(self, name: str) -> Any:  # noqa: ANN401  (arrays of several shapes)
        """The array `name`; TraceError if it was not recorded, which says how to record it."""
        value = getattr(self, name, None)
        if value is None:
            field = declaration_of(type(self), name)
            if field is None:
                raise TraceError(f"this trace holds no {name}: there is no field {name!r}")
            reason = self.provenance.get("scheduler", {}).get("refusal") if field.note.by_formula else None
            raise TraceError(f"this trace holds no {name}: {field.note.missing}{f' ({reason})' if reason else ''}")
        return value

    def scaled_latents(self, step: int) -> Float32[np.ndarray, "channel *frame y x"]:
        """x_t before `step` on the variance-preserving scale, on which steps and schedulers compare."""
        sample = self.recorded("latents")[self.check_step(step)]
        if self.space == "variance preserving":
            return np.asarray(sample)
        sigma = self.recorded("sigmas")[step]
        return variance_preserving(sample, np.float64(sigma), self.space).astype(np.float32)

    def attention(self, role: str = "cond") -> Mapping[str, Attention]:
        """Layer -> cross-attention of `role`; TraceError if it was not recorded."""
        if role not in self.cross_attention:
            if self.unconditional:
                raise TraceError("this pipeline is unconditional: it has no prompt for cross-attention to look at")
            if not self.cross_attention and self.video:
                raise TraceError(
                    "this trace holds no cross-attention: of a video no run records it, since its layers attend over "
                    "frames, which have no grid (y, x)"
                )
            if not self.cross_attention:
                raise TraceError("this trace holds no cross-attention: run with Record(cross_attention='mean')")
            raise TraceError(
                f"no cross-attention of role {role!r}; {did_you_mean(role, self.cross_attention)} "
                "(Record(roles=…) says whose is kept)"
            )
        return self.cross_attention[role]

    def altered(self, **changes: Any) -> "Trace":  # noqa: ANN401  (any field)
        """This trace with other values of some fields. Nothing is read, and nothing decoded."""
        values = {one.name: held(self, one.name) for one in declared(type(self))}
        return made(type(self), {**values, **changes})

    def save(self, path: str | Path, *, decode: bool = True) -> Path:
        """Writes the trace to one safetensors file, atomically; returns the path.

        Its header holds a small picture too, "preview", a data URI of WebP, for programs that list files.

        Args:
            decode: Whether the steps that the Record names are decoded before, those that were not yet. False: the file
                holds the pictures that were decoded by now, and for other steps the linear preview stands, since a
                trace from a file has no VAE. What cannot be decoded is left out too, and a warning says so.

        Raises:
            TraceError: The name does not end in .safetensors.
        """
        target = named(path, TraceError)
        saving.check_name(target)
        if decode:
            self.decode_what_is_kept("Trace.save")
        saving.save(target, self, str(path))
        return target

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """The trace saved at `path`; each array is read from the file when it is touched, and no file stays open.

        An array that is touched after the path holds another file raises TraceError; one that was handed out stays.

        Raises:
            TraceError: There is no such file, or it is damaged, foreign, or does not fit together.
        """
        return cls.opened(*file.opened(named(path, TraceError)), Path(path).name)

    @classmethod
    def opened(cls, facts: dict[str, Any], content: Content, name: str) -> "Trace":
        """The trace in the content of a file of this name, whose header says these facts."""
        parts = {key: StoredArray(content, key) for key in content.header.entries}
        with saving.damage_told(name):
            trace = made(cls, codec.fields_of(facts, parts, cls))
        trace.__dict__["content"] = (content, facts["schema"], facts["digests"])  # no field: in memory it has none
        return trace

    @property
    def path(self) -> Path | None:
        """The file that the arrays are read from; None of a trace in memory."""
        content = self.__dict__["content"][0] if "content" in self.__dict__ else None
        return content.path if isinstance(content, OnDisk) else None

    def reading(self) -> AbstractContextManager[object]:
        """Within the block the trace's file, where there is one, is opened once for all arrays; for many small ones."""
        return self.__dict__["content"][0].reading() if "content" in self.__dict__ else nullcontext()

    def verify(self) -> "Trace":
        """Reads every array and compares it with what was saved, and the header too; returns the trace itself.

        A file of schema 1 has no digest of its header: a warning says so.

        Raises:
            TraceError: The content differs; or the trace was never in a file.
        """
        if not self.check():
            warn_user(
                "Trace.verify: the arrays are what was saved. Call, prompt and shapes were not checked: "
                "a file of schema 1 has no digest of its header"
            )
        return self

    def check(self) -> bool:
        """As `verify`, without a warning: whether the header was checked too."""
        if "content" not in self.__dict__:
            raise TraceError("this trace does not come from a file: there is nothing to verify it against")
        content, schema, digests = self.__dict__["content"]
        return file.verify(f"trace {self.fingerprint}", content, {"schema": schema, "digests": digests})

    def __reduce__(self) -> tuple[Any, ...]:
        """A trace is pickled as the bytes of its file. Nothing is decoded for it; the copy holds what was by then."""
        content = self.__dict__["content"][0].bytes() if "content" in self.__dict__ else saving.bytes_of(self)
        return _from_bytes, (type(self), content)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Trace":
        """A copy with arrays of its own. It decodes nothing, and decodes later as this trace does."""
        function, arguments = self.__reduce__()
        copied: Trace = function(*arguments)
        if (decoder := self.decoding.decoder) is not None:
            copied.decoded_by(decoder, tuple(self.decoded))
        return copied

    def to_xarray(self) -> Any:  # noqa: ANN401  (an xarray.DataTree, where xarray is installed)
        """The trace as an xarray DataTree with named axes (extra `sdexplore[xarray]`); see `sdexplore.trace.xarray`.

        Steps that the Record names are decoded before, as in `arrays`.
        """
        self.decode_what_is_kept("Trace.to_xarray")
        return datatree(self)

    def blocks(self) -> list[Block]:
        """What the repr shows: the call, the run in numbers, every array with its shape."""
        return blocks_of(self)


def _from_bytes(cls: type[Trace], content: bytes) -> Trace:
    """The trace whose file has these bytes."""
    held = Held(content, "a pickled trace")
    return cls.opened(file.facts_in(held.header, "a pickled trace"), held, "a pickled trace")


_FIELDS = cleandoc(TraceFields.__doc__ or "").partition("\n\n")[2]
Trace.__doc__ = f"{cleandoc(Trace.__doc__ or '')}\n\n{_FIELDS}"  # `help(Trace)` lists the fields too
