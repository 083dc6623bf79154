"""The benchmark: its numbers measure what their names say, and its record and picture are complete."""

import json
import math

import numpy as np
import pytest
import tiny_pipelines
import torch
from diffusers import DDIMScheduler
from published_configs import UNETS as PUBLISHED

from sdexplore import views
from sdexplore.base.errors import LoadError, SdexploreError
from sdexplore.bench import __main__ as command
from sdexplore.bench import changes, default_run, features, growth, reading, tracing
from sdexplore.bench.stored import stored_trace
from sdexplore.bench.subjects import PROMPT, SEED, Subject
from sdexplore.model.loading import random_weights
from sdexplore.model.runs import timing
from sdexplore.records.benchmark import Benchmark, BenchmarkRow, CostPoint, Reading, Spread
from sdexplore.trace.record import Record

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def subject():
    scheduler = DDIMScheduler(clip_sample=False, steps_offset=1)
    return Subject.around(tiny_pipelines.stable_diffusion(scheduler), CPU, 1, "tiny")


def test_runs_are_timed_in_turn_and_compared_round_by_round():
    order, clock = [], map(float, range(10**6))
    with pytest.MonkeyPatch.context() as patch:
        ticks = {"a": 0, "b": 0}

        def run(name):
            def one():
                order.append(name)
                ticks[name] += 1
                for _ in range({"a": 1, "b": 3}[name] * ticks[name]):
                    next(clock)

            return one

        patch.setattr(timing.time, "perf_counter", lambda: next(clock))
        times = timing.timed({"a": run("a"), "b": run("b")}, 3, CPU)
    assert order == ["a", "b", *["a", "b"] * 3]
    # of each round k = 2, 3, 4: the clock's own tick and k (a) or 3 k (b) of the run's
    assert times.seconds == {"a": (3.0, 4.0, 5.0), "b": (7.0, 10.0, 13.0)}
    ratios = [7 / 3, 10 / 4, 13 / 5]
    assert times.ratio("b", "a") == Spread(*np.percentile(ratios, (50, 25, 75)).tolist(), 3)


def test_each_way_of_changing_is_measured_and_did_change(subject):
    rows = list(changes.changed_rows(subject, 2))
    assert [row.name.split(":")[0] for row in rows] == ["traced and changed"] * 3
    assert all(row.share is not None and "changed" in row.captured for row in rows)
    assert rows[0].image.endswith("to the bit")


def test_features_and_statistics_are_measured_beside_the_traced_run_and_change_nothing(subject):
    rows = list(features.feature_rows(subject, 2))
    assert [row.captured.rpartition(", ")[2].split()[1] for row in rows] == ["modules", "modules"]
    assert all(row.ratio is not None and row.against.startswith("traced") for row in rows)
    assert all(row.image == "to the bit" for row in rows)


def test_each_way_is_measured_beside_the_untraced_run_and_changes_nothing(subject):
    ways = [way for way in tracing.WAYS if way.key in ("mean", "previews")]
    rows = list(tracing.traced_rows(subject, 2, [way.key for way in ways]))
    assert [row.name for row in rows] == [tracing.UNTRACED, *(way.name for way in ways)]
    assert rows[0].share is None
    assert all(row.share.count == 2 and row.share.median > 0 and row.image == "to the bit" for row in rows[1:])
    assert rows[1].captured == "4 layers × 1 calls"
    assert rows[2].against == tracing.PICTURE
    assert all(row.memory is None for row in rows), "torch does not count a CPU's"


def test_the_default_run_is_measured_to_a_picture_the_first_run_apart():
    def make():
        return Subject.around(tiny_pipelines.stable_diffusion(DDIMScheduler(clip_sample=False)), CPU, 1, "tiny")

    first, *rows = default_run.default_rows(make, 2, most=2)
    assert first.share.count == 3
    assert [(row.name == default_run.PICTURE, ", 1 steps" in row.subject) for row in rows] == [
        *((True, True), (False, True), (True, False), (False, False))
    ]
    assert all(row.image == "to the bit" and row.share.count == 2 for row in rows if row.share)
    assert rows[3].captured == "4 layers, 2 steps to be decoded when looked at"


def test_a_run_that_changes_its_picture_or_misses_a_layer_is_no_figure(subject):
    reference, trace = subject.reference(), subject.traced(tracing.WAYS[0].record)
    assert subject.checked(trace, reference) == ("to the bit", "4 layers × 1 calls")
    changed = reference.copy()
    changed.flat[0] = np.nextafter(changed.flat[0], np.float32(np.inf))
    with pytest.raises(SdexploreError, match="tracing changed the latents"):
        subject.checked(trace, changed)
    partly = subject.traced(Record(decode=0, layers=("mid_block",)))
    with pytest.raises(SdexploreError, match="was not captured at every step"):
        subject.checked(partly, reference)
    with pytest.raises(SdexploreError, match="not finite"):
        subject.checked(trace, reference * math.nan)


