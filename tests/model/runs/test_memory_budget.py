"""A run that does not fit into memory is refused before anything is computed; one that runs out of it is cleaned up."""

import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from plain_runs import PROMPT, hooks_of, plain
from unchecked import unchecked
from witness import state_of

import sdexplore as sdx
from sdexplore.model.capture import hooks, memory_sink
from sdexplore.model.components import decoding
from sdexplore.model.runs import memory_budget
from sdexplore.model.runs.call import Call

PLENTY = 1 << 50
FREE_ON = memory_budget.free_on  # which the fixture `free` replaces
BIG = sdx.Record(cross_attention="heads", roles=("cond", "uncond"), queries=True, self_attention=("",), decode=2)
ERRORS = {
    "cuda": (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
    "cpu": (RuntimeError, "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    "host": (MemoryError, ""),
}


@pytest.fixture(autouse=True)
def free(monkeypatch):
    """Sets what is free, in bytes, of "memory", "on" a device, "on_disk"."""

    def setting(**amounts):
        for name, amount in amounts.items():
            monkeypatch.setattr(memory_budget, f"free_{name}", lambda *_, amount=amount: amount)

    setting(memory=PLENTY, on=None, on_disk=PLENTY)
    return setting


def refusal(pipe, **arguments):
    """Why a run was refused; nothing was computed, or left behind."""
    pipe.scheduler.set_timesteps(7)
    before, rng, times = state_of(pipe), torch.get_rng_state(), pipe.scheduler.timesteps.clone()
    calls = []
    counters = [part.register_forward_pre_hook(lambda *_: calls.append(1)) for part in (pipe.unet, pipe.text_encoder)]
    with pytest.raises(sdx.RunError) as caught:
        sdx.run(pipe, PROMPT, **arguments)
    for counter in counters:
        counter.remove()
    assert not calls
    assert state_of(pipe) == before
    assert torch.equal(rng, torch.get_rng_state())
    assert torch.equal(times, pipe.scheduler.timesteps)
    return str(caught.value)


def test_a_run_that_does_not_fit_is_refused_with_what_helps_and_one_that_does_is_not(tiny, free):
    told = sdx.cost(tiny, BIG, prompt=PROMPT, num_inference_steps=3)
    needed = told.host + told.device  # on the CPU both are one memory
    free(memory=needed - 1)
    said = refusal(tiny, record=BIG, num_inference_steps=3)
    assert said.startswith("run: this run would hold 1.")
    assert "are free. Leave something out: to='trace.safetensors' saves " in said
    assert "; Record(self_attention=()) saves " in said
    assert said.count("and is enough") == 4
    free(memory=needed)
    trace = sdx.run(tiny, PROMPT, record=BIG, num_inference_steps=3)
    trace.decode()  # pictures of steps are counted, and there once they are looked at
    small = trace.timesteps.nbytes + trace.sigmas.nbytes + trace.latent_rgb.nbytes
    assert trace.nbytes == told.host + small


def test_what_helps_does_help(tiny, free, tmp_path):
    arguments = {"num_inference_steps": 6}
    free(memory=1_500_000)
    assert "to='trace.safetensors'" in refusal(tiny, record=BIG, **arguments)
    sdx.run(tiny, PROMPT, record=BIG, to=tmp_path / "trace.safetensors", **arguments)
    less = sdx.Record(cross_attention="heads", roles=("cond", "uncond"), queries=True, decode=2)
    assert sdx.run(tiny, PROMPT, record=less, **arguments).nbytes < 1_500_000


def test_room_on_the_device_and_on_disk_is_asked_for_too(tiny, free, tmp_path):
    free(on=1000)
    sdx.run(tiny, PROMPT, num_inference_steps=1)  # not a device of its own
    free(on=None, on_disk=1000)
    to = tmp_path / "new" / "trace.safetensors"
    assert "this run would write 46.5 KiB" in refusal(tiny, to=to, num_inference_steps=1)
    assert not to.parent.exists()
    need = memory_budget.needed(sdx.cost(tiny, BIG), torch.device("cuda"))
    assert need == {"memory": sdx.cost(tiny, BIG).host, "device": sdx.cost(tiny, BIG).device, "disk": need["memory"]}


def test_all_runs_of_a_comparison_are_reckoned_together(tiny, free, tmp_path):
    record, over = sdx.Record(decode=0), {"seed": [0, 1, 2], "scheduler": ["DDIM"]}
    told = sdx.cost(tiny, record, prompt=PROMPT, num_inference_steps=2)
    free(memory=2 * told.host + told.device)
    with pytest.raises(sdx.RunError, match=r"these 3 runs would hold .* to='folder' saves .* and is enough"):
        sdx.compare(tiny, PROMPT, over=over, record=record, num_inference_steps=2, on_step=pytest.fail)
    assert len(sdx.compare(tiny, PROMPT, over=over, record=record, num_inference_steps=2, to=tmp_path / "new")) == 3


def test_a_bound_is_enough_where_there_is_plenty_and_an_estimate_that_fails_refuses_nothing(tiny, monkeypatch):
    def broken(*_, **__):
        raise ArithmeticError

    monkeypatch.setattr("sdexplore.model.runs.cost.attention_layers", broken)
    monkeypatch.setattr("sdexplore.model.capture.prompts.tokens_of", broken)
    memory_budget.ensure_affordable(tiny, [Call(PROMPT, record=BIG)], "run")  # asks neither
    monkeypatch.undo()
    monkeypatch.setattr(memory_budget, "outline_of", broken)
    monkeypatch.setattr(memory_budget, "free_memory", lambda: 0)
    assert sdx.run(tiny, PROMPT, num_inference_steps=1).image is not None


def test_the_bound_is_one(tiny):
    for record in (sdx.Record(), BIG, sdx.Record(self_attention=(4,), columns="all")):
        outline = memory_budget.outline_of(tiny, PROMPT, {})
        exact, bound = (memory_budget.cost_of(tiny, record, outline, bound=is_bound) for is_bound in (False, True))
        assert bound.host >= exact.host
        assert bound.device >= exact.device


# memory that runs out on the way


def failing(times, error, original):
    """A function that does as the original does so many times, and then raises."""
    kind, message = ERRORS[error]
    left = [times]

    def called(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise kind(message)
        return original(*args, **kwargs)

    return called


@pytest.mark.parametrize(
    ("where", "error"),
    [("denoiser", "cuda"), ("denoiser", "cpu"), ("probe", "cuda"), ("host copy", "cpu"), ("host copy", "host")],
)
def test_memory_that_runs_out_is_told_and_the_pipeline_is_as_before(tiny, monkeypatch, where, error):
    before, state = plain(tiny, num_inference_steps=2), state_of(tiny)
    with monkeypatch.context() as patch:
        if where == "denoiser":
            patch.setattr(tiny.unet.mid_block, "forward", failing(1, error, tiny.unet.mid_block.forward))
        elif where == "probe":
            patch.setattr(hooks, "probabilities", failing(5, error, hooks.probabilities))
        else:
            patch.setattr(memory_sink.InMemory, "_empty", failing(9, error, memory_sink.InMemory._empty))
        with pytest.raises(sdx.RunError, match=r"out of memory on cpu ") as caught:
            sdx.run(tiny, PROMPT, num_inference_steps=2, record=BIG)
    said = str(caught.value)
    assert str(caught.value.__cause__) == ERRORS[error][1]
    if where == "denoiser":
        assert "at step 2 of 3: what failed was asked for by the pipeline itself. Recording takes " in said
        assert said.split(" (", maxsplit=1)[0].endswith("Make smaller or fewer pictures at a time")
    else:
        assert "was asked for by recording. Recording takes " in said
        assert "Leave something out: to='trace.safetensors' saves " in said
    assert state_of(tiny) == state
    assert hooks_of(tiny.unet) == []
    assert np.array_equal(before, plain(tiny, num_inference_steps=2))


def test_what_was_recorded_is_let_go_although_the_error_is_kept(tiny, monkeypatch):
    held = []
    own = memory_sink.InMemory._empty

    def noted(*args, **kwargs):
        made = own(*args, **kwargs)
        held.append(weakref.ref(made))
        return made

    monkeypatch.setattr(memory_sink.InMemory, "_empty", noted)
    monkeypatch.setattr(tiny.unet.mid_block, "forward", failing(2, "cuda", tiny.unet.mid_block.forward))
    with pytest.raises(sdx.RunError) as caught:
        sdx.run(tiny, PROMPT, num_inference_steps=3)
    gc.collect()
    assert len(held) > 5
    assert [one() for one in held] == [None] * len(held)
    assert caught.value.__cause__.__traceback__ is not None


def test_a_decoder_that_fails_in_the_end_has_its_own_advice(tiny, monkeypatch):
    monkeypatch.setattr(tiny.vae, "decode", failing(0, "cuda", tiny.vae.decode))
    with pytest.raises(sdx.RunError, match=r"after the last step: .* the pipeline itself\. .*pipe\.vae\.enable_tiling"):
        sdx.run(tiny, PROMPT, num_inference_steps=2)


def test_a_run_is_not_lost_because_its_steps_could_not_be_decoded(tiny, monkeypatch, tmp_path):
    whole, to = (
        sdx.run(tiny, PROMPT, num_inference_steps=3, record=sdx.Record(decode=3)),
        tmp_path / "trace.safetensors",
    )
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "decode", failing(2, "cuda", decoding.decode))
        with pytest.warns(UserWarning, match="the run is whole, but .*; missing: decoded/3, decoded_x0/0") as told:
            trace = unchecked("model.runs.run_pipeline").run(
                tiny, PROMPT, num_inference_steps=3, record=sdx.Record(decode=3), to=to
            )
    assert len(told) == 1
    assert trace.fingerprint == whole.fingerprint
    assert list(trace.decoded) == [0, 2]
    assert np.array_equal(trace.decoded[2], whole.decoded[2])
    assert list(trace.decoded_x0) == []
    assert trace.latent_rgb is not None
    assert trace.provenance["out_of_memory"][0] == "decoded/3"
    assert "Memory did not suffice to decode steps afterwards" in repr(trace)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sdx.Trace.load(to).verify().num_steps == 4


def test_memory_that_does_not_suffice_to_decode_costs_the_pictures_alone(tiny, monkeypatch, tmp_path):
    trace = sdx.run(tiny, PROMPT, num_inference_steps=3, record=sdx.Record(decode=3))
    with monkeypatch.context() as patch:
        patch.setattr(tiny.vae, "decode", failing(2, "cuda", tiny.vae.decode))
        with pytest.raises(sdx.TraceError, match=r"memory does not suffice .*pipe\.vae\.enable_tiling"):
            trace.decode()
        with pytest.warns(UserWarning, match=r"Trace\.save: the pictures of 2 steps \(2, 3\) are left out"):
            trace.save(tmp_path / "trace.safetensors")
    assert trace.decoded.made == (0,)  # what was made stays
    assert list(sdx.Trace.load(tmp_path / "trace.safetensors").verify().decoded) == [0]
    assert trace.decode().decoded_x0.keys() == {0, 2, 3}


# where rows are kept


def test_more_rows_than_expected_and_missing_ones_find_their_place():
    keeper, rows = memory_sink.InMemory(), torch.arange(12.0).reshape(6, 2)
    for number, row in enumerate(rows):
        keeper.take((0, "few"), row, 1)
        keeper.take((1, "gaps"), row, 2, torch.float16, at=2 * number)
    keeper.fill((1, "gaps"), 12)
    keeper.wait()
    assert np.array_equal(keeper.arrays(0)["few"], rows)
    gaps = keeper.arrays(1)["gaps"]
    assert gaps.dtype == np.float16
    assert np.array_equal(gaps[::2], rows)
    assert gaps.shape == (12, 2)
    assert np.isnan(gaps[1::2]).all()
    keeper.drop()
    assert keeper.arrays(0) == {}


def test_rows_go_where_they_stay_and_each_array_is_made_once(tiny, monkeypatch):
    made, own = [], memory_sink.InMemory._empty
    monkeypatch.setattr(memory_sink.InMemory, "_empty", lambda *x, **k: made.append(own(*x, **k)) or made[-1])
    trace = sdx.run(tiny, PROMPT, num_inference_steps=5, record=BIG)
    arrays = trace.parts()
    assert len(made) == len(arrays)
    assert sum(one.nbytes for one in made) == trace.nbytes
    assert {one.data_ptr() for one in made} == {array.ctypes.data for array in arrays.values()}


def test_pinned_memory_is_asked_for_in_few_large_blocks(monkeypatch):
    """Without the pinning itself, which needs a GPU."""
    asked = []

    def block(_, length):
        asked.append(length)
        return torch.zeros(length, dtype=torch.uint8)

    monkeypatch.setattr(memory_sink.PinnedBlocks, "_block", block)
    blocks, pieces = memory_sink.PinnedBlocks(), []
    for number in range(200):
        pieces.append(blocks.empty((1 + number % 7, 300, 33), torch.float16 if number % 2 else torch.float32))
        pieces[-1].fill_(number)
    pieces.append(blocks.empty((1 << 23,), torch.float32))
    for number, piece in enumerate(pieces[:-1]):
        assert (piece == number).all()  # none lies over another
    asked = [length for length in asked if length]
    needed = sum(piece.nbytes for piece in pieces)
    assert len(asked) <= 6
    assert all(length & (length - 1) == 0 for length in asked)
    assert needed <= sum(asked) == blocks.given < 2 * needed


def test_what_cuda_graphs_hold_is_not_free(monkeypatch):
    def segment(device, pool, total, used):
        return {"device": device, "segment_pool_id": pool, "total_size": total, "allocated_size": used}

    segments = [segment(0, (0, 0), 100, 60), segment(0, (0, 1), 1000, 10), segment(1, (0, 0), 5000, 0)]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (7, 10_000))
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: segments)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert FREE_ON(torch.device("cuda", 0)) == 47
    assert FREE_ON(torch.device("cuda")) == 5007
    assert FREE_ON(torch.device("cpu")) is None
