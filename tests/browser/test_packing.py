"""A trace packed for the browser and unpacked as the browser does it: `word_map`'s numbers, within a budget."""

import dataclasses
import io
import json
import re

import numpy as np
import pytest
import synthetic
from PIL import Image
from synthetic_video import video
from unpacking import rows_of, values_of

from sdexplore import Trace, TraceError, word_map
from sdexplore.analysis.attention_mass import attention_mass
from sdexplore.analysis.guidance import halves
from sdexplore.analysis.resizing import resized
from sdexplore.browser.packing import pack
from sdexplore.publish.pages import page
from sdexplore.text.tokenization import Tokenization, Tokenizations
from sdexplore.trace.one_frame import one_frame
from sdexplore.trace.trace import Attention

MODEL = {"class": "DDIMScheduler", "prediction_type": "epsilon", "space": "variance preserving"}


def maps_of(packed, role=0, step=None, side=None):
    """Every entry's map on the latent grid, and the error that is allowed."""
    total, error, layers = 0, 0, 0
    for group in packed.facts["roles"][role]["groups"]:
        if side is not None and max(group["grid"]) != side:
            continue
        of_step = (group["mean"],) if step is None else (group["maps"], group["mean"])
        values, scales = values_of(packed.data, *of_step)
        half = scales / 2
        row = 0 if step is None else group["steps"].index(step)
        total = total + len(group["layers"]) * resized(values[row], tuple(packed.facts["grid"]))
        error = error + len(group["layers"]) * half
        layers += len(group["layers"])
    return total / layers, error / layers


@pytest.mark.parametrize("made", [{}, {"heads": True, "columns": "all"}, {"dtype": np.float32}])
def test_maps_are_those_of_word_map_within_half_a_level(made):
    trace = synthetic.trace(**made)
    packed = pack(trace)
    assert packed.facts["roles"][0]["role"] == "cond"  # whatever order they were recorded in
    entries = packed.facts["roles"][0]["entries"]
    words = {e["text"]: i for i, e in enumerate(entries) if e["kind"] in ("word", "part")}
    assert set(words) == {"a", "cat", "and", "rocketship", "rocket", "ship"}
    for step in (None, 0, 3):
        for side in (None, 12, 3):
            maps, error = maps_of(packed, step=step, side=side)
            for word, place in words.items():
                asked = entries[place]["positions"] if entries[place]["kind"] == "part" else word
                expected = word_map(trace, asked, steps=step, layers=side)
                assert np.abs(maps[place] - expected).max() <= error[place] + 1e-6, (word, step, side)
    assert error.max() < 1e-5


def test_layers_that_saw_other_steps_and_several_calls_a_step_average_as_word_map_does():
    first = synthetic.attention((8, 12), seed=1)
    second = synthetic.attention((8, 12), seed=2)
    cut = Attention(probs=second.probs[:3], steps=(0, 0, 4), columns=second.columns, tokenizer="tokenizer")
    trace = synthetic.trace(cross_attention={"cond": {synthetic.DOWN: first, synthetic.UP10: cut}})
    packed = pack(trace)
    for step in (None, 0, 4):
        maps, error = maps_of_seen(packed, step)
        assert np.abs(maps[1] - word_map(trace, "cat", steps=step)).max() <= error[1] + 1e-6


def maps_of_seen(packed, step):
    groups = packed.facts["roles"][0]["groups"]
    assert len(groups) == 2
    facts = dict(packed.facts, roles=[{"groups": [g for g in groups if step is None or step in g["steps"]]}])
    return maps_of(dataclasses.replace(packed, facts=facts), step=step)


def test_entries_add_up_to_all_attention():
    trace = synthetic.trace(columns="all")
    packed = pack(trace)
    entries = packed.facts["roles"][0]["entries"]
    maps, _ = maps_of(packed)
    whole = [i for i, entry in enumerate(entries) if entry["kind"] != "part"]
    assert np.allclose(maps[whole].sum(axis=0), 1, atol=2e-3)
    share = {kind: maps[i].mean() for kind in ("start", "padding") for i in whole if entries[i]["kind"] == kind}
    mass = attention_mass(trace)
    for kind, value in share.items():
        assert value == pytest.approx(mass.mean[kind], abs=2e-3)


def test_where_one_softmax_covers_the_picture_too_the_rest_is_an_entry():
    trace = synthetic.trace()
    layers = {
        role: {name: dataclasses.replace(one, columns=(*one.columns[:-1], ())) for name, one in found.items()}
        for role, found in trace.cross_attention.items()
    }
    packed = pack(trace.altered(cross_attention=layers))
    entries = packed.facts["roles"][0]["entries"]
    assert [one["kind"] for one in entries][-3:] == ["start", "end", "rest"]
    maps, _ = maps_of(packed)
    whole = [i for i, entry in enumerate(entries) if entry["kind"] != "part"]
    assert np.allclose(maps[whole].sum(axis=0), 1, atol=2e-3)
    assert maps[-1].mean() > 0.01
    untold = pack(trace.altered(cross_attention=layers, tokens={}))  # embeddings were given, and no prompt
    kinds = [one["kind"] for one in untold.facts["roles"][0]["entries"]]
    assert set(kinds[:-1]) == {"position"}
    assert kinds[-1] == "rest"


