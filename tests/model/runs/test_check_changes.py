"""What a change names and a run has not is refused before anything is computed; what ends a run leaves no hook."""

import pytest
from double_pipelines import PROMPT, STEPS
from tiny_families import latent_consistency
from tiny_pipelines import ddpm, stable_diffusion
from unchecked import unchecked

import sdexplore as sdx

STEPS_ALONE = {"num_inference_steps": 3}
A_HEAD = "up_blocks.1.attentions.0"


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture
def untouched(pipe):
    """Fails if the denoiser is called, or hooks stay on it."""
    calls = []
    hook = pipe.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    before = _hooks(pipe)
    yield
    assert not calls
    assert _hooks(pipe) == before
    hook.remove()


def _hooks(pipe):
    return [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in pipe.unet.modules()]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("cat", sdx.RunError, "'cat'"),
        ([sdx.Reweight("cat", 2), 3], sdx.RunError, "3"),
        ({"change": "Reweigh"}, sdx.RunError, "'Reweight'"),
        ({"change": "Ablate", "module": "mid_block"}, sdx.RunError, "module"),
        (sdx.Reweight("rockets", 2), sdx.TokenError, "'rocket'"),
        (sdx.Reweight("cat", 2, occurrence=1), sdx.TokenError, "occurrence"),
        (sdx.Reweight(77, 2), sdx.TokenError, "0 to 76"),
        (sdx.Reweight("cat", 2, roles=("uncond",)), sdx.TokenError, "'uncond'"),
        (sdx.Reweight("cat", 2, roles=("cnd",)), sdx.RunError, "'cond'"),
        (sdx.Reweight("cat", 2, layers=["up_block"]), sdx.RunError, "'up_blocks'"),
        (sdx.Reweight("cat", 2, heads=[4]), sdx.RunError, "0 to 3"),
        (sdx.Reweight("cat", 2, steps=[9]), sdx.RunError, "0 to 3"),
        (sdx.Reweight("cat", 2, steps=slice(9, None)), sdx.RunError, "0 to 3"),
        (sdx.Ablate("mid_blok"), sdx.RunError, "'mid_block'"),
        (sdx.Ablate("mid_block#one"), sdx.RunError, "#one"),
        (sdx.Ablate("mid_block.resnets", heads=[0]), sdx.RunError, "mid_block.resnets"),
        (sdx.Ablate(A_HEAD, heads=[4]), sdx.RunError, "0 to 3"),
    ],
)
@pytest.mark.usefixtures("untouched")
def test_it_is_refused_before_the_run(pipe, change, error, said):
    with pytest.raises(error, match=r"^run") as told:
        unchecked("model.runs.run_pipeline").run(pipe, PROMPT, change=change, **STEPS)
    assert said in str(told.value)


def test_each_function_names_itself(pipe):
    assert sdx.cost(pipe, change=sdx.Ablate("mid_block"), **STEPS_ALONE) == sdx.cost(pipe, **STEPS_ALONE)
    with pytest.raises(sdx.RunError, match=r"^cost"):
        sdx.cost(pipe, change="cat", **STEPS_ALONE)
    with pytest.raises(sdx.TokenError, match=r"^compare"):
        sdx.compare(pipe, PROMPT, over={"change": [None, sdx.Reweight("dog", 2)]}, **STEPS)


def test_a_run_without_guidance_has_no_row_for_the_negative_prompt(pipe):
    with pytest.raises(sdx.RunError, match="'uncond'"):
        sdx.run(pipe, PROMPT, guidance_scale=1.0, change=sdx.Ablate("mid_block", roles=("uncond",)), **STEPS)


def test_embeddings_without_text_take_positions(pipe):
    embeds = pipe.encode_prompt("a cat", "cpu", 1, do_classifier_free_guidance=False)[0]
    given = {"prompt_embeds": embeds, "guidance_scale": 1.0, **STEPS}
    with pytest.raises(sdx.TokenError, match="positions"):
        sdx.run(pipe, change=sdx.Reweight("cat", 2), **given)
    assert sdx.run(pipe, change=sdx.Reweight(2, 2), **given).provenance["changed"][0]["applied"] > 0
    with pytest.raises(sdx.TokenError, match="77"):
        sdx.run(pipe, change=sdx.Reweight(99, 2), **given)


