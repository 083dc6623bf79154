"""What a source may be, and why one cannot be loaded, which is found before weights are read."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tiny_pipelines import VOCABULARY, stable_diffusion
from unchecked import unchecked

from sdexplore import load
from sdexplore.base.errors import LoadError
from sdexplore.model.loading.sources import find


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    stable_diffusion().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to break."""
    return shutil.copytree(saved, tmp_path / "mine")


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refusal(source, **how):
    with pytest.raises(LoadError) as caught:
        load(source, **{"device": "cpu", **how})
    return str(caught.value)


class TestFind:
    def test_mini_is_the_package_s_own_folder(self):
        assert (find("mini", allow_pickle=False).folder / "model_index.json").is_file()

    def test_mini_is_the_embedded_model_even_beside_a_folder_of_that_name(self, tmp_path, monkeypatch):
        (tmp_path / "mini").mkdir()
        monkeypatch.chdir(tmp_path)
        assert find("mini", allow_pickle=False).folder != tmp_path / "mini"
        assert find("./mini", allow_pickle=False).folder == tmp_path / "mini"

    def test_a_folder_comes_before_a_hub_id_of_its_name(self, tmp_path, monkeypatch):
        (tmp_path / "owner" / "name").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        assert find("owner/name", allow_pickle=False).folder == tmp_path / "owner" / "name"
        assert find("owner/other", allow_pickle=False).folder is None

    def test_repositories_that_have_moved(self):
        found = find("runwayml/stable-diffusion-inpainting", allow_pickle=False)
        assert found.place == found.name == "stable-diffusion-v1-5/stable-diffusion-inpainting"
        assert found.moved_from == "runwayml/stable-diffusion-inpainting"

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("minni", "there is no folder 'minni', and a hub id looks like 'owner/name'; did you mean 'mini'?"),
            (
                "no folder",
                "there is no folder 'no folder', and a hub id looks like 'owner/name'; sdx.load() loads the e",
            ),
            ("", "there is no folder ''"),
            ("./a/b", "there is no folder './a/b'"),
            ("a\0b", r"there is no folder 'a\x00b'"),
            ("</script> 🌸", "there is no folder '</script> 🌸'"),
            ("~nobody-of-that-name/x", "'~nobody-of-that-name/x' cannot be looked up: Could not determine home"),
            ("x" * 999, "'" + "x" * 80 + "' cannot be looked up: File name too long"),
            (
                "https://huggingface.co/us/it/tree/main",
                "is an address, and a hub id looks like 'owner/name'; did you mean ",
            ),
            (
                "https://elsewhere.org/models/1",
                "'https://elsewhere.org/models/1' is an address, and a hub id looks like",
            ),
            ("gone.safetensors", "there is no file 'gone.safetensors'"),
            ("gone/model.ckpt", "there is no file 'gone/model.ckpt'"),
        ],
    )
    def test_what_is_no_source(self, source, message):
        with pytest.raises(LoadError) as caught:
            find(source, allow_pickle=False)
        assert message in str(caught.value)

    def test_an_address_names_the_hub_id_in_it(self):
        with pytest.raises(LoadError, match=r"did you mean 'us/it\.v1'"):
            find("https://huggingface.co/us/it.v1/resolve/main/it.safetensors", allow_pickle=False)

    @pytest.mark.parametrize("source", [None, 42, b"mini", ["mini"]])
    def test_other_types(self, source):
        with pytest.raises(LoadError, match="a source is 'mini', a hub id, a folder or a file, not "):
            unchecked("model.loading.sources").find(source, allow_pickle=False)

    def test_files_that_hold_no_weights(self, tmp_path):
        for name, message in (("photo.png", "is no file of weights"), ("config.json", "is a configuration, without")):
            path = tmp_path / name
            path.write_bytes(b"")
            assert message in refusal(path)
        path = tmp_path / "v1-5.ckpt"
        path.write_bytes(b"")
        said = refusal(path)
        assert f"{str(path)!r} is a pickle file, which can run any code when it is opened" in said
        assert "load(file, allow_pickle=True).save_pretrained(folder)" in said
        assert "holds more than weights, or is damaged" in refusal(path, allow_pickle=True)


