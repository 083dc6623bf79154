"""A repository of the hub is inspected before it is fetched, by headers and configurations; bytes are counted."""

import re
import shutil

import pytest
from checkpoint_layouts import LAYOUTS, edit, single_file, tiny_networks
from fake_hub import cached, close_session, serving, use
from header_files import GOOD, written

import sdexplore as sdx
from sdexplore.base.display import size
from sdexplore.base.errors import LoadError
from sdexplore.model.loading import fit_to_machine, load_pipeline
from sdexplore.model.loading.fit_to_machine import Room

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Layout -> its folder."""
    folder, networks = tmp_path_factory.mktemp("saved"), tiny_networks("SD 1.x")
    return {name: LAYOUTS[name]("SD 1.x", networks, folder)[0] for name in LAYOUTS if "single" not in name}


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Inspects "our/model" on a hub that serves a folder; returns what is said and the hub."""

    def asked(folder, name="our/model", *, ranges=True, **how):
        with serving(folder) as hub:
            hub.ranges = ranges
            use(hub.address, monkeypatch)
            try:
                return sdx.inspect(name, cache_dir=tmp_path / "cache", **how), hub
            finally:
                close_session()

    return asked


def tensor_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


@pytest.mark.filterwarnings("ignore:.*has no folder 'safety_checker'")
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "single" not in name])
def test_it_is_what_the_folder_is_and_no_tensor_is_sent(saved, ask, layout, tmp_path):
    local = sdx.inspect(saved[layout])
    said, hub = ask(saved[layout])
    assert (said.family, said.pipeline, said.layout) == (local.family, local.pipeline, local.layout)
    assert dict(said) == dict(local)
    assert said.notes[: len(local.notes)] == local.notes
    fetched = sum(hub.sent.values())
    weights = {file: sent for file, sent in hub.sent.items() if file.endswith(".safetensors")}
    assert len(weights) == sum(len(part.files) for part in said.values())
    for file, sent in weights.items():
        header = int.from_bytes((saved[layout] / file).read_bytes()[:8], "little")
        assert sent == min(max(100_000, 8 + header), (saved[layout] / file).stat().st_size)
    assert fetched < tensor_bytes(saved[layout]) / 8
    assert said.notes[-1].startswith("read on the hub: ")
    assert size(fetched) in said.notes[-1]
    assert not (tmp_path / "cache").exists()  # where load would take a few files for the whole


def test_a_header_longer_than_the_first_request_is_fetched_to_its_end(ask, tmp_path):
    entries = {f"blocks.{n}.weight": {**GOOD, "data_offsets": [24 * n, 24 * n + 24]} for n in range(2000)}
    path = written(tmp_path / "long" / "x.safetensors", entries, 48_000)
    assert path.stat().st_size > 200_000
    said, hub = ask(path.parent)
    assert said["tensors"].tensors == 2000
    assert hub.sent["x.safetensors"] == path.stat().st_size - 48_000


def test_the_cache_is_asked_first_and_the_hub_not_at_all(saved, ask, tmp_path):
    cached(tmp_path / "cache", "our/model", saved["folder"])
    said, hub = ask(saved["folder"])
    assert not hub.asked
    assert dict(said) == dict(sdx.inspect(saved["folder"]))
    assert "read on the hub" not in repr(said)


class TestOtherRepositories:
    def test_of_one_component(self, saved, ask):
        said, hub = ask(saved["folder"] / "vae")
        assert (said.layout, said.family, list(said)) == ("component", "AutoencoderKL", ["model"])
        assert said.parameters == sdx.inspect(saved["folder"])["vae"].parameters
        assert hub.sent["diffusion_pytorch_model.safetensors"] <= 100_000

    def test_of_one_single_file(self, ask, tmp_path):
        path, _ = single_file("SDXL base", tiny_networks("SDXL base"), tmp_path)
        said, _ = ask(tmp_path)
        local = sdx.inspect(path)
        assert (said.layout, said.family, dict(said)) == ("single file", "SDXL base", dict(local))
        assert "load takes the path of one file, once it is on this machine" in said.notes

    def test_of_several_single_files(self, ask, tmp_path):
        for family, name in (("SD 1.x", "one"), ("SDXL turbo", "two")):
            path, _ = single_file(family, tiny_networks(family), tmp_path)
            path.rename(tmp_path / f"{name}.safetensors")
        (tmp_path / "old.ckpt").write_bytes(b"x")
        said, _ = ask(tmp_path)
        assert (said.layout, said.family) == ("single files", "SD 1.x, SDXL turbo")
        assert {name: part.note for name, part in said.items()} == {
            "one.safetensors": "SD 1.x",
            "two.safetensors": "SDXL turbo",
        }

    def test_single_files_beside_a_pipeline_are_named(self, saved, ask, tmp_path):
        folder = shutil.copytree(saved["folder"], tmp_path / "mine")
        written(folder / "v1-5-pruned.safetensors", {"a": GOOD})
        said, hub = ask(folder)
        assert "beside it, single files: v1-5-pruned.safetensors" in said.notes
        assert "v1-5-pruned.safetensors" not in hub.sent

    def test_of_pickles_or_of_no_model_at_all(self, ask, tmp_path):
        (tmp_path / "README.md").write_text("# A model")
        (tmp_path / "sd-v1-4.ckpt").write_bytes(b"x")
        with pytest.raises(LoadError, match=r"'our/model' holds pickled weights only, sd-v1-4\.ckpt, not looked into"):
            ask(tmp_path)
        (tmp_path / "sd-v1-4.ckpt").unlink()
        with pytest.raises(LoadError, match=r"'our/model' is no pipeline: .*; it holds README\.md"):
            ask(tmp_path)


