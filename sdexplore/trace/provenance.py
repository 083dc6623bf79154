"""Where a trace comes from, as typed JSON: every key that a run writes down and that others read.

No key is sure to be there: a stored trace may be older than a key, and a trace made by hand may name none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NotRequired, TypedDict

from ..theory import PredictionType, Space

SchedulerFacts = TypedDict(
    "SchedulerFacts",
    {
        "class": str,
        "config": dict[str, Any],
        "prediction_type": PredictionType | None,
        "space": Space | Literal["unknown"],
        "sigma_data": float,
        "refusal": str | None,
    },
    total=False,
)
"""The scheduler of a run: its class and config as diffusers names them, and what its numbers mean.

Where sdexplore computes no x0, "prediction_type" is None and "refusal" a sentence. "space" is the scale of the
latents. "sigma_data" is 1 without preconditioning.
"""


class ReconstructionFacts(TypedDict, total=False):
    """How well an inverted picture is redrawn from its noise: PSNR in dB, and that of the VAE's round trip alone."""

    psnr_db: float
    vae_psnr_db: float


Strength = float | Mapping[str, float] | None
"""Of an adapter, as `set_adapters` takes it: one number, or one for each part; None where it is not known any more."""

UNKNOWN: Final = "unknown"
"""The "model" of a pipeline that was made of parts, as in `Pipeline(**other.components)`: it has no name."""
DEFAULTS: Final = "_use_default_values"
"""In the config of a scheduler: the arguments that nobody gave; diffusers makes the list from a set."""
TOME_NOTE: Final = (
    "tomesd draws from a generator of its own, so that one seed gives two pictures; "
    "tomesd.apply_patch(pipe, use_rand=False) makes it repeatable"
)


class AdapterFacts(TypedDict):
    """A LoRA or its kin, or an IP-Adapter.

    Attributes:
        name: As it was loaded.
        strength: What its change is multiplied by; 0 where it is loaded and off.
        fused: Whether it was fused into the weights.
        in_weights: Whether they still hold it. One that was fused and then unloaded stays in them.
    """

    name: str
    strength: Strength
    fused: bool
    in_weights: bool


class ForeignFacts(TypedDict, total=False):
    """What was put into the pipeline before the run, and is in no argument.

    Attributes:
        hooks: Modules with a forward hook, or a forward, of somebody else's.
        processors: Classes of attention processors that are not diffusers'.
        freeu: Its factors s1, s2, b1, b2; None where it is off.
        tome: The arguments of tomesd; None where it merges nothing. "note" says that it draws by lot.
        tiling: Whether the VAE decodes in tiles.
        pag_layers: Layers that perturbed-attention guidance perturbs.
    """

    hooks: Sequence[str]
    processors: Sequence[str]
    freeu: Mapping[str, float] | None
    tome: Mapping[str, Any] | None
    tiling: bool
    pag_layers: Sequence[str]


class UsedFacts(TypedDict, total=False):
    """What the run came to use, where `call` is what was typed. A key may be absent in a trace of another version.

    Attributes:
        height, width: Pixels of the picture.
        num_inference_steps, guidance_scale, eta: As the pipeline settled them; None where it has no such argument.
        seeds: Of each image of the call.
        ignored: Arguments that were given and changed nothing.
        threads: How many threads torch computed with.
        attention_backend: What computed attention, by diffusers' names of backends where it has one.
        normaliser: Of recorded attention: "kernel" where probabilities were made with the log Σ exp that the model's
            own kernel handed out, "softmax" where a softmax of our own was computed, or both, by number of layers.
        skipped: Role -> attention layers that the pipeline left out of calls of that role, as skip-layer guidance does.
        reused: Role -> attention layer -> steps at which a cache left the layer out and gave an earlier step's result
            in its place: there it did not attend, and has no map.
    """

    height: int
    width: int
    num_inference_steps: int
    guidance_scale: float | None
    eta: float | None
    seeds: Sequence[int]
    ignored: Sequence[str]
    threads: int
    attention_backend: str
    normaliser: str
    skipped: Mapping[str, Sequence[str]]
    reused: Mapping[str, Mapping[str, Sequence[int]]]


class InterruptedFacts(TypedDict):
    """How far a run came that ended early.

    Attributes:
        steps: Those that were done.
        of: Those that were asked for.
    """

    steps: int
    of: int


class ChangedFacts(TypedDict):
    """A change that the run was asked for, `run(change=…)`.

    Attributes:
        change: As a line of code.
        applied: How often: one for each module, and each call of the denoiser.
        alignment: Of Keep: "replace" or "refine".
        deviation: Of a source that was named by its trace: the largest difference between its last latents and those
            of the row that made them again.
    """

    change: str
    applied: int
    alignment: NotRequired[str]
    deviation: NotRequired[float]


