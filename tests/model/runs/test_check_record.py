"""What a Record names and a run does not have is said before the run, or after it where only the run can tell."""

import warnings

import pytest
from tiny_families import img2img, picture
from tiny_pipelines import ddpm

import sdexplore as sdx

PROMPT = "a photo of a cat"


def run(pipe, arguments=(), **record):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return sdx.run(pipe, PROMPT, record=sdx.Record(decode=0, **record), num_inference_steps=2, **dict(arguments))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"roles": ("conditional",)}, "no run has a role 'conditional'; there is 'uncond', 'cond'"),
        ({"roles": ("cond", "uncon")}, "no run has a role 'uncon'; did you mean 'uncond'"),
        (
            {"layers": ("foo",)},
            "no cross-attention layer is called 'foo', or begins so; there is 'down_blocks', 'up_bl",
        ),
        ({"layers": ("mid",)}, "no cross-attention layer is called 'mid', or begins so; did you mean 'mid_block'?"),
        ({"self_attention": ("mid",)}, "no self-attention layer is called 'mid', or begins so; did you mean 'mid_bl"),
        ({"self_attention": (13,)}, "no layer's grid has side 13; longer sides are 8, 4"),
        ({"self_attention": ((4, 8),)}, "no layer's grid has (y, x) = (4, 8); longer sides are 8, 4"),
    ],
)
def test_what_fits_nothing_is_refused_before_the_run(tiny, monkeypatch, record, message):
    monkeypatch.setattr(type(tiny), "check_inputs", lambda *_, **__: pytest.fail("the pipeline was called"))
    calls = [
        lambda kept: sdx.run(tiny, PROMPT, record=kept),
        lambda kept: sdx.compare(tiny, PROMPT, over={"seed": [0, 1]}, record=kept),
        lambda kept: sdx.cost(tiny, kept),
        lambda kept: sdx.look(tiny, picture(), PROMPT, t=500, record=kept, guidance_scale=2.0),
    ]
    for call in calls:
        with pytest.raises(sdx.RunError) as raised:
            call(sdx.Record(**record))
        ((field, value),) = record.items()
        assert str(raised.value).startswith(f"Record({field}={value!r}): {message}")


def test_a_side_is_one_of_the_size_that_is_asked_for(tiny):
    wide = {"height": 64, "width": 96}
    with pytest.raises(sdx.RunError, match="no layer's grid has side 8; longer sides are 12, 6"):
        run(tiny, wide, self_attention=(8,))
    assert run(tiny, wide, self_attention=(12,)).self_attention


def test_what_other_pipelines_and_runs_have_may_be_named_beside_what_this_one_has(tiny):
    trace = run(tiny, {"guidance_scale": 1.0}, roles=("cond", "uncond", "perturbed"), self_attention=(64, 8))
    assert set(trace.cross_attention) == {"cond"}
    assert run(tiny, layers=(), steps=()).cross_attention == {}
    sdx.run(ddpm(), record=sdx.Record(layers=("mid_block",), decode=0), num_inference_steps=2)


def test_one_layer_of_several_that_is_not_there_is_warned_of(tiny):
    with pytest.warns(UserWarning, match=r"is called 'up_blocs.1', .* 'up_blocks.1'"):
        sdx.run(tiny, PROMPT, record=sdx.Record(layers=("mid_block", "up_blocs.1")), num_inference_steps=1)


@pytest.mark.parametrize(
    ("arguments", "record", "reason"),
    [
        ({"guidance_scale": 1.0}, {"roles": ("uncond",)}, r"Record\(roles=\('uncond',\)\): this run has 'cond'$"),
        ({}, {"steps": slice(20, None)}, "this run has steps 0 to 2$"),
    ],
)
def test_what_only_the_run_can_know_is_warned_of_at_its_end(tiny, arguments, record, reason):
    with pytest.warns(UserWarning, match=f"no cross-attention was recorded. .*{reason}"):
        sdx.run(tiny, PROMPT, record=sdx.Record(decode=0, **record), num_inference_steps=2, **arguments)


def test_the_size_of_a_picture_is_known_to_the_run_alone():
    record = sdx.Record(self_attention=(8,), decode=0)
    arguments = {"record": record, "image": picture(64, 96), "strength": 0.5, "num_inference_steps": 4}
    with pytest.warns(UserWarning, match="no self-attention was recorded. .* no layer of this run has such a grid"):
        sdx.run(img2img(), PROMPT, **arguments)
