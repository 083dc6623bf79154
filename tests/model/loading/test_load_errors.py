"""Errors for each answer of the hub, which a server on this machine plays."""

import pytest
from fake_hub import cached, close_session, serving, use
from tiny_pipelines import VOCABULARY, stable_diffusion

from sdexplore import load
from sdexplore.base.errors import LoadError
from sdexplore.model.components.source_name import model_source


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    stable_diffusion().save_pretrained(folder)
    return folder


@pytest.fixture
def hub(saved, monkeypatch):
    with serving(saved) as running:
        use(running.address, monkeypatch)
        yield running
    close_session()


def refusal(source, **how):
    with pytest.raises(LoadError) as caught:
        load(source, **{"device": "cpu", **how})
    one = caught.value  # and not the client's whole stack behind it
    assert one.__cause__ is None
    assert one.__suppress_context__ or one.__context__ is None
    return str(caught.value)


def test_a_hub_id_is_downloaded_once_with_progress(hub, tmp_path, capfd):
    pipe = load("our/model", cache_dir=tmp_path, device="cpu")
    assert model_source(pipe) == "our/model"
    assert any(path.endswith("unet/diffusion_pytorch_model.safetensors") for path, _ in hub.asked)
    assert "Fetching" in capfd.readouterr().err
    hub.asked.clear()
    load("our/model", cache_dir=tmp_path, device="cpu")
    assert not any("safetensors" in path for path, _ in hub.asked)


def test_revision_and_token_are_passed_on(hub, tmp_path):
    load("our/model", revision="old", token="hf_mine", cache_dir=tmp_path, device="cpu")  # noqa: S106  (nobody's)
    assert any("/revision/old" in path for path, _ in hub.asked)
    assert {token for path, token in hub.asked if "our/model" in path} == {"Bearer hf_mine"}


@pytest.mark.parametrize(
    ("source", "how", "message"),
    [
        ("not/there", {}, "the hub has no 'not/there', or it is private and needs token="),
        (
            "our/gated",
            {},
            "'our/gated' is gated: accept its terms at https://huggingface.co/our/gated, then give token=",
        ),
        ("our/model", {"revision": "new"}, "'our/model' has no revision 'new'"),
    ],
)
def test_what_the_hub_refuses(hub, tmp_path, capfd, source, how, message):
    assert refusal(source, cache_dir=tmp_path, **how) == message
    assert hub.asked
    assert capfd.readouterr().err == ""


def test_a_variant_that_is_not_there(hub, tmp_path):
    with pytest.raises(LoadError, match=r"'our/model' could not be loaded: .*`variant=fp16`"):
        load("our/model", variant="fp16", cache_dir=tmp_path, device="cpu")
    assert hub.asked


@pytest.mark.parametrize("how", [{}, {"local_files_only": True}, {"force_download": True}])
def test_offline_and_not_cached_says_how_to_get_it_and_what_works_now(tmp_path, capfd, how):
    said = refusal("us/it", cache_dir=tmp_path, **how)
    why = "local_files_only=True forbids a download" if "local_files_only" in how else "HF_HUB_OFFLINE is set"
    assert said == (
        f"'us/it' is not wholly on this machine in {str(tmp_path)!r}, and {why}. "
        "With a connection load('us/it') fetches what it needs, once; a folder copied from another machine loads too. "
        "sdx.load() loads the embedded model without any download"
    )
    assert capfd.readouterr().err == ""


def test_a_hub_that_does_not_answer(monkeypatch, tmp_path):
    use("http://127.0.0.1:1", monkeypatch)  # nobody listens there
    said = refusal("us/it", cache_dir=tmp_path)
    assert "and the hub cannot be reached (" in said
    assert "Connection refused" in said
    assert "sdx.load() loads the embedded model" in said
    close_session()


def test_without_an_answer_the_cache_serves(saved, tmp_path, monkeypatch, capfd):
    cached(tmp_path, "us/it", saved)
    use("http://127.0.0.1:1", monkeypatch)
    assert load("us/it", cache_dir=tmp_path, device="cpu").unet
    assert "Couldn't connect" not in capfd.readouterr().err
    close_session()


class TestCache:
    def test_half_of_a_download_names_what_is_missing(self, saved, tmp_path):
        snapshot = cached(tmp_path, "us/it", saved)
        (snapshot / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        assert refusal("us/it", cache_dir=tmp_path) == "'unet' in 'us/it' has no weights; it holds config.json"

    def test_half_of_a_download_without_words(self, saved, tmp_path):
        snapshot = cached(tmp_path, "us/it", saved)
        for file in VOCABULARY:
            (snapshot / "tokenizer" / file).unlink(missing_ok=True)
        assert "'tokenizer' in 'us/it' has no vocabulary" in refusal("us/it", cache_dir=tmp_path)

    def test_a_truncated_download_is_named(self, saved, tmp_path):
        snapshot = cached(tmp_path, "us/it", saved)
        file = snapshot / "vae" / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:1000])
        said = refusal("us/it", cache_dir=tmp_path)
        assert said.startswith("'us/it' is damaged: vae/diffusion_pytorch_model.safetensors (")
        assert said.endswith("; force_download=True fetches it again")

    def test_code_and_pickles_are_refused_there_too(self, saved, tmp_path):
        snapshot = cached(tmp_path, "us/it", saved)
        index = snapshot / "model_index.json"
        text = index.read_text()
        index.unlink()
        index.write_text(
            text.replace('"UNet2DConditionModel"', '"Mine"').replace('"unet": [\n    "diffusers"', '"unet": ["my_unet"')
        )
        (snapshot / "unet" / "my_unet.py").write_text("raise SystemExit")
        assert "component 'unet' of 'us/it' comes from 'my_unet'" in refusal("us/it", cache_dir=tmp_path)
        index.write_text(text)
        (snapshot / "unet" / "my_unet.py").unlink()
        weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
        assert "'unet' in 'us/it' has pickled weights only, diffusion_pytorch_model.bin" in refusal(
            "us/it", cache_dir=tmp_path
        )
