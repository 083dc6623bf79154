"""Where a trace comes from, as lines for people to read."""

from collections.abc import Iterator, Mapping
from typing import Final

from ..base.display import clip
from ..strings.wording import counted, listed, wording
from ..trace.provenance import UNKNOWN, Provenance, conditions_in_words
from ..trace.trace import Trace

_DENOISERS = ("unet", "transformer")  # what pipelines call it
_LIBRARIES = ("sdexplore", "diffusers", "torch", "transformers")
_CONDITIONS: Final[Mapping[str, str]] = {
    "adapters": "provenance.adapters",
    "foreign hooks": "provenance.hooks",
    "foreign processors": "provenance.processors",
    "merged tokens": "provenance.tome",
    "attention backend": "provenance.backend",
    "ended early": "provenance.ended",
}


def provenance_facts(trace: Trace) -> list[list[str]]:
    """[name, value] of everything known about the run: model, scheduler, seed, arguments, versions, fingerprint.

    Names are in the language of the options. An argument, and what a library names, keeps its spelling.
    """
    return [[wording(name) if "." in name else name, value] for name, value in _known(trace)]


def run_in_short(trace: Trace) -> str:
    """The model or else its pipeline, scheduler, seed, guidance_scale and number of steps, as far as they are known."""
    known = dict(_known(trace))
    model = "provenance.model" if "provenance.model" in known else "provenance.pipeline"
    parts = [clip(known[name], 80) for name in (model, "provenance.scheduler") if name in known]
    if "provenance.seed" in known:
        parts.append(wording("run.seed", seed=clip(known["provenance.seed"], 80)))
    if "guidance_scale" in known:
        parts.append(f"guidance_scale {clip(known['guidance_scale'], 80)}")
    return listed([*parts, counted(trace.num_steps, "step")])


def _known(trace: Trace) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in _facts(trace) if value not in (None, "", {}, []))


def _facts(trace: Trace) -> Iterator[tuple[str, object]]:
    """(name, value); a name with a dot is the key of a string, and no argument of Python has one."""
    known, call = trace.provenance, trace.call
    yield "provenance.trace", trace.fingerprint
    yield "provenance.model", None if known.get("model") == UNKNOWN else known.get("model")
    yield "provenance.pipeline", known.get("pipeline")
    parts = known.get("components", {})
    yield "provenance.denoiser", next((parts[name] for name in _DENOISERS if parts.get(name)), None)
    scheduler = known.get("scheduler", {})
    name, kind = scheduler.get("class", "?"), scheduler.get("prediction_type")
    told = wording("provenance.scheduler.predicts", scheduler=name, kind=kind) if kind else name
    yield "provenance.scheduler", told
    yield "provenance.steps", trace.num_steps
    yield "provenance.seed", call.get("seed")
    if "image" in call:
        yield "provenance.image", call["image"]
    if call.get("negative_prompt"):
        yield "provenance.negative_prompt", call["negative_prompt"]
    yield from call.get("arguments", {}).items()
    yield from _conditions(known)
    yield "provenance.device", ", ".join(str(known[name]) for name in ("device", "dtype") if name in known)
    if "seconds" in known:
        yield "provenance.seconds", wording("provenance.seconds.value", seconds=f"{known['seconds']:.1f}")
    versions = known.get("versions", {})
    yield "provenance.versions", ", ".join(f"{name} {versions[name]}" for name in _LIBRARIES if name in versions)


def _conditions(known: Provenance) -> Iterator[tuple[str, str]]:
    """What no argument carries, its names and what is said of tiles and of an early end in the language."""
    for name, told in conditions_in_words(known):
        if name == "VAE":
            yield name, wording("provenance.tiling")
        elif name == "ended early":
            ended = known["interrupted"]
            yield _CONDITIONS[name], wording("provenance.ended.at", steps=ended.get("steps"), of=ended.get("of"))
        else:
            yield _CONDITIONS.get(name, name), told
