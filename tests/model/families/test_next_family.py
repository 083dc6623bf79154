"""The next family is one file and one line: joint attention and packed latents, read exactly, the image unchanged."""

import inspect

import numpy as np
import packed_joint
import pytest
import torch
from tiny_transformers import POSITIONS, flux
from torch.nn import functional

import sdexplore as sdx
from sdexplore.model.families import FAMILIES, family_of
from sdexplore.theory import pred_original_sample

PROMPT = "a cat and a rocket in space"
SIZE = (64, 48)  # (height, width): latents of 8 × 6, 4 × 3 picture tokens
GRID = (4, 3)
CALL = {"prompt": PROMPT, "num_inference_steps": 3, "max_sequence_length": POSITIONS, "height": 64, "width": 48}


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setitem(FAMILIES, "packed joint", packed_joint.PackedJoint())  # the one line
    return flux()


def untraced(pipe, **more):
    return pipe(**{**CALL, **more}, generator=torch.Generator().manual_seed(5))


class Witness:
    """What the model's own kernel was given, and the naive softmax of it in float64, call by call and layer by layer.

    It is held against what the kernel returned: softmax · V must be that.
    """

    def __init__(self, patch):
        self.seen, self.off = [], 0.0
        kernel = functional.scaled_dot_product_attention

        def noted(query, key, value, **given):
            made = kernel(query, key, value, **given)
            if self.listening:
                probs = (query.double() @ key.double().mT * query.shape[-1] ** -0.5).softmax(-1)
                self.off = max(self.off, (probs @ value.double() - made).abs().max().item())
                self.seen.append(probs)
            return made

        patch.setattr(functional, "scaled_dot_product_attention", noted)
        self.listening = False

    def around(self, transformer):
        hooks = [
            transformer.register_forward_pre_hook(lambda *_: setattr(self, "listening", True)),
            transformer.register_forward_hook(lambda *_: setattr(self, "listening", False)),
        ]
        return lambda: [hook.remove() for hook in hooks]


def test_a_family_is_a_short_file():
    assert len(inspect.getsource(packed_joint).splitlines()) <= 80


@pytest.mark.parametrize("columns", ["prompt", "all"])
@pytest.mark.parametrize("cross_attention", ["mean", "heads"])
def test_joint_attention_is_captured_exactly_and_the_image_unchanged(pipe, monkeypatch, columns, cross_attention):
    expected = untraced(pipe, output_type="np").images[0]
    witness = Witness(monkeypatch)
    off = witness.around(pipe.transformer)
    record = sdx.Record(cross_attention=cross_attention, columns=columns, dtype="float32")
    trace = sdx.run(pipe, seed=5, record=record, **CALL)
    off()
    assert np.array_equal(trace.image, (expected * 255).round().astype(np.uint8))
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.transformer.modules())

    layers = trace.cross_attention["cond"]
    assert list(layers) == [name for name, one in pipe.transformer.named_modules() if name.endswith("attn")]
    assert len(witness.seen) == trace.num_steps * len(layers) == 12
    assert witness.off < 1e-5
    tokens = trace.tokens["cond"]["tokenizer_2"]
    kept = POSITIONS if columns == "all" else tokens.first_end + 1
    by_layer = zip(*[iter(witness.seen)] * len(layers), strict=True)
    for name, naive in zip(layers, zip(*by_layer, strict=True), strict=True):
        probs = torch.stack([one[0, :, POSITIONS:] for one in naive]).unflatten(2, GRID)  # the picture's queries
        rest = 1 - probs[..., :kept].sum(-1, keepdim=True)
        probs = torch.cat([probs[..., :kept], rest], -1)
        probs = probs.mean(1, keepdim=True) if cross_attention == "mean" else probs
        found = layers[name]
        assert found.tokenizer == "tokenizer_2"
        assert found.columns == (*((position,) for position in range(kept)), ())  # the rest is no position of the text
        assert found.probs.shape == probs.shape
        assert np.abs(found.probs - probs.numpy()).max() < 1e-6

    places = list(tokens.positions("rocket"))
    words = torch.stack([one[0, :, POSITIONS:, places].sum(-1).mean(0) for one in witness.seen])
    assert sdx.word_map(trace, "rocket").shape == trace.latents.shape[2:]
    assert sdx.word_map(trace, "rocket").mean() == pytest.approx(words.mean().item(), rel=0.05)  # resized between