def test_compiled_rows_say_why_they_are_not_measured(subject, monkeypatch):
    def refused(_):
        raise RuntimeError("no compiler here\nsecond line")

    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: object.__setattr__(self, "forward", refused))
    handle = subject.pipe.unet.mid_block.register_forward_hook(lambda *_: None)
    monkeypatch.setattr(timing, "plain_latents", _only_of(subject.pipe, timing.plain_latents))
    rows = list(tracing.traced_rows(subject, 1, ["compiled"]))
    handle.remove()
    assert [row.seconds for row in rows] == [None, None]
    assert rows[0].note == "not measured: RuntimeError: no compiler here"
    assert rows[1].note == "not measured: fell back to eager: a hook is on 'mid_block'"
    assert rows[0].note in repr(Benchmark(facts={}, rows=tuple(rows)))


def test_a_compiled_and_traced_run_is_compared_with_both_untraced_ones(subject, monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "compile", lambda *_, **__: None)  # a C++ compiler is not needed to be timed
    rows = list(tracing.traced_rows(subject, 1, ["compiled"]))
    assert [row.name for row in rows] == [
        tracing.COMPILED,
        "compiled and traced: head mean, noise predictions, latents, x0",
    ]
    assert rows[1].against == tracing.COMPILED
    assert rows[1].ratio.median > 0 < rows[1].share.median
    assert rows[1].captured.startswith("4 layers × 1 calls; backend graph; maps within ")
    assert rows[1].image.startswith("within ")
    assert "compiled" not in subject.traced(tracing.WAYS[0].record).provenance, "it was marked for the row alone"


def _only_of(pipe, plain):
    def latents(used, *args, **kwargs):
        if used is not pipe:
            raise RuntimeError("no compiler here")
        return plain(used, *args, **kwargs)

    return latents


def test_what_diffusers_compiles_is_a_second_pipeline(subject):
    beside = timing.compiled_by_diffusers(subject.pipe)
    assert beside.unet is not subject.pipe.unet
    assert beside.unet._compiled_call_impl is not None
    assert subject.pipe.unet._compiled_call_impl is None
    assert subject.pipe.config["unet"] == beside.config["unet"]
    assert next(beside.unet.parameters()) is next(subject.pipe.unet.parameters())


def test_cost_grows_along_the_axes_asked_for(subject):
    points = list(growth.cost_points(subject, 1, ("steps", "layers"), most_steps=2))
    assert [(p.axis, p.amount) for p in points] == [("steps", 2), ("layers", 1), ("layers", 4)]
    assert all(p.subject == "tiny" and p.share.median > 0 for p in points)


@pytest.mark.parametrize(("size", "family"), [("sd15", "SD 1.x"), ("sdxl", "SDXL base")])
def test_random_pipelines_have_the_published_sizes(size, family):
    pipe = random_weights.random_pipeline(size, "meta", torch.float16)
    for name, value in PUBLISHED[family].items():
        found = pipe.unet.config[name]
        assert (list(found) if isinstance(found, tuple | list) else found) == (
            list(value) if isinstance(value, tuple) else value
        ), name
    count = sum(one.numel() for one in pipe.unet.parameters())
    assert count == {"sd15": 859_520_964, "sdxl": 2_567_463_684}[size]
    assert {one.dtype for one in pipe.unet.parameters()} == {torch.float16}
    assert pipe.vae_scale_factor == 8
    with pytest.raises(LoadError, match="no random weights of size 'sd16'; did you mean 'sd15'"):
        random_weights.random_pipeline("sd16", "cpu", torch.float32)


def test_weights_are_drawn_on_the_device_without_a_parameter_left_empty():
    small = {**random_weights.UNETS["sd15"], "block_out_channels": [32, 32, 32, 32], "sample_size": 8}
    unet = random_weights._drawn(random_weights.diffusers.UNet2DConditionModel, small, CPU, torch.float32)
    for name, own in unet.named_parameters():
        assert torch.isfinite(own).all(), name
        assert own.numel() == 1 or name.endswith("bias") or "norm" in name or own.std() > 0, name
    sample = torch.randn(1, 4, 16, 16)
    assert torch.isfinite(unet(sample, 10, encoder_hidden_states=torch.randn(1, 77, 768)).sample).all()


