"""Memory that reading takes, counted by bytes: never a whole softmax of a layer."""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from diffusers import SD3Transformer2DModel
from tiny_transformers import flux
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from transformer_matrix import GRID, PROMPT, SIZE, TEXT

import sdexplore as sdx
from sdexplore.model.capture import denoiser_call, probabilities
from sdexplore.model.capture.hooks import Observer, observing
from sdexplore.model.capture.plans import CallPlan, plan_layers
from sdexplore.model.families import family_of

MIB = 2**20
CONCEPTS = ("sky", "grass", "a cat", "a rocket")
SIDE, WORDS, HEADS, WIDTH, LAYERS = 128, 333, 24, 64, 8  # SD 3.5 medium at 1024²
SOFTMAX = 4 * HEADS * (SIDE // 2) ** 2 * (WORDS + (SIDE // 2) ** 2)


class Made(TorchDispatchMode):
    """The bytes of tensors that were made in its block and are alive, on whatever device."""

    def __init__(self):
        super().__init__()
        self.live, self.peak, self.largest = {}, 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        given = {one.untyped_storage()._cdata for one in args if isinstance(one, torch.Tensor)}
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor) and one.untyped_storage()._cdata not in given:
                storage = one.untyped_storage()
                self.live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
                self.largest = max(self.largest, storage.nbytes())
        self.live = {key: pair for key, pair in self.live.items() if not pair[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.live.values()))
        return out


@contextlib.contextmanager
def counted():
    """Counts what is made while layers are read and the call is finished, and no byte of the model's own."""
    made = Made()
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Observer, "read"), (denoiser_call.DenoiserCall, "finish")):
            patch.setattr(owner, name, within(made, getattr(owner, name)))
        yield made


def within(made, own):
    def counting(*given):
        under_way = made in torch.utils._python_dispatch._get_current_dispatch_mode_stack()
        with contextlib.nullcontext() if under_way else made:
            return own(*given)

    return counting


def of_width(width, layers):
    """A transformer of Stable Diffusion 3's class, without weights."""
    with torch.device("meta"):
        return SD3Transformer2DModel(
            sample_size=SIDE,
            num_layers=layers,
            attention_head_dim=width,
            num_attention_heads=HEADS,
            caption_projection_dim=HEADS * width,
            joint_attention_dim=4096,
            pooled_projection_dim=2048,
            pos_embed_max_size=192,
        ).to(torch.bfloat16)


@pytest.fixture(scope="module")
def large():
    """A transformer of SD 3.5 medium's sizes."""
    return of_width(WIDTH, LAYERS)


def called(transformer, record, kept, concepts=None):
    """One call with both halves of guidance, of which the prompt's is read."""
    family, calls = family_of(SimpleNamespace(transformer=transformer)), []
    plans = plan_layers(family.attention_layers(transformer), record)
    plan = CallPlan(("uncond", "cond"), (1,), (kept,))
    hooked = observing((transformer,), family, plans, lambda _: plan, calls.append, concepts=concepts)
    with torch.no_grad(), torch.device("meta"), hooked:
        transformer(
            hidden_states=torch.empty(2, 16, SIDE, SIDE, dtype=torch.bfloat16),
            timestep=torch.empty(2),
            encoder_hidden_states=torch.empty(2, WORDS, 4096, dtype=torch.bfloat16),
            pooled_projections=torch.empty(2, 2048, dtype=torch.bfloat16),
        )
    (call,) = calls
    assert len(call.attention or call.concept_scores) == len(transformer.transformer_blocks)
    return call


@pytest.mark.parametrize("columns", ["prompt", "all"])
def test_at_sd35s_size_reading_takes_at_most_110_mib_beyond_what_it_keeps(large, columns):
    kept = tuple(range(24)) if columns == "prompt" else None
    with counted() as made:
        call = called(large, sdx.Record(columns=columns, decode=0), kept)
        results = sum(one.nbytes for rows in call.attention.values() for one in rows.values())
    assert made.peak - (results if columns == "all" else 0) <= 110 * MIB
    assert made.largest <= SOFTMAX / 50


def test_at_flux1s_size_concepts_beside_the_text_take_at_most_110_mib_too():
    record, embeds = sdx.Record(concepts=CONCEPTS, cross_attention=False, decode=0), torch.empty(4, 4096, device="meta")
    with counted() as made:
        called(of_width(2 * WIDTH, 2), record, None, embeds)
    assert 0 < made.peak <= 110 * MIB


def test_the_counter_sees_a_whole_softmax(large, monkeypatch):
    monkeypatch.setattr(probabilities, "SCORES", 2**40)
    with counted() as made:
        called(large, sdx.Record(decode=0), tuple(range(24)))
    assert made.largest == SOFTMAX
    assert made.peak > 1000 * MIB


@pytest.mark.parametrize("room", [2**40, 0], ids=["all layers together", "each layer at once"])
def test_maps_are_the_same_however_many_layers_wait(room, monkeypatch):
    call = {**SIZE, "num_inference_steps": 1, "max_sequence_length": TEXT, "output_type": "latent"}
    record = sdx.Record(dtype="float32", decode=0, self_attention=(GRID,))
    pipe = flux()
    usual = sdx.run(pipe, PROMPT, seed=5, record=record, **call)
    monkeypatch.setattr(denoiser_call, "WAITING", room)
    other = sdx.run(pipe, PROMPT, seed=5, record=record, **call)
    for name, array in usual.arrays().items():
        assert (array == other.arrays()[name]).all()