def test_latents_are_unpacked_and_x0_follows(pipe):
    packed = []
    step = pipe.scheduler.step

    def noted(model_output, timestep, sample, **given):
        result = step(model_output, timestep, sample, **given)
        packed.append((sample, model_output, result[0]))
        return result

    pipe.scheduler.step = noted
    trace = sdx.run(pipe, seed=5, **CALL)
    assert trace.latents.shape == (4, 4, 8, 6)  # (step, channel, y, x)

    def unpacked(latents):  # diffusers' own
        return pipe._unpack_latents(latents, *SIZE, pipe.vae_scale_factor)[0].numpy()

    for number, (sample, noise_pred, _) in enumerate(packed):
        assert np.array_equal(trace.latents[number], unpacked(sample))
        assert np.array_equal(trace.noise_pred[number], unpacked(noise_pred))
        assert np.array_equal(trace.noise_preds["cond"][number], unpacked(noise_pred))
        tau = float(pipe.scheduler.sigmas[number])
        assert trace.sigmas[number] == pytest.approx(np.divide(tau, 1 - tau) if tau < 1 else np.inf)
        x0 = unpacked(sample) - tau * unpacked(noise_pred)
        assert np.abs(trace.pred_original_sample[number] - x0).max() < 1e-5
    assert np.array_equal(trace.latents[3], unpacked(packed[-1][2]))
    assert np.abs(trace.pred_original_sample[2] - trace.latents[3]).max() < 1e-6  # the last step goes to x0
    sample, noise_pred = trace.latents[1], trace.noise_pred[1]
    again = pred_original_sample(sample, noise_pred, trace.sigmas[1], "flow_prediction", "flow matching")
    assert np.allclose(again, trace.pred_original_sample[1], atol=1e-5)


def test_packing_is_undone(pipe):
    family = family_of(pipe)
    latents = torch.randn(2, 4, 8, 6)
    assert torch.equal(family.packed(latents, (8, 6)), pipe._pack_latents(latents, 2, 4, 8, 6))
    assert torch.equal(family.unpacked(family.packed(latents, (8, 6)), (8, 6)), latents)


def test_picture_attends_to_itself_where_words_are_not_asked_for(pipe, monkeypatch):
    layer = "single_transformer_blocks.1.attn"
    record = sdx.Record(cross_attention=False, self_attention=(layer,), dtype="float32")
    witness = Witness(monkeypatch)
    off = witness.around(pipe.transformer)
    trace = sdx.run(pipe, seed=5, record=record, **CALL)
    off()
    probs = torch.stack([one[0, :, POSITIONS:, POSITIONS:] for one in witness.seen[3::4]])
    found = trace.self_attention["cond"][layer].probs
    assert np.abs(found - probs.mean(1, keepdim=True).unflatten(2, GRID).numpy()).max() < 1e-6
    with pytest.raises(sdx.RunError, match=r"self_attention=.*one softmax.*cross_attention=False"):
        sdx.run(pipe, record=sdx.Record(self_attention=(layer,)), **CALL)


def test_everything_around_a_run_knows_the_family(pipe):
    told = sdx.doctor(pipe)
    assert told.observable
    assert told.roles == {"cond": "always"}
    assert {layer.kind for layer in told.layers if layer.recorded} == {"joint"}
    assert told.facts["packed joint transformer"].startswith("FluxTransformer2DModel")
    record = sdx.Record(columns="all", decode=0)
    trace = sdx.run(pipe, record=record, **CALL)
    cost = sdx.cost(pipe, record, **CALL)
    arrays = {name: array.nbytes for name, array in trace.arrays().items() if name.partition("/")[0] != "latent_rgb"}
    told_bytes = sum(size for name, size in cost.parts.items() if name.startswith("cross_attention"))
    assert told_bytes == sum(size for name, size in arrays.items() if name.startswith("cross_attention"))
    assert cost.parts["latents"] == arrays["latents"]
    tree = sdx.tree(pipe)
    assert {node.attention.kind for node in nodes(tree.root) if node.attention} == {"joint"}
    assert "joint-attention" in sdx.components(pipe).summary
    with pytest.raises(sdx.InspectionError, match="packed joint transformer has no blocks down, mid and up"):
        sdx.pipeline_architecture(pipe)


def nodes(root):
    yield root
    for child in root.children:
        yield from nodes(child)


def test_a_compiled_run_gives_the_same(pipe, capsys):
    eager = sdx.run(pipe, seed=5, **CALL)
    sdx.compile_denoiser(pipe, "graph")
    graph = sdx.run(pipe, seed=5, **CALL)
    sdx.compile_denoiser(pipe, None)
    assert "with the maps of 4 layers" in capsys.readouterr().out
    assert graph.provenance["compiled"] == {"graph": ""}
    for name, array in eager.arrays().items():
        assert np.allclose(graph.arrays()[name], array, atol=1), name
    for layer, maps in eager.cross_attention["cond"].items():
        assert np.allclose(graph.cross_attention["cond"][layer].probs, maps.probs, atol=1e-3)


def test_a_stopped_run_and_a_silent_layer_leave_nothing_behind(pipe):
    with pytest.raises(sdx.Stopped) as stopped:
        sdx.run(pipe, **CALL, on_step=lambda progress: progress.stop())
    assert stopped.value.trace.latents.shape == (2, 4, 8, 6)
    block = pipe.transformer.transformer_blocks[1]
    block.attn.processor = lambda _, picture, words, *__, **___: (picture, words)
    with pytest.raises(sdx.RunError, match=r"transformer_blocks\.1\.attn.*scaled_dot_product_attention"):
        sdx.run(pipe, **CALL)
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.transformer.modules())
    assert not torch.overrides._get_current_function_mode_stack()