def test_pictures_and_guidance_are_the_traces_own():
    trace = synthetic.trace()
    packed = pack(trace)
    picture = packed.facts["pictures"]["image"]
    content = packed.data[picture["at"] : picture["at"] + picture["length"]]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), trace.image)
    assert set(packed.facts["pictures"]["x0"]) == {"0", "3", "5"}
    found = halves(trace)
    guidance = packed.facts["guidance"]
    difference, scales = values_of(packed.data, guidance["difference"], guidance["mean"])
    assert np.abs(difference[:, 0] - found.difference).max() <= scales[0] / 2 * 1.01
    mean, scales = values_of(packed.data, guidance["mean"])
    assert np.abs(mean[0, 0] - found.difference.mean(axis=0)).max() <= scales[0] / 2 * 1.01
    cond = rows_of(packed.data, guidance["cond"])
    rgb = np.moveaxis(found.x0_cond, 1, -1) @ trace.latent_rgb[:-1] + trace.latent_rgb[-1]
    assert np.abs(np.moveaxis(cond, 1, -1) - np.clip(rgb, 0, 1) * 255).max() <= 0.501


def test_what_does_not_fit_is_left_out_and_said():
    trace = synthetic.trace()
    whole = pack(trace)
    assert whole.facts["reduction"] == []
    seen, budget = [], len(whole.data)
    while True:
        try:
            packed = pack(trace, budget)
        except TraceError as error:
            assert f"does not fit {budget} bytes" in str(error)  # noqa: PT017  (the end of the ladder)
            break
        assert len(packed.data) <= budget
        steps = [one["step"] for one in packed.facts["steps"]]
        assert steps[0] == 0
        assert steps[-1] == 5
        maps, error = maps_of(packed)
        assert np.abs(maps[1] - word_map(trace, "cat")).max() <= error[1] + 1e-6  # always over all six steps
        said = " ".join(packed.facts["reduction"])
        assert (packed.facts["bits"] == 8) == ("8 bits" in said)
        assert (packed.facts["pictures"]["x0"] == {}) == ("pictures decoded on the way are left out" in said)
        assert (len(steps) < 6) == (f"{len(steps)} of 6 steps" in said)
        seen.append((packed.facts["bits"], len(steps)))
        budget = len(packed.data) - 1  # one byte too few: the next reduction
    assert {(16, 6), (8, 6), (8, 2)} <= set(seen)


LACKING = {
    "picture": ({"image": None}, "none was decoded"),
    "attention": ({"cross_attention": {}}, "no cross-attention was recorded"),
    "guidance": ({"noise_preds": {}}, "no classifier-free guidance"),
    "prompt": ({"tokens": {}}, "named by position"),
    "stop": ({"image": None, "call": {"stopped": True}}, "The run was stopped after 6 steps"),
    "previews": ({"latent_rgb": None}, "no linear preview"),
    "scheduler": (
        {"provenance": {"scheduler": {**MODEL, "space": "unheard of"}}},
        "on a scale that sdexplore does not know: 'unheard of'",
    ),
}


@pytest.mark.parametrize(("fields", "said"), LACKING.values(), ids=LACKING)
def test_what_is_missing_is_said(fields, said):
    packed = pack(synthetic.trace(**fields))
    assert any(said in line for line in packed.facts["missing"]), packed.facts["missing"]
    json.dumps(packed.facts, allow_nan=False)


def test_a_role_of_zeros_and_two_tokenizers_are_told():
    provenance = {"model": "x", "scheduler": MODEL, "zeroed_roles": ["uncond"]}
    both = {"tokenizer": synthetic.tokenization(), "tokenizer_2": synthetic.tokenization(tokenizer="tokenizer_2")}
    packed = pack(synthetic.trace(provenance=provenance, tokens={"cond": Tokenizations(both)}))
    assert [(role["role"], role["zeroed"]) for role in packed.facts["roles"]] == [("cond", False), ("uncond", True)]
    assert "2 tokenizers (tokenizer, tokenizer_2); words are found with tokenizer." in " ".join(packed.facts["missing"])


def test_values_that_are_no_numbers_are_counted():
    probs = synthetic.attention((8, 12)).probs.copy()
    probs[0, 0, 0, 0, 2] = np.nan
    broken = dataclasses.replace(synthetic.attention((8, 12)), probs=probs)
    packed = pack(synthetic.trace(cross_attention={"cond": {synthetic.DOWN: broken}}))
    assert "1 attention value (" in " ".join(packed.facts["missing"])
    maps, _ = maps_of(packed, step=0)
    assert maps[1][0, 0] == 0


