"""run(to=…): the file that grows with the run holds the same trace as a run without `to`; it is complete, or absent."""

import errno
import json
import re

import numpy as np
import pytest
import tiny_families as families
import torch
from diffusers.callbacks import SDCFGCutoffCallback
from plain_runs import PROMPT, hooks_of, plain
from safetensors.torch import load_file
from tiny_pipelines import ddpm, stable_diffusion, stable_diffusion_xl

import sdexplore as sdx
from sdexplore.model.capture import file_sink
from sdexplore.trace.file import digest
from sdexplore.trace.growing_file import TraceDraft

EVERYTHING = sdx.Record(
    cross_attention="heads", roles=("cond", "uncond", "perturbed"), queries=True, self_attention=("",), decode=2
)
FEW = sdx.Record(decode=0)


def cut_off():
    return {"callback_on_step_end": SDCFGCutoffCallback(cutoff_step_ratio=0.5), "num_inference_steps": 4}


MATRIX = {
    "usual": (stable_diffusion, sdx.Record(), {}),
    "everything": (stable_diffusion, EVERYTHING, {"height": 72, "width": 104}),
    "odd grids": (families.wide, EVERYTHING, {"height": 40, "width": 56, "num_inference_steps": 2}),
    "guidance cut off": (stable_diffusion, EVERYTHING, cut_off()),
    "a prompt on the way": (stable_diffusion, sdx.Record(columns="all"), {"prompt_at": {2: "a dog in the snow"}}),
    "some steps": (stable_diffusion, sdx.Record(steps=(0, -1), layers=("mid_block",), dtype="float32", decode=0), {}),
    "nothing": (stable_diffusion, sdx.Record(cross_attention=False, noise_pred=False, latents=False), {}),
    "perturbed": (families.pag, EVERYTHING, {}),
    "SDXL": (stable_diffusion_xl, EVERYTHING, {"height": 64, "width": 64}),
    "image to image": (families.img2img, FEW, {"image": families.picture(), "strength": 0.5}),
    "latents out": (stable_diffusion, FEW, {"output_type": "latent"}),
    "unconditional": (ddpm, sdx.Record(self_attention=("",)), {"prompt": None}),
}


def assert_same(one, other):
    mine, theirs = one.arrays(), other.arrays()
    assert list(mine) == list(theirs)
    for name, array in mine.items():
        assert array.dtype == theirs[name].dtype
        assert not theirs[name].flags.writeable
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert json.dumps(dict(one.call)) == json.dumps(dict(other.call))  # a file knows no tuples
    first, second = ({**trace.provenance, "seconds": 0} for trace in (one, other))
    assert json.dumps(first) == json.dumps(second)
    assert {role: dict(by) for role, by in one.tokens.items()} == {role: dict(by) for role, by in other.tokens.items()}
    assert one.flags == other.flags
    assert one.fingerprint == other.fingerprint
    for field in ("cross_attention", "self_attention", "queries"):
        first, second = getattr(one, field), getattr(other, field)
        assert {role: list(by) for role, by in first.items()} == {role: list(by) for role, by in second.items()}
        for role, layers in first.items():
            for layer, there in layers.items():
                assert {**vars(there), "probs": 0, "values": 0} == {
                    **vars(second[role][layer]), "probs": 0, "values": 0
                }  # fmt: skip


def header_of(path):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), 8 + length


@pytest.mark.parametrize("case", MATRIX)
def test_the_file_is_the_trace_of_the_run_without_it(tmp_path, case):
    make, record, arguments = MATRIX[case]
    pipe, arguments = make(), {"prompt": PROMPT, "num_inference_steps": 3, **arguments}
    expected = sdx.run(pipe, record=record, **arguments)
    path = tmp_path / "new" / "trace.safetensors"
    found = sdx.run(pipe, record=record, to=path, **arguments)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert_same(expected, found.verify())
    assert_same(expected, sdx.Trace.load(path).verify())
    assert_same(expected, sdx.Trace.load(found.save(tmp_path / "again.safetensors")))
    header, begin = header_of(path)
    wide = {"F64": 8, "F32": 4, "F16": 2, "U8": 1}
    for name, entry in header.items():
        if name != "__metadata__":
            assert (begin + entry["data_offsets"][0]) % wide[entry["dtype"]] == 0  # as torch's readers need it
    assert header["__metadata__"].keys() == header_of(tmp_path / "again.safetensors")[0]["__metadata__"].keys()


