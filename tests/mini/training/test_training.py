"""A real, small training of the miniature: from the command line to a folder that diffusers loads."""

import re
from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open

import sdexplore as sdx
from sdexplore.base.errors import SdexploreError
from sdexplore.mini import PIPELINE
from sdexplore.mini.evaluation import measure
from sdexplore.mini.training import __main__, finetune
from sdexplore.mini.training.alignment import CrossAttention, alignment_loss
from sdexplore.mini.training.batches import draw_batch
from sdexplore.mini.training.dataset import Draw, draw_table, known_tokens
from sdexplore.mini.training.encoding import encode, whiten
from sdexplore.mini.training.networks import build, load, parameters
from sdexplore.mini.training.optimization import AveragedWeights, Budget
from sdexplore.mini.training.rendering import Renderer
from sdexplore.mini.training.stage_alignment import AlignmentStage, Finetuning, fit
from sdexplore.mini.training.stage_alignment import finetune as align
from sdexplore.mini.training.stages import Training
from sdexplore.mini.training.stages import train as train_from

COMPONENTS = ("vae", "unet", "text_encoder")
SMOKE = Training.smoke()


def weights(networks, *names):
    """The weights of these networks by name, copied."""
    return {
        f"{name}.{key}": value.clone()
        for name in names or COMPONENTS
        for key, value in getattr(networks, name).state_dict().items()
    }


