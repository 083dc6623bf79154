"""ConceptAttention against the paper's formula, made anew here by the denoiser's own blocks; nothing else changes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import PyramidAttentionBroadcastConfig
from kernel_witness import witnessing
from tiny_pipelines import stable_diffusion
from transformer_matrix import GRID, LENGTH, PIXELS, PROMPT, SIZE, STEPS, SUBJECTS, TEXT

import sdexplore as sdx
from sdexplore.model.families import concept_stream

CONCEPTS = ("sky", "a cat", "rocket")
CALL = {**SIZE, **LENGTH, "num_inference_steps": STEPS}
RECORD = sdx.Record(concepts=CONCEPTS, dtype="float32", decode=0)
FLUX_IDS = 3


def t5s_first_tokens(pipe, name):
    """As the pipelines encode a prompt: padded, without a mask."""
    number = {"sd3": 3, "flux": 2}[name]
    tokenizer, encoder = getattr(pipe, f"tokenizer_{number}"), getattr(pipe, f"text_encoder_{number}")
    rows = [tokenizer([one], padding="max_length", max_length=TEXT, truncation=True) for one in CONCEPTS]
    return torch.cat([encoder(torch.tensor(row["input_ids"]))[0][:, 0] for row in rows])


class Reference:
    """Runs each block a second time, with the concepts in the place of the words, as the authors' code does."""

    def __init__(self, pipe, name):
        self.pipe, self.name, self.network = pipe, name, pipe.transformer
        self.scores, self.state, self.busy, self.picture = [], None, False, {}
        self.hooks = [
            self.network.time_text_embed.register_forward_hook(self.begin),
            self.network.register_forward_pre_hook(lambda *_: self.scores.append({})),
        ]
        for number, block in enumerate(self.network.transformer_blocks):
            layer = f"transformer_blocks.{number}.attn"
            self.hooks += [
                block.register_forward_hook(
                    lambda block, _, kwargs, __, layer=layer: self.again(block, layer, kwargs), with_kwargs=True
                ),
                block.attn.to_out[0].register_forward_pre_hook(
                    lambda _, args, layer=layer: self.picture.__setitem__(layer, args[0]) if not self.busy else None
                ),
            ]

    def begin(self, module, args, made):
        if self.busy:
            return
        self.busy = True
        *others, pooled = args
        self.time = module(*others, torch.zeros_like(pooled)) if self.name == "flux" else made
        self.state = self.network.context_embedder(t5s_first_tokens(self.pipe, self.name))[None].expand(
            len(made), -1, -1
        )
        self.busy = False

    def again(self, block, layer, given):
        if self.busy:
            return
        self.busy, taken = True, []
        last = getattr(block, "context_pre_only", False)
        kernel = torch.nn.functional.scaled_dot_product_attention

        def seen(*args, **named):
            taken.append(kernel(*args, **named))
            return taken[-1]

        torch.nn.functional.scaled_dot_product_attention = seen
        try:
            if self.name == "sd3":
                state, _ = block(given["hidden_states"], self.state, given["temb"])
                own = taken[0][:, :, PIXELS:]
            else:
                state, own = self.flux(block, given, taken)
        finally:
            torch.nn.functional.scaled_dot_product_attention = kernel
        own = own.transpose(1, 2).flatten(2).double()
        self.scores[-1][layer] = self.picture[layer][-1:].double() @ own[-1:].mT
        self.state, self.busy = (None if last else state), False

    def flux(self, block, given, taken):
        """The picture is conditioned by the run's own pooled text, the concepts by none."""
        ids = torch.cat([torch.zeros(len(CONCEPTS), FLUX_IDS), self.ids])
        picture, *_ = block.norm1(given["hidden_states"], emb=given["temb"])
        normed, gate, shift, scale, gate_after = block.norm1_context(self.state, emb=self.time)
        _, out = block.attn(
            hidden_states=picture, encoder_hidden_states=normed, image_rotary_emb=self.network.pos_embed(ids)
        )
        state = self.state + gate[:, None] * out
        after = block.norm2_context(state) * (1 + scale[:, None]) + shift[:, None]
        own = taken[0][:, :, : len(CONCEPTS)]
        return state + gate_after[:, None] * block.ff_context(after), own

    @property
    def ids(self):
        y, x = GRID
        return torch.tensor([[0.0, row, column] for row in range(y) for column in range(x)])


