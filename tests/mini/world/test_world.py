"""Scenes of the emoji world: a seed always draws the same scene, and captions and masks are true."""

import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sdexplore.base.errors import SdexploreError
from sdexplore.mini import GROUND, Scene, Sprite, Thing, render, sample, spans
from sdexplore.mini.world import world
from sdexplore.mini.world.backgrounds import SIZE, background
from sdexplore.mini.world.vocabulary import BACKGROUNDS, NAMES, PLACE_WORDS, SHAPES, STYLES

# What the world showed on the day the weights were trained: seed → captions, spans of the first,
# mean of the picture, area of each mask.
FROZEN = {
    0: (
        ("a pixel art of a saturn", "an 8-bit image of a saturn in a city street"),
        {"saturn": (17, 23)},
        140.484,
        {"saturn": 4807.1},
    ),
    1: (
        (
            "a photo of a telescope and a red star on a yellow background",
            "a photograph of a telescope under a red star on yellow",
        ),
        {"telescope": (13, 22), "red star": (29, 37), GROUND: (43, 60)},
        166.048,
        {"telescope": 2488.7, "red star": 3747.3},
    ),
    2: (
        ("a photograph of two cookies with a white background", "a photo of two cookies"),
        {"cookie": (20, 27), GROUND: (35, 51)},
        225.241,
        {"cookie": 12124.1},
    ),
    3: (
        (
            "a photograph of beautiful a brown cross and a banana and a bell in winter",
            "a picture of a bell, a banana and a brown cross in winter",
        ),
        {"bell": (59, 63), "brown cross": (28, 39), "banana": (46, 52), GROUND: (67, 73)},
        213.085,
        {"bell": 4154.6, "brown cross": 2571.4, "banana": 2581.0},
    ),
    7: (
        ("a photo of a tiny butterfly on a blue background", "a photo of nice, a tiny butterfly on blue"),
        {"butterfly": (18, 27), GROUND: (33, 48)},
        117.346,
        {"butterfly": 1622.2},
    ),
    777: (
        (
            "an old photo of a lion and a dinosaur on the beach",
            "an old photo of a lion and a dinosaur at the beach, trending on artstation, beautiful",
        ),
        {"lion": (18, 22), "dinosaur": (29, 37), GROUND: (45, 50)},
        123.648,
        {"lion": 4426.8, "dinosaur": 4736.1},
    ),
}


def scenes(count, seed=0):
    rng = random.Random(seed)
    return [sample(rng) for _ in range(count)]


def made(word="cat", *, style="photo", ground="snow", **placed):
    """A scene of one cat, called `word`, in the middle."""
    where = {"x": 128.0, "y": 128.0, "size": 100.0, "flipped": False, **placed}
    sprite = Sprite(Thing(NAMES.index(("cat", "kitten")), None, word), **where)
    text = f"a photo of a {word}"
    parts = {text: ((11, len(text)), (0, 0))}
    return Scene(ground, style, (sprite,), (text,), {word: word}, parts)


@pytest.mark.parametrize("seed", FROZEN)
def test_a_seed_shows_the_same_scene_for_ever(seed):
    captions, named, mean, areas = FROZEN[seed]
    rng = random.Random(seed)
    scene = sample(rng)
    image, masks = render(scene, rng)
    assert scene.captions == captions
    assert spans(scene, captions[0]) == named
    assert list(spans(scene, captions[0])) == list(named)
    assert image.mean() == pytest.approx(mean, abs=0.5)  # pillow may round otherwise one day
    assert {word: masks[word].sum() for word in areas} == pytest.approx(areas, rel=0.01)
    assert set(masks) == {*areas, GROUND}


def test_the_generator_is_left_where_it_always_was():
    rng = random.Random(5)
    for _ in range(500):
        sample(rng)
    assert rng.random() == pytest.approx(0.3712359241870282)


HOSTILE = [-1, 0, 2**4000, 1.5, float("inf"), "", "</script><b>", "東京🌸", b"\0\xff"]


@pytest.mark.parametrize("seed", HOSTILE, ids=[str(n) for n in range(len(HOSTILE))])
def test_hostile_seeds_give_scenes_like_all_others(seed):
    rng = random.Random(seed)
    for _ in range(50):
        scene = sample(rng, 3)
        assert 1 <= len(scene.sprites) <= 4
        assert len(scene.captions) == 3
        assert scene.background in BACKGROUNDS
        assert scene.style in STYLES
        for sprite in scene.sprites:
            assert 0 <= sprite.x <= SIZE
            assert 0 <= sprite.y <= SIZE
            assert 48 <= sprite.size <= 240
            assert (sprite.thing.tint is None) == (sprite.thing.tile < len(NAMES))
    render(scene, rng)


def test_a_scene_may_have_no_caption():
    scene = sample(random.Random(0), 0)
    assert scene.captions == ()
    assert "Scene on city" in repr(scene)
    assert scene.sprites == sample(random.Random(0), 2).sprites


