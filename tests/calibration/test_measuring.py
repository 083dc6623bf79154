"""Maps scored on known masks: the scores, their controls, and models that know everything or nothing."""

import io
import math
import random

import numpy as np
import pytest
from PIL import Image
from tiny_pipelines import stable_diffusion
from unchecked import unchecked

import sdexplore as sdx
from sdexplore import mini
from sdexplore.analysis.bootstrap import bootstrap_weights, interval
from sdexplore.calibration.scenes import draw_scenes, other_span, positions_in
from sdexplore.calibration.scoring import by_chance, in_the_centre, mask_on, overlap, scored, top
from sdexplore.calibration.statistics import Observation, Observations
from sdexplore.mini.training.dataset import Draw, draw_table
from sdexplore.model.components.tokens import tokens
from sdexplore.records.calibration import ALL_LAYERS, CAUSAL, KINDS, SCORES, Calibration
from sdexplore.text.words import without


@pytest.fixture(scope="module")
def pipe():
    found = sdx.load()
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def result(pipe):
    return sdx.calibrate(pipe, scenes=5, seed=3, timesteps=(200,))


def mask(y=slice(2, 6), x=slice(3, 7), shape=(16, 16)):
    found = np.zeros(shape, bool)
    found[y, x] = True
    return found


def test_a_perfect_map_scores_one_and_its_opposite_nothing():
    true = mask()
    assert scored(true.astype(np.float32), true) == dict.fromkeys(
        ("pointing", "iou_at_area", "iou_high", "inside"), 1.0
    )
    against = scored((~true).astype(np.float32), true)
    assert against["pointing"] == against["inside"] == against["iou_high"] == 0
    assert against["iou_at_area"] == 0


def test_half_a_map_scores_what_one_works_out_by_hand():
    true, half = mask(), mask(x=slice(5, 9)).astype(np.float32)
    found = scored(half, true)
    assert found["pointing"] == 1.0  # the first of equal maxima lies in the mask
    assert found["iou_high"] == pytest.approx(8 / 24)
    assert found["iou_at_area"] == pytest.approx(8 / 24)
    assert found["inside"] == pytest.approx(0.5)
    assert overlap(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


def test_maps_drawn_by_lot_score_what_chance_is_said_to_be():
    rng, true = np.random.default_rng(0), mask(slice(0, 8), slice(0, 6))
    expected = by_chance(true)
    found = [scored(rng.random((16, 16)).astype(np.float32), true) for _ in range(1500)]
    for name in ("pointing", "iou_at_area", "inside"):
        assert np.mean([one[name] for one in found]) == pytest.approx(expected[name], abs=0.03), name
    assert expected["pointing"] == 48 / 256
    assert math.isnan(expected["iou_high"])


def test_a_map_without_any_shape_gets_what_chance_gives():
    true = mask()
    found, chance = scored(np.full((16, 16), 0.25, np.float32), true), by_chance(true)
    assert found["pointing"] == chance["pointing"] == found["inside"]
    assert found["iou_at_area"] == chance["iou_at_area"]


def test_the_centre_is_the_centre():
    assert in_the_centre(mask(slice(6, 10), slice(6, 10)))["pointing"] == 1
    assert in_the_centre(mask(slice(0, 4), slice(0, 4)))["pointing"] == 0
    assert math.isnan(in_the_centre(mask())["inside"])


def test_masks_come_to_any_grid_by_area():
    fine = mask(slice(64, 128), slice(0, 128), (256, 256)).astype(np.float32)
    assert mask_on(fine, (32, 32)).sum() == 8 * 16
    assert mask_on(fine, (4, 8)).tolist() == [[False] * 8, [True] * 4 + [False] * 4, [False] * 8, [False] * 8]
    assert mask_on(fine, (24, 17)).mean() == pytest.approx(1 / 8, abs=0.02)
    assert mask_on(np.zeros((256, 256), np.float32), (32, 32)) is None
    assert mask_on(np.ones((256, 256), np.float32), (32, 32)) is None  # nothing else to point at


def test_the_top_of_a_map_is_as_large_as_asked():
    pixels = np.array([[3, 1], [2, 2]], np.float32)
    assert top(pixels, 2).tolist() == [[True, False], [True, False]]
    assert top(pixels, 0).sum() == 0


def test_scenes_are_none_that_a_training_drew():
    mine = list(draw_scenes(30, 777))
    assert [scene.caption for scene in mine] == [scene.caption for scene in draw_scenes(30, 777)]
    assert np.array_equal(mine[3].picture, next(s for s in draw_scenes(4, 777) if s.number == 3).picture)
    assert {scene.caption for scene in mine} != {scene.caption for scene in draw_scenes(30, 778)}
    for seed in (777, 1000, 1001):
        table = draw_table(Draw(seed, 200, captions=0)).sprites
        places = {tuple(np.round(row[1:4], 3)) for row in table.reshape(-1, 9) if row[8]}
        rngs = [random.Random(f"calibration 777 scene {number}") for number in range(30)]
        own = {
            tuple(np.round(np.array([s.x, s.y, s.size], np.float32), 3))
            for r in rngs
            for s in mini.sample(r, 1).sprites
        }
        assert own
        assert not own & places


def test_words_are_found_as_they_are_spelled_and_left_out(pipe):
    for scene in draw_scenes(25, 1):
        (found,) = tokens(pipe, scene.caption).values()
        for name, span in scene.spans.items():
            positions = positions_in(found, span)
            text = scene.caption[slice(*span)]
            assert set(found.positions(text)) >= set(positions) != set()
            shorter = without(scene.caption, span)
            kept = scene.caption[: span[0]] + scene.caption[span[1] :]
            assert shorter.replace(" ", "") == kept.replace(" ", "")
            assert "  " not in shorter
            other = other_span(scene, name, found)
            assert other is not None
            assert not set(positions_in(found, other)) & set(positions)


def test_leaving_a_word_out_leaves_no_double_space():
    assert without("a photo of a cat and a dog", (13, 16)) == "a photo of a and a dog"


def test_intervals_are_those_of_the_mean_over_scenes():
    rng = np.random.default_rng(5)
    values = rng.normal(0.6, 0.1, 400)
    low, high = interval(range(400), values.tolist(), bootstrap_weights(400, 0, 4000))
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)
    # Ten words of a scene that agree tell no more than one.
    scenes = np.repeat(np.arange(40), 10).tolist()
    wide = interval(scenes, np.repeat(values[:40], 10).tolist(), bootstrap_weights(40, 0))
    assert wide == pytest.approx(interval(range(40), values[:40].tolist(), bootstrap_weights(40, 0)))
    assert np.array_equal(bootstrap_weights(7, 1), bootstrap_weights(7, 1))
    assert np.all(bootstrap_weights(7, 1).sum(1) == 7)


