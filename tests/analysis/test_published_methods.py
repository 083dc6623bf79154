"""Each published method agrees with its formula, written anew here on captures that the test makes itself."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own idiom)
from diffusers.models.attention_processor import Attention, AttnProcessor
from tiny_pipelines import stable_diffusion

import sdexplore as sdx

PROMPT = "a cat beside an astronaut and a cat"  # "cat" twice
STEPS = 3


@pytest.fixture(scope="module")
def captured():
    """(trace with heads in float32, {layer: [step][head, query, position]} of the conditional half), of one run."""
    pipe = stable_diffusion(
        sample_size=32,
        block_out_channels=(32, 64, 64),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )
    pipe.unet.set_attn_processor(AttnProcessor())
    names = {module: name for name, module in pipe.unet.named_modules() if name.endswith("attn2")}
    own, scores = {}, Attention.get_attention_scores

    def keep(self, query, key, mask=None):
        probs = scores(self, query, key, mask)
        if self in names:
            half = probs.chunk(2)[1].float()  # [uncond, cond] x heads
            own.setdefault(names[self], []).append(half)
        return probs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attention, "get_attention_scores", keep)
        record = sdx.Record(cross_attention="heads", dtype="float32", decode=0)
        trace = sdx.run(pipe, PROMPT, record=record, num_inference_steps=STEPS, height=256, width=256)
    return trace, own


def positions(word):
    words = ["a", "cat", "beside", "an", "astronaut", "and", "a", "cat"]  # each is one token of CLIP's
    return [1 + place for place, each in enumerate(words) if each == word]


@pytest.mark.parametrize("word", ["cat", "astronaut"])
def test_daam(captured, word):
    trace, own = captured
    side = 96  # daam 0.2.0: 64 for models of 512 and 1024 pixels, else 96
    maps = []
    for name, calls in own.items():
        if name.startswith("mid_block"):
            continue
        summed = torch.stack(calls).sum(0)
        grid = int(np.sqrt(summed.shape[1]))
        if int(np.sqrt(side * side // summed.shape[1])) == 8:
            continue
        for head in summed:
            square = head.T.reshape(77, 1, grid, grid)
            maps.append(F.interpolate(square, size=(side, side), mode="bicubic").clamp(min=0)[:, 0])
    expected = torch.stack(maps).mean(0)[positions(word)].mean(0).numpy()
    found = sdx.word_map(trace, word, method="daam")
    assert found.shape == (96, 96)
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("word", ["cat", "astronaut"])
def test_p2p(captured, word):
    trace, own = captured
    out = []
    for place in ("up", "down"):
        for name, calls in own.items():
            mean = torch.stack(calls).mean(0)
            if name.startswith(place) and mean.shape[1] == 256:
                out.append(mean.reshape(-1, 16, 16, 77))
    expected = torch.cat(out).mean(0)[..., positions(word)].sum(-1).numpy()
    found = sdx.word_map(trace, word, method="p2p")
    assert found.shape == (16, 16)
    assert np.abs(found - expected).max() < 1e-6


@pytest.mark.parametrize("word", ["cat", "astronaut"])
def test_amd(captured, word):
    trace, own = captured
    records = []
    for calls in own.values():
        for call in calls:
            grid = int(np.sqrt(call.shape[1]))
            square = call.mean(0).T.reshape(1, 77, grid, grid)
            records.append(F.interpolate(square, size=(32, 32), mode="bilinear", align_corners=False)[0])
    expected = torch.stack(records).mean(0)[positions(word)].sum(0).numpy()
    found = sdx.word_map(trace, word, method="amd")
    assert found.shape == (32, 32)
    assert np.abs(found - expected).max() < 1e-6


def test_heads_and_steps_are_those_asked_for(captured):
    trace, own = captured
    found = sdx.word_map(trace, "cat", method="p2p", heads=[1, 3], steps=[0])
    out = [
        calls[0][[1, 3]].reshape(-1, 16, 16, 77)
        for place in ("up", "down")
        for name, calls in own.items()
        if name.startswith(place) and calls[0].shape[1] == 256
    ]
    assert np.abs(found - torch.cat(out).mean(0)[..., positions("cat")].sum(-1).numpy()).max() < 1e-6


def test_what_a_method_cannot_do_it_says(captured):
    trace, _ = captured
    mean = sdx.run(stable_diffusion(), PROMPT, record=sdx.Record(decode=0), num_inference_steps=1)
    with pytest.raises(sdx.TraceError, match="method='daam' needs each head"):
        sdx.word_map(mean, "cat", method="daam")
    with pytest.raises(
        sdx.TraceError, match=r"method='p2p' reads layers of 16 × 16; recorded grids: \[\(4, 4\), \(8, 8\)\]"
    ):
        sdx.word_map(mean, "cat", method="p2p")
    with pytest.raises(sdx.TraceError, match="leaves out the mid block"):
        sdx.word_map(trace, "cat", method="daam", layers="mid_block")
    record = sdx.Record(cross_attention="heads", decode=0)
    wide = sdx.run(stable_diffusion(), PROMPT, record=record, num_inference_steps=1, height=64, width=96)
    with pytest.raises(sdx.TraceError, match="defined for square pictures"):
        sdx.word_map(wide, "cat", method="daam")
