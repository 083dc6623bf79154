"""`explore`: makes the dashboard of a pipeline, of traces or a file of traces, or of a study."""

from os import PathLike, fspath
from typing import Any

from traitlets import TraitError

from ..base import atomic_files
from ..base.display import clip
from ..base.errors import RunError, TraceError, did_you_mean
from ..figures.titles import setting_in_words
from ..strings.wording import listed, wording
from ..studies.manifest import is_study
from ..studies.reading import StudyTable, read
from ..trace.collections import Comparison, Traces, opened
from ..trace.file import kind_of_folder
from ..trace.record import USUAL, Record
from ..trace.trace import Trace
from .explorer import Explorer
from .state import MOST_SEED, RUN, SHOW, State


def explore(
    source: Any,  # noqa: ANN401  (several kinds)
    *,
    record: Record = USUAL,
    preview: object = None,
    **settings: Any,  # noqa: ANN401  (values of several kinds)
) -> Explorer:
    """Makes a dashboard, which a cell shows as its last line.

    Args:
        source: A diffusers pipeline, to run and inspect; or a Trace, Traces, a Comparison, or the path of their file or
            folder, to inspect without a model; or a Study, what `sdx.studies.read` opened, or a study's folder: its
            table, from which each row's run is opened.
        record: What runs keep.
        preview: A little decoder for previews, an `AutoencoderTiny` (TAESD) for example; what it made bears its name.
            None: the linear preview.
        **settings: First values of its State (prompt, seed, num_inference_steps, section …); for a pipeline also any
            other argument of its call (image, strength, guidance_rescale …), which every run then gets.

    Raises:
        RunError: `source` is none of these; `preview` is no autoencoder; a setting is not known, or its value is not
            valid.
        TraceError: The file holds no trace.
        InspectionError: The pipeline has no UNet.
    """
    state = {name: value for name, value in settings.items() if name in (*RUN, *SHOW)}
    fixed = {name: value for name, value in settings.items() if name not in state}
    _check_preview(preview)
    if isinstance(source, str | PathLike):
        source = _opened(source)
    if isinstance(source, Trace | Traces | Comparison | StudyTable):
        if fixed:
            name = next(iter(fixed))
            hint = did_you_mean(name, SHOW)
            raise RunError(
                f"explore({'study' if isinstance(source, StudyTable) else 'trace'}, {name}=…): "
                f"a stored trace is not run again, and its state has no such value; {hint}"
            )
        if isinstance(source, StudyTable):
            return Explorer(study=source, record=record, state=_state(state), preview=preview)
        return Explorer(traces=_labelled(source), record=record, state=_state(state), preview=preview)
    return _of_pipeline(source, record, state, fixed, preview)


def _check_preview(preview: object) -> None:
    if preview is None:
        return
    from ..model.components.step_decoder import decoder_of

    try:
        decoder_of(preview)
    except TraceError as error:
        raise RunError(f"explore(preview={clip(repr(preview), 80)}): {str(error).partition(': ')[2]}") from error


def _state(values: dict[str, Any]) -> State:
    """The State of these values; RunError where one of them is not valid."""
    if "seed" in values and not (type(values["seed"]) is int and 0 <= values["seed"] <= MOST_SEED):
        raise RunError(
            f"explore(seed={clip(repr(values['seed']), 80)}): a dashboard's seed is a number from 0 to {MOST_SEED}"
        )
    try:
        return State(**values)
    except TraitError as error:
        raise RunError(f"explore: {error}") from error


def _labelled(source: Trace | Traces | Comparison) -> dict[str, Trace]:
    """Name -> trace; the names say how the traces differ."""
    if isinstance(source, Trace):
        return {"": source}
    if isinstance(source, Comparison):
        named = (listed(setting_in_words(name, value) for name, value in cell.items()) for cell in source.settings())
    else:
        named = (wording("run.image", image=number) for number in range(len(source)))
    return {f"{number + 1}: {name}": trace for number, (name, trace) in enumerate(zip(named, source, strict=True))}


def _opened(source: str | PathLike[str]) -> Trace | Traces | Comparison | StudyTable:
    path = atomic_files.named(fspath(source))
    if is_study(path):
        return read(path)
    if path.suffix == ".safetensors" or kind_of_folder(path) is not None:
        return opened(path)
    raise RunError(
        f"explore({str(source)!r}) takes a pipeline, a trace, the path of a trace (….safetensors), a study's folder; "
        f"to explore a model, load it first: sdx.explore(sdx.load({str(source)!r}))"
    )


def _of_pipeline(
    pipe: Any,  # noqa: ANN401  (any diffusers pipeline)
    record: Record,
    state: dict[str, Any],
    fixed: dict[str, Any],
    preview: object,
) -> Explorer:
    from ..model.components.pipeline_parts import autoencoder, parts
    from ..model.inspection.situation import call_defaults, suitable_steps
    from ..model.runs.call import Call
    from ..model.runs.check_call import check

    parts(pipe)  # raises if it is no pipeline
    own, given = (_channels(one) for one in (autoencoder(pipe), preview))
    if None not in (own, given) and own != given:
        raise RunError(
            f"explore(preview={clip(repr(preview), 80)}): it takes latents of {given} channels, and the pipeline's "
            f"have {own}: give the little decoder of the same family of models"
        )
    check(pipe, Call.of(None, fixed), "explore")
    usual = {"num_inference_steps": suitable_steps(pipe), "guidance_scale": call_defaults(pipe).get("guidance_scale")}
    begin = {name: value for name, value in usual.items() if value is not None}
    return Explorer(pipe, record=record, state=_state({**begin, **state}), fixed=fixed, preview=preview)


def _channels(vae: Any) -> int | None:  # noqa: ANN401  (an autoencoder of diffusers)
    """Channels of an autoencoder's latents; None where it does not tell."""
    return getattr(getattr(vae, "config", None), "latent_channels", None)
