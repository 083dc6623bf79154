"""A change of the model has its effect in compiled runs too; a change that a graph would ignore runs without one."""

import numpy as np
import pytest
import tiny_families as families
import torch
from compiled_runs import assert_alike, eager, hook, run
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0

from sdexplore.model.compiled import denoiser, traceability


def change_in_place(pipe):
    with torch.no_grad():
        for parameter in pipe.unet.parameters():
            parameter.mul_(1.1)


def new_weights(pipe):
    pipe.unet.conv_in.weight = torch.nn.Parameter(pipe.unet.conv_in.weight.detach() * 1.5)


def load_lora(pipe):
    families.lora(pipe)


def half_lora(pipe):
    families.lora(pipe)
    run(pipe)
    pipe.set_adapters(["style"], [0.5])


def freeu_factors(pipe):
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    run(pipe)
    pipe.enable_freeu(s1=0.5, s2=0.5, b1=1.5, b2=1.6)


def half_precision(pipe):
    pipe.to(torch.bfloat16)


CHANGES = (change_in_place, new_weights, load_lora, half_lora, freeu_factors, half_precision)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_in_the_model_changes_in_the_graph(compiled, change):
    before = run(compiled)
    change(compiled)
    found = run(compiled)
    assert_alike(found, eager(compiled), 2e-2 if change is half_precision else 1e-3)
    if change is not half_precision:
        assert not np.allclose(found.noise_pred, before.noise_pred, atol=1e-3)
    assert set(found.provenance["compiled"]) == {"graph"}


def test_a_callback_that_changes_the_model_between_two_steps_is_heeded(compiled):
    def fade(pipe, step, _timestep, given):
        pipe.enable_freeu(s1=0.9 / (step + 1), s2=0.2, b1=1.2, b2=1.4)
        return given

    found = run(compiled, num_inference_steps=3, callback_on_step_end=fade)
    compiled.disable_freeu()
    expected = eager(compiled, num_inference_steps=3, callback_on_step_end=fade)
    assert_alike(found, expected)


def tf32_in_products():
    torch.set_float32_matmul_precision("high")


def no_tf32_in_convolutions():
    torch.backends.cudnn.allow_tf32 = False


def no_reduced_precision():
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def another_kernel():
    torch.backends.cuda.enable_flash_sdp(enabled=False)


def deterministic():
    torch.use_deterministic_algorithms(mode=True)


def searched():
    torch.backends.cudnn.benchmark = True


SWITCHES = (tf32_in_products, no_tf32_in_convolutions, no_reduced_precision, another_kernel, deterministic, searched)


@pytest.fixture
def _switches_as_before():
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    before = cudnn.allow_tf32, cuda.matmul.allow_fp16_reduced_precision_reduction, cudnn.benchmark
    precision = torch.get_float32_matmul_precision()
    yield
    cudnn.allow_tf32, cuda.matmul.allow_fp16_reduced_precision_reduction, cudnn.benchmark = before
    torch.set_float32_matmul_precision(precision)
    cuda.enable_flash_sdp(enabled=True)
    torch.use_deterministic_algorithms(mode=False)


@pytest.mark.usefixtures("_switches_as_before")
@pytest.mark.parametrize("turn", SWITCHES)
def test_on_a_gpu_a_switch_of_torch_asks_for_another_graph(turn):
    before = denoiser._switches("cuda")
    assert denoiser._switches("cuda") == before
    turn()
    assert denoiser._switches("cuda") != before


class ByKeywords(UNet2DConditionModel):
    def forward(self, sample, timestep, encoder_hidden_states=None, **more):
        return super().forward(sample, timestep, encoder_hidden_states, **more)


class ByPosition(UNet2DConditionModel):
    def forward(self, *given, **more):
        return super().forward(*given, **more)


@pytest.mark.parametrize("steady", [True, False])
@pytest.mark.parametrize("own", [ByKeywords, ByPosition])
def test_a_unet_of_ones_own_runs_and_is_compiled_if_it_is_known_to_do_the_same_at_every_call(
    compiled, own, steady, monkeypatch
):
    if steady:
        monkeypatch.setattr(traceability, "_STEADY", traceability._STEADY | {__name__.partition(".")[0]})
    compiled.unet.__class__ = own
    found = run(compiled)
    assert set(found.provenance["compiled"]) == {"graph" if steady and own is ByKeywords else "eager"}
    assert_alike(found, eager(compiled))


class Counting(AttnProcessor2_0):
    """Does something else from its second call on."""

    calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return super().__call__(*args, **kwargs) * (1.0 if self.calls == 1 else 0.5)


def counting(pipe):
    pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.processor = Counting()


def method(pipe):
    pipe.unet.get_time_embed = lambda sample, timestep: 2 * type(pipe.unet).get_time_embed(pipe.unet, sample, timestep)


def training(pipe):
    pipe.unet.train()


def own_forward(pipe):
    block = pipe.unet.mid_block
    block.forward = lambda *args, **kwargs: type(block).forward(block, *args, **kwargs)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (training, "training mode"),
        (hook, "a hook is on 'mid_block'"),
        (own_forward, "has replaced the forward"),
        (method, "'get_time_embed' of the whole is not its class's own"),
        (counting, "not diffusers' own"),
    ],
)
def test_what_a_graph_would_not_heed_runs_without(compiled, prepare, said, capsys):
    prepare(compiled)
    found = run(compiled)
    assert said in found.provenance["compiled"]["eager"]
    assert said in capsys.readouterr().out
    if prepare is counting:
        counting(compiled)  # from the beginning
    if prepare is not training:  # where dropout draws
        assert_alike(found, eager(compiled), tolerance=0)


def test_a_hook_on_every_module_is_heeded(compiled):
    def double(module, _, output):
        return 2 * output if isinstance(module, torch.nn.GroupNorm) else None

    handle = torch.nn.modules.module.register_module_forward_hook(double)
    try:
        found = run(compiled)
        assert_alike(found, eager(compiled), tolerance=0)
    finally:
        handle.remove()
    assert found.provenance["compiled"] == {"eager": "a hook is on every module there is"}


@pytest.mark.parametrize("given", ["callback_on_step_end", "on_step"])
def test_what_is_hooked_in_on_the_way_is_heeded(compiled, given):
    handles = []

    def hook_in(*called):
        if not handles:
            handles.append(compiled.unet.mid_block.register_forward_hook(lambda *hooked: 2 * hooked[2]))
        return called[-1] if given == "callback_on_step_end" else None

    found = run(compiled, num_inference_steps=3, **{given: hook_in})
    handles.pop().remove()
    expected = eager(compiled, num_inference_steps=3, **{given: hook_in})
    assert set(found.provenance["compiled"]) == {"graph", "eager"}
    assert_alike(found, expected)
