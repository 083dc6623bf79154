"""The overhead of tracing, counted and not timed: operators, reads by the host, bytes on the device."""

import collections
import contextlib
import itertools
from types import SimpleNamespace

import pytest
import tiny_pipelines
import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import Attention
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

import sdexplore as sdx
from sdexplore.model.capture.memory_sink import InMemory
from sdexplore.model.capture.plans import plan_layers
from sdexplore.model.capture.probabilities import probabilities
from sdexplore.model.capture.recorder import Recorder
from sdexplore.model.capture.roles import Roles
from sdexplore.model.components.host_copies import HostCopies
from sdexplore.model.families import family_of
from sdexplore.model.families.ways_in import Attended
from sdexplore.model.runs.timing import peak_memory, waits

PROMPT = "a photo of a cat"
# They make no work for a device: another look at the same numbers, or only a promise of autograd's.
VIEWS = frozenset(
    f"aten.{name}"
    for name in (
        *("view.default", "_unsafe_view.default", "transpose.int", "expand.default", "slice.Tensor", "select.int"),
        *(
            "unbind.int",
            "split.Tensor",
            "split_with_sizes.default",
            "detach.default",
            "alias.default",
            "t.default",
            "permute.default",
        ),
        *("unsqueeze.default", "squeeze.dim"),
    )
)
READS = ("aten._local_scalar_dense.default", "aten.equal.default", "aten.is_nonzero.default", "aten.nonzero.default")


class Operators(TorchDispatchMode):
    """Counts operators that are work, apart before and after `end` was called."""

    def __init__(self):
        super().__init__()
        self.counts = self.within = collections.Counter()
        self.live, self.peak, self.now = {}, 0, 0

    def end(self):
        self.counts = collections.Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = str(function)
        if name not in VIEWS:
            self.counts[name] += 1
        self.note(out)
        return out

    def note(self, out):
        """Bytes on the device that are alive, of what was made since the mode began."""
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor) and one.device.type == "meta":
                storage = one.untyped_storage()
                self.live[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.live = {key: pair for key, pair in self.live.items() if not pair[0].expired()}
        self.now = sum(size for _, size in self.live.values())
        self.peak = max(self.peak, self.now)


def counted(pipe, steps, record=None):
    """(operators until the last step was made, operators after it) of a run, untraced where there is no record."""
    given = {"num_inference_steps": steps, "output_type": "latent"}
    with pytest.MonkeyPatch.context() as patch, Operators() as operators:
        wait = InMemory.wait

        def ended(keeper):
            operators.end()
            wait(keeper)

        patch.setattr(InMemory, "wait", ended)
        if record is None:
            pipe(PROMPT, generator=torch.Generator().manual_seed(0), **given)
        else:
            sdx.run(pipe, PROMPT, record=record, **given)
        return operators.within, operators.counts


@pytest.fixture(scope="module")
def pipe():
    found = tiny_pipelines.stable_diffusion(DDIMScheduler(clip_sample=False, steps_offset=1))
    sdx.run(found, PROMPT, num_inference_steps=1, record=sdx.Record(decode=0), output_type="latent")  # fits previews
    return found


RECORDS = {
    "mean": sdx.Record(decode=0),
    "heads": sdx.Record(decode=0, cross_attention="heads"),
    "nothing": sdx.Record(decode=0, cross_attention=False, latents=False, noise_pred=False),
}


@pytest.mark.parametrize("name", RECORDS)
def test_each_step_and_layer_takes_a_few_operators_and_no_more_the_longer_the_run(pipe, name):
    record = RECORDS[name]
    added = {}
    for steps in (1, 2, 4):
        within, _ = counted(pipe, steps, record)
        within.subtract(counted(pipe, steps)[0])
        added[steps] = within
    names = set().union(*added.values())
    by_step = {one: added[2][one] - added[1][one] for one in names}
    assert by_step == {one: (added[4][one] - added[2][one]) / 2 for one in names}, "it grows with the steps made"
    layers = len([one for one in family_of(pipe).attention_layers(pipe.unet).values() if one.to_words])
    assert layers == 4
    attention = 0 if name == "nothing" else layers
    together = {"mean": 1, "heads": layers, "nothing": 0}[name]  # all layers' means are finished as one
    expected = {
        "aten.baddbmm.default": attention,  # the scale times queries and keys, in float32 here as they come
        "aten.new_empty.default": attention,  # which baddbmm adds nothing to
        "aten._softmax.default": attention,
        "aten.mean.dim": attention if name == "mean" else 0,
        "aten.sum.dim_IntList": together,  # the padding in one column
        "aten.cat.default": 2 if name == "mean" else together,
        "aten._to_copy.default": together,  # to half precision
        # Each layer into its array on the host; and latents, model output and both halves' predictions.
        "aten.copy_.default": attention + (0 if name == "nothing" else 4),
    }
    assert {one: count for one, count in by_step.items() if count} == {
        one: count for one, count in expected.items() if count
    }


def test_queries_and_keys_of_half_precision_are_converted_and_brought_in_order_at_once():
    unet = torch.nn.ModuleDict({"attn2": Attention(query_dim=16, cross_attention_dim=16, heads=2, dim_head=8)})
    family = family_of(unet)
    (layer,) = family.attention_layers(unet).values()
    query, key = (torch.randn(2, length, 16, dtype=torch.bfloat16) for length in (12, 5))
    with Operators() as operators:
        probabilities(family.by_head(layer, Attended(query, key)), head_mean=False)
    work = {name: count for name, count in operators.counts.items() if "new_empty" not in name}
    assert work == {"aten._to_copy.default": 2, "aten.baddbmm.default": 1, "aten._softmax.default": 1}


def test_after_the_first_call_hooks_are_on_layers_their_projections_and_what_sees_a_grid_alone(pipe):
    hooked = []

    def on_step(_):
        parts = pipe.unet.named_modules()
        hooked.append({name for name, one in parts if one._forward_hooks or one._forward_pre_hooks})

    trace = sdx.run(pipe, PROMPT, num_inference_steps=3, record=RECORDS["mean"], output_type="latent", on_step=on_step)
    layers = trace.attention()
    transformers = {name.partition(".transformer_blocks")[0] for name in layers}
    projections = {f"{name}.{one}" for name in layers for one in ("to_q", "to_k")}
    assert hooked == [projections | layers.keys() | transformers | {""}] * 3
    assert all(one.steps == (0, 1, 2) for one in layers.values())
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in pipe.unet.modules())


