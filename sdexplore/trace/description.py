"""How a Trace shows itself: the call, the run in numbers, its picture, and every array with its shape."""

from collections.abc import Iterator, Mapping

from ..base.display import Block, Line, Table, Thumbnail, Thumbnails, clip, counted, size
from .declaration import Kind, with_arrays
from .fields import TraceFields
from .first_not_finite import first_not_finite
from .frame_axis import middle
from .lazy import Part, held
from .non_finite import in_words, non_finite
from .preview import preview_in
from .provenance import conditions_in_words, model_in_words
from .step_decoding import NAMES, StepPictures

_UNITS = {Kind.BY_LAYER: "layer", Kind.BY_STEP: "step"}


def blocks_of(trace: TraceFields) -> list[Block]:
    """The blocks of a trace's repr."""
    model = model_in_words(trace.provenance)
    prompt = f" {clip(trace.prompt, 80)!r}" if trace.prompt is not None else ""
    scheduler = trace.provenance.get("scheduler", {}).get("class", "?")
    lines: list[Block] = [
        Line(f"Trace {trace.fingerprint}: {trace.kind} of {model},{prompt}".rstrip(","), strong=True),
        Line(
            f"{counted(trace.num_steps, 'step')} of {scheduler}, guidance_scale {guidance_scale_of(trace)}, "
            f"seed {trace.call.get('seed')}, "
            f"roles {', '.join(trace.noise_preds) or 'not recorded'}, {size(trace.nbytes)}"
        ),
        *map(Line, _remarks(trace)),
    ]
    if (thumbnail := thumbnail_of(trace)) is not None:
        lines.append(Thumbnails([thumbnail]))
    rows = [(name, str(array.dtype), " × ".join(map(str, array.shape))) for name, array in _listed(trace)]
    rows += [
        (f"{name}: {counted(waiting, 'step')}", "uint8", "decoded when looked at") for name, waiting in _waiting(trace)
    ]
    return [*lines, Table(("array", "type", "shape"), rows)]


def thumbnail_of(trace: TraceFields) -> Thumbnail | None:
    """The trace's picture, or its last predicted x0, as a record shows it; None without either."""
    if (preview := preview_in(trace)) is None:
        return None
    drawn = trace.image is not None
    what, how = ("the picture", "small") if drawn else ("the last predicted x0", "linear preview")
    of = f" of {clip(trace.prompt, 80)!r}" if trace.prompt else ""
    return Thumbnail(preview, f"{what}{of}, {how}")


def guidance_scale_of(trace: TraceFields) -> str:
    """The guidance scale that the pipeline reported: "7.5", or "7.5 to 0" where it changed during the run.

    "default" where only the call is known, and the call names no scale.
    """
    told = trace.provenance.get("guidance", {}).get("guidance_scale")
    if not told:
        return str(trace.call.get("arguments", {}).get("guidance_scale", "default"))
    return " to ".join(dict.fromkeys(f"{scale:g}" for scale in (told[0], told[-1])))


def _remarks(trace: TraceFields) -> Iterator[str]:
    """What was unusual about the run, a sentence each."""
    if trace.call.get("stopped"):
        yield f"Stopped after {counted(trace.num_steps, 'step')}; no picture was decoded."
    if (frames := trace.shape_of("frames")) is not None:
        yield f"A video of {frames[0]} frames; image is its middle one, frame {middle(frames[0])} from 0."
    if changed := trace.provenance.get("changed"):
        told = ", ".join(f"{one['change']} {counted(one['applied'], 'time')}" for one in changed)
        yield clip(f"Changed: {told}.", 400)
    for name, told in conditions_in_words(trace.provenance):
        yield clip(f"{name[0].upper()}{name[1:]}: {told}.", 400)
    if compiled := trace.provenance.get("compiled"):
        yield _compiled(compiled)
    if missing := trace.provenance.get("out_of_memory"):
        yield f"Memory did not suffice to decode steps afterwards; missing: {clip(', '.join(missing))}."
    if quality := trace.provenance.get("reconstruction"):
        redrawn, best = quality["psnr_db"], quality["vae_psnr_db"]
        yield f"Reconstruction from its noise: {redrawn:g} dB PSNR (the VAE alone: {best:g} dB)."
    yield from _not_finite(trace)
    if any(trace.flags.values()):
        yield "The safety checker found the picture unsafe and made it black."


def _not_finite(trace: TraceFields) -> Iterator[str]:
    if found := non_finite(trace, attention=False):
        yield f"Numbers that are none: {in_words(found, trace.num_steps)}."
    if first := first_not_finite(trace):
        yield clip(f"The first module that is not finite is {first}.", 400)


def _waiting(trace: TraceFields) -> Iterator[tuple[str, int]]:
    """Fields whose pictures are not all there yet, and how many are not."""
    for name in NAMES:
        pictures: StepPictures = held(trace, name)
        if waiting := len(pictures) - len(pictures.made):
            yield name, waiting


def _compiled(used: Mapping[str, str]) -> str:
    if "eager" in used:
        return f"Compilation was asked for; ran without it: {used['eager']}."
    return f"Denoiser compiled ({', '.join(used)}): as an uncompiled run within rounding, not to the bit."


def _listed(trace: TraceFields) -> Iterator[tuple[str, Part]]:
    """Arrays to list, each with its name. Those of one field and shape share a row: SDXL's seventy layers take four."""
    for one in with_arrays(type(trace)):
        alike: dict[tuple[str, tuple[int, ...]], list[Part]] = {}
        for name, array in one.parts(trace).items():
            group = {Kind.BY_LAYER: name.rpartition("/")[0], Kind.BY_STEP: one.name}.get(one.kind, name)
            alike.setdefault((group, array.shape), []).append(array)
        unit = "module" if one.name == "features" else _UNITS.get(one.kind)
        for (group, _), arrays in alike.items():
            yield (f"{group}: {counted(len(arrays), unit)}" if unit else group), arrays[0]