class TestHostile:
    @pytest.mark.parametrize(
        ("entries", "how", "message"),
        [
            ({"a": GOOD}, {"length": 2**63}, f"'our/model/{WEIGHTS}' is no safetensors file, or hostile"),
            ({"a": GOOD, "b": GOOD}, {}, "tensors 'a' and 'b' overlap"),
            ({"../../a": GOOD}, {}, "has a name that climbs out of a folder"),
            ({"a": GOOD}, {"data": 23}, "is cut off"),
            ("", {"data": 0}, "is no safetensors file: it has 8 bytes"),
        ],
    )
    def test_headers_are_refused_in_the_same_words(self, saved, ask, tmp_path, entries, how, message):
        folder = shutil.copytree(saved["folder"], tmp_path / "mine")
        written(folder / WEIGHTS, entries, **how)
        with pytest.raises(LoadError) as caught:
            ask(folder)
        assert message in str(caught.value)

    def test_a_header_too_long_to_be_fetched(self, saved, ask, tmp_path):
        folder = shutil.copytree(saved["folder"], tmp_path / "mine")
        with (folder / WEIGHTS).open("wb") as file:
            file.write((30_000_000).to_bytes(8, "little"))
            file.truncate(40_000_000)
        with pytest.raises(LoadError, match=r"is 30,000,000 bytes long, and 25,000,000 are fetched at most"):
            ask(folder)

    def test_a_list_of_files_may_not_climb_out(self, saved, ask, monkeypatch):
        monkeypatch.setattr("fake_hub.FakeHub.more", ["../../evil.json"])
        with pytest.raises(LoadError, match=r"names a file that climbs out of its folder: '\.\./\.\./evil\.json'"):
            ask(saved["folder"])

    def test_configurations_of_components_that_no_index_names_are_not_fetched(self, saved, ask, tmp_path):
        folder = shutil.copytree(saved["folder"], tmp_path / "mine")
        for number in range(9):
            (folder / f"{number}").mkdir()
            shutil.copy(folder / "unet" / "config.json", folder / f"{number}" / "config.json")
        _, hub = ask(folder)
        assert "unet/config.json" in hub.sent
        assert not any(re.match(r"\d/", file) for file in hub.sent)

    def test_code_is_refused_there_too(self, saved, ask, tmp_path):
        folder = shutil.copytree(saved["folder"], tmp_path / "mine")
        edit(folder / "model_index.json", unet=["my_unet", "Mine"])
        with pytest.raises(LoadError, match="component 'unet' of 'our/model' comes from 'my_unet'"):
            ask(folder)


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "how", "message"),
        [
            ("not/there", {}, "the hub has no 'not/there', or it is private and needs token="),
            ("our/gated", {}, "'our/gated' is gated: accept its terms at https://huggingface.co/our/gated, then give"),
            ("our/terms", {}, "'our/terms' is gated: accept its terms at https://huggingface.co/our/terms, then give"),
            ("our/closed", {}, "the hub refuses 'our/closed' (403): it needs the token= of an account that may read"),
            ("our/model", {"revision": "new"}, "'our/model' has no revision 'new'"),
        ],
    )
    def test_what_the_hub_refuses(self, saved, ask, name, how, message):
        with pytest.raises(LoadError) as caught:
            ask(saved["folder"], name, **how)
        assert str(caught.value).startswith(message)
        assert caught.value.__cause__ is None

    def test_token_and_revision_are_passed_on(self, saved, ask):
        _, hub = ask(saved["folder"], revision="old", token="hf_mine")  # noqa: S106  (nobody's)
        assert any("/revision/old" in path for path, _ in hub.asked)
        assert {token for _, token in hub.asked} == {"Bearer hf_mine"}

    def test_a_hub_that_serves_no_parts(self, saved, ask):
        with pytest.raises(LoadError, match="the hub of 'our/model' serves files whole, and no parts of them"):
            ask(saved["folder"], ranges=False)

    def test_offline_it_says_so_and_what_works(self, tmp_path):
        with pytest.raises(LoadError) as caught:
            sdx.inspect("us/it", cache_dir=tmp_path)
        assert str(caught.value) == (
            f"'us/it' is not wholly on this machine in {str(tmp_path)!r}, and HF_HUB_OFFLINE is set. "
            "With a connection load('us/it') fetches what it needs, once; "
            "a folder copied from another machine loads too. sdx.load() loads the embedded model without any download"
        )

    def test_a_hub_that_does_not_answer(self, tmp_path, monkeypatch):
        use("http://127.0.0.1:1", monkeypatch)  # nobody listens there
        with pytest.raises(LoadError, match=r"and the hub cannot be reached \(.*Connection refused"):
            sdx.inspect("us/it", cache_dir=tmp_path)
        close_session()


def test_what_does_not_fit_is_said_before_it_is_downloaded(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(load_pipeline, "room_of", lambda device: Room(device, 1000, 1000))
    with serving(saved["folder"]) as hub:
        use(hub.address, monkeypatch)
        with pytest.raises(LoadError, match="fit=True finds no way"):
            sdx.load("our/model", fit=True, device="cpu", cache_dir=tmp_path)
        assert sum(hub.sent.values()) < tensor_bytes(saved["folder"]) / 8
        monkeypatch.undo()
        use(hub.address, monkeypatch)
        pipe = sdx.load("our/model", fit=True, device="cpu", cache_dir=tmp_path)
    assert fit_to_machine.fit_of(pipe).names == ("float32",)
    close_session()