def test_the_host_reads_no_number_of_a_step_before_the_last_is_made(pipe):
    reads = []
    for steps in (1, 4):
        within, after = counted(pipe, steps, RECORDS["mean"])
        within.subtract(counted(pipe, steps)[0])
        reads.append({one: within[one] for one in READS})
        assert after[READS[0]] >= steps, "the counter sees what is read, as the timesteps are in the end"
    assert reads[0] == reads[1]
    assert sum(reads[1].values()) <= 8, "only what the prompt became is compared, once"


@pytest.fixture
def leaving(monkeypatch):
    """The tensors that were copied to the host. What is on the meta device has no numbers: reading any is an error."""
    found = []

    monkeypatch.setattr(InMemory, "_append", lambda *given: found.append(given[2].shape))
    monkeypatch.setattr(InMemory, "fill", lambda *_: None)
    return found


def unet_of_shapes():
    return tiny_pipelines.unet().half().eval().requires_grad_(requires_grad=False).to("meta")


class BothHalves(Roles):
    """Of every call; the real ones compare embeddings once, at the first."""

    def of_call(self, *_, **__):
        return ("uncond", "cond")


class Scheduler:
    """The least that is watched."""

    def step(self, model_output, _, sample):
        return SimpleNamespace(prev_sample=sample - model_output)


def denoised(unet, steps, record=None, ended=lambda: None):
    """A loop as pipelines have it, half precision, guidance on; recorded where there is a record."""
    scheduler, family = Scheduler(), family_of(unet)
    pipeline = SimpleNamespace(scheduler=scheduler)
    recorder = Recorder(
        record=record or sdx.Record(),
        family=family,
        keeper=InMemory(),
        roles=BothHalves(1),
        tokens=lambda *_: None,
        layers=plan_layers(family.attention_layers(unet), record) if record else {},
        after_step=lambda *_: None,
        total=lambda: steps,
    )
    watching = recorder.watching(pipeline, unet) if record else contextlib.nullcontext()
    with torch.no_grad(), watching:
        latents = torch.randn(1, 4, 8, 8, device="meta", dtype=torch.float16)
        embeds = torch.randn(2, 77, 32, device="meta", dtype=torch.float16)
        for timestep in torch.arange(steps, device="meta"):
            both = unet(torch.cat([latents, latents]), timestep, encoder_hidden_states=embeds).sample
            uncond, cond = both.chunk(2)
            guided = uncond + 7.5 * (cond - uncond)
            latents = scheduler.step(guided, timestep, latents).prev_sample
            del both, uncond, cond, guided
            ended()
    return recorder


def test_nothing_leaves_the_device_but_what_is_kept_and_no_number_of_it_is_read(leaving):
    unet = unet_of_shapes()
    for number in (torch.ones((), device="meta"),):
        with pytest.raises(RuntimeError):  # the witness sees a read
            number.item()
        with pytest.raises(NotImplementedError):
            number.cpu()
    for steps in (2, 5):
        leaving.clear()
        recorder = denoised(unet, steps, sdx.Record())
        recorder.finish()
        assert list(recorder.calls.values()) == [list(range(steps))] * 4
        # of a step: each layer's map, latents, model output, both predictions; and the last latents
        assert len(leaving) == steps * (4 + 4) + 1