@pytest.fixture(scope="module", params=["sd3", "flux"])
def seen(request):
    """A run with concepts, the same picture without a trace, and the reference of another run."""
    subject = SUBJECTS[request.param]
    pipe = subject.make()
    reference = Reference(pipe, request.param)
    untraced = pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **CALL).images[0]
    for hook in reference.hooks:
        hook.remove()
    trace = sdx.run(pipe, PROMPT, seed=5, record=RECORD, **CALL)
    return SimpleNamespace(
        name=request.param, subject=subject, pipe=pipe, trace=trace, untraced=untraced, own=reference
    )


def test_the_picture_is_the_pipelines_and_every_layer_and_call_was_heard(seen):
    trace = seen.trace
    assert np.array_equal(trace.image, (seen.untraced * 255).round().astype(np.uint8))
    double = tuple(name for name in seen.subject.layers if name.startswith("transformer_blocks."))
    assert tuple(trace.concept_scores["cond"]) == double
    assert all(one.steps == tuple(range(STEPS)) for one in trace.concept_scores["cond"].values())
    assert tuple(trace.cross_attention["cond"]) == seen.subject.layers
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in seen.pipe.transformer.modules())


def test_scores_are_the_papers(seen):
    for layer, found in seen.trace.concept_scores["cond"].items():
        assert found.concepts == CONCEPTS
        for made, call in zip(found.scores, seen.own.scores, strict=True):
            own = call[layer][0].unflatten(0, GRID).numpy()
            assert made.shape == own.shape
            assert np.abs(made - own).max() < 1e-6 * max(1.0, np.abs(own).max())
            assert np.ptp(own, axis=-1).max() > 1e-4  # another concept has another score


def test_maps_are_the_softmax_over_concepts_of_the_mean(seen):
    calls = [scores[0] for call in seen.own.scores for scores in call.values()]
    mean = torch.stack(calls).mean(0).unflatten(0, GRID)
    shares = mean.softmax(-1).numpy()
    found = sdx.concept_maps(seen.trace)
    assert tuple(found) == CONCEPTS
    for number, one in enumerate(found.values()):
        assert np.abs(one - shares[..., number]).max() < 1e-6
    for number, one in enumerate(sdx.concept_maps(seen.trace, softmax=False).values()):
        assert np.abs(one - mean[..., number].numpy()).max() < 1e-6
    layer = next(iter(seen.trace.concept_scores["cond"]))
    chosen = sdx.concept_maps(seen.trace, steps=-1, layers=layer)["sky"]
    one = seen.own.scores[-1][layer][0].softmax(-1)[:, 0].unflatten(0, GRID).numpy()
    assert np.abs(chosen - one).max() < 1e-6


def test_it_is_counted_saved_and_named(seen, tmp_path):
    cost = sdx.cost(seen.pipe, RECORD, prompt=PROMPT, **CALL)
    made = sum(one.nbytes for name, one in seen.trace.arrays().items() if name.startswith("concept_scores/"))
    assert sum(size for name, size in cost.parts.items() if name.startswith("concept_scores/")) == made
    again = sdx.Trace.load(seen.trace.save(tmp_path / "a.safetensors")).verify()
    assert sdx.Record.from_json(again.call["record"]) == RECORD
    layer = next(iter(again.concept_scores["cond"]))
    group = again.to_xarray()[f"concept_scores/cond/{layer}"]
    assert tuple(group["concept"].values) == CONCEPTS
    assert np.array_equal(group["scores"].values, seen.trace.concept_scores["cond"][layer].scores)
    assert "3 concepts" in repr(again.concept_scores["cond"][layer])


def test_the_view_draws_each_concept_and_says_what_a_share_is(seen):
    picture = sdx.views.concepts(seen.trace)
    assert tuple(picture.data) == CONCEPTS
    assert "share among these concepts" in picture.alt
    assert "ConceptAttention" in picture.alt
    assert picture.call.startswith("sdx.views.concepts(trace")


def test_scores_are_the_same_whatever_else_is_read_and_by_few_heads_at_a_time(seen, monkeypatch):
    monkeypatch.setattr(concept_stream, "COPIES", 1)  # one head
    more = {"word_attention": True, "self_attention": (GRID,), "features": "transformer_blocks.0", "columns": "all"}
    other = sdx.run(seen.pipe, PROMPT, seed=5, record=replace(RECORD, **more), **CALL)
    assert np.array_equal(other.image, seen.trace.image)
    for layer, found in seen.trace.concept_scores["cond"].items():
        assert np.allclose(other.concept_scores["cond"][layer].scores, found.scores, rtol=1e-5, atol=1e-6)


