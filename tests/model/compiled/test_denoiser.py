"""A compiled run records the same as an eager one: pictures, predictions and maps, for every kind of pipeline."""

import family_matrix
import numpy as np
import pytest
import tiny_families as families
import torch
from compiled_runs import PROMPT, SHORT, assert_alike, eager, hook, one_layer, run, traced
from family_matrix import EVERYTHING, MATRIX, arguments_of
from tiny_pipelines import stable_diffusion
from unchecked import unchecked
from witness import hooks_of, state_of, untraced

import sdexplore as sdx
from sdexplore.model.compiled import denoiser, exported_graph
from sdexplore.model.compiled.denoiser import compiled_denoiser
from sdexplore.model.families import family_of
from sdexplore.model.series.queued_runs import run_unless

# One of each way in which a call, its roles, its layers or its processors can differ; all of MATRIX takes minutes.
FAMILIES = (
    "SD 1.x, bfloat16",
    "SD 2.x, naive and upcast",
    "SDXL, negative prompt, 64 × 96",
    "LCM",
    "inpaint, 9 channels",
    "InstructPix2Pix",
    "ControlNet, guess mode",
    "IP-Adapter",
    "PAG, mid",
    "LoRA, scaled in the call",
    "fused QKV",
    "sliced",
    "FreeU",
    "guidance cut off",
    "two prompts, two images each",
    "embeddings, no prompt",
    "model CPU offload",
    "sequential CPU offload",
    "group offload, leaves",
)


ALL_SIZES = (  # of these the whole UNet is traced: where levels differ, and one of each precision and kernel
    "SD 1.x, bfloat16",
    "SD 2.x, naive and upcast",
    "SDXL, negative prompt, 64 × 96",
    "ControlNet, guess mode",
    "IP-Adapter",
    "FreeU",
)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_tells_the_same(name, tmp_path, capsys, monkeypatch):
    if name not in ALL_SIZES:
        for module in (families, family_matrix):
            monkeypatch.setattr(module, "stable_diffusion", one_layer)
    family = MATRIX[name]
    pipe = family.make(tmp_path)
    arguments = arguments_of(family, pipe)
    expected = sdx.run(pipe, seed=5, record=EVERYTHING, **arguments)
    alone = untraced(pipe, family.images, **arguments)
    before, hooked = state_of(pipe), hooks_of(pipe.unet)
    sdx.compile_denoiser(pipe)
    found = sdx.run(pipe, seed=5, record=EVERYTHING, **arguments)
    assert (state_of(pipe), hooks_of(pipe.unet)) == (before, hooked)
    several = isinstance(found, sdx.Traces)
    # bfloat16 rounds at 4e-3, differently wherever sums are taken in another order.
    tolerance = 2e-2 if "bfloat16" in name else 1e-3
    for one, other in zip(found if several else [found], expected if several else [expected], strict=True):
        assert_alike(one, other, tolerance)
        used = one.provenance["compiled"]
        assert set(used) == ({"eager"} if "offload" in name else {"graph"}), used
    assert np.array_equal(untraced(pipe, family.images, **arguments), alone)  # the pipeline's own calls: not compiled
    said = capsys.readouterr().out
    assert ("runs uncompiled: " if "offload" in name else "sdexplore: tracing ") in said
    sdx.run(pipe, seed=6, record=EVERYTHING, **arguments)
    assert capsys.readouterr().out == ""  # said once, traced once


def test_one_graph_serves_prompts_seeds_steps_and_schedulers(compiled, capsys):
    run(compiled)
    assert traced(capsys) == 1
    families.ddim(compiled)
    for prompt, arguments in (("a dog", {}), (PROMPT, {"seed": 3}), ("a", {"num_inference_steps": 5})):
        assert_alike(run(compiled, prompt, **arguments), eager(compiled, prompt, **arguments))
    assert traced(capsys) == 0