def test_words_cut_off_and_punctuation_have_their_place():
    text = "a cat, rocketship a"
    read = Tokenization.of(
        tokenizer="tokenizer",
        text=text,
        max_length=5,
        ids=[0, 1, 2, 3, 9, 4, 1],
        pieces=["s", "a</w>", "cat</w>", ",</w>", "e", "rocketship</w>", "a</w>"],
        kinds=["start", "text", "text", "text", "end", "truncated", "truncated"],
        spans=[None, (0, 1), (2, 5), (5, 6), None, (7, 17), (18, 19)],
    )
    attention = synthetic.attention((8, 12), columns="all")
    short = dataclasses.replace(attention, probs=attention.probs[..., :5], columns=tuple((i,) for i in range(5)))
    trace = synthetic.trace(
        tokens={"cond": Tokenizations({"tokenizer": read})}, cross_attention={"cond": {synthetic.DOWN: short}}
    )
    (role,) = pack(trace).facts["roles"]
    assert [(e["kind"], e["text"]) for e in role["entries"]] == [
        ("word", "a"),
        ("word", "cat"),
        ("mark", ","),
        ("start", "start"),
        ("end", "end"),
    ]
    assert role["sentence"] == [[0, "a"], [1, "cat"], [2, ","], [None, "rocketship"], [None, "a"]]
    assert role["lost"] == ["rocketship"]


def as_large_as_stable_diffusion(words, steps=50):
    """A trace of SD 1.5's sizes at 512 × 512 whose every number is noise, the worst there is to compress."""
    rng = np.random.default_rng(0)
    text = " ".join(f"w{number}" for number in range(words))
    read = Tokenization.of(
        tokenizer="tokenizer",
        text=text,
        max_length=77,
        ids=[0, *range(1, words + 1), *[9] * (76 - words)],
        pieces=["s", *text.split(), *["e"] * (76 - words)],
        kinds=["start", *["text"] * words, "end", *["padding"] * (75 - words)],
        spans=[None, *[match.span() for match in re.finditer(r"\S+", text)], *[None] * (76 - words)],
    )
    columns = (*[(i,) for i in range(words + 2)], tuple(range(words + 2, 77)))
    blocks = {"down_blocks.0": 64, "down_blocks.1": 32, "down_blocks.2": 16, "mid_block": 8}
    blocks |= {"up_blocks.1": 16, "up_blocks.2": 32, "up_blocks.3": 64}
    noise = {side: rng.random((steps, 1, side, side, words + 3), np.float32) / (words + 3) for side in (64, 32, 16, 8)}
    layers = {}
    for block, side in blocks.items():
        for number in range(2 if block.startswith("down") else 1 if block == "mid_block" else 3):
            layers[f"{block}.attentions.{number}.transformer_blocks.0.attn2"] = Attention(
                probs=noise[side].astype(np.float16),
                steps=tuple(range(steps)),
                columns=columns,
                tokenizer="tokenizer",
            )
    assert len(layers) == 16
    latents = rng.normal(size=(steps + 1, 4, 64, 64)).astype(np.float32)
    picture = rng.integers(0, 256, (512, 512, 3), np.uint8)
    small = synthetic.trace()
    return Trace(
        kind="run",
        call=small.call,
        provenance=small.provenance,
        tokens={"cond": Tokenizations({"tokenizer": read})},
        timesteps=np.linspace(999, 0, steps),
        sigmas=np.geomspace(14, 0.1, steps),
        latents=latents,
        noise_preds={"uncond": latents[1:], "cond": latents[:-1]},
        noise_pred=latents[1:],
        pred_original_sample=latents[1:],
        cross_attention={"cond": layers},
        decoded={0: picture},
        decoded_x0={},
        latent_rgb=small.latent_rgb,
        image=picture,
    )


def test_a_page_of_stable_diffusions_sizes_keeps_25_megabytes_and_says_how(tmp_path):
    path = page(as_large_as_stable_diffusion(words=40), tmp_path / "large.html")
    assert 10e6 < path.stat().st_size <= 25e6
    text = path.read_text(encoding="utf-8")
    facts = json.loads(text.split('id="facts">')[1].split("</script>")[0])
    assert facts["bits"] == 8
    assert "8 bits" in facts["reduction"][0]


def test_of_a_video_the_middle_frame_is_packed_and_said():
    whole = video()
    packed, still = pack(whole), pack(one_frame(whole))
    assert packed.data == still.data
    assert packed.facts["fingerprint"] == whole.fingerprint
    said = " ".join(packed.facts["missing"])
    assert "latent frame 1 of 3, video frame 4 of 9" in said
    assert "no attention of a video" in said
