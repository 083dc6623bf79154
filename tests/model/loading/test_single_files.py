"""Single files are recognised by headers of full size, and refused in words where they are not whole checkpoints."""

import pickle
import re
import warnings
from pathlib import Path

import pytest
import torch
from checkpoint_layouts import FAMILIES, METADATA, tensors_of, tiny_networks
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import CHECKPOINT_KEY_NAMES, infer_diffusers_model_type
from original_layout import PREFIXES, networks, state_dict, write_sparse
from published_configs import UNETS
from safetensors.torch import load_file, save_file

import sdexplore as sdx
from sdexplore.base.errors import LoadError
from sdexplore.model.loading.checkpoint_families import family_of
from sdexplore.model.loading.safetensors_headers import Header, Tensor

# As published; by the sums of their tensors.
PARAMETERS = {
    "SD 1.x": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "SD 2.x": {"unet": 865_910_724, "vae": 83_653_863},
    "SDXL base": {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480},
    "SDXL refiner": {"unet": 2_259_526_660, "vae": 83_653_863},
}
DIFFUSERS_NAMES = {"SD 1.x": "v1", "SD 2.x": "v2", "SDXL base": "xl_base", "SDXL refiner": "xl_refiner"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A tiny SD 1.x, a tiny SD 2.x and an SDXL, without metadata."""
    folder = tmp_path_factory.mktemp("files")
    for family, name in (("SD 1.x", "v1"), ("SD 2.x v", "v2"), ("SDXL base", "xl")):
        save_file(tensors_of(family, tiny_networks(family)), folder / f"{name}.safetensors")
    return folder


def fake(*names, metadata=None, **shapes):
    """A header of these names."""
    return Header({name: Tensor("float16", (4, 4), 32) for name in names} | shapes, metadata or {})


class TestFullSize:
    @pytest.mark.parametrize("family", UNETS)
    def test_what_it_is_and_its_published_numbers(self, family, tmp_path):
        full = networks(family, tiny=False)
        tensors = state_dict(family, full)
        path = tmp_path / "model.safetensors"
        write_sparse(tensors, path)
        said = sdx.inspect(path)
        assert said.family.startswith(family)
        assert {name: said[name].parameters for name in PARAMETERS[family]} == PARAMETERS[family]
        assert said.bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        for name, network in full.items():  # the configuration that was read off is the published one
            for key, value in said[name].config.items():
                known = network.config.to_dict() if hasattr(network.config, "to_dict") else dict(network.config)
                if key not in ("architectures", "transformer_layers_per_block", "bos_token_id"):
                    value = tuple(value) if isinstance(value, list) else value  # noqa: PLW2901
                    there = tuple(known[key]) if isinstance(known[key], list) else known[key]
                    assert there == value, f"{name}: {key}"

    @pytest.mark.parametrize("family", UNETS)
    def test_diffusers_own_rules_agree(self, family):
        """Its names of keys, found by others in real files, are in what the tests call the original layout."""
        tensors = state_dict(family, networks(family, tiny=False))
        assert infer_diffusers_model_type(tensors) == DIFFUSERS_NAMES[family]
        assert CHECKPOINT_KEY_NAMES[DIFFUSERS_NAMES[family]] in tensors

    def test_it_loads_as_a_person_loads_it(self, tmp_path):
        """A file of zeros, as large as the real one and a hole on disk."""
        path = tmp_path / "v1-5-pruned-emaonly-fp16.safetensors"
        full = state_dict("SD 1.x", networks("SD 1.x", tiny=False))
        write_sparse({name: t.half() if t.is_floating_point() else t for name, t in full.items()}, path)
        pipe = sdx.load(path, device="cpu", dtype="float16")
        for name, numbers in PARAMETERS["SD 1.x"].items():
            network = getattr(pipe, name)
            assert sum(parameter.numel() for parameter in network.parameters()) == numbers
            assert {(parameter.dtype, parameter.is_meta) for parameter in network.parameters()} == {
                (torch.float16, False)
            }


class TestFamilies:
    @pytest.mark.parametrize(
        ("header", "name", "message"),
        [
            (
                fake("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"),
                "LoRA",
                "pipe.load_lora_weights(file)",
            ),
            (fake("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"), "SD 3", "a transformer"),
            (fake("double_blocks.0.img_attn.norm.key_norm.scale"), "FLUX", "a transformer"),
            (fake("latents", metadata={"sdexplore": "{}"}), "a Trace", "Trace.load(file) opens it"),
            (fake("a", "b", "c", "d"), "unknown", "its tensors are 'a', 'b', 'c' …"),
            (fake(), "unknown", "it holds no tensor"),
        ],
    )
    def test_what_is_no_checkpoint_is_named(self, header, name, message):
        family = family_of(header)
        assert (family.name, family.pipeline) == (name, "")
        assert message in " ".join(family.notes)

    @pytest.mark.parametrize(
        ("channels", "purpose"), [(5, " depth"), (7, " upscaler"), (12, " with 12 input channels"), (9, " inpainting")]
    )
    def test_what_a_unet_is_given_besides(self, channels, purpose):
        conv = Tensor("float16", (32, channels, 3, 3), 1)
        header = fake(
            f"{PREFIXES['SD 1.x']['text_encoder']}x", **{"model.diffusion_model.input_blocks.0.0.weight": conv}
        )
        family = family_of(header)
        assert family.name == f"SD 1.x{purpose}"
        assert bool(family.pipeline) == (channels == 9)

    @pytest.mark.parametrize(
        ("width", "name"), [(768, "SD 1.x"), (1024, "SD 2.x"), (2048, "SDXL base"), (1280, "SDXL refiner")]
    )
    def test_without_text_encoder_the_width_of_the_text_tells(self, width, name):
        keys = Tensor("float16", (320, width), 1)
        header = fake(
            "model.diffusion_model.input_blocks.0.0.bias",
            **{"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": keys},
        )
        assert family_of(header).name == name

    def test_playground_is_named_and_not_mistaken_for_sdxl(self):
        header = fake("model.diffusion_model.input_blocks.0.0.bias", "conditioner.embedders.1.model.x", "edm_mean")
        assert family_of(header).name == "Playground 2.5"

    @pytest.mark.parametrize(
        ("metadata", "file", "name", "note"),
        [
            ({"modelspec.title": "SDXL Turbo 1.0"}, "x", "SDXL turbo", ""),
            ({"modelspec.title": "My model"}, "turbo.safetensors", "SDXL base", ""),
            ({}, "sd_xl_turbo_1.0_fp16.safetensors", "SDXL turbo", "turbo is taken from the file's name"),
            ({}, "juggernaut.safetensors", "SDXL base", "neither header nor file name says turbo"),
        ],
    )
    def test_turbo_by_the_writer_s_word_then_by_the_name(self, metadata, file, name, note):
        header = fake(
            "model.diffusion_model.input_blocks.0.0.bias", "conditioner.embedders.1.model.x", metadata=metadata
        )
        family = family_of(header, file)
        assert family.name == name
        assert note in " ".join(family.notes)


class TestPrediction:
    """SD 2's base and v have the same names and shapes."""

    def test_one_tensor_s_spread_is_a_guess_and_said_to_be(self, files, tmp_path):
        tensors = load_file(files / "v2.safetensors")
        key = max(name for name in tensors if re.search(r"output_blocks.*0\.norm1\.bias", name))
        for spread, prediction, side in ((0.05, "epsilon", 512), (0.2, "v_prediction", 768)):
            tensors[key] = torch.linspace(-1, 1, len(tensors[key])) * spread / 0.6
            save_file(tensors, tmp_path / "x.safetensors")
            with pytest.warns(UserWarning, match=f"is taken to predict {prediction}: its header does not say"):
                pipe = sdx.load(tmp_path / "x.safetensors", device="cpu")
            assert pipe.scheduler.config.prediction_type == prediction
            assert pipe.unet.config.sample_size * 8 == side

    def test_who_knows_says_it(self, files):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pipe = sdx.load(files / "v2.safetensors", device="cpu", prediction_type="v_prediction")
        assert pipe.scheduler.config.prediction_type == "v_prediction"
        with pytest.raises(LoadError, match=r"prediction_type='v'; there is 'epsilon', 'v_prediction', 'sample'"):
            sdx.load(files / "v2.safetensors", prediction_type="v")

    def test_before_loading_it_is_open(self, files):
        said = sdx.inspect(files / "v2.safetensors")
        assert said.family == "SD 2.x"
        assert said.summary["predicts"] == "epsilon or v"
        assert "prediction_type= decides" in repr(said)
        assert family_of(
            fake("model.diffusion_model.input_blocks.0.0.bias", "cond_stage_model.model.x"), "512-base-ema"
        ).name == ("SD 2.x base")

    @pytest.mark.parametrize(
        ("tensors", "metadata", "prediction", "zero"),
        [
            (("v_pred",), {}, "v_prediction", False),
            (("v_pred", "ztsnr"), {}, "v_prediction", True),
            ((), {"modelspec.prediction_type": "v"}, "v_prediction", False),
            ((), {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}, "v_prediction", True),
            ((), {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
            (("ztsnr",), {}, "epsilon", False),
        ],
    )
    @pytest.mark.parametrize("family", ["v1", "xl"])
    def test_marks_of_v_prediction_and_zero_snr_reach_the_scheduler(
        self, files, tmp_path, family, tensors, metadata, prediction, zero
    ):
        more = {name: torch.zeros(1) for name in tensors}
        save_file(load_file(files / f"{family}.safetensors") | more, tmp_path / "x.safetensors", metadata)
        said = sdx.inspect(tmp_path / "x.safetensors")
        config = sdx.load(tmp_path / "x.safetensors", device="cpu").scheduler.config
        assert said.summary["predicts"] == config.prediction_type == prediction
        assert bool(config.get("rescale_betas_zero_snr", False)) == zero
        assert ("it predicts v" in repr(said)) == (prediction == "v_prediction")
        assert said.family.endswith(" v") == (prediction == "v_prediction")
        if tensors == ("ztsnr",):
            assert "without v-prediction: not applied" in repr(said)

    def test_the_user_s_word_stands_above_a_mark(self, files, tmp_path):
        more = {name: torch.zeros(1) for name in ("v_pred", "ztsnr")}
        save_file(load_file(files / "v1.safetensors") | more, tmp_path / "x.safetensors")
        config = sdx.load(tmp_path / "x.safetensors", device="cpu", prediction_type="epsilon").scheduler.config
        assert config.prediction_type == "epsilon"
        assert not config.get("rescale_betas_zero_snr")


class TestDistilled:
    """SSD-1B and Vega: SDXL whose middle has no attention, and whose way up is not its way down mirrored."""

    @pytest.fixture(scope="class")
    def distilled(self, tmp_path_factory):
        parts = dict(tiny_networks("SDXL base"))
        torch.manual_seed(5)
        # As segmind/SSD-1B's config has it: depths of every block apart, downwards and upwards.
        usual = {key: value for key, value in parts["unet"].config.items() if not key.startswith("_")}
        parts["unet"] = UNet2DConditionModel(
            **usual
            | {
                "mid_block_type": "UNetMidBlock2D",
                "transformer_layers_per_block": [[1], [2]],
                "reverse_transformer_layers_per_block": [[2, 10], [1, 1]],
            }
        ).eval()
        path = tmp_path_factory.mktemp("distilled") / "ssd.safetensors"
        save_file(tensors_of("SDXL base", parts), path)
        return path, parts["unet"]

    def test_it_is_not_called_sdxl_base(self, distilled):
        said = sdx.inspect(distilled[0])
        assert said.family == "SSD-1B"
        assert said["unet"].config["mid_block_type"] == "UNetMidBlock2D"
        assert said["unet"].config["reverse_transformer_layers_per_block"] == [[2, 10], [1, 1]]

    def test_what_inspect_promises_load_keeps(self, distilled):
        path, unet = distilled
        assert sdx.inspect(path).pipeline == "StableDiffusionXLPipeline"
        loaded = sdx.load(path, device="cpu").unet.state_dict()
        assert loaded.keys() == unet.state_dict().keys()
        assert all(torch.equal(tensor, loaded[name]) for name, tensor in unet.state_dict().items())


class TestQuantized:
    """diffusers takes whole numbers and scaled 8-bit floats for the weights themselves, without a word."""

    KEY = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight"

    @pytest.mark.parametrize("kind", ["scaled fp8", "int8"])
    def test_inspect_promises_nothing_that_load_refuses(self, files, tmp_path, kind):
        tensors = load_file(files / "v1.safetensors")
        if kind == "int8":
            tensors[self.KEY] = (tensors[self.KEY] * 100).to(torch.int8)
        else:
            tensors[self.KEY] = tensors[self.KEY].to(torch.float8_e4m3fn)
            tensors["scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
            tensors[self.KEY.replace("weight", "scale_weight")] = torch.ones(())
        save_file(tensors, tmp_path / "x.safetensors")
        said = sdx.inspect(tmp_path / "x.safetensors")
        assert said.pipeline == ""
        assert "load the version in float16" in repr(said)
        with pytest.raises(LoadError, match=r"x.safetensors' is no checkpoint to load: SD 1.x; .* version in float16"):
            sdx.load(tmp_path / "x.safetensors")

    def test_plain_fp8_loads_with_its_own_numbers(self, files, tmp_path):
        tensors = load_file(files / "v1.safetensors")
        tensors[self.KEY] = tensors[self.KEY].to(torch.float8_e4m3fn)
        save_file(tensors, tmp_path / "x.safetensors")
        assert sdx.inspect(tmp_path / "x.safetensors").pipeline
        loaded = sdx.load(tmp_path / "x.safetensors", device="cpu").unet.down_blocks[0].resnets[0].conv1.weight
        assert torch.equal(loaded, tensors[self.KEY].float())

    def test_int8_in_a_folder_is_not_taken_for_weights(self, files, tmp_path):
        sdx.load(files / "v1.safetensors", device="cpu").save_pretrained(tmp_path / "folder")
        path = tmp_path / "folder" / "unet" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(path)
        tensors["conv_in.weight"] = (tensors["conv_in.weight"] * 100).to(torch.int8)
        save_file(tensors, path, {"format": "pt"})
        said = sdx.inspect(tmp_path / "folder")
        assert said.pipeline == ""
        assert "int8" in said["unet"].note
        with pytest.raises(LoadError, match=r"'unet' in .* has weights in int8 \('conv_in.weight'"):
            sdx.load(tmp_path / "folder")


class TestParts:
    def test_what_is_missing_is_asked_for_and_taken(self, files, tmp_path):
        tensors = load_file(files / "v1.safetensors")
        path = tmp_path / "no vae.safetensors"
        save_file({name: t for name, t in tensors.items() if not name.startswith("first_stage_model.")}, path)
        with pytest.raises(LoadError, match=r"no vae.safetensors', SD 1.x, has no vae: give vae=, .*vae=other.vae"):
            sdx.load(path)
        assert "it has no vae: load needs vae=" in repr(sdx.inspect(path))
        other = sdx.load(files / "v1.safetensors", device="cpu")
        assert sdx.load(path, device="cpu", vae=other.vae).vae is other.vae

    def test_a_file_that_was_cut_off_in_its_middle_names_the_tensor(self, files, tmp_path):
        tensors = load_file(files / "v1.safetensors")
        del tensors["model.diffusion_model.out.2.weight"]
        save_file(tensors, tmp_path / "x.safetensors")
        with pytest.raises(LoadError, match=r"the file has no tensor 'model.diffusion_model.out.2.weight'"):
            sdx.load(tmp_path / "x.safetensors")
        tensors["model.diffusion_model.out.2.weight"] = torch.zeros(4, 32, 3, 3)
        del tensors["model.diffusion_model.middle_block.0.in_layers.0.weight"]
        save_file(tensors, tmp_path / "x.safetensors")
        with pytest.raises(LoadError, match=r"'unet' in .*x.safetensors' has [\d,]+ numbers, and .*: damaged"):
            sdx.load(tmp_path / "x.safetensors")

    @pytest.mark.parametrize(
        ("part", "prefix", "names"),
        [
            ("unet", "model.diffusion_model.", [f"motion_modules.{n}.weight" for n in range(5)]),
            ("vae", "first_stage_model.", ["loss.logvar"]),
            ("vae", "first_stage_model.", ["encoder.mid.attn_2.q.weight"]),
        ],
    )
    def test_what_has_no_place_is_refused_by_name(self, files, tmp_path, part, prefix, names):
        more = load_file(files / "v1.safetensors") | {prefix + name: torch.zeros(5, 1, 1) for name in names}
        save_file(more, tmp_path / "x.safetensors")
        with pytest.raises(LoadError) as caught:
            sdx.load(tmp_path / "x.safetensors")
        said = str(caught.value)
        assert re.search(
            rf"'{part}' in '.*' has [\d,]+ numbers, and a SD 1.x of these shapes has [\d,]+: no place", said
        )
        shown = ", ".join(repr(prefix + name) for name in names[:3])
        assert said.endswith(f"no place for {shown}{' and 2 more' if len(names) > 3 else ''}")

    def test_the_averaged_copy_is_told_and_taken_on_request(self, files, tmp_path):
        tensors = load_file(files / "v1.safetensors")
        for name in list(tensors):
            if name.startswith("model.diffusion_model."):
                tensors["model_ema." + name.removeprefix("model.").replace(".", "")] = tensors[name] + 1
        save_file(tensors, tmp_path / "x.safetensors")
        said = sdx.inspect(tmp_path / "x.safetensors")
        assert said["EMA copy"].parameters == said["unet"].parameters
        assert "extract_ema=True takes it" in repr(said)
        plain, averaged = (sdx.load(tmp_path / "x.safetensors", device="cpu", extract_ema=ema) for ema in (False, True))
        for key, tensor in plain.unet.state_dict().items():
            assert torch.equal(averaged.unet.state_dict()[key], tensor + 1)

    def test_an_argument_that_means_nothing_is_refused(self, files):
        with pytest.raises(LoadError, match=r"a single file takes no 'vea'; did you mean 'vae'"):
            sdx.load(files / "v1.safetensors", vea=None)

    def test_no_path_of_this_machine_is_told(self, files):
        pipe = sdx.load(files / "v1.safetensors", device="cpu")
        assert str(files) not in repr(pipe)
        trace = sdx.run(pipe, "a cat", num_inference_steps=1, height=64, width=64)
        assert trace.provenance["model"] == "v1.safetensors"

    def test_no_folder_is_left_behind(self, files, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(LoadError):
            sdx.load(files / "v1.safetensors", device="cpu", vae="not a vae")
        assert not list(tmp_path.iterdir())


class TestPickles:
    def test_they_are_refused_with_the_way_and_the_way_works(self, files, tmp_path):
        path = tmp_path / "v1.ckpt"
        torch.save({"state_dict": load_file(files / "v1.safetensors"), "global_step": 7}, path)
        for look in (sdx.load, sdx.inspect):
            with pytest.raises(LoadError, match=r"is a pickle file, .*allow_pickle=True\).save_pretrained\(folder\)"):
                look(path)
        assert sdx.inspect(path, allow_pickle=True).family == "SD 1.x"
        sdx.load(path, allow_pickle=True, device="cpu").save_pretrained(tmp_path / "folder")
        ours, theirs = (sdx.load(one, device="cpu") for one in (tmp_path / "folder", files / "v1.safetensors"))
        assert all(torch.equal(a, b) for a, b in zip(ours.unet.parameters(), theirs.unet.parameters(), strict=True))

    def test_even_insisted_on_they_run_no_code(self, tmp_path):
        witness = tmp_path / "ran"

        class Evil:
            def __reduce__(self):
                return (Path.touch, (witness,))

        path = tmp_path / "evil.ckpt"
        path.write_bytes(pickle.dumps({"state_dict": Evil()}))
        with pytest.raises(LoadError, match="holds more than weights, or is damaged"):
            sdx.load(path, allow_pickle=True)
        torch.save({"state_dict": Evil()}, path)
        with pytest.raises(LoadError, match="holds more than weights, or is damaged"):
            sdx.inspect(path, allow_pickle=True)
        assert not witness.exists()


def test_the_metadata_of_the_tests_is_of_families_that_are_there():
    assert set(METADATA) < set(FAMILIES)
