"""Measures that have a name, on a tiny pipeline: each says what the analysis says of the same run."""

import inspect
import pickle

import numpy as np
import pytest
import study_sources as source

import sdexplore as sdx
from sdexplore.base.errors import RunError
from sdexplore.mini.evaluation.classifier import presence
from sdexplore.studies.identity import plain

CALL = {"num_inference_steps": 2, "height": 64, "width": 64}
RUN = {"prompt": "a cat and a dog", "seed": 5, "guidance_scale": 7.0, **CALL}
of_run = sdx.studies.OfRun

MEASURES = [
    "attention_mass",
    "entropy",
    ("word_map", {"word": of_run("first"), "steps": 0}),
    ("word_map", {"word": of_run("second")}),
    "guidance_steps",
    ("region_words", {"region": (0, 0, 32, 64), "words": ["cat", "dog"]}),
    ("segmentation", {"words": ["cat", "dog"]}),
    ("presence", {"thing": "cat"}),
    ("difference", {"against": {"guidance_scale": 1.0}}),
    ("occlusion", {"words": "cat"}),
    ("attribution", {"words": ["cat"], "region": (0, 0, 32, 64)}),
    ("calibrate", {"scenes": 1, "timesteps": (200,)}),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of one run with every measure, its row, and the trace of the same run."""
    runs = [{**RUN, "about": {"first": "cat", "second": "dog"}}]
    study = sdx.Study(
        source.tiny, runs=runs, measure=MEASURES, keep="traces", to=tmp_path_factory.mktemp("a") / "study"
    )
    done = study.run()
    assert (done.rows, done.errors) == (1, 0), study.errors()["error"].tolist()
    row = study.table().iloc[0]
    return study, row, sdx.run(source.tiny(), record=sdx.Record(decode=0), **RUN)


def test_every_measure_that_has_a_name_is_measured_here():
    named = {one if isinstance(one, str) else one[0] for one in MEASURES}
    assert named == set(sdx.studies.MEASURES)
    assert all(known.says for known in sdx.studies.MEASURES.values())
    asking = {
        name for name, known in sdx.studies.MEASURES.items() if "pipe" in inspect.signature(known.function).parameters
    }
    assert asking == {name for name, known in sdx.studies.MEASURES.items() if known.needs_pipeline}


def test_numbers_are_those_of_the_analysis(made):
    _, row, trace = made
    assert row["fingerprint"] == trace.fingerprint
    expected = {f"attention_mass.{kind}": share for kind, share in sdx.attention_mass(trace).mean.items()}
    expected["entropy.bits"] = float(np.nanmean(sdx.entropy(trace).bits))
    cat, dog = sdx.word_map(trace, "cat", steps=0), sdx.word_map(trace, "dog")
    expected["word_map[word={first},steps=0].peak"] = cat.max()
    expected["word_map[word={second}].mean"] = dog.mean(dtype=np.float64)
    y, x = np.unravel_index(dog.argmax(), dog.shape)
    expected["word_map[word={second}].y"] = (y + 0.5) / dog.shape[0]
    expected["word_map[word={second}].x"] = (x + 0.5) / dog.shape[1]
    expected["word_map[word={second}].area"] = (dog > dog.min() + 0.4 * np.ptp(dog)).mean()
    expected["guidance_steps.ratio"] = sdx.guidance_steps(trace).ratio.mean()
    region = sdx.region_words(trace, (0, 0, 32, 64), ["cat", "dog"])
    expected |= {f"region_words.{word}": inside for word, inside in zip(region.words, region.inside, strict=True)}
    expected["segmentation.cat"] = sdx.segmentation(trace, ["cat", "dog"]).mask("cat").mean()
    things = sdx.studies.MEASURES["presence"].function(trace)
    assert max(things.values()) == presence(trace.image[None]).max()
    expected["presence.score"] = things["cat"]
    other = sdx.run(source.tiny(), record=sdx.Record(decode=0), **{**RUN, "guidance_scale": 1.0})
    expected["difference.end"] = sdx.difference(other, trace).distances[-1]
    left_out = sdx.occlusion(source.tiny(), trace, ["cat"], steps=-1)
    gradient = sdx.attribution(source.tiny(), trace, ["cat"], region=(0, 0, 32, 64))
    expected["attribution.cat"] = float(gradient.scores[0])
    expected["occlusion.cat"] = np.sqrt(np.square(left_out.changes[0]).mean())
    calibrated = sdx.calibrate(source.tiny(), scenes=1, seed=5, timesteps=(200,), causal=False)
    expected["calibrate.object.t200.inside"] = calibrated.row("object", 200).scores["inside"].value
    for name, value in expected.items():
        assert row[name] == pytest.approx(float(value), rel=1e-6), name


def test_a_kept_trace_is_opened_and_measured_again_without_the_pipeline(made):
    study, row, trace = made
    opened = study.open(row)
    assert opened.fingerprint == trace.fingerprint
    assert sdx.word_map(opened, "dog").mean() == pytest.approx(row["word_map[word={second}].mean"], rel=1e-6)


def test_a_scheduler_and_a_change_are_arguments_of_a_run(tmp_path):
    change = sdx.Reweight("cat", 2.0)
    runs = [{**RUN, "scheduler": name, "change": one} for name in ("DDIM", "Euler") for one in (None, change)]
    study = sdx.Study(source.tiny, runs=runs, to=tmp_path / "study")
    assert study.run().errors == 0
    table = study.table()
    assert table["fingerprint"].nunique() == 4
    assert table["run.change"].notna().tolist() == [False, True] * 2
    again = study.open(table.iloc[3])
    assert again.provenance["scheduler"]["class"] == "EulerDiscreteScheduler"
    assert plain(again.call["arguments"]["change"]) == plain(change)
    bad = sdx.Study(source.tiny, runs=[{**RUN, "scheduler": "Eulr"}, {**RUN, "hight": 64}], to=tmp_path / "bad")
    assert bad.run().errors == 2
    assert "Euler" in bad.errors()["error"].iloc[0]
    assert "height" in bad.errors()["error"].iloc[1]


def test_a_batch_is_one_call_and_opens_within_rounding(tmp_path):
    runs = sdx.grid(prompt=["a cat", "a dog"], seed=range(3), **{name: [value] for name, value in CALL.items()})
    alone = sdx.Study(source.tiny, runs=runs, measure=["attention_mass"], to=tmp_path / "alone")
    alone.run()
    together = sdx.Study(source.tiny, runs=runs, measure=["attention_mass"], to=tmp_path / "together")
    assert together.run(batch=3).errors == 0
    one, other = (study.table().set_index("identity") for study in (alone, together))
    assert one["batch"].tolist() == [1.0] * 6
    assert other["batch"].tolist() == [3.0] * 6
    other = other.loc[one.index]
    assert np.allclose(one["attention_mass.words"], other["attention_mass.words"], rtol=1e-4)
    with pytest.warns(UserWarning, match="not the same to the bit"):
        together.open(together.table().iloc[0])


def test_what_a_run_does_not_say_is_the_row_s_error(tmp_path):
    study = sdx.Study(
        source.numbers, runs=[{"prompt": "a cat"}], measure=[("word_map", {"word": of_run("second")})], to=tmp_path
    )
    study.run()
    assert "OfRun('second')" in study.errors()["error"].iloc[0]
    with pytest.raises(RunError, match="twice"):
        sdx.Study(source.numbers, runs=[], measure=["entropy", "entropy"], to=tmp_path / "other")


def test_what_travels_to_workers_is_pickled_by_python_alone():
    measure = sdx.studies.Measure(source.ink, "ink", arguments={"by": of_run("second")})
    assert pickle.loads(pickle.dumps(measure)).key == measure.key  # noqa: S301  (our own)