def test_prompts_that_take_over_need_the_word_at_their_steps(pipe):
    given = {"prompt_at": {2: "a dog"}, **STEPS}
    with pytest.raises(sdx.TokenError, match="'cond@2'"):
        sdx.run(pipe, PROMPT, change=sdx.Reweight("cat", 2), **given)
    trace = sdx.run(pipe, PROMPT, change=sdx.Reweight("cat", 2, steps=[0, 1]), **given)
    assert trace.provenance["changed"][0]["applied"] == 2 * len(trace.attention("cond"))
    assert sdx.run(pipe, PROMPT, change=sdx.Reweight("dog", 2, steps=[3]), **given).num_steps == 4


def test_unconditional_models_have_no_words():
    made = ddpm()
    for change in (sdx.Reweight("cat", 2), sdx.Keep("a cat")):
        with pytest.raises(sdx.RunError, match="words"):
            sdx.run(made, change=change, num_inference_steps=2)
    with pytest.raises(sdx.RunError, match="prompt"):
        sdx.run(made, change=sdx.Patch("a cat", "mid_block", roles="uncond"), num_inference_steps=2)
    trace = sdx.run(made, change=sdx.Ablate("mid_block", roles="uncond"), num_inference_steps=2)
    assert trace.provenance["changed"][0]["applied"] == 2


def test_a_model_whose_guidance_is_an_input_has_the_one_role():
    trace = sdx.run(latent_consistency(), PROMPT, change=sdx.Reweight("cat", 2), num_inference_steps=2)
    assert trace.provenance["changed"][0]["applied"] > 0


def test_a_module_that_is_never_called_is_an_error(pipe):
    with pytest.raises(sdx.RunError, match="#5"):
        sdx.run(pipe, PROMPT, change=sdx.Ablate("mid_block#5"), **STEPS)
    assert not any(_hooks(pipe))


class _EndError(Exception):
    pass


@pytest.mark.parametrize("raised", [_EndError, KeyboardInterrupt, None])
def test_whatever_ends_it_no_hook_stays(pipe, raised):
    def on_step(progress):
        if raised is None:
            progress.stop()
        elif progress.step == 1:
            raise raised

    before = sdx.run(pipe, PROMPT, **STEPS)
    own = dict(pipe.unet.attn_processors)
    with pytest.raises(raised or sdx.Stopped):
        sdx.run(pipe, PROMPT, change=[sdx.Reweight("cat", 3), sdx.Ablate("mid_block")], on_step=on_step, **STEPS)
    assert not any(_hooks(pipe))
    assert pipe.unet.attn_processors == own
    assert (sdx.run(pipe, PROMPT, **STEPS).image == before.image).all()


def test_without_a_change_there_is_no_hook_more(pipe):
    seen = []
    for change in (None, []):
        sdx.run(pipe, PROMPT, change=change, on_step=lambda _: seen.append(_hooks(pipe)), **STEPS)
    sdx.run(pipe, PROMPT, on_step=lambda _: seen.append(_hooks(pipe)), **STEPS)
    assert all(one == seen[0] for one in seen)


def test_a_compiled_pipeline_runs_uncompiled_and_says_so(capsys):
    compiled = stable_diffusion()
    sdx.compile_denoiser(compiled)
    trace = sdx.run(compiled, PROMPT, change=sdx.Reweight("cat", 2), **STEPS)
    assert "eager" in trace.provenance["compiled"]
    assert "change" in capsys.readouterr().out
    sdx.compile_denoiser(compiled, None)
    plain = sdx.run(compiled, PROMPT, change=sdx.Reweight("cat", 2), **STEPS)
    assert (trace.latents == plain.latents).all()
