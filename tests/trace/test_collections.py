"""Traces that belong together: the images of one call, and the cells of a comparison, saved as folders."""

import html
import json

import pytest
import synthetic

from sdexplore.base.errors import RunError, TraceError
from sdexplore.trace.collections import CellFolder, Comparison, Traces, opened
from sdexplore.trace.folder import new_files
from sdexplore.trace.trace import Trace


def images(many=3):
    return Traces([synthetic.trace(seed=seed) for seed in range(many)])


def comparison():
    over = {"guidance_scale": (1, 7.5), "eta": (0.0, 0.5, 1.0)}
    return Comparison(over=over, traces=tuple(synthetic.trace(seed=seed) for seed in range(6)))


def fingerprints(traces):
    return [trace.fingerprint for trace in traces]


def test_traces_are_a_sequence():
    traces = images()
    assert len(traces) == 3
    assert traces[-1] is traces[2]
    assert isinstance(traces[1:], Traces)
    assert fingerprints(traces[1:]) == fingerprints(traces)[1:]
    assert fingerprints(reversed(traces)) == fingerprints(traces)[::-1]
    assert traces[0] in traces
    with pytest.raises(IndexError):
        traces[3]


def test_traces_show_a_row_each():
    text = repr(images())
    assert text.startswith("Traces: 3 images of one call\n")
    assert len(text.split("\n")) == 1 + 2 + 3
    assert all(fingerprint in text for fingerprint in fingerprints(images()))
    assert repr(images(1)).startswith("Traces: 1 image of one call")
    assert repr(Traces([])).startswith("Traces: 0 images of one call")


def test_a_folder_where_a_trace_is_asked_for_says_what_opens_it(tmp_path):
    several, compared, others = tmp_path / "several.safetensors", tmp_path / "compared", tmp_path / "others"
    images(2).save(several)
    comparison().save(compared)
    others.mkdir()
    for folder, what in {
        several: f"the traces of one call: sdx.Traces.load({str(several)!r}) opens it",
        compared: f"a comparison: sdx.Comparison.load({str(compared)!r}) opens it",
        others: "and no trace: a trace is a file (….safetensors)",
    }.items():
        with pytest.raises(TraceError) as raised:
            Trace.load(folder)
        assert str(raised.value) == f"{str(folder)!r} is a folder, {what}"
    (several / "index.json").unlink()
    with pytest.raises(TraceError, match=r"one of those in it, as in sdx.Trace.load\('.*000.safetensors'\)"):
        Trace.load(several)


def test_what_is_saved_is_opened_as_what_it_is(tmp_path):
    trace = synthetic.trace()
    for saved in (images(2), comparison()):
        again = opened(saved.save(tmp_path / type(saved).__name__))
        assert type(again) is type(saved)
        assert fingerprints(again) == fingerprints(saved)
    assert opened(trace.save(tmp_path / "one.safetensors")).fingerprint == trace.fingerprint


def test_traces_show_their_pictures_small_and_not_too_many():
    assert images()._repr_html_().count('<img src="data:image/webp;base64,') == 3
    assert "the picture of 'a cat and a rocketship', small" in html.unescape(images()._repr_html_())
    assert images(40)._repr_html_().count("<img") == 12
    assert len(images(40)._repr_html_()) < 200_000
    stopped = Traces([synthetic.trace(image=None, latent_rgb=None)] * 2)
    assert "<img" not in stopped._repr_html_()


def test_a_comparison_is_a_grid_whose_last_axis_is_fastest():
    found = comparison()
    assert len(found) == 6
    assert fingerprints(found) == fingerprints(found.traces)
    assert list(found.settings()) == [
        {"guidance_scale": 1, "eta": 0.0},
        {"guidance_scale": 1, "eta": 0.5},
        {"guidance_scale": 1, "eta": 1.0},
        {"guidance_scale": 7.5, "eta": 0.0},
        {"guidance_scale": 7.5, "eta": 0.5},
        {"guidance_scale": 7.5, "eta": 1.0},
    ]
    assert found.at(guidance_scale=7.5, eta=0.5) is found.traces[4]
    assert found.at(eta=0.0, guidance_scale=1.0) is found.traces[0]


@pytest.mark.parametrize(("settings", "hits"), [({"eta": 0.5}, 2), ({"eta": 0.3}, 0), ({"steps": 3}, 0), ({}, 6)])
def test_a_cell_must_be_named_and_be_there(settings, hits):
    with pytest.raises(TraceError) as raised:
        comparison().at(**settings)
    assert str(raised.value) == (
        f"{hits} cells have {settings!r}; the comparison is over {{'guidance_scale': (1, 7.5), 'eta': (0.0, 0.5, 1.0)}}"
    )