def changed(before, after):
    """Names of the weights that differ."""
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def prepared(networks, count=4):
    """Scenes that the networks' VAE has encoded."""
    table = draw_table(Draw(seed=6, scenes=count, variants=2))
    return encode(networks.vae, table, Renderer(table), scaling_factor=networks.scaling_factor)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a pipeline that was trained in every stage."""
    folder = tmp_path_factory.mktemp("mini") / "deep" / "trained"
    state = torch.get_rng_state()
    __main__.main(["--smoke", "--device", "cpu", "--out", str(folder)])
    assert torch.equal(torch.get_rng_state(), state)
    return folder


@pytest.fixture(scope="module")
def kept(trained):
    """The networks of that folder, which no test changes."""
    return load(trained)


@pytest.fixture
def untrained():
    torch.manual_seed(SMOKE.seed)
    return build(SMOKE.architecture)


def test_the_folder_is_a_pipeline_of_diffusers(trained):
    pipe = sdx.load(trained, device="cpu")  # which helps older versions to read its tokenizer
    assert type(pipe) is StableDiffusionPipeline
    pipe.set_progress_bar_config(disable=True)
    (image,) = pipe("two penguins in the snow", num_inference_steps=2, output_type="np").images
    assert image.shape == (256, 256, 3)
    assert image.std() > 0.01
    assert pipe.vae.config.scaling_factor == 0.18215
    assert {name for name, _ in pipe.unet.named_modules() if name.endswith("attn2")} == {
        name for name, _ in load(PIPELINE).unet.named_modules() if name.endswith("attn2")
    }
    for path in trained.glob("*/*.safetensors"):
        with safe_open(path, "pt") as file:
            assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"F16"}  # noqa: SIM118  (no mapping)


def test_every_network_learns_and_unknown_words_stay_zero(kept, untrained):
    for name in COMPONENTS:
        before = {key: value.half().to(value.dtype) for key, value in weights(untrained, name).items()}
        assert len(changed(before, weights(kept, name))) > 0.9 * len(before)
    zero = ~kept.text_encoder.get_input_embeddings().weight.any(1)
    known = sorted(known_tokens(SMOKE.vocabulary_scenes))
    assert not zero[known].any()
    assert zero.sum() == len(zero) - len(known)


def test_a_training_goes_on_from_an_earlier_one(trained, kept, tmp_path):
    unet = replace(SMOKE.unet, budget=Budget(60.0, steps=0))
    train_from(replace(SMOKE, scenes=2, unet=unet, vae_from=trained, init_from=trained), tmp_path)
    after = load(tmp_path)
    assert not changed(weights(kept, "unet", "text_encoder"), weights(after, "unet", "text_encoder"))
    assert changed(weights(kept, "vae"), weights(after, "vae")) == {
        f"vae.{part}.{kind}" for part in ("quant_conv", "post_quant_conv") for kind in ("weight", "bias")
    }  # whitened anew, for other scenes


def test_whitening_leaves_decoded_pictures_as_they_are(untrained):
    vae = untrained.vae
    table = draw_table(Draw(seed=5, scenes=5, variants=2))
    renderer = Renderer(table)
    images = renderer.images(torch.arange(5))

    def encoded():
        return encode(vae, table, renderer, scaling_factor=0.5, precision=torch.float32)

    with torch.no_grad():
        scenes = encoded()
        before = vae.decode(scenes.latents).sample
        noise = vae.encode(images).latent_dist.logvar
        whiten(vae, scenes)
        after = vae.decode(scenes.latents).sample
        grown = vae.encode(images).latent_dist.logvar - noise
    assert torch.allclose(before, after, atol=1e-3 * before.std().item())
    assert torch.allclose(encoded().latents, scenes.latents, atol=1e-3)
    pixels = scenes.scaled(torch.arange(5)).permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(pixels.mean(1), torch.zeros(4), atol=1e-3)
    assert torch.allclose(pixels.cov(), torch.eye(4), atol=1e-3)
    assert torch.allclose(grown, grown[:1, :, :1, :1].expand_as(grown), atol=1e-4)
    assert vae.config.scaling_factor == 0.5


def looks(networks, scenes):
    """The alignment loss on a batch that is always the same."""
    torch.manual_seed(2)
    batch = draw_batch(scenes, 5, evenly=True)
    with torch.no_grad(), CrossAttention(networks.unet) as attention:
        networks.unet(batch.noisy, batch.timesteps, networks.text_encoder(batch.input_ids)[0])
        return alignment_loss(attention.probs(), batch.selectors, batch.masks, batch.weights).item()


def test_the_local_stage_teaches_queries_and_keys_alone(trained):
    networks = load(trained)
    scenes, before = prepared(networks), weights(networks)
    loss = looks(networks, scenes)
    fit(networks, scenes, AlignmentStage(budget=Budget(60.0, steps=4, warmup=0), rate=3e-2, joint=False), 3)
    assert looks(networks, scenes) < loss - 0.05
    names = changed(before, weights(networks))
    assert len(names) == 30
    assert all(re.fullmatch(r"unet\.(down|up)_blocks\..*attn2\.to_[qk]\.weight", name) for name in names)


def test_the_joint_stage_teaches_all_but_the_vae_and_unknown_words(trained):
    networks = load(trained)
    before = weights(networks)
    zero = ~networks.text_encoder.get_input_embeddings().weight.any(1)
    fit(networks, prepared(networks), AlignmentStage(budget=Budget(60.0, steps=2, warmup=0), rate=1e-3), 2)
    names = changed(before, weights(networks))
    assert not {name for name in names if name.startswith("vae")}
    assert sum(name.startswith("unet") for name in names) > 0.9 * len(networks.unet.state_dict())
    assert torch.equal(zero, ~networks.text_encoder.get_input_embeddings().weight.any(1))
    assert any(name.endswith("token_embedding.weight") for name in names)


def test_finetuning_writes_a_pipeline_and_scores_it_before_and_after(trained, kept, tmp_path):
    finetune.main(["--smoke", "--pipeline", str(trained), "--out", str(tmp_path / "aligned")])
    after = load(tmp_path / "aligned")
    assert not changed(weights(kept, "vae"), weights(after, "vae"))
    assert changed(weights(kept, "unet"), weights(after, "unet"))
    assert sdx.load(tmp_path / "aligned", device="cpu").unet.config.cross_attention_dim == 32


def test_a_share_of_nothing_leaves_the_weights_as_they_were(trained, kept, tmp_path):
    smoke = Finetuning.smoke()
    joint = replace(smoke.joint, budget=Budget(60.0, steps=1, warmup=0))
    whole = replace(smoke, scenes=2, held_out=1, local=None, joint=joint, joint_share=0.0, polish=None)
    scores = align(whole, trained, tmp_path)
    assert not changed(weights(kept), weights(load(tmp_path)))
    assert scores[0] == scores[1]
    assert [score.timestep for score in scores[0]] == [200, 400, 600]


def test_measurements_are_told_alike_in_text_and_html(trained, kept):
    found = measure.measure(trained, scenes=1, variants=1)
    page = found._repr_html_()
    counts = parameters(kept)
    facts = [*(f"{name} {number:,}" for name, number in counts.items()), f"PSNR {found.psnr:.2f} dB", "seed 777"]
    facts += [f"{score.noise_error:.4f}" for score in found.scores]
    for fact in facts:
        assert fact in repr(found)
        assert fact in page
    assert [score.timestep for score in found.scores] == [50, 200, 250, 400, 500, 600, 750, 950]


def test_the_shipped_model_is_as_its_card_says():
    networks, card = load(PIPELINE), (PIPELINE.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    for number in parameters(networks).values():
        assert f"{number:,}" in card
    found = measure.measure(scenes=1, variants=1)
    assert found.psnr > 30
    errors = [score.noise_error for score in found.scores]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 0.15


def test_a_budget_ends_by_steps_or_by_time():
    assert list(Budget(60.0, steps=4)) == [0, 0.25, 0.5, 0.75]
    assert list(Budget(60.0, steps=0)) == []
    used = list(Budget(0.05, warmup=2))
    assert used[:2] == [0, 0]
    assert used == sorted(used)
    assert len(used) > 10
    for seconds, steps in ((0.0, None), (-1.0, None), (float("nan"), None), (60.0, -1)):
        with pytest.raises(SdexploreError, match=f"{seconds} seconds and {steps} steps"):
            Budget(seconds, steps)


def test_averaged_weights_follow_slowly():
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0)
    average = AveragedWeights([layer], decay=0.5)
    for value in (1, 2):
        layer.weight.data.fill_(value)
        average.update()
    average.store()
    assert layer.weight.item() == pytest.approx(3 / 12 * (1 - 2 / 11) + 2 * (1 - 3 / 12))