def test_a_copy_to_the_host_goes_to_pinned_memory_and_waits_for_nothing(monkeypatch):
    copied, pinned = [], []
    waited = streams_of_their_own(monkeypatch)
    empty = torch.empty

    def watched(*args, **kwargs):
        pinned.append(kwargs.get("pin_memory"))
        return empty(*args, **kwargs)

    class Copies(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if str(function) == "aten.copy_.default":
                copied.append((args[0].device.type, args[1].device.type, args[2]))
            assert str(function) != "aten._to_copy.default" or args[0].dtype != torch.float32
            return function(*args, **(kwargs or {}))

    with FakeTensorMode():  # a CUDA device that is none: shapes alone
        steps = [torch.empty(2, 3, device="cuda", dtype=torch.float16) for _ in range(5)]
        monkeypatch.setattr(torch, "empty", watched)
        keeper = InMemory()
        with Copies():
            for step in steps:
                keeper.take((0, "latents"), step, len(steps), torch.float32)
        assert not waited
        keeper.wait()
        keeper.wait()
    assert sum(map(bool, pinned)) == 1, "memory is pinned once, for all steps"
    assert copied == [("cpu", "cuda", True)] * len(steps)
    assert waited == ["cuda:0"]


@pytest.mark.parametrize("copies", [InMemory, HostCopies])
def test_copies_from_two_devices_are_both_waited_for(monkeypatch, copies):
    waited, made = streams_of_their_own(monkeypatch), copies()
    with FakeTensorMode():
        for index in (1, 0, 0):
            row = torch.empty(2, device=f"cuda:{index}")
            if copies is InMemory:
                made.take((0, f"from {index}"), row, 2)
            else:
                made.take(row)
        assert not waited
        if copies is InMemory:
            made.wait()
        else:
            for event in made.reached():
                event.synchronize()
    assert sorted(waited) == ["cuda:0", "cuda:1"]


def streams_of_their_own(monkeypatch):
    """Stands in for CUDA where there is none; gives the streams whose events are waited for, as that happens."""
    waited = []

    class Event:
        def __init__(self, *, blocking):
            assert blocking

        def record(self, stream):
            self.stream = stream

        def synchronize(self):
            waited.append(self.stream)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"cuda:{device.index or 0}")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda *_: pytest.fail("waited for a whole device"))
    return waited


@pytest.mark.usefixtures("leaving")
@pytest.mark.parametrize("name", ["mean", "heads"])
def test_a_step_leaves_nothing_on_the_device_and_takes_no_more_than_was_told(name):
    record = sdx.Record(cross_attention=name, columns="all")
    unet, peaks, left = unet_of_shapes(), {}, {}
    for kind, asked in (("untraced", None), ("traced", record)):
        for steps in (2, 6):
            after = []
            with Operators() as operators:
                denoised(unet, steps, asked, ended=lambda now=operators, kept=after: kept.append(now.now))
            peaks[kind, steps], left[kind] = operators.peak, after[-1]
            assert len(set(after[1:])) == 1, "what lives on the device grows from step to step"
    told = sdx.cost(tiny_pipelines.stable_diffusion(), record, prompt=PROMPT, num_inference_steps=6).device
    beyond = {steps: peaks["traced", steps] - peaks["untraced", steps] for steps in (2, 6)}
    assert beyond[6] == beyond[2]
    assert 0 < beyond[6] <= told
    assert left["traced"] == left["untraced"]


def test_the_counter_of_bytes_sees_what_lives_on():
    kept, after = [], []
    with Operators() as operators:

        def keep():
            kept.append(torch.zeros(1000, device="meta"))
            after.append(operators.now)

        denoised(unet_of_shapes(), 3, ended=keep)
    assert [b - a for a, b in itertools.pairwise(after)] == [4000, 4000]


@pytest.mark.gpu
def test_on_a_real_gpu_a_traced_run_waits_once_more_and_takes_no_more_memory_the_longer_it_is():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    pipe = tiny_pipelines.stable_diffusion(DDIMScheduler(clip_sample=False, steps_offset=1)).to(device, torch.float16)
    record = sdx.Record(decode=0)

    def runs(steps):
        given = {"num_inference_steps": steps, "output_type": "latent"}
        return (
            lambda: pipe(PROMPT, generator=torch.Generator("cpu").manual_seed(0), **given),
            lambda: sdx.run(pipe, PROMPT, record=record, **given),
        )

    added, beyond = {}, {}
    for steps in (4, 16):
        untraced, traced = runs(steps)
        for run in (untraced, traced):
            run()
        added[steps] = waits(traced, device) - waits(untraced, device)
        beyond[steps] = peak_memory(traced, device) - peak_memory(untraced, device)
    # the timesteps are on the device and are read one by one, once all has been waited for
    assert added[16] - added[4] <= 12
    assert beyond[16] == pytest.approx(beyond[4], abs=2**20)
    assert beyond[16] <= sdx.cost(pipe, record, prompt=PROMPT, num_inference_steps=16).device + 2**20