def test_the_best_setting_is_judged_by_the_scenes_that_did_not_choose_it():
    observations = Observations(scenes=4, seed=0)
    chance = dict.fromkeys(("pointing", "iou_at_area"), 0.1)
    for layers, (even, odd) in {ALL_LAYERS: (0.5, 0.6), "side 16": (0.9, 0.2), "side 8": (0.1, 1.0)}.items():
        for scene in range(4):
            own = {"pointing": 1.0, "iou_at_area": odd if scene % 2 else even}
            observations.add(("object", "mean", layers, 200), Observation(scene, own, chance, chance, None))
    best = observations.best()["object"]
    assert (best.row.layers, best.chosen_at, best.tried) == ("side 16", pytest.approx(0.9), 3)
    assert best.row.scores["iou_at_area"].value == pytest.approx(0.2)
    assert best.plain.value == pytest.approx(0.6)
    assert math.isnan(best.plain.other)


def test_the_embedded_model_points_at_what_its_words_mean(result):
    objects = result.row("object", 200)
    pointing = objects.scores["pointing"]
    assert objects.words >= 5
    assert pointing.value >= 0.7 > 3 * pointing.chance
    assert pointing.value > pointing.other
    assert objects.scores["iou_at_area"].value > 0.4 > 3 * objects.scores["iou_at_area"].chance
    assert objects.scores["inside"].value > 2 * objects.scores["inside"].chance
    caused = result.row("object", 200, method=CAUSAL)
    assert caused.scores["pointing"].value >= 0.5
    assert caused.scores["in_map"].value > 2 * caused.scores["in_map"].chance
    assert {row.layers for row in result.rows} >= {ALL_LAYERS, "", "side 32", "side 16", "side 8", "side 4"}
    assert len([row for row in result.rows if row.kind == "object"]) == 1 + 4 + 16 + 1
    for row in result.rows:
        for name, score in row.scores.items():
            assert name in SCORES
            assert 0 <= score.low <= score.value + 1e-9
            assert score.value - 1e-9 <= score.high <= 1


