"""The small picture in a trace's file: programs that list files can show it, and reading ignores it."""

import base64
import io
import json

import numpy as np
import pytest
import safetensors.numpy
import synthetic
from PIL import Image
from safetensors import safe_open

from sdexplore.trace import preview
from sdexplore.trace.trace import Trace


def preview_in(path):
    with safe_open(path, framework="numpy") as file:
        return file.metadata().get("preview")


def opened(source):
    assert source.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


@pytest.mark.parametrize("shape", [(64, 96), (300, 900), (1, 1)])
def test_the_file_s_header_holds_the_picture_small(tmp_path, shape):
    pixels = np.full((*shape, 3), (200, 30, 30), np.uint8)
    path = synthetic.trace(image=pixels, decoded={}, decoded_x0={}).save(tmp_path / "a.safetensors")
    source = preview_in(path)
    image = opened(source)
    assert max(image.size) <= 192
    assert image.width / image.height == pytest.approx(shape[1] / shape[0], rel=0.05)
    assert np.abs(np.asarray(image.convert("RGB")).mean((0, 1)) - (200, 30, 30)).max() < 4
    assert len(source) < 30_000
    assert source in Trace.load(path)._repr_html_()


def test_without_a_picture_it_is_the_last_prediction_in_squares(tmp_path):
    path = synthetic.trace(image=None).save(tmp_path / "a.safetensors")
    assert opened(preview_in(path)).size == (192, 128)  # of a latent grid 12 wide, 8 high
    assert "the last predicted x0" in Trace.load(path)._repr_html_()


def test_without_either_there_is_none(tmp_path):
    trace = synthetic.trace(image=None, pred_original_sample=None)
    assert preview_in(trace.save(tmp_path / "a.safetensors")) is None
    assert "<img" not in trace._repr_html_()


def test_a_file_without_it_or_with_another_is_read_as_ever(tmp_path):
    trace = synthetic.trace()
    path = trace.save(tmp_path / "a.safetensors")
    arrays = safetensors.numpy.load_file(path)
    with safe_open(path, framework="numpy") as file:
        facts = file.metadata()["sdexplore"]
    for number, metadata in enumerate(({}, {"preview": '"><script>alert(1)</script>'})):
        other = tmp_path / f"{number}.safetensors"
        safetensors.numpy.save_file(arrays, other, {"sdexplore": facts, **metadata})
        again = Trace.load(other).verify()
        assert repr(again) == repr(trace)
        assert "<script" not in again._repr_html_()  # the repr makes its own from the picture
    assert json.loads(facts)["schema"] == 1


def test_a_thumbnail_of_a_huge_picture_is_made_from_some_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "_LARGE", 1 << 12)
    for trace in (synthetic.trace(), Trace.load(synthetic.trace().save(tmp_path / "a.safetensors"))):
        small = preview.preview_in(trace)
        assert small.startswith("data:image/webp;base64,")
        assert small != preview.preview_of(trace.image)
    assert Trace.load(tmp_path / "a.safetensors").fingerprint == synthetic.trace().fingerprint
