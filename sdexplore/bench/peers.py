"""`--peers`: runs of other tools, beside untraced runs and beside our runs that record the same, if they are installed.

Install both without their dependencies. Every release of DAAM names one old release of diffusers, although its code
works with the present one, spaCy and SciPy. attention-map-diffusers installs a torchvision that another build of torch
(that for CPUs, for example) cannot load; then diffusers cannot be imported. It needs torchvision for a few files only.
"""

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from ..analysis.attention import word_map
from ..base.errors import SdexploreError
from ..records.benchmark import BenchmarkRow
from ..trace.trace import Trace
from .subjects import WORD, Subject
from .tracing import UNTRACED, WAYS, Way, beyond, first_line


@dataclass(frozen=True)
class Peer:
    """Another tool, and the run of it that is measured.

    Attributes:
        package: Its name for pip.
        module: Its name for Python.
        load: Imports it.
        does: What is measured, in words.
        install: The command that installs it.
        call: (its module, subject) -> the latents, and what it kept.
        kept: (what it kept, subject, our trace) -> words on what it kept and how far its maps are from ours.
        way: `Way.key` of our run that records enough for the same maps.
        method: The method of `word_map` that makes the same map, if its maps are of words; then our run makes one too.
    """

    package: str
    module: str
    load: Callable[[], Any]
    does: str
    install: str
    call: Callable[[Any, Subject], tuple[Any, Any]]
    kept: Callable[[Any, Subject, Trace], str]
    way: str
    method: str = ""


def _load_daam() -> Any:  # noqa: ANN401  (a module)
    import daam  # type: ignore[import-not-found,unused-ignore]

    return daam


def _load_amd() -> Any:  # noqa: ANN401  (a module)
    import attention_map_diffusers  # type: ignore[import-not-found,unused-ignore]

    return attention_map_diffusers


def _daam(module: Any, subject: Subject, *, mapped: bool) -> tuple[Any, Any]:  # noqa: ANN401  (another's, tensors)
    with module.trace(subject.pipe) as traced:
        made = subject.untraced()
        if mapped:
            _daam_word(traced)
    return made, traced


def _daam_word(traced: Any) -> Any:  # noqa: ANN401  (another's class, a tensor)
    # Its default are the factors of 512, 768 and 1024 pixels, which find no map of a model of 256.
    found = traced.compute_global_heat_map(factors=traced.all_heat_maps.factors())
    return found.compute_word_heat_map(WORD).heatmap


def _daam_kept(traced: Any, subject: Subject, trace: Trace) -> str:  # noqa: ANN401  (another's class)
    maps = traced.all_heat_maps
    apart = _relative(_numbers(_daam_word(traced)), word_map(trace, WORD, method="daam"))
    held = f"{len(maps.layers())} of {len(subject.layers)} layers × {len(maps.heads())} heads"
    return f"{held}; map within {apart:.1e} of ours"


def _amd(module: Any, subject: Subject, *, mode: str) -> tuple[Any, Any]:  # noqa: ANN401  (another's, tensors)
    with module.AttentionCapture(
        subject.pipe,
        relations="image->text",
        timesteps="all",
        heads="mean",
        mode=mode,
        offload=subject.device.type,  # as its README does for pictures; by default it computes the maps on the host
        max_capture_bytes=None,  # queries and keys of 30 steps of SDXL exceed its limit of 8 GiB
    ) as capture:
        made = subject.untraced()
    capture.compute()
    return made, capture.records


def _amd_kept(records: Any, subject: Subject, trace: Trace) -> str:  # noqa: ANN401  (another's classes)
    by_layer: dict[str, list[np.ndarray]] = {}
    for record in records:  # each layer's name begins with the denoiser's
        by_layer.setdefault(record.layer_id.partition(".")[2], []).append(_numbers(record.data))
    if not by_layer:
        raise SdexploreError("attention-map-diffusers captured nothing")
    some = next(iter(by_layer.values()))
    rows, _, _, positions = some[0].shape
    apart = max(_layer_apart(found, trace, layer) for layer, found in by_layer.items())
    held = f"{len(by_layer)} of {len(subject.layers)} layers × {len(some)} calls, {rows} rows, {positions} positions"
    return f"{held}; maps within {apart:.1e} of ours"