def test_a_model_that_knows_nothing_points_by_chance():
    pipe = stable_diffusion()
    found = sdx.calibrate(pipe, scenes=15, seed=1, timesteps=(300,), causal=False)
    assert {row.method for row in found.rows} == {"mean"}
    objects = found.row("object", 300)
    pointing, inside = objects.scores["pointing"], objects.scores["inside"]
    assert pointing.value < 0.45
    assert inside.value == pytest.approx(inside.chance, abs=0.05)
    assert objects.scores["iou_at_area"].value < 0.35


def test_published_methods_have_rows_where_they_apply(pipe):
    found = sdx.calibrate(pipe, method="p2p", scenes=1, seed=3, timesteps=(200,), causal=False)
    layers = {row.layers for row in found.rows}
    assert {ALL_LAYERS, "side 16"} <= layers
    assert not layers & {"side 32", "side 8"}
    daam = sdx.calibrate(pipe, method="daam", scenes=1, seed=3, timesteps=(200,), causal=False)
    assert not any(row.layers.startswith("mid_block") for row in daam.rows)
    assert daam.row("object", 200).scores["pointing"].chance == pytest.approx(
        found.row("object", 200).scores["pointing"].chance, abs=0.06
    )
    with pytest.raises(sdx.TraceError, match="method='p2p' reads layers of 16 × 16"):
        sdx.calibrate(stable_diffusion(), method="p2p", scenes=1, timesteps=(200,))


def test_what_cannot_be_measured_says_why(pipe, result):
    with pytest.raises(sdx.TraceError, match=r"calibrate\(method='dam'\): .*; did you mean 'daam'"):
        sdx.calibrate(pipe, method="dam")
    with pytest.raises(sdx.RunError, match=r"calibrate\(scenes=0, timesteps=\(200, 400, 600\)\): give at least one"):
        sdx.calibrate(pipe, scenes=0)
    with pytest.raises(sdx.RunError, match=r"timesteps=\(\)"):
        sdx.calibrate(pipe, timesteps=())
    with pytest.raises(sdx.RunError, match=r"calibrate\(timesteps=.*5000.*\): "):
        sdx.calibrate(pipe, scenes=1, timesteps=(5000,))
    with pytest.raises(sdx.TraceError, match=r"no row \(object, 201, all layers, mean\); did you mean"):
        result.row("object", 201)


def test_the_record_says_what_it_proves_and_what_not(result):
    text, html = repr(result), result._repr_html_()
    for part in (
        "Calibration of mini: method 'mean', 5 scenes of seed 3",
        "It does NOT show that attention explains the picture",
        CAUSAL,
        result.row("object", 200).scores["pointing"].interval,
    ):
        assert part in text
    assert "does NOT show" in html
    hostile = Calibration("</script><b>", "mean", 1, 0, (1,), result.rows, {}, 0)
    assert "<b>" not in hostile._repr_html_()


@pytest.mark.parametrize("over", ["timesteps", "layers"])
@pytest.mark.parametrize("score", list(SCORES))
def test_the_picture_shows_what_was_measured(result, over, score):
    picture = sdx.views.calibration(result, score=score, over=over)
    axes = [ax for ax in picture.figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in axes] == [f"{kind}s" for kind in KINDS]
    drawn = {round(float(line.get_ydata()[0]), 9) for line in axes[0].lines if len(line.get_ydata()) == 1}
    for row in result.rows:
        if row.kind == "object" and score in row.scores and (over == "layers" or row.layers in ("", ALL_LAYERS)):
            assert round(row.scores[score].value, 9) in drawn
            assert picture.data[f"object, {row.layers or CAUSAL}"][0, 1] == row.scores[score].value
    assert axes[0].get_ylim() == axes[1].get_ylim() == pytest.approx((-0.02, 1.02))
    assert "chance" in picture.alt
    assert picture.call.startswith("sdx.views.calibration(sdx.calibrate(pipe, ")
    assert Image.open(io.BytesIO(picture.png())).size[0] > 400


def test_the_picture_refuses_what_was_not_measured(pipe, result):
    with pytest.raises(sdx.TraceError, match="no score 'pointng'; did you mean 'pointing'"):
        sdx.views.calibration(result, score="pointng")
    with pytest.raises(sdx.TraceError, match="t = 300 was not measured; there are 200"):
        sdx.views.calibration(result, over="layers", timestep=300)
    with pytest.raises(sdx.TraceError, match="over is 'timesteps' or 'layers'"):
        unchecked("views._calibration").calibration(result, over="heads")
    bare = sdx.calibrate(pipe, scenes=1, seed=3, timesteps=(200,), causal=False)
    with pytest.raises(sdx.TraceError, match=r"holds no score 'in_map': calibrate\(causal=True\)"):
        sdx.views.calibration(bare, score="in_map")
