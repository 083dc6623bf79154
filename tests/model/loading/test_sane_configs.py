"""Sizes in a configuration are checked before anything is made of them."""

import json

import pytest
from published_configs import TEXT, UNETS, VAES
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.loading.sane_configs import absurd

MANY = 10**12
HOSTILE = [
    ("unet/config.json", "layers_per_block", MANY),
    ("unet/config.json", "transformer_layers_per_block", [[MANY]]),
    ("unet/config.json", "block_out_channels", [32] * 100_000),
    ("unet/config.json", "cross_attention_dim", MANY),
    ("text_encoder/config.json", "num_hidden_layers", 10**9),
    ("scheduler/scheduler_config.json", "num_train_timesteps", 10**9),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sizes") / "pipe"
    stable_diffusion().save_pretrained(path)
    return path


@pytest.mark.parametrize(("file", "key", "value"), HOSTILE)
def test_absurd_sizes_are_refused_before_a_network_is_made(folder, file, key, value):
    path = folder / file
    good = path.read_text()
    path.write_text(json.dumps({**json.loads(good), key: value}))
    try:
        with pytest.raises(sdx.LoadError, match=rf"{file}.* is damaged, or hostile: {key} .* allowed"):
            sdx.load(folder)
        if "scheduler" not in file:
            with pytest.raises(sdx.InspectionError, match=rf"is damaged, or hostile: {key}"):
                sdx.tree(path)
    finally:
        path.write_text(good)


def test_deep_json_is_damage(folder):
    path = folder / "model_index.json"
    good = path.read_text()
    path.write_text("[" * 100_000 + "]" * 100_000)
    try:
        for look in (sdx.load, sdx.inspect):
            with pytest.raises(sdx.LoadError, match="damaged"):
                look(folder)
    finally:
        path.write_text(good)


def test_published_sizes_pass():
    for config in (*UNETS.values(), *VAES.values(), *(one for text in TEXT.values() for one in text.values())):
        assert absurd(config) is None


@pytest.mark.parametrize(
    "given", [{"num_inference_steps": MANY}, {"num_images_per_prompt": MANY}, {"height": MANY, "width": MANY}]
)
def test_a_cost_of_a_million_millions_is_refused_at_once(given):
    ((name, value), *_) = given.items()
    with pytest.raises(sdx.RunError, match=rf"^cost\({name}={value}\)"):
        sdx.cost(stable_diffusion(), **given)
    if name == "num_inference_steps":
        with pytest.raises(sdx.RunError, match=r"^schedule\(num_inference_steps"):
            sdx.schedule(stable_diffusion(), **given)