def test_spans_cover_the_words_and_nothing_else():
    seen = set()
    for scene in scenes(3000):
        for caption in scene.captions:
            found = spans(scene, caption)
            assert set(scene.spelled) <= set(found)
            for word, (start, end) in found.items():
                text = caption[start:end]
                if word == GROUND:
                    plain = (scene.background, f"{scene.background} background")
                    assert text in PLACE_WORDS.get(scene.background, plain)
                    seen.add(scene.background)
                else:
                    assert text == scene.spelled[word]
                whole = f" {caption} "
                assert not whole[start].isalnum()
                assert not whole[end + 1].isalnum()
            covered = sorted(found.values())
            assert all(a[1] <= b[0] for a, b in pairwise(covered))
    assert seen == set(BACKGROUNDS)


@pytest.mark.parametrize(
    ("caption", "words", "expected"),
    [
        ("a teddy bear and a bear", ("bear", "teddy bear"), ("bear", 19)),
        ("a bear and a teddy bear", ("bear", "teddy bear"), ("bear", 2)),
        ("a palm tree with a tree", ("tree", "palm tree"), ("tree", 19)),
        ("an orange circle and an orange", ("orange circle", "orange"), ("orange", 24)),
    ],
)
def test_a_word_within_a_longer_one_is_not_that_word(caption, words, expected):
    parts = {caption: ((0, len(caption)), (0, 0))}
    scene = replace(made(), captions=(caption,), spelled=dict(zip(words, words, strict=True)), parts=parts)
    found = spans(scene, caption)
    word, start = expected
    assert found[word] == (start, start + len(word))
    assert list(found) == list(words)


def test_a_caption_of_another_scene_is_refused():
    scene = sample(random.Random(2))
    with pytest.raises(SdexploreError, match=r"no caption 'a photo of two cookie'; did you mean 'a"):
        spans(scene, "a photo of two cookie")
    with pytest.raises(SdexploreError, match="no caption '</script>'; there is 'a photograph of"):
        spans(scene, "</script>")


def test_masks_are_shares_of_each_pixel():
    checked = 0
    for scene in scenes(60, seed=3):
        _, masks = render(scene, random.Random(0))
        words = [sprite.thing.word for sprite in scene.sprites]
        total = sum(masks.values())
        for mask in masks.values():
            assert mask.dtype == np.float32
            assert 0 <= mask.min() <= mask.max() <= 1
        if len(set(words)) == len(words):
            assert np.allclose(total, 1, atol=1e-5)
            checked += 1
    assert checked > 30


def test_what_stands_in_front_hides_what_is_behind():
    square = Thing(len(NAMES) + SHAPES.index("square"), (220, 40, 40), "red square")
    front = Sprite(square, x=128.0, y=128.0, size=200.0, flipped=False)
    alone = made()
    both = replace(alone, sprites=(*alone.sprites, front), spelled={})
    image, masks = render(both, random.Random(0))
    assert masks["cat"].max() == 0
    assert masks["red square"][128, 128] == 1
    assert tuple(image[128, 128]) == (220, 40, 40)
    assert render(alone, random.Random(0))[1]["cat"].sum() > 3000


def test_a_sprite_beyond_the_edge_is_cut_off():
    _, masks = render(made(x=400.0, y=-300.0), random.Random(0))
    assert masks["cat"].max() == 0
    assert masks[GROUND].min() == 1


def test_flipping_exchanges_left_and_right():
    whole, flipped = (render(made(x=128.0, flipped=side), random.Random(0))[1]["cat"] for side in (False, True))
    assert np.array_equal(whole, flipped[:, ::-1])


def test_styles_are_what_they_say():
    def drawn(style):
        return render(made(style=style), random.Random(0))[0].astype(int)

    photo = drawn("photo")
    mono, sepia, pixel, blur = map(drawn, ("mono", "sepia", "pixel", "blur"))
    assert (np.ptp(mono, axis=2) == 0).all()
    assert abs(mono.mean() - photo.mean()) < 5
    assert np.allclose(sepia, mono * np.array(world.SEPIA) / 255, atol=1)
    blocks = pixel.reshape(32, 8, 32, 8, 3)
    assert (np.ptp(blocks, axis=(1, 3)) == 0).all()
    assert len(np.unique(pixel.reshape(-1, 3), axis=0)) > 20
    assert np.abs(np.diff(blur, axis=1)).max() < np.abs(np.diff(photo, axis=1)).max() / 4


def test_unknown_styles_and_backgrounds_are_refused():
    with pytest.raises(SdexploreError, match=r"no style 'photos'; did you mean 'photo'\?"):
        render(made(style="photos"), random.Random(0))
    with pytest.raises(SdexploreError, match=r"no background 'blu'; did you mean 'blue'\?"):
        background("blu", random.Random(0))


def test_a_scene_shows_the_same_in_text_and_html_with_everything_escaped():
    scene = made(word="</script><b>東京")
    text, page = repr(scene), scene._repr_html_()
    assert "a photo of a </script><b>東京" in text
    assert "</script>" not in page
    assert "&lt;/script&gt;&lt;b&gt;東京" in page
    for fact in ("Scene on snow, as photo", "128", "100"):
        assert fact in text
        assert fact in page


def test_scenes_need_no_torch():
    code = (
        "import random, sys; from sdexplore import mini; "
        "mini.render(mini.sample(random.Random(0)), random.Random(0)); "
        "found = {'torch', 'diffusers', 'transformers', 'matplotlib'} & set(sys.modules); "
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