def test_another_size_record_or_guidance_has_its_own_graph_and_the_first_is_kept(compiled, capsys):
    run(compiled)
    others = (
        {"height": 64, "width": 96},
        {"guidance_scale": 1.0},
        {"record": sdx.Record(decode=0, cross_attention="heads", roles=("uncond",))},
        {"record": sdx.Record(decode=0, columns="all", dtype="float32", queries=True)},
    )
    for other in others:
        assert_alike(run(compiled, **other), eager(compiled, **other))
    assert traced(capsys) == 1 + len(others)
    run(compiled)
    assert traced(capsys) == 0


def test_steps_without_attention_take_a_graph_without_maps(tiny, capsys):
    sdx.compile_denoiser(tiny)
    record = sdx.Record(decode=0, steps=(1,))
    found = run(tiny, record=record)
    assert_alike(found, eager(tiny, record=record))
    assert {attention.steps for attention in found.cross_attention["cond"].values()} == {(1,)}
    assert "with no maps" in (said := capsys.readouterr().out)
    assert "with the maps of 4 layers" in said


def test_graphs_that_are_not_used_are_given_up(compiled, monkeypatch, capsys):
    monkeypatch.setattr(denoiser, "_KEPT", 1)
    run(compiled)
    run(compiled, guidance_scale=1.0)
    run(compiled)
    assert traced(capsys) == 3


def test_memory_that_runs_out_while_it_is_traced_costs_this_run_its_graph_alone(compiled, monkeypatch):
    def no_memory(*_, **__):
        raise torch.OutOfMemoryError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(torch.export, "export", no_memory)
        assert run(compiled).provenance["compiled"] == {"eager": denoiser._NO_MEMORY}
    assert set(run(compiled).provenance["compiled"]) == {"graph"}


def test_what_cannot_be_traced_runs_without_and_is_not_tried_again(compiled, monkeypatch, capsys):
    def fail(*_, **__):
        raise torch._dynamo.exc.Unsupported("branches on its data")

    monkeypatch.setattr(torch.export, "export", fail)
    found = run(compiled)
    assert_alike(found, eager(compiled), tolerance=0)
    assert "branches on its data" in found.provenance["compiled"]["eager"]
    assert "branches on its data" in capsys.readouterr().out
    run(compiled)
    assert traced(capsys) == 0


def test_without_a_compiler_the_graph_itself_is_taken(monkeypatch, capsys):
    def no_compiler(*_, **__):
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    pipe = one_layer()
    sdx.compile_denoiser(pipe, "inductor")
    found = run(pipe)
    assert set(found.provenance["compiled"]) == {"graph"}
    assert "backend 'inductor' does not work here: RuntimeError: No working C++ compiler" in capsys.readouterr().out
    assert_alike(found, eager(pipe))


def test_through_torchs_own_compiler_it_is_the_same(monkeypatch):
    """With its own front and an empty back: what it compiles to is torch's matter, and takes a minute."""
    real = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **kw: real(function, fullgraph=kw["fullgraph"], backend="eager")
    )
    pipe = one_layer()
    sdx.compile_denoiser(pipe, "inductor")
    found = run(pipe)
    assert set(found.provenance["compiled"]) == {"inductor"}
    assert_alike(found, eager(pipe))


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, sdx.RunError])
def test_who_breaks_off_while_it_is_traced_finds_the_pipeline_as_it_was(compiled, monkeypatch, interrupt):
    before, hooked = state_of(compiled), hooks_of(compiled.unet)
    with monkeypatch.context() as patch:
        real = exported_graph._Region.forward

        def broken(self, *tensors):
            real(self, *tensors)
            raise interrupt("in the middle")

        patch.setattr(exported_graph._Region, "forward", broken)
        with pytest.raises(interrupt):
            run(compiled)
    assert (state_of(compiled), hooks_of(compiled.unet)) == (before, hooked)
    assert_alike(run(compiled), eager(compiled))


