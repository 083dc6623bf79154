"""Attribution on known scenes and what Keep keeps: what is counted, what is asked, and that a file holds all of it."""

import numpy as np
import pytest

from sdexplore import mini
from sdexplore.calibration.scenes import draw_scenes
from sdexplore.mini.evaluation.what_if import METHODS, WAYS, Kept, Pair, Scored, WhatIf, compared, main


def scored(scene, right):
    """A scene in which the methods named here put the thing first among its words."""
    return Scored(
        scene=scene,
        caption="a photo of a cat and a dog",
        words=("photo", "cat", "dog"),
        thing=1,
        things=(1, 2),
        scores={method: (0.2, 0.5 if method in right else 0.01, 0.1) for method in METHODS},
    )


def test_methods_are_counted_beside_chance():
    found = WhatIf((scored(0, METHODS), scored(1, ["gradient"])), ())
    rows = {line.split()[0]: line.split() for line in repr(found).splitlines() if line}
    assert rows["gradient"][1] == "1"
    assert rows["knock-out"][1] == "0.5"
    assert rows["chance"][1:] == ["0.33", "0.50"]
    one = found.scored[1]
    assert not one.first("attention")
    assert not one.first("attention", one.things)
    assert one.first("gradient", one.things)


def test_a_picture_keeps_all_of_itself_and_nothing_of_another():
    scene = next(one for one in draw_scenes(20, 777) if list(one.spans)[:1] == ["hedgehog"])
    same = compared(scene.picture, scene.picture, "hedgehog", "hedgehog", "hedgehog")
    assert same.other == same.place == pytest.approx(1)
    assert same.apart == 0
    assert same.drawn
    gone = compared(scene.picture, np.zeros_like(scene.picture), "hedgehog", "cat", "hedgehog")
    assert gone.other < 0.3
    assert gone.apart > 0.2
    assert not gone.drawn
    blind = compared(np.zeros_like(scene.picture), scene.picture, "cat", "hedgehog", "rocket")
    assert blind.other is None
    assert blind.place is None


def test_a_scene_and_a_pair_are_measured_and_read_again(tmp_path, capsys):
    kept = tmp_path / "measured.json"
    main(["--scenes", "2", "--pairs", "0", "--json", str(kept)])
    found = WhatIf.from_json(kept.read_text(encoding="utf-8"))
    assert repr(found) in capsys.readouterr().out
    assert len(found.scored) == 2
    for one in found.scored:
        (scene,) = [scene for scene in draw_scenes(one.scene + 1, 777) if scene.number == one.scene]
        start, stop = scene.spans[next(name for name in scene.spans if name != mini.GROUND)]
        assert scene.caption[start:stop] in [one.words[place] for place in one.things]
        for scores in one.scores.values():
            assert len(scores) == len(one.words)
            assert min(scores) > 0
    pair = Pair("a cat", "a dog", 0, {way: Kept(0.5, None, 0.1, drawn=True) for way in WAYS})
    both = WhatIf(found.scored, (pair,))
    assert WhatIf.from_json(both.to_json()) == both
    assert "1 pairs" in repr(both)


def test_nothing_to_measure_is_said(capsys):
    with pytest.raises(SystemExit):
        main(["--scenes", "0", "--pairs", "0"])
    assert "--scenes 0" in capsys.readouterr().err
