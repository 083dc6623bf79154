"""Everything that a Trace holds: each field is declared here, once, and checked when a trace is made.

A new field is one entry in `TraceFields` and a line in its docstring. `declaration` says what an entry can tell. The
file, `cost`, xarray, the growing file and the reprs read the declaration.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from ..base.display import clip
from ..base.errors import TraceError
from ..text.tokenization import Tokenizations
from .concept_scores import ConceptScores
from .declaration import NOTE, Kind, Note, declared, fixed_lengths, with_arrays
from .features import Features
from .fingerprint import fingerprint_of
from .layers import Attention, Queries
from .lazy import Part, array_of, held, on_touch, pieces, row_of
from .provenance import Provenance

KINDS = ("run", "look", "invert")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TraceFields:
    """What a Trace holds, as read-only numpy arrays on the CPU, and what follows from that alone.

    Latents, predictions and x0 are (step, channel, y, x); of a video (step, channel, frame, y, x). A frame of latents
    stands for one or several frames of the video. What shows one picture of a video shows its middle frame: number
    n // 2 of n, from 0, of the video's frames and of the latents' alike. `one_frame` (`trace.frames`) chooses another.

    Attributes:
        kind: "run", "look" or "invert".
        call: Every argument as given, as JSON.
        provenance: Model source, component classes, scheduler and config, versions, device, dtype, wall time.
        tokens: Role -> tokenizer -> Tokenization.
        timesteps: Training time of each step, as the scheduler was given it.
        sigmas: √(1−ᾱ)/√ᾱ of the sample at each step.
        latents: x_T first, as the scheduler holds them (`space` says on which scale); the last row is what the last
            step returned.
        noise_preds: Role -> the model's own prediction; NaN rows where a role was not computed.
        noise_pred: What the scheduler got, after guidance.
        noise_pred_before_guide: The same before a `guide` pushed it; None without one.
        pred_original_sample: x0 by closed form, variance-preserving scale, unclipped; None where the scheduler's
            noise levels are not known to sdexplore.
        cross_attention, self_attention: Role -> layer (its dotted name in the denoiser) -> Attention.
        word_attention: Role -> joint layer -> Attention whose columns are the words that ask, and whose pixels are
            asked: how much a token attends to each pixel. With Record(word_attention=True).
        concept_scores: Role -> joint layer -> ConceptScores; with Record(concepts=…).
        queries: Role -> cross-attention layer -> Queries; with Record(queries=True).
        features: Role -> module, and "#1" for its second time in a call -> Features; with Record(features=…).
        statistics: Role -> of each module's output mean, standard deviation, least and greatest of its finite numbers,
            and the share of those that are not; with Record(statistics=True). provenance["modules"] names the modules,
            in the order in which they end. Rows of NaN are steps, and places modules, that were not looked at.
        decoded, decoded_x0: Step -> x_t before the step, and predicted x0, decoded by the VAE when they are first
            touched. The keys are the steps that the Record names; they are known without decoding. Of a video they are
            its middle frame.
        latent_rgb: Linear preview: [latents, 1] @ latent_rgb is RGB in 0..1; fitted on this pipeline's VAE.
        image: The pipeline's picture; of a video its middle frame. None when it was asked for latents, or stopped.
        frames: The frames of a video; None of a picture, and where `image` is.
        flags: The safety checker's verdict, {"nsfw_content_detected": …}; empty without checker.
    """

    kind: Literal["run", "look", "invert"]
    call: Mapping[str, Any]
    provenance: Provenance
    tokens: Mapping[str, Tokenizations] = field(default_factory=dict)
    timesteps: Float64[np.ndarray, " step"]
    sigmas: Float64[np.ndarray, " step"] | None = field(
        default=None,
        metadata={NOTE: Note(missing="the noise levels of its scheduler are not known to sdexplore", by_formula=True)},
    )
    latents: Float32[np.ndarray, "step+1 channel *frame y x"] | None = field(
        default=None, metadata={NOTE: Note(missing="run with Record(latents=True)", when=("latents",), live=True)}
    )
    noise_preds: Mapping[str, Float32[np.ndarray, "step channel *frame y x"]] = field(
        default_factory=dict,
        metadata={NOTE: Note(missing="run with Record(noise_pred=True)", when=("noise_pred",), live=True)},
    )
    noise_pred: Float32[np.ndarray, "step channel *frame y x"] | None = field(
        default=None, metadata={NOTE: Note(missing="run with Record(noise_pred=True)", when=("noise_pred",), live=True)}
    )
    noise_pred_before_guide: Float32[np.ndarray, "step channel *frame y x"] | None = field(
        default=None,
        metadata={
            NOTE: Note(
                missing="it needs run(guide=…) and Record(noise_pred=True)", when=("noise_pred", "guide"), live=True
            )
        },
    )
    pred_original_sample: Float32[np.ndarray, "step channel *frame y x"] | None = field(
        default=None,
        metadata={
            NOTE: Note(
                missing="it needs Record(latents=True, noise_pred=True) and a scheduler with known noise levels",
                when=("latents", "noise_pred", "x0"),
                by_formula=True,
            )
        },
    )
    cross_attention: Mapping[str, Mapping[str, Attention]] = field(
        default_factory=dict, metadata={NOTE: Note(missing="run with Record(cross_attention='mean')")}
    )
    self_attention: Mapping[str, Mapping[str, Attention]] = field(
        default_factory=dict, metadata={NOTE: Note(missing="run with Record(self_attention=(16,)) or by layer")}
    )
    word_attention: Mapping[str, Mapping[str, Attention]] = field(
        default_factory=dict,
        metadata={NOTE: Note(missing="run with Record(word_attention=True), where words and picture attend together")},
    )
    concept_scores: Mapping[str, Mapping[str, ConceptScores]] = field(
        default_factory=dict,
        metadata={NOTE: Note(missing="run with Record(concepts=('sky', 'grass')), on Stable Diffusion 3 or FLUX.1")},
    )
    queries: Mapping[str, Mapping[str, Queries]] = field(
        default_factory=dict, metadata={NOTE: Note(missing="run with Record(queries=True)")}
    )
    features: Mapping[str, Mapping[str, Features]] = field(
        default_factory=dict, metadata={NOTE: Note(missing="run with Record(features=('mid_block', 'up_blocks.1'))")}
    )
    statistics: Mapping[str, Float32[np.ndarray, "step module 5"]] = field(
        default_factory=dict,
        metadata={NOTE: Note(missing="run with Record(statistics=True)", when=("statistics",), live=True)},
    )
    decoded: Mapping[int, UInt8[np.ndarray, "decoded_Y decoded_X 3"]] = field(
        default_factory=dict,
        metadata={
            NOTE: Note(missing="it needs Record(latents=True, decode=8) and a VAE", when=("latents", "x0", "decodes"))
        },
    )
    decoded_x0: Mapping[int, UInt8[np.ndarray, "decoded_Y decoded_X 3"]] = field(
        default_factory=dict,
        metadata={
            NOTE: Note(
                missing="it needs Record(latents=True, noise_pred=True, decode=8) and a VAE",
                when=("latents", "noise_pred", "x0", "decodes"),
            )
        },
    )
    latent_rgb: Float32[np.ndarray, "features 3"] | None = field(
        default=None,
        metadata={
            NOTE: Note(
                missing="the pipeline has no VAE to fit it on, or the run was stopped",
                lengths={"features": "channel+1"},
            )
        },
    )
    image: UInt8[np.ndarray, "Y X 3"] | None = field(
        default=None,
        metadata={
            NOTE: Note(missing="the run was stopped, or asked for output_type='latent'", when=("draws",)),
        },
    )
    frames: UInt8[np.ndarray, "video_frame Y X 3"] | None = field(
        default=None,
        metadata={NOTE: Note(missing="it is no run of a video that was drawn", when=("draws", "video"))},
    )
    flags: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Makes arrays read-only, and checks the shapes that must agree: a damaged trace fails here, not in a view."""
        if self.kind not in KINDS:
            raise TraceError(f"the kind of a trace is {', '.join(map(repr, KINDS))}, not {clip(repr(self.kind), 40)}")
        _read_on_touch(cast("Hashable", type(self)))
        for one in declared(type(self)):
            object.__setattr__(self, one.name, one.frozen(held(self, one.name)))
        sizes = fixed_lengths(type(self))
        for one in with_arrays(type(self)):
            one.check(held(self, one.name), sizes)

    @property
    def num_steps(self) -> int:
        """How many times the scheduler stepped; more than num_inference_steps for second-order schedulers."""
        return int(held(self, "timesteps").shape[0])

    @property
    def prompt(self) -> str | None:
        """The prompt of this image as it was typed; None where there was none."""
        texts = [t.typed for t in self.tokens.get("cond", {}).values()]
        return texts[0] if texts else None

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits of what was called and what came of it; a saved trace keeps its own."""
        latents = held(self, "latents")
        last = None if latents is None else row_of(latents, -1)
        parts = (held(self, "timesteps"), last, held(self, "image"))
        return fingerprint_of(self.call, (piece for part in parts if part is not None for piece in pieces(part)))

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        """The shape of a field that holds one array; None where the trace has none. Nothing is read."""
        part: Part | None = held(self, name)
        return None if part is None else part.shape

    def parts(self) -> dict[str, Part]:
        """Every array that is there, or its place in the file, under its name there; none is read or decoded."""
        found = dict[str, Part]()
        for one in with_arrays(type(self)):
            found |= one.parts(self)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array under its name in the file, for example "cross_attention/cond/mid_block…attn2"; all are read."""
        return {name: array_of(part) for name, part in self.parts().items()}

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays together. Pictures of steps count once they are decoded; then it is the file's size."""
        return sum(part.nbytes for part in self.parts().values())


@cache
def _read_on_touch(record: Any) -> None:  # noqa: ANN401  (a dataclass)
    """Makes the fields that hold one array read it when they are touched; those of a subclass too."""
    on_touch(record, *(one.name for one in declared(record) if one.kind is Kind.ARRAY))