def test_a_stopped_run_keeps_its_steps(compiled):
    with pytest.raises(sdx.Stopped) as stopped:
        run(compiled, num_inference_steps=5, on_step=lambda progress: progress.step == 1 and progress.stop())
    assert stopped.value.trace.num_steps == 2
    assert "forward" not in vars(compiled.unet)


def test_it_is_told_before_and_after(compiled):
    assert sdx.doctor(compiled).facts["runs"] == "compiled, backend 'auto'; a new kind of call is traced first"
    assert "Denoiser compiled (graph): as an uncompiled run within rounding, not to the bit." in repr(run(compiled))
    hook(compiled)
    assert "Compilation was asked for; ran without it: a hook is on 'mid_block'." in repr(run(compiled))


def test_a_dashboard_says_it_in_its_own_place(tiny, capsys):
    sdx.compile_denoiser(tiny)
    heard = []
    run_unless(lambda: False, tiny, PROMPT, record=SHORT, num_inference_steps=2, told=heard.append)
    assert heard[0] == "tracing UNet2DConditionModel for 2 × 4 × 8 × 8 with the maps of 4 layers …"
    assert heard[1].startswith(heard[0])
    assert capsys.readouterr().out == ""


def test_back_to_eager_runs(compiled):
    run(compiled)
    sdx.compile_denoiser(compiled, None)
    assert compiled_denoiser(compiled.unet) is None
    assert "compiled" not in run(compiled).provenance


def test_an_unknown_backend_is_named(tiny):
    with pytest.raises(sdx.RunError, match="no backend 'inducter'; did you mean 'inductor'"):
        unchecked("model.compiled.denoiser").compile_denoiser(tiny, "inducter")
    with pytest.raises(sdx.LoadError, match="no backend 'grph' to compile with; did you mean 'graph'"):
        unchecked("model.loading.load_pipeline").load(compile="grph")


def test_the_embedded_model_is_loaded_compiled():
    pipe = sdx.load(compile=True)
    assert compiled_denoiser(pipe.unet).backend == "auto"
    assert "forward" not in vars(pipe.unet)


def test_narrow_heads_are_widened_and_nothing_else(tiny):
    sdx.compile_denoiser(tiny)
    run(tiny)
    (_, graph), *_ = compiled_denoiser(tiny.unet)._graphs.values()
    pad = torch.ops.aten.constant_pad_nd.default
    attentions = [node for node in graph.function.graph.nodes if node.target is exported_graph._SDPA]
    widened = [node for node in attentions if all(argument.target is pad for argument in node.args[:3])]
    widths = [layer.facts.head_dim for layer in family_of(tiny).attention_layers(tiny.unet).values()]
    assert len(attentions) == len(widths)
    assert 0 < len(widened) == sum(width < exported_graph.WIDTH for width in widths) < len(widths)
    assert not [node for node in graph.function.graph.nodes if node.target is pad and not node.users]


def test_a_graph_has_the_models_own_weights(compiled):
    run(compiled)
    (_, graph), *_ = compiled_denoiser(compiled.unet)._graphs.values()
    own = {parameter.data_ptr() for parameter in compiled.unet.parameters()}
    assert {parameter.data_ptr() for parameter in graph.function.parameters()} == own


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["graph", "inductor"])
def test_on_a_gpu_in_any_thread(backend):
    from concurrent.futures import ThreadPoolExecutor

    pipe = stable_diffusion().to("cuda", torch.float16)
    expected = [run(pipe, seed=seed) for seed in range(2)]
    sdx.compile_denoiser(pipe, backend)
    found = [run(pipe, seed=0), ThreadPoolExecutor(1).submit(run, pipe, seed=1).result()]
    for one, other in zip(found, expected, strict=True):
        assert set(one.provenance["compiled"]) == {backend}
        assert_alike(one, other, tolerance=2e-2)