def test_several_images_are_a_folder_of_files(tiny, tmp_path):
    arguments = {"num_inference_steps": 2, "num_images_per_prompt": 2, "record": sdx.Record(decode=1)}
    prompts = ["a cat", "a photo of three dogs"]
    expected = sdx.run(tiny, prompts, **arguments)
    found = sdx.run(tiny, prompts, to=tmp_path / "all", **arguments)
    assert sorted(one.name for one in (tmp_path / "all").iterdir()) == [
        *(f"00{number}.safetensors" for number in range(4)),
        "index.json",
    ]
    for several in (found, sdx.Traces.load(tmp_path / "all")):
        assert len(several) == 4
        for one, other in zip(expected, several, strict=True):
            assert_same(one, other.verify())


def test_a_stopped_run_leaves_the_steps_made(tiny, tmp_path):
    def on_step(progress):
        if progress.step == 1:
            progress.stop()

    stopped = []
    for to in (None, tmp_path / "trace.safetensors"):
        with pytest.raises(sdx.Stopped) as caught:
            sdx.run(tiny, PROMPT, num_inference_steps=5, record=EVERYTHING, on_step=on_step, to=to)
        stopped.append(caught.value.trace)
    assert_same(stopped[0], stopped[1].verify())
    assert sdx.Trace.load(tmp_path / "trace.safetensors").num_steps == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_exception_everything_is_as_before(tiny, tmp_path, error):
    def on_step(progress):
        if progress.step == 1:
            raise error

    old = tmp_path / "trace.safetensors"
    old.write_bytes(b"of before")
    for to, images in ((old, 1), (tmp_path / "new" / "deep", 2)):
        with pytest.raises(error):
            sdx.run(tiny, PROMPT, num_inference_steps=3, num_images_per_prompt=images, on_step=on_step, to=to)
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == b"of before"
    assert hooks_of(tiny.unet) == []


def test_a_full_disk_ends_the_run_in_words(tiny, tmp_path, monkeypatch):
    before = plain(tiny, num_inference_steps=3)
    append, room = TraceDraft.append, [40_000]

    def full(self, name, rows, expected):
        room[0] -= rows.nbytes
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, name, rows, expected)

    monkeypatch.setattr(TraceDraft, "append", full)
    with pytest.raises(sdx.RunError, match=r"trace.safetensors'\): cannot write there: No space left on device"):
        sdx.run(tiny, PROMPT, num_inference_steps=20, to=tmp_path / "deep" / "trace.safetensors")
    assert list(tmp_path.iterdir()) == []
    assert hooks_of(tiny.unet) == []
    assert np.array_equal(before, plain(tiny, num_inference_steps=3))


def test_names_that_do_not_fit_are_refused_before_anything_is_computed(tiny, tmp_path):
    file = tmp_path / "file.safetensors"
    file.write_bytes(b"")
    for to, images, message in (
        (tmp_path / "trace", 1, "ends in .safetensors, as in 'trace.safetensors'"),
        (tmp_path / "trace.pt", 1, "as in 'trace.pt.safetensors'"),
        (tmp_path, 1, "that is a folder; name a file in it, such as"),
        (tmp_path / "new.safetensors", 2, "makes 2 images; name a folder, such as 'new'"),
        (file, 2, "makes 2 images; name a folder, such as 'file'"),
        (file / "trace.safetensors", 1, "cannot write there: "),
    ):
        with pytest.raises(sdx.RunError, match=re.escape(message)):
            sdx.run(tiny, PROMPT, num_images_per_prompt=images, on_step=pytest.fail, to=to)
    assert list(tmp_path.iterdir()) == [file]


