"""Headers are read, and hostile ones are refused in words before anything of them is used."""

import pytest
import torch
from checkpoint_layouts import LAYOUTS, edit, tiny_networks
from header_files import GOOD, written
from safetensors import safe_open
from safetensors.torch import save_file

import sdexplore as sdx
from sdexplore.base.errors import LoadError
from sdexplore.model.loading.safetensors_headers import LONGEST, climbs_out, read_header


def test_it_reads_what_safetensors_wrote(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {
        f"{kind}".removeprefix("torch."): torch.zeros(2, 3, dtype=kind) for kind in (torch.float16, torch.bfloat16)
    }
    tensors |= {"float32": torch.zeros(()), "int64": torch.zeros(0, 5, dtype=torch.int64), "bool": torch.zeros(1) > 0}
    tensors |= {"float8_e4m3fn": torch.zeros(4).to(torch.float8_e4m3fn), "uint8": torch.zeros(3, dtype=torch.uint8)}
    save_file(tensors, path, {"format": "pt", "who": "日本語"})
    header = read_header(path)
    assert dict(header.metadata) == {"format": "pt", "who": "日本語"}
    with safe_open(path, framework="pt") as file:
        assert set(header.tensors) == set(file.keys())
        for name, tensor in header.tensors.items():
            assert tensor.shape == tuple(file.get_slice(name).get_shape())
            assert tensor.bytes == file.get_tensor(name).nbytes
            assert tensor.dtype.startswith(name[:6])


@pytest.mark.parametrize(
    ("entries", "how", "message"),
    [
        ({"a": GOOD}, {"length": LONGEST + 1}, "hostile: its header would be 100,000,001 bytes long, and 100,000,000"),
        ({"a": GOOD}, {"length": 2**63}, "or hostile: its header would be 9,223,372,036,854,775,808 bytes long"),
        ({"a": GOOD}, {"length": 5000}, "is cut off, or no safetensors file: its header would be 5,000 bytes long"),
        ({"a": GOOD}, {"data": 23}, "is cut off: its tensors take 24 bytes, and 23 are there"),
        ({"a": GOOD}, {"data": 30}, "is damaged: 6 bytes at its end belong to no tensor"),
        ('{"a": 1', {}, "the header of 'x.safetensors' is damaged: Expecting"),
        ("[1, 2]", {}, "is damaged: it is a list, not an object"),
        ("[" * 100_000, {}, "is damaged: maximum recursion depth"),
        ('{"a\udcff": 1}', {}, "is damaged: 'utf-8' codec can't decode"),
        ('{"a": {"dtype": "F32"}, "a": {"dtype": "F32"}}', {}, "names 'a' twice"),
        ('{"a": {"dtype": "F32", "dtype": "F16", "shape": [], "data_offsets": [0, 4]}}', {}, "names 'dtype' twice"),
        ({"a": GOOD, "b": GOOD}, {}, "tensors 'a' and 'b' overlap"),
        ({"a": GOOD, "b": {**GOOD, "data_offsets": [12, 36]}}, {"data": 36}, "tensors 'a' and 'b' overlap"),
        ({"a": GOOD, "b": {**GOOD, "data_offsets": [30, 54]}}, {"data": 54}, "6 bytes before 'b' belong to no tensor"),
        ({"../../etc/passwd": GOOD}, {}, "'../../etc/passwd' of 'x.safetensors' has a name that climbs out"),
        ({"/root/a": GOOD}, {}, "has a name that climbs out of a folder"),
        ({"a": {**GOOD, "dtype": "F33"}}, {}, "has an unknown number format 'F33'"),
        ({"a": {**GOOD, "dtype": ["F32"]}}, {}, "has an unknown number format"),
        ({"a": {**GOOD, "shape": [-2, -3]}}, {}, "has no shape"),
        ({"a": {**GOOD, "shape": [True, 6]}}, {}, "has no shape"),
        ({"a": {**GOOD, "shape": [1] * 9}}, {}, "has no shape"),
        ({"a": {**GOOD, "shape": "23"}}, {}, "has no shape"),
        ({"a": {**GOOD, "shape": [2**40, 2**40]}}, {}, "takes 4,835,703,278,458,516,698,824,704 bytes, not 24"),
        ({"a": {**GOOD, "data_offsets": [24, 0]}}, {}, "has no place: [24, 0]"),
        ({"a": {**GOOD, "data_offsets": [0]}}, {}, "has no place"),
        ({"a": {**GOOD, "more": 1}}, {}, "needs dtype, shape and data_offsets, and nothing else"),
        ({"a": None}, {}, "needs dtype, shape and data_offsets"),
        ({"__metadata__": {"a": {"b": 1}}, "a": GOOD}, {}, "its metadata is not text by text"),
    ],
)
def test_hostile_and_damaged_files_are_refused_in_words(entries, how, message, tmp_path):
    path = written(tmp_path / "x.safetensors", entries, **how)
    with pytest.raises(LoadError) as caught:
        read_header(path)
    assert message in str(caught.value)
    for look in (sdx.inspect, sdx.load):  # the same words, whoever asks
        with pytest.raises(LoadError, match=r"x\.safetensors"):
            look(path)


def test_empty_and_foreign_files(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"")
    with pytest.raises(LoadError, match="is no safetensors file: it has 0 bytes"):
        read_header(path)
    path.write_bytes(b"PK\x03\x04 a zip, as every .ckpt is one")
    with pytest.raises(LoadError, match="is no safetensors file, or hostile: its header would be"):
        read_header(path)


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("unet.conv", False),
        ("a/b", False),
        ("..", True),
        ("a/../b", True),
        ("a\\..\\b", True),
        ("C:x", True),
        ("/a", True),
    ],
)
def test_names_that_climb_out(name, out):
    assert climbs_out(name) == out


def test_an_index_of_shards_may_not_climb_out(tmp_path):
    folder, _ = LAYOUTS["sharded"]("SD 1.x", tiny_networks("SD 1.x"), tmp_path)
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    for name, message in (
        ("../../secret.safetensors", "climbs out of its folder"),
        ("gone.safetensors", "is not there"),
    ):
        edit(index, weight_map={"conv_in.weight": name})
        for look in (sdx.inspect, sdx.load):
            with pytest.raises(LoadError, match=message):
                look(folder)


def test_an_index_of_parts_may_not_climb_out(tmp_path):
    folder, _ = LAYOUTS["folder"]("SD 1.x", tiny_networks("SD 1.x"), tmp_path)
    edit(folder / "model_index.json", **{"../new": ["diffusers", "UNet2DConditionModel"]})
    for look in (sdx.inspect, sdx.load):
        with pytest.raises(LoadError, match=r"names a part that climbs out of its folder: '\.\./new'"):
            look(folder)