@pytest.mark.parametrize(
    ("over", "traces", "message"),
    [
        ({"eta": (0.0, 1.0)}, 3, "a comparison over {'eta': (0.0, 1.0)} has 2 cells, not 3 traces"),
        ({}, 1, "a comparison over {} has no cells: name an argument and its values"),
        ({"eta": ()}, 0, "a comparison over {'eta': ()} has no cells: name an argument and its values"),
    ],
)
def test_cells_and_traces_must_be_as_many(over, traces, message):
    with pytest.raises(TraceError) as raised:
        Comparison(over=over, traces=(synthetic.trace(),) * traces)
    assert str(raised.value) == message


def test_a_comparison_shows_a_row_for_each_cell():
    text = repr(comparison())
    lines = text.split("\n")
    assert lines[0] == "Comparison over guidance_scale, eta: 6 runs of 'a cat and a rocketship'"
    assert lines[1].split() == ["guidance_scale", "eta", "trace", "steps"]
    assert lines[-1].split() == ["7.5", "1.0", comparison().traces[5].fingerprint, "6"]
    hostile = Comparison(over={"prompt": ("<script>" * 100,)}, traces=(synthetic.trace(prompt="<script>"),))
    assert "<script>" not in hostile._repr_html_()


def test_traces_come_back_from_a_folder(tmp_path):
    assert images().save(str(tmp_path / "new" / "folder")) == tmp_path / "new" / "folder"
    again = Traces.load(str(tmp_path / "new" / "folder"))
    assert fingerprints(again) == fingerprints(images())
    for trace in again:
        trace.verify()
    assert sorted(file.name for file in (tmp_path / "new" / "folder").iterdir()) == [
        *(f"00{number}.safetensors" for number in range(3)),
        "index.json",
    ]


def test_a_comparison_comes_back_from_a_folder(tmp_path):
    comparison().save(tmp_path)
    again = Comparison.load(tmp_path)
    assert again.over == comparison().over
    assert fingerprints(again) == fingerprints(comparison())
    assert again.at(guidance_scale=7.5, eta=1.0).verify().fingerprint == comparison().traces[5].fingerprint


def test_a_folder_may_be_saved_over_with_fewer(tmp_path):
    images(3).save(tmp_path)
    images(2).save(tmp_path)
    assert len(Traces.load(tmp_path)) == 2


def test_a_value_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    one = Comparison(over={"scheduler": (object(),)}, traces=(synthetic.trace(),))
    with pytest.raises(TraceError, match=r"cannot save a comparison over \['scheduler'\]: Object of type object"):
        one.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", [Traces, Comparison])
def test_a_folder_without_an_index_says_so(tmp_path, kind):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(TraceError, match=rf"no {kind.__name__.lower()} in '.*': there is no index\.json"):
            kind.load(folder)


@pytest.mark.parametrize(
    "name",
    [
        *("../x.safetensors", "/etc/passwd", "..", "a/000.safetensors", "000.safetensors/../../x", "000.SAFETENSORS"),
        *("", 3, None, ["000.safetensors"], "000.safetensors\n", "\u0660\u0660\u0660.safetensors", "x.safetensors"),
    ],
)
@pytest.mark.parametrize("kind", [Traces, Comparison])
def test_an_index_cannot_name_a_file_elsewhere(tmp_path, kind, name):
    folder = tmp_path / "folder"
    (images(1) if kind is Traces else Comparison(over={"eta": (1,)}, traces=(synthetic.trace(),))).save(folder)
    synthetic.trace().save(tmp_path / "x.safetensors")
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | {"files": [name]}))
    with pytest.raises(TraceError) as raised:
        kind.load(folder)
    assert str(raised.value) == f"index.json of 'folder' names {name!r}, which no {kind.__name__.lower()} does"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "traces"}, "'folder' holds no comparison: its index.json is of another kind"),
        ({"files": "000.safetensors"}, "'folder' holds no comparison: its index.json is of another kind"),
        ({"schema": 2}, "'folder' has layout 2; this sdexplore reads 1: update it, or save anew"),
        ({"over": ["eta"]}, "index.json of 'folder' is damaged: "),
        ({"over": {"eta": 1}}, "index.json of 'folder' is damaged: "),
        ({"over": {"eta": "ab"}}, "index.json of 'folder' is damaged: "),
        ({"over": {"eta": [1, 2]}}, "a comparison over {'eta': (1, 2)} has 2 cells, not 1 traces"),
        ({"files": ["001.safetensors"]}, "no trace at '"),
    ],
)
def test_a_damaged_index_of_a_comparison_is_a_trace_error(tmp_path, changes, message):
    folder = tmp_path / "folder"
    Comparison(over={"eta": (1,)}, traces=(synthetic.trace(),)).save(folder)
    index = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(index | changes))
    with pytest.raises(TraceError) as raised:
        Comparison.load(folder)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"3", b"null"])