def test_memory_does_not_grow_with_the_steps(tiny, tmp_path, monkeypatch):
    """What waits to be written is a step's rows, or no more than is allowed to wait."""
    most, allowed = {}, 10_000
    submitted = file_sink.InFiles._write

    def noted(self, rows, reached):
        most[steps] = max(most.get(steps, 0), sum(tensor.nbytes for _, tensor, _ in rows))
        submitted(self, rows, reached)

    monkeypatch.setattr(file_sink.InFiles, "_write", noted)
    record = sdx.Record(self_attention=("",), decode=0)
    for steps in (2, 12):
        sdx.run(tiny, PROMPT, num_inference_steps=steps, record=record, to=tmp_path / "trace.safetensors")
    assert most[2] == most[12]
    told = sdx.cost(tiny, record, prompt=PROMPT, num_inference_steps=12, to="trace.safetensors")
    assert most[12] <= told.host <= 2 * most[12]
    monkeypatch.setattr(file_sink, "IN_FLIGHT", allowed)
    most_before = most.pop(12)
    sdx.run(tiny, PROMPT, num_inference_steps=2, record=record, to=tmp_path / "trace.safetensors")
    longest = 64 * 64 * 2  # a row of 8 × 8 pixels, each of which looks at all
    assert longest < most[12] <= allowed + longest < most_before


def test_a_step_of_a_layer_is_read_without_the_rest(tmp_path):
    draft = tmp_path / "trace.safetensors"
    tiny = stable_diffusion()
    record = sdx.Record(self_attention=("",), dtype="float32", decode=0)
    size = {"height": 192, "width": 192, "num_inference_steps": 4, "guidance_scale": 1.0}
    trace = sdx.run(tiny, PROMPT, record=record, to=draft, **size)
    layer = trace.self_attention["cond"]["up_blocks.1.attentions.0.transformer_blocks.0.attn1"]
    row, header = 4 * 576 * 576, header_of(draft)[1]
    assert draft.stat().st_size > 12 * row
    before = bytes_read()
    found = layer.rows([2])
    assert row <= bytes_read() - before < row + header + (1 << 16)
    np.testing.assert_array_equal(found[0], layer.probs[2])


def bytes_read():
    """Bytes that this process has read from files."""
    with open("/proc/self/io", encoding="utf-8") as file:  # noqa: PTH123  (no file of ours)
        return int(file.readline().split()[1])


# the draft


def test_rows_that_were_not_expected_find_their_place(tmp_path):
    """More rows than expected, fewer, words that would stand askew, and a header longer than its room."""
    rng = np.random.default_rng(0)
    expected = {
        "more": rng.random((9, 3, 5)).astype(np.float32),
        "odd": rng.random((3, 7)).astype(np.float16),
        "fewer": rng.random((2, 11)).astype(np.float32),
        "bytes": rng.integers(0, 255, (5, 3), np.uint8),
        "late": rng.random((4,)),
    }
    for room in (0, 64, 1 << 14):
        path = tmp_path / f"{room}.safetensors"
        path.write_bytes(b"")
        draft = TraceDraft(path, room)
        for row in range(9):
            for name, array in expected.items():
                if row < len(array):
                    draft.append(name, array[row : row + 1], 6)
        for name, array in draft.arrays().items():
            assert np.array_equal(array, expected[name])
        draft.seal({"kind": "run", "provenance": {}})
        found = load_file(path)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert torch.equal(found[name], torch.from_numpy(array))
        digests = json.loads(header_of(path)[0]["__metadata__"]["sdexplore"])["digests"]
        assert digests == {name: digest(array) for name, array in expected.items()}
        with pytest.raises(ValueError, match="closed"):
            draft.append("late", expected["late"], 1)