def _layer_apart(calls: Sequence[np.ndarray], trace: Trace, layer: str) -> float:
    """How far the maps of a layer are from those of the trace; a column of the trace sums positions.

    The last row of a call is that of the prompt. Where words and picture share a softmax, the trace's last column is
    the rest, which holds no position.
    """
    ours = trace.attention("cond")[layer]
    if len(calls) != len(ours.steps):
        raise SdexploreError(f"layer {layer!r} was captured at {len(calls)} of {len(ours.steps)} calls")
    named = [column for column, summed in enumerate(ours.columns) if summed]
    theirs = np.stack(
        [np.stack([call[-1, 0][:, list(ours.columns[one])].sum(-1) for one in named], -1) for call in calls]
    )
    return _relative(theirs, ours.probs[..., named].astype(np.float32).reshape(theirs.shape))


def _relative(theirs: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference, divided by the largest value of ours."""
    return float(np.abs(theirs - ours).max() / max(float(np.abs(ours).max()), 1e-30))


def _numbers(tensor: Any) -> np.ndarray:  # noqa: ANN401  (torch's, which is not imported here)
    return np.asarray(tensor.detach().float().cpu().numpy())


_AMD: Final = Peer(
    package="attention-map-diffusers",
    module="attention_map_diffusers",
    load=_load_amd,
    does="all timesteps, head mean",
    install="pip install --no-deps attention-map-diffusers",
    call=partial(_amd, mode="fast"),
    kept=_amd_kept,
    way="mean",
)
_DAAM: Final = Peer(
    package="daam",
    module="daam",
    load=_load_daam,
    does="sums over steps",
    install="pip install spacy scipy; pip install --no-deps daam",
    call=partial(_daam, mapped=False),
    kept=_daam_kept,
    way="heads",
)
# DAAM makes its map once, whatever the number of steps: its row stands alone, so that few steps do not hide their cost.
PEERS: Final = (
    _DAAM,
    replace(_DAAM, does="sums over steps, a word's map of them", call=partial(_daam, mapped=True), method="daam"),
    *(replace(_AMD, does=f"{_AMD.does}, {mode}", call=partial(_amd, mode=mode)) for mode in ("fast", "exact")),
)


def peers_of_transformers(*, asked: bool) -> tuple[Peer, ...]:
    """Those that read transformers: where they are asked for, and else where they are installed."""
    if not (asked or _version(_AMD.package)):
        return ()
    return tuple(peer for peer in PEERS if peer.package == _AMD.package)


def peer_rows(subject: Subject, pairs: int, peers: Sequence[Peer] = PEERS) -> Iterator[BenchmarkRow]:
    """One row for each peer; the row of one that is not installed, cannot be imported or fails here says so."""
    from ..model.runs.timing import peak_memory, timed, waits

    reference = subject.reference()
    memory, waited = peak_memory(subject.untraced, subject.device), waits(subject.untraced, subject.device)
    for peer in peers:
        name = f"{peer.package}{_version(peer.package)}: {peer.does}"
        try:
            run = partial(peer.call, peer.load(), subject)
        except Exception as error:  # noqa: BLE001  (an error of another tool stands in its row)
            yield BenchmarkRow(subject=subject.name, name=name, note=_not_imported(peer, error))
            continue
        way = next(way for way in WAYS if way.key == peer.way)
        trace = subject.traced(way.record)
        ours, beside = _ours(peer, subject, way)
        try:
            made, kept = run()
            apart = float(np.abs(subject.as_traced(made) - reference).max())
            captured = peer.kept(kept, subject, trace)
            del made, kept  # else its memory would count in the peak of the next runs
            times = timed({UNTRACED: subject.untraced, beside: ours, name: run}, pairs, subject.device)
            row = BenchmarkRow(
                subject=subject.name,
                name=name,
                seconds=times.of(name),
                share=times.ratio(name, UNTRACED),
                against=beside,
                ratio=times.ratio(name, beside),
                image="to the bit" if apart == 0 else f"changed, by up to {apart:.1e}",
                captured=captured,
                memory=beyond(peak_memory(run, subject.device), memory),
                synchronisations=beyond(waits(run, subject.device), waited),
            )
        except Exception as error:  # noqa: BLE001  (an error of another tool stands in its row)
            row = BenchmarkRow(subject=subject.name, name=name, note=f"failed here: {first_line(error)}")
        yield row


def _ours(peer: Peer, subject: Subject, way: Way) -> tuple[Callable[[], object], str]:
    """Our run that gives the same, and its name."""
    if not peer.method:
        return lambda: subject.traced(way.record), way.name
    return lambda: word_map(subject.traced(way.record), WORD, method=peer.method), f"{way.name}, a word's map"


def _version(package: str) -> str:
    try:
        return f" {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def _not_imported(peer: Peer, error: Exception) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return f"installed, but its import fails: {first_line(error)}"
    if error.name != peer.module:
        return f"installed, but without {error.name}: {peer.install}"
    return f"not installed: {peer.install}"