class Provenance(TypedDict, total=False):
    """Where a trace comes from, without local paths.

    Attributes:
        guided_by: How guidance combined its halves, where it is not ε_u + s (ε_c − ε_u).
        model: The hub id, "mini", or "unknown".
        pipeline: The class of the pipeline.
        components: Component -> class.
        scheduler: The scheduler with its config, and what its numbers mean.
        dtype: Of the denoiser's weights, as in "float16".
        versions: Package -> version; None where it is not installed.
        image_size: The side in pixels of the pictures that the model was made for.
        device: The type of the device, as in "cuda".
        zeroed_roles: Roles whose prompt embeddings were all zeros.
        unconditional: Whether the model takes no prompt.
        seconds: Wall time of the run.
        guidance: diffusers' name of a scale -> the scale at each step.
        compiled: Backend -> "", or "eager" -> why a call ran without a compiled graph.
        out_of_memory: Names of arrays that are missing because memory did not suffice.
        used: What the pipeline settled of its arguments.
        missing: Name of an array -> why it could not be made when the run was over.
        reconstruction: How well `invert` can go back.
        used: What the run came to use. In schema 2.
        foreign: What was put into the pipeline before the run, and is in no argument. In schema 2.
        adapters: LoRA and its kin, IP-Adapters. In schema 2.
        changed: What was changed, `run(change=…)`, and how often; absent where nothing was.
        interrupted: How far the run came, where a callback ended it by `pipe._interrupt`.
        modules: Names of those that `Trace.statistics` is of, "#1" behind one for its second time in a call.
    """

    guided_by: str
    model: str
    pipeline: str
    components: Mapping[str, str]
    scheduler: SchedulerFacts
    dtype: str
    versions: Mapping[str, str | None]
    image_size: int | None
    device: str
    zeroed_roles: Sequence[str]
    unconditional: bool
    seconds: float
    guidance: Mapping[str, Sequence[float]]
    compiled: Mapping[str, str]
    out_of_memory: Sequence[str]
    used: UsedFacts
    missing: Mapping[str, str]
    reconstruction: ReconstructionFacts
    foreign: ForeignFacts
    adapters: Sequence[AdapterFacts]
    interrupted: InterruptedFacts
    changed: Sequence[ChangedFacts]
    modules: Sequence[str]


def adapter_in_words(adapter: AdapterFacts) -> str:
    """An adapter's name, strength and place, as in "style × 0.5, fused"."""
    name, strength = str(adapter.get("name", "?")), adapter.get("strength")
    if isinstance(strength, Mapping):
        name += " × " + ", ".join(f"{_number(value)} in {part}" for part, value in strength.items())
    elif strength is not None:
        name += f" × {_number(strength)}"
    if not adapter.get("in_weights"):
        return name
    return f"{name}, {'fused and unloaded, in the weights' if strength is None else 'fused'}"


def model_in_words(provenance: Provenance) -> str:
    """The name of a run's model; where no name is known, the class of its pipeline; "?" where that is not known."""
    model = provenance.get("model", UNKNOWN)
    return str(provenance.get("pipeline", "?") if model == UNKNOWN else model)


def conditions_in_words(provenance: Provenance) -> Iterator[tuple[str, str]]:
    """What no argument of the call carries and the picture depends on, by name; nothing where there is nothing."""
    if adapters := provenance.get("adapters"):
        yield "adapters", "; ".join(map(adapter_in_words, adapters))
    foreign = provenance.get("foreign", {})
    for name, listed in (("hooks", foreign.get("hooks")), ("processors", foreign.get("processors"))):
        if listed:
            yield f"foreign {name}", ", ".join(map(str, listed))
    if freeu := foreign.get("freeu"):
        yield "FreeU", ", ".join(f"{name} {_number(value)}" for name, value in freeu.items())
    if (tome := foreign.get("tome")) is not None:
        told = ", ".join(f"{name} {value}" for name, value in tome.items() if name != "note")
        yield "merged tokens", "; ".join(one for one in (told, str(tome.get("note", ""))) if one)
    if foreign.get("tiling"):
        yield "VAE", "decodes in tiles"
    backend = provenance.get("used", {}).get("attention_backend", "native")
    if backend != "native":
        yield "attention backend", str(backend)
    if ended := provenance.get("interrupted"):
        yield "ended early", f"after {ended.get('steps')} of {ended.get('of')} steps, by pipe._interrupt"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