def record():
    spread = Spread(1.02, 1.01, 1.04, 7)
    return Benchmark(
        facts={"device": "a <b>processor</b>", "date": "2026-01-02"},
        rows=(
            BenchmarkRow(subject="tiny", name="untraced", seconds=Spread(2.0, 1.9, 2.1, 7)),
            BenchmarkRow(subject="tiny", name="traced", seconds=spread, share=spread, image="to the bit", memory=2**20),
            BenchmarkRow(subject="tiny", name="compiled", note="not measured: no compiler"),
        ),
        readings=(
            Reading(name="quick", milliseconds=Spread(1.0, 0.9, 1.1, 7), budget=50.0),
            Reading(name="slow", milliseconds=Spread(60.0, 50.0, 61.0, 7), budget=50.0),
            Reading(name="without promise", milliseconds=Spread(99.0, 98.0, 100.0, 7)),
        ),
        points=tuple(
            CostPoint(subject="tiny", axis=axis, amount=amount, share=spread, seconds=spread)
            for axis, amounts in (("steps", (2, 4)), ("layers", (16,)))
            for amount in amounts
        ),
    )


def test_the_record_is_the_same_after_a_file(tmp_path):
    path = record().save(tmp_path / "new" / "bench.json")
    assert Benchmark.load(path) == record()
    with pytest.raises(SdexploreError, match=r"no record of a benchmark at 'other.json'"):
        Benchmark.load(tmp_path / "other.json")
    for content in ("{}", "[]", '{"schema": 9}', json.dumps(record().to_json() | {"rows": [{"subject": "x"}]})):
        path.write_text(content)
        with pytest.raises(SdexploreError):
            Benchmark.load(path)


def test_the_table_says_what_was_kept_what_was_not_and_on_what():
    text, html = repr(record()), record()._repr_html_()
    for told in ("1.020 (1.010–1.040)", "to the bit", "not measured: no compiler", "1.0 MiB", "2026-01-02"):
        assert told in text
        assert told in html
    assert "1 over budget" in text
    assert "&lt;b&gt;" in html
    assert "<b>processor" not in html


def test_the_picture_shows_the_measured_points_and_their_quartiles():
    picture = views.benchmark(record())
    steps, layers = picture.figure.axes
    assert (steps.get_xlabel(), layers.get_xlabel()) == ("denoising steps", "layers read")
    (bars,) = steps.containers
    line, _, (quartiles,) = bars.lines
    assert line.get_xydata().tolist() == [[2, 1.02], [4, 1.02]]
    assert np.allclose([s[:, 1] for s in quartiles.get_segments()], [[1.01, 1.04]] * 2)
    assert picture.data["layers of tiny"].tolist() == [[16, 1.01, 1.02, 1.04]]
    assert [text.get_text() for text in picture.figure.legends[0].get_texts()] == ["tiny"]
    picture.png(dpi=40)
    with pytest.raises(SdexploreError, match="holds no cost"):
        views.benchmark(Benchmark(facts={}))


def test_reading_is_measured_on_a_trace_of_the_sizes_of_sd_1_5():
    trace = stored_trace(steps=1)
    assert len(trace.attention()) == 16
    assert sorted({one.probs.shape[2] for one in trace.attention().values()}) == [8, 16, 32, 64]
    whole = stored_trace(steps=1, side=16, heads=2, every_position=True)
    (first, *_) = whole.attention().values()
    assert first.probs.shape == (1, 2, 16, 16, 77)
    assert np.allclose(first.probs.astype(np.float32).sum(-1), 1, atol=2e-2)
    found = {one.name: one for one in reading.readings(1, steps=3, side=16)}
    assert found["import sdexplore"].budget == 200.0
    assert {"figure made and shown once: denoising", "word_map (8 heads)"} <= found.keys()
    assert found["frame, dashboard, steps slider moved: word by layer"].budget == 50.0
    assert all(one.milliseconds.median > 0 for one in found.values())


def test_the_command_measures_prints_and_writes(tmp_path, monkeypatch, capsys, subject):
    monkeypatch.setattr(Subject, "of", classmethod(lambda *_: subject))
    written, drawn = tmp_path / "b.json", tmp_path / "b.png"
    asked = ["--pairs", "1", "--steps", "1", "--only", "mean", "steps", "--device", "cpu", "--quick"]
    command.main([*asked, "--json", str(written), "--plot", str(drawn)])
    out = capsys.readouterr().out
    found = Benchmark.load(written)
    assert out == f"{found}\n"
    assert found.facts["pairs"] == "1"
    assert drawn.stat().st_size > 1000
    assert PROMPT not in out
    assert SEED == 7


def test_the_command_refuses_in_words(capsys):
    with pytest.raises(SystemExit):
        command.main(["--pairs", "0"])
    assert "--pairs 0" in capsys.readouterr().err