def test_an_index_that_is_no_json_object_is_a_trace_error(tmp_path, content):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(TraceError, match=r"index\.json"):
        Traces.load(tmp_path)


def test_an_index_that_is_a_folder_is_a_trace_error(tmp_path):
    (tmp_path / "index.json").mkdir()
    with pytest.raises(TraceError, match=r"index\.json of '.*' cannot be read"):
        Traces.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(TraceError, match=r"cannot be read"):
        Traces.load(tmp_path / "file")


def test_several_traces_say_that_one_is_to_be_taken():
    several = images(2)
    with pytest.raises(AttributeError, match=r"2 traces together have no 'attention'; take one of them: traces\[0\]"):
        _ = several.attention
    with pytest.raises(AttributeError, match="'Traces' object has no attribute 'attent'"):
        _ = several.attent


def test_a_comparison_of_several_prompts_names_none_of_them():
    traces = tuple(synthetic.trace(prompt=prompt) for prompt in ("a cat in space", "a rocketship"))
    shown = repr(Comparison({"prompt": ("a cat in space", "a rocketship")}, traces))
    assert shown.startswith("Comparison over prompt: 2 runs\n")
    alone = repr(Comparison({"seed": (0,)}, (synthetic.trace(),)))
    assert alone.startswith("Comparison over seed: 1 run of 'a cat and a rocketship'\n")


class Crash(BaseException):
    """Ends a save in the middle, as a killed process does."""


def crashing(monkeypatch, after):
    saved, own = [], Trace.save

    def save(self, path, **options):
        if len(saved) == after:
            raise Crash
        saved.append(path)
        return own(self, path, **options)

    monkeypatch.setattr(Trace, "save", save)


def verified(several):
    return [trace.verify().fingerprint for trace in several]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_save_over_an_older_folder_that_crashes_leaves_all_of_the_old(tmp_path, monkeypatch, after):
    images(3).save(tmp_path)
    old = verified(Traces.load(tmp_path))
    with monkeypatch.context() as patch:
        crashing(patch, after)
        with pytest.raises(Crash):
            comparison().save(tmp_path)
    assert verified(Traces.load(tmp_path)) == old
    new = comparison()
    new.save(tmp_path)
    assert verified(Comparison.load(tmp_path)) == [trace.fingerprint for trace in new]
    assert len(list(tmp_path.glob("*.safetensors"))) == len(new)


def test_a_save_whose_process_is_killed_leaves_all_of_the_old(tmp_path):
    images(3).save(tmp_path)
    old = verified(Traces.load(tmp_path))
    for name in new_files(tmp_path, 2):  # as far as the process came
        synthetic.trace(seed=9).save(tmp_path / name)
    assert verified(Traces.load(tmp_path)) == old
    images(2).save(tmp_path)
    assert len(Traces.load(tmp_path)) == 2
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_traces_are_saved_over_the_folder_that_they_are_read_from(tmp_path):
    images(3).save(tmp_path)
    old = verified(Traces.load(tmp_path))
    Traces.load(tmp_path)[1:].save(tmp_path)
    assert verified(Traces.load(tmp_path)) == old[1:]


def test_a_comparison_saved_over_another_does_not_pass_for_it(tmp_path):
    begun = CellFolder.opened(tmp_path, {"eta": [1]}, {"prompt": "a cat"})
    begun.keep(0, synthetic.trace())
    begun.close(1)
    comparison().save(tmp_path)
    with pytest.raises(RunError, match="there is something else already"):
        CellFolder.opened(tmp_path, {"eta": [1]}, {"prompt": "a cat"})


def test_an_index_is_not_believed_before_it_is_counted(tmp_path):
    """10^12 cells, or one file a thousand times, are refused at once."""
    one = Comparison(over={"eta": (1,)}, traces=(synthetic.trace(),))
    for change, message in (
        ({"over": {name: list(range(1000)) for name in "abcd"}}, "has 1000000000000 cells, not 1 traces"),
        ({"files": ["000.safetensors"] * 1000, "over": {"eta": list(range(1000))}}, "names a file twice"),
        ({"schema": True}, "has layout True"),
        ({"schema": "x" * 1_000_000}, "has layout 'xxx"),
    ):
        folder = one.save(tmp_path / "folder")
        index = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(index | change))
        with pytest.raises(TraceError, match=message) as raised:
            Comparison.load(folder)
        assert len(str(raised.value)) < 500 or "cells" in message


def test_a_comparison_over_nan_comes_back(tmp_path):
    one = Comparison(over={"eta": (float("nan"), 1.0)}, traces=(synthetic.trace(), synthetic.trace(seed=1)))
    folder = one.save(tmp_path / "folder")
    json.loads((folder / "index.json").read_text(), parse_constant=pytest.fail)
    assert repr(dict(Comparison.load(folder).over)) == repr(dict(one.over))
