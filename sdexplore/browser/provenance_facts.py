"""Where a trace comes from, as lines for people to read."""

from collections.abc import Iterator

from ..trace.provenance import conditions_in_words
from ..trace.trace import Trace

_DENOISERS = ("unet", "transformer")  # what pipelines call it
_LIBRARIES = ("sdexplore", "diffusers", "torch", "transformers")


def provenance_facts(trace: Trace) -> list[list[str]]:
    """[name, value] of everything known about the run: model, scheduler, seed, arguments, versions, fingerprint."""
    return [[name, str(value)] for name, value in _facts(trace) if value not in (None, "", {}, [])]


def _facts(trace: Trace) -> Iterator[tuple[str, object]]:
    known, call = trace.provenance, trace.call
    yield "trace", trace.fingerprint
    yield "model", known.get("model")
    yield "pipeline", known.get("pipeline")
    parts = known.get("components", {})
    yield "denoiser", next((parts[name] for name in _DENOISERS if parts.get(name)), None)
    scheduler = known.get("scheduler", {})
    kind = scheduler.get("prediction_type")
    yield "scheduler", f"{scheduler.get('class', '?')}{f', predicts {kind}' if kind else ''}"
    yield "steps", trace.num_steps
    yield "seed", call.get("seed")
    if "image" in call:
        yield "image", call["image"]
    if call.get("negative_prompt"):
        yield "negative prompt", call["negative_prompt"]
    yield from call.get("arguments", {}).items()
    yield from conditions_in_words(known)
    yield "device", ", ".join(str(known[name]) for name in ("device", "dtype") if name in known)
    if "seconds" in known:
        yield "wall time", f"{known['seconds']:.1f} s"
    versions = known.get("versions", {})
    yield "versions", ", ".join(f"{name} {versions[name]}" for name in _LIBRARIES if name in versions)