def test_autocast_around_the_run_rounds_nothing_that_is_read(seen, monkeypatch):
    with torch.autocast("cpu", torch.bfloat16), witnessing(seen.pipe, monkeypatch) as witness:
        plain = seen.pipe(PROMPT, generator=torch.Generator().manual_seed(5), output_type="np", **CALL).images[0]
        trace = sdx.run(seen.pipe, PROMPT, seed=5, record=replace(RECORD, columns="all"), **CALL)
    assert np.array_equal(trace.image, (plain * 255).round().astype(np.uint8))
    assert tuple(trace.concept_scores["cond"]) == tuple(seen.trace.concept_scores["cond"])
    picture, words = (slice(PIXELS), slice(PIXELS, None)) if seen.name == "sd3" else (slice(TEXT, None), slice(TEXT))
    for layer, found in trace.cross_attention["cond"].items():
        given = witness.calls[-1][layer]
        assert given.made.dtype == torch.bfloat16
        rounded = replace(given, query=given.query.bfloat16(), key=given.key.bfloat16())  # as the kernel has them
        own = rounded.naive()[-1, :, picture, words].mean(0)
        error = np.abs(found.probs[-1, 0, ..., :-1].reshape(own.shape) - own.numpy()).max()
        assert error < 5e-6  # a kernel in bfloat16 hands out a normaliser that is right to that; rounded scores: 1e-4


def test_concepts_go_past_no_layer_that_a_cache_left_out():
    pipe = SUBJECTS["flux"].make()
    first, second = (f"transformer_blocks.{number}.attn" for number in range(2))
    config = PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=(-1, 2000),
        spatial_attention_block_identifiers=("^transformer_blocks.0",),
        current_timestep_callback=lambda: 500,
    )
    pipe.transformer.enable_cache(config)
    trace = sdx.run(pipe, PROMPT, record=RECORD, **CALL)
    assert trace.cross_attention["cond"][second].steps == tuple(range(STEPS))
    alone = tuple(range(0, STEPS, 2))
    assert [trace.concept_scores["cond"][one].steps for one in (first, second)] == [alone, alone]


def test_what_cannot_be_is_refused_before_the_run(monkeypatch):
    unet, flux, sd3 = stable_diffusion(), SUBJECTS["flux"].make(), SUBJECTS["sd3"].make()
    for pipe in (unet, flux, sd3):
        monkeypatch.setattr(type(pipe), "prepare_latents", lambda *_, **__: pytest.fail("the pipeline was called"))
    with pytest.raises(sdx.RunError, match=r"Record\(concepts=\('sky',\)\).*FLUX\.1.*open_word_map"):
        sdx.run(unet, PROMPT, record=sdx.Record(concepts="sky"))
    with pytest.raises(sdx.RunError, match=r"does not go with change="):
        sdx.run(flux, PROMPT, record=RECORD, change=sdx.Ablate("transformer_blocks.0"), **CALL)
    sd3.text_encoder_3 = None
    with pytest.raises(sdx.RunError, match="text_encoder_3"):
        sdx.run(sd3, PROMPT, record=RECORD, **CALL)
    with pytest.raises(sdx.RunError, match="different words"):
        sdx.Record(concepts=("sky", "sky"))


def test_what_was_not_recorded_is_said(seen):
    with pytest.raises(sdx.TraceError, match=r"Record\(concepts="):
        sdx.concept_maps(seen.trace.altered(concept_scores={}))
    with pytest.raises(sdx.TraceError, match="'uncond'"):
        sdx.concept_maps(seen.trace, role="uncond")
    with pytest.raises(sdx.TraceError, match="no recorded layer 'up_blocks'"):
        sdx.concept_maps(seen.trace, layers="up_blocks")
    one = sdx.run(seen.pipe, PROMPT, record=sdx.Record(concepts="sky", steps=(0,), decode=0), **CALL)
    with pytest.raises(sdx.TraceError, match="softmax=False"):
        sdx.concept_maps(one)
    assert sdx.concept_maps(one, softmax=False)["sky"].shape == GRID
