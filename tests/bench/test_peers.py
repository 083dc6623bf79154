"""The rows of other tools in the benchmark: of tools that are absent, that fail, and that do the same as ours."""

import importlib.metadata
import re
import sys
import types

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import DDIMScheduler
from transformer_matrix import LENGTH, SUBJECTS

import sdexplore as sdx
from sdexplore.bench import __main__ as command
from sdexplore.bench import growth, peers, tracing
from sdexplore.bench.subjects import WORD, Subject
from sdexplore.model.runs import timing
from sdexplore.records.benchmark import Benchmark, BenchmarkRow
from sdexplore.trace.record import Record

CPU = torch.device("cpu")
MODULES = ("daam", "attention_map_diffusers")


@pytest.fixture(scope="module")
def subject():
    scheduler = DDIMScheduler(clip_sample=False, steps_offset=1)
    return Subject.around(tiny_pipelines.stable_diffusion(scheduler), CPU, 2, "tiny")


@pytest.fixture(autouse=True)
def absent(monkeypatch):
    """Neither is installed, whatever this environment has."""
    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, None)

    def version(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", version)


def fake(monkeypatch, name, **contents):
    module = types.ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(importlib.metadata, "version", lambda package: {"daam": "0.2.0"}.get(package, "1.0.0"))


def apart(row):
    return float(re.search(r"within (\S+) of ours", row.captured)[1])


def capture_of(subject, given, *, calls=2, row=-1):
    """attention-map-diffusers' class, whose maps are our own in the row that is asked for."""
    own = subject.traced(Record(columns="all", dtype="float32", decode=0)).attention("cond")

    class Capture:
        def __init__(self, pipe, **arguments):
            given.append(arguments | {"pipe": pipe})
            self.records = []

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def compute(self):
            for layer, one in own.items():
                for probs in one.probs[:calls]:
                    data = torch.full((2, 1, probs[0, ..., 0].size, 77), 1 / 77)
                    data[row, 0] = torch.tensor(probs[0].reshape(-1, 77))
                    self.records.append(types.SimpleNamespace(layer_id=f"unet.{layer}", data=data))

    return Capture


def test_one_that_is_absent_says_how_to_have_it(subject):
    rows = list(peers.peer_rows(subject, 1))
    assert [row.note for row in rows] == [
        *["not installed: pip install spacy scipy; pip install --no-deps daam"] * 2,
        *["not installed: pip install --no-deps attention-map-diffusers"] * 2,
    ]
    assert all(row.seconds is None is row.share for row in rows)
    assert [row.name for row in rows[:2]] == ["daam: sums over steps", "daam: sums over steps, a word's map of them"]


def test_one_that_is_there_but_cannot_be_imported_is_not_called_absent(subject, monkeypatch, tmp_path):
    lines = ("import spacy_that_is_not_here", "raise RuntimeError('another build')")
    for module, line in zip(MODULES, lines, strict=True):
        monkeypatch.delitem(sys.modules, module)
        (tmp_path / f"{module}.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    daam, _, amd, _ = peers.peer_rows(subject, 1)
    assert daam.note == f"installed, but without spacy_that_is_not_here: {peers.PEERS[0].install}"
    assert amd.note.startswith("installed")
    assert "RuntimeError: another build" in amd.note


def test_attention_map_diffusers_is_measured_beside_the_untraced_run_and_ours(subject, monkeypatch):
    given, order = [], []
    fake(monkeypatch, MODULES[1], AttentionCapture=capture_of(subject, given))
    timed = timing.timed
    monkeypatch.setattr(timing, "timed", lambda runs, *rest: (order.append(list(runs)), timed(runs, *rest))[1])
    monkeypatch.setattr(timing, "peak_memory", lambda run, _: 100 if run == subject.untraced else 300)
    *_, fast, exact = peers.peer_rows(subject, 3)
    assert order == [[tracing.UNTRACED, tracing.WAYS[0].name, row.name] for row in (fast, exact)]
    assert fast.name == "attention-map-diffusers 1.0.0: all timesteps, head mean, fast"
    assert fast.share.count == fast.ratio.count == 3
    assert (fast.against, fast.image, fast.memory) == (tracing.WAYS[0].name, "to the bit", 200)
    assert fast.captured.startswith("4 of 4 layers × 2 calls, 2 rows, 77 positions; ")
    assert apart(fast) < 1e-3, "float16 against float32"
    assert [call["mode"] for call in given] == ["fast"] * 5 + ["exact"] * 5  # looked at, warmed up, timed
    assert {call["pipe"] for call in given} == {subject.pipe}
    assert {(call["timesteps"], call["heads"], call["offload"]) for call in given} == {("all", "mean", "cpu")}
    text = repr(Benchmark(facts={}, rows=(fast,)))
    assert f"{fast.ratio} of {tracing.WAYS[0].name}" in text, "not clipped"


def test_what_attention_map_diffusers_missed_or_has_otherwise_is_seen(subject, monkeypatch):
    fake(monkeypatch, MODULES[1], AttentionCapture=capture_of(subject, [], row=0))
    assert apart(list(peers.peer_rows(subject, 1))[-1]) > 1e-2, "the other row is not the prompt's"
    fake(monkeypatch, MODULES[1], AttentionCapture=capture_of(subject, [], calls=1))
    assert "was captured at 1 of 2 calls" in list(peers.peer_rows(subject, 1))[-1].note
    fake(monkeypatch, MODULES[1], AttentionCapture=capture_of(subject, [], calls=0))
    assert "captured nothing" in list(peers.peer_rows(subject, 1))[-1].note
    fake(monkeypatch, MODULES[1])  # an old release has no such class
    assert "AttributeError" in list(peers.peer_rows(subject, 1))[-1].note


class HeatMaps:
    """What DAAM keeps of a model of 64 pixels: one factor, and not one of its defaults."""

    def factors(self):
        return {12}

    def layers(self):
        return {0, 1, 2}

    def heads(self):
        return {0, 1, 2, 3}


def trace_of(subject, asked, times):
    """DAAM's, whose own attention changes the image a little; its word's map is `times` ours, and `asked` notes it."""
    ours = sdx.word_map(subject.traced(Record(cross_attention="heads", decode=0)), WORD, method="daam")

    class Trace:
        def __init__(self, pipe):
            self.unet, self.all_heat_maps = pipe.unet, HeatMaps()

        def __enter__(self):
            self.hook = self.unet.register_forward_hook(lambda *call: tuple(one * 1.001 for one in call[-1]))
            return self

        def __exit__(self, *_):
            self.hook.remove()

        def compute_global_heat_map(self, factors=frozenset({0, 1, 2, 4, 8, 16, 32, 64})):
            if not factors & {12}:
                raise RuntimeError("No heat maps found. Did you forget to call `with trace(...)` during generation?")
            word = types.SimpleNamespace(heatmap=torch.tensor(ours * np.float32(times)))
            return types.SimpleNamespace(compute_word_heat_map=lambda name: (asked.append(name), {WORD: word}[name])[1])

    return Trace


@pytest.mark.parametrize("times", [1.0, 2.0])
def test_daam_is_asked_for_the_sizes_it_saw_and_measured_beside_our_map_of_the_word(subject, monkeypatch, times):
    asked = []
    fake(monkeypatch, MODULES[0], trace=trace_of(subject, asked, times))
    monkeypatch.setattr(peers, "word_map", lambda *a, **k: (asked.append(k["method"]), sdx.word_map(*a, **k))[1])
    sums, mapped, *_ = peers.peer_rows(subject, 2)
    assert [row.name for row in (sums, mapped)] == [
        "daam 0.2.0: sums over steps",
        "daam 0.2.0: sums over steps, a word's map of them",
    ]
    assert [row.against for row in (sums, mapped)] == ["traced: all heads", "traced: all heads, a word's map"]
    for row in (sums, mapped):
        assert row.image.startswith("changed, by up to ")
        assert row.captured.startswith("3 of 4 layers × 4 heads; map within ")
        assert apart(row) == times - 1
    compared, first_run, in_turn = [WORD, "daam"], [WORD], ["daam", WORD]
    assert asked == compared + first_run + compared + in_turn * 3, "the sums alone make no map when they are timed"


def test_one_that_fails_is_said_in_its_row_and_the_next_is_measured(subject, monkeypatch):
    def trace(_):
        raise ValueError("not of this diffusers\nsecond line")

    fake(monkeypatch, MODULES[0], trace=trace)
    fake(monkeypatch, MODULES[1], AttentionCapture=capture_of(subject, []))
    *failed, fast, exact = peers.peer_rows(subject, 1)
    assert [row.note for row in failed] == ["failed here: ValueError: not of this diffusers"] * 2
    assert fast.share.median > 0 < exact.share.median


def test_peers_come_after_all_that_is_ours(subject, monkeypatch, capsys):
    order = []

    def noted(name, *found):
        return lambda *_: (order.append(name), found)[1]

    row = BenchmarkRow(subject="tiny", name="another's", note="not installed: pip")
    monkeypatch.setattr(Subject, "of", classmethod(lambda *_: subject))
    monkeypatch.setattr(timing, "facts", lambda _: {})
    monkeypatch.setattr(tracing, "traced_rows", noted("rows"))
    monkeypatch.setattr(growth, "cost_points", noted("growth"))
    monkeypatch.setattr(peers, "peer_rows", noted("peers", row))
    command.main(["--peers", "--only", "mean", "--device", "cpu"])
    assert order == ["rows", "growth", "peers"]
    out, err = capsys.readouterr()
    assert "another's: not installed: pip" in err
    assert "another's" in out


def test_beside_transformers_it_is_measured_where_it_is_installed_or_asked_for(monkeypatch):
    family = SUBJECTS["flux"]
    arguments = {**family.size, **LENGTH}
    subject = Subject("flux-like", family.make(), CPU, 2, arguments)
    assert peers.peers_of_transformers(asked=False) == ()
    wanted = peers.peers_of_transformers(asked=True)
    assert [row.note for row in peers.peer_rows(subject, 1, wanted)] == [f"not installed: {wanted[0].install}"] * 2
    own = subject.traced(Record(columns="all", dtype="float32", decode=0)).attention("cond")

    class Capture:
        """As the package is for FLUX.1: the blocks of two streams alone, with the columns of the text."""

        def __init__(self, *_, **__):
            self.records = []

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def compute(self):
            for layer, one in own.items():
                for probs in one.probs * layer.startswith("transformer_blocks"):
                    data = torch.tensor(probs[:, ..., :-1]).flatten(1, 2)[None]
                    if data.any():
                        self.records.append(types.SimpleNamespace(layer_id=f"transformer.{layer}", data=data))

    fake(monkeypatch, MODULES[1], AttentionCapture=Capture)
    monkeypatch.setattr(timing, "timed", lambda runs, *_: timing.Times(dict.fromkeys(runs, (1.0,))))
    assert peers.peers_of_transformers(asked=False) == wanted
    fast, _ = peers.peer_rows(subject, 1, wanted)
    assert (fast.image, fast.against) == ("to the bit", tracing.WAYS[0].name)
    assert fast.captured.startswith("2 of 4 layers × 2 calls, 1 rows, 32 positions; ")
    assert apart(fast) < 1e-3
    Capture.compute = lambda self: self.records.clear()
    assert "captured nothing" in next(peers.peer_rows(subject, 1, wanted)).note
