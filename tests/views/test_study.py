"""Views of studies: every run is drawn, intervals are over prompts, and what is left out is said."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sdexplore import views
from sdexplore.base.errors import TraceError
from sdexplore.studies.identity import canonical


class Table:
    """A study's table without a study: 8 prompts × 2 scales × 5 seeds; a prompt shifts all of its runs."""

    identity = "0123abcd"

    def __init__(self, **columns):
        rows = [(p, scale, seed) for p in range(8) for scale in (1.0, 7.5) for seed in range(5)]
        frame = pd.DataFrame(rows, columns=["run.prompt", "run.guidance_scale", "seed"])
        frame["run.prompt"] = [f"prompt {number}" for number in frame["run.prompt"]]
        noise = np.random.default_rng(3).normal(size=len(frame))
        shift = np.repeat(np.random.default_rng(4).normal(size=8), 10)
        frame["score"] = 10 * shift + 0.1 * noise + (frame["run.guidance_scale"] > 1) * 0.5
        frame["thumbnail"] = [webp(number) for number in range(len(frame))]
        frame["call"] = [
            canonical({"arguments": {"prompt": p, "guidance_scale": scale}, "seed": seed})
            for p, scale, seed in zip(frame["run.prompt"], frame["run.guidance_scale"], frame["seed"], strict=True)
        ]
        self.frame = frame.assign(**columns)

    def table(self, columns=None, where=None):
        frame = self.frame
        for name, value in (where or {}).items():
            frame = frame[frame[name].isin(value if isinstance(value, list) else [value])]
        return frame[columns or list(frame.columns)]


def webp(number):
    import io

    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (number, 2 * number, 255 - number)).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def test_a_distribution_has_every_run_and_an_interval_over_prompts():
    study = Table()
    picture = views.study_distribution(study, "score", over="run.guidance_scale")
    assert {name: len(values) for name, values in picture.data.items()} == {"1": 40, "7.5": 40}
    (ax,) = picture.figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "."]
    assert sum(len(line.get_ydata()) for line in dots) == 80
    bars = [bar.get_segments()[0][:, 1] for bar in ax.collections]
    assert len(bars) == 2
    # Eight prompts whose runs hardly differ: an interval over 40 runs would be far narrower.
    by_prompt = study.frame[study.frame["run.guidance_scale"] == 1].groupby("run.prompt")["score"].mean()
    expected = 2 * 1.96 * by_prompt.std(ddof=0) / np.sqrt(8)
    assert np.ptp(bars[0]) == pytest.approx(expected, rel=0.15)
    assert "bootstrap over run.prompt" in picture.alt
    assert picture.call.startswith(
        "sdx.views.study_distribution(study, 'score', over='run.guidance_scale')  # study 0123"
    )


def test_one_cluster_has_no_interval_and_runs_without_a_number_are_counted():
    study = Table(score=[np.nan] * 3 + [1.0] * 77)
    picture = views.study_distribution(study, "score", over="seed", where={"run.prompt": "prompt 0"})
    assert not picture.figure.axes[0].collections
    assert "one cluster alone" in picture.figure.get_suptitle()
    assert "3 runs without a number left out" in picture.figure.get_suptitle()


def test_pairs_are_the_same_runs_but_for_the_factor():
    study = Table()
    study.frame = study.frame.drop(index=study.frame.index[0])
    picture = views.study_pairs(study, "score", over="run.guidance_scale", levels=[1, 7.5])
    assert len(picture.data["differences"]) == 39
    mean, low, high = picture.data["mean"]
    assert low < 0.5 < high  # what was added, while prompts shift all runs by 10
    assert high - low < 0.2
    assert mean == pytest.approx(0.5, abs=0.1)
    assert "1 run without a partner left out" in picture.figure.get_suptitle()


def test_a_grid_of_thumbnails_has_each_run_in_its_place():
    picture = views.study_pictures(Table(), where={"run.guidance_scale": 1.0, "run.prompt": ["prompt 1", "prompt 2"]})
    assert len(picture.data) == 10
    assert picture.data["prompt 2, 3"].shape == (16, 24, 3)
    assert picture.data["prompt 2, 3"][0, 0].tolist() == [23, 46, 232]  # of row 23
    several = views.study_pictures(Table(), where={"run.prompt": ["prompt 1"]})
    assert "the first of several" in several.figure.get_suptitle()


def test_both_ends_are_the_lowest_and_the_highest():
    study = Table()
    picture = views.study_ends(study, "score", count=3)
    ordered = study.frame.sort_values("score")
    titles = [ax.get_title().splitlines()[0] for ax in picture.figure.axes]
    wanted = [*ordered["score"].head(3), *ordered["score"].tail(3)[::-1]]
    assert titles == [f"{value:.3g}" for value in wanted]


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda s: views.study_distribution(s, "run.prompt", over="seed"), "no numbers"),
        (lambda s: views.study_distribution(s, "score", over="score"), "16 have room"),
        (lambda s: views.study_pairs(s, "score", over="seed", levels=[0]), "two levels"),
        (lambda s: views.study_pairs(s, "score", over="seed", levels=[0, 9]), "there is 0, 1"),
        (lambda s: views.study_pairs(s, "score", over="score", levels=list(s.frame["score"][:2])), "a factor is"),
        (lambda s: views.study_ends(s, "score", count=9), "1 to 8"),
        (lambda s: views.study_pictures(s, columns="run.prompt"), "both 'run.prompt'"),
    ],
)
def test_what_cannot_be_drawn_is_said(draw, says):
    with pytest.raises(TraceError, match=says):
        draw(Table())


def test_an_empty_prompt_and_what_is_true_or_false_are_named_as_they_are():
    study = Table()
    study.frame["run.prompt"] = np.where(study.frame["run.prompt"] == "prompt 0", "", "a cat")
    study.frame["run.safe"] = (study.frame["run.guidance_scale"] > 1).astype(object)
    picture = views.study_pictures(study, columns="run.safe")
    assert "''" in picture.alt
    assert "True" in picture.alt


def test_without_thumbnails_the_way_to_them_is_named():
    with pytest.raises(TraceError, match="keep='thumbnails'"):
        views.study_pictures(Table(thumbnail=None))