class TestFolders:
    @pytest.mark.parametrize(
        ("inside", "message"),
        [
            ("unet", "; it is the 'unet' of a pipeline: load the folder above it"),
            ("tokenizer", "; it is the 'tokenizer' of a pipeline: load the folder above it"),
            ("../empty", "; it is empty"),
            ("../files", "; it holds 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 3 more"),
            ("../alone", "; it holds a single UNet2DConditionModel"),
            ("../text", "; it holds a single CLIPTextModel"),
            ("../models--some--one--else", "; it is the cache of 'some/one--else': load that id"),
        ],
    )
    def test_no_pipeline_but_what_then(self, folder, inside, message):
        (folder.parent / "empty").mkdir()
        (folder.parent / "files").mkdir()
        for number in range(8):
            (folder.parent / "files" / f"{number}.txt").touch()
        shutil.copytree(folder / "unet", folder.parent / "alone")
        shutil.copytree(folder / "text_encoder", folder.parent / "text")
        (folder.parent / "models--some--one--else" / "snapshots").mkdir(parents=True)
        source = str(folder / inside)
        assert refusal(source) == f"folder {source!r} is no pipeline: no model_index.json{message}"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{oops", "is damaged: Expecting property name"),
            ("[1, 2]", "holds a list, not an object"),
            ("{}", "names no class of pipeline"),
            ("\udcff", "is damaged: 'utf-8' codec can't decode byte 0xff"),
        ],
    )
    def test_an_index_that_says_nothing(self, folder, content, message):
        (folder / "model_index.json").write_bytes(content.encode(errors="surrogateescape"))
        assert f"model_index.json of {str(folder)!r} {message}" in refusal(folder)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"_class_name": "StableDifusionPipeline"}, "which diffusers .* does not have; did you mean 'StableDiff"),
            ({"_class_name": "</script>"}, "is a '</script>', which diffusers .* does not have; there is "),
            (
                {"_class_name": ["pipeline", "Mine"]},
                r"brings its own code \(\['pipeline', 'Mine'\]\); remote code is n",
            ),
            (
                {"unet": ["my_unet", "Mine"]},
                "component 'unet' of .* comes from 'my_unet', neither .*; remote code is n",
            ),
            ({"unet": ["os", "system"]}, "component 'unet' of .* comes from 'os', neither diffusers nor transformers"),
            ({"unet": ["../evil", "Mine"]}, r"component 'unet' of .* comes from '\.\./evil'"),
            ({"unet": ["diffusers", "UNetOfTomorrow"]}, "has no (class `|attribute )UNetOfTomorrow"),
        ],
    )
    def test_foreign_classes(self, folder, values, message):
        edit(folder / "model_index.json", **values)
        with pytest.raises(LoadError, match=message):
            load(folder)

    def test_code_beside_the_weights_is_not_run(self, folder):
        edit(folder / "model_index.json", unet=["diffusers", "UNet2DConditionModel"])
        (folder / "unet" / "diffusers.py").write_text("raise SystemExit")
        assert "component 'unet'" in refusal(folder)
        assert "remote code is never run" in refusal(folder)


class TestDamage:
    @pytest.mark.parametrize("part", ["unet", "tokenizer", "scheduler"])
    def test_a_missing_part_is_named(self, folder, part):
        shutil.rmtree(folder / part)
        assert refusal(folder) == f"{part!r} in {str(folder)!r} is missing, or empty; copy the whole folder"
        (folder / part).mkdir()
        assert "is missing, or empty" in refusal(folder)

    def test_a_tokenizer_without_vocabulary_is_none(self, folder):
        for file in VOCABULARY:
            (folder / "tokenizer" / file).unlink(missing_ok=True)  # transformers makes one that knows two tokens
        assert f"'tokenizer' in {str(folder)!r} has no vocabulary" in refusal(folder)

    def test_missing_weights(self, folder):
        (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        assert refusal(folder) == f"'unet' in {str(folder)!r} has no weights; it holds config.json"

    @pytest.mark.parametrize("left", [0, 7, 100_000])
    @pytest.mark.parametrize("file", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"])
    def test_a_truncated_file_is_named(self, folder, file, left):
        (folder / file).write_bytes((folder / file).read_bytes()[:left])
        said = refusal(folder)
        assert said.startswith(f"{str(folder)!r} is damaged: {file} (")
        assert said.endswith("; copy it again")

    @pytest.mark.parametrize(
        "file",
        ["unet/config.json", "text_encoder/config.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json"],
    )
    def test_a_damaged_config_is_named(self, folder, file):
        (folder / file).write_text('{"a":')
        assert refusal(folder).startswith(f"{str(folder)!r} is damaged: {file} (Expecting value: line 1")

    def test_weights_that_lack_some(self, folder):
        file = folder / "unet" / "diffusion_pytorch_model.safetensors"
        kept = {key: tensor for key, tensor in load_file(file).items() if not key.startswith("mid_block")}
        save_file(kept, file, {"format": "pt"})
        assert f"'unet' in {str(folder)!r} has no weights for 'mid_block." in refusal(folder)

    def test_weights_of_another_size_keep_the_cause(self, folder):
        edit(folder / "unet" / "config.json", block_out_channels=[64, 64])
        with pytest.raises(LoadError, match=r"mine' could not be loaded: ValueError: .*expected shape") as caught:
            load(folder)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_what_is_known_is_told_once(self, folder):
        Path(folder / "unet" / "config.json").write_text("")
        with pytest.raises(LoadError, match="is damaged") as caught:
            load(folder)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
