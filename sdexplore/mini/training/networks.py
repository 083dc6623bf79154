"""Builds, saves and loads the three networks of the miniature: VAE, UNet and text encoder."""

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from sdexplore.base.errors import LoadError, SdexploreError
from sdexplore.mini import PIPELINE
from sdexplore.mini.training.dataset import END, START, TOKENS, VOCABULARY_SIZE
from sdexplore.mini.training.rendering import LATENT_SIZE
from sdexplore.mini.world.backgrounds import SIZE

_UNTRAINED = ("model_index.json", "scheduler", "tokenizer")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes of the networks. With every choice of sizes, the module tree is that of Stable Diffusion 1.5.

    Attributes:
        vae_channels: Widths of the VAE's four levels.
        vae_groups: Groups of its group norms; each width is a multiple of it.
        unet_channels: Widths of the UNet's four levels; the last level has no attention.
        unet_groups: Groups of its group norms; each width is a multiple of it.
        hidden_size: Width of the text encoder, which is what cross-attention makes keys and values of.
        text_layers: Transformer layers of the text encoder, with 4 heads each.
    """

    vae_channels: tuple[int, int, int, int] = (32, 64, 128, 128)
    vae_groups: int = 16
    unet_channels: tuple[int, int, int, int] = (64, 128, 128, 128)
    unet_groups: int = 32
    hidden_size: int = 128
    text_layers: int = 4


@dataclass(frozen=True)
class Networks:
    """The parts of a StableDiffusionPipeline that are trained, in float32."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel

    @property
    def scaling_factor(self) -> float:
        """The factor between the VAE's latents and those of the UNet."""
        return float(self.vae.config.scaling_factor)

    def to(self, device: torch.device) -> None:
        """Moves all three; the two convolutional ones get channels last, which is the fastest layout for them."""
        self.vae.to(device, memory_format=torch.channels_last)
        self.unet.to(device, memory_format=torch.channels_last)
        self.text_encoder.to(device)

    def eval(self) -> None:
        """Sets evaluation mode for all three."""
        for network in (self.vae, self.unet, self.text_encoder):
            network.eval()


def build(architecture: Architecture) -> Networks:
    """Builds untrained networks; their weights come from torch's generator."""
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=architecture.vae_channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=architecture.vae_groups,
        sample_size=SIZE,
    )
    unet = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=4,
        out_channels=4,
        layers_per_block=2,
        block_out_channels=architecture.unet_channels,
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        cross_attention_dim=architecture.hidden_size,
        attention_head_dim=8,
        norm_num_groups=architecture.unet_groups,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=architecture.hidden_size,
            intermediate_size=4 * architecture.hidden_size,
            num_hidden_layers=architecture.text_layers,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=architecture.hidden_size,
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=1,
        )
    )
    return Networks(vae, unet, text_encoder)


def parameters(networks: Networks) -> dict[str, int]:
    """Returns component → number of parameters."""
    return {name: sum(weight.numel() for weight in network.parameters()) for name, network in vars(networks).items()}


def claim(folder: Path) -> None:
    """Makes the folder that a training writes to. It is called first, since a training can take hours.

    Raises:
        SdexploreError: The folder is the package's own pipeline, or cannot be made.
    """
    if folder.resolve() == PIPELINE.resolve():
        raise SdexploreError(
            f"{str(folder)!r} is the pipeline that the package carries; give another folder for the weights"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SdexploreError(f"cannot make the folder {str(folder)!r} ({error.strerror}); give another") from error


def save(networks: Networks, folder: Path) -> None:
    """Writes the whole pipeline in diffusers' form: float16 weights, tokenizer and scheduler.

    Args:
        networks: The networks to write.
        folder: Made by `claim`.
    """
    for name in _UNTRAINED:
        source = PIPELINE / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, folder / name)
    for name, network in vars(networks).items():
        half = copy.deepcopy(network).cpu().half()
        half.to(memory_format=torch.contiguous_format).save_pretrained(folder / name)


def load(folder: Path) -> Networks:
    """Loads the networks of a folder that `save` wrote: on the CPU, in float32, in evaluation mode.

    Raises:
        LoadError: The folder holds no pipeline.
    """
    missing = [name for name in ("vae", "unet", "text_encoder") if not (folder / name / "config.json").is_file()]
    if missing:
        raise LoadError(
            f"{str(folder)!r} has no {' and no '.join(missing)}; give a folder with vae, unet and "
            "text_encoder, such as `python -m sdexplore.mini.training` writes"
        )
    networks = Networks(
        AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32),
        UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32),
        _text_encoder(folder / "text_encoder"),
    )
    networks.to(torch.device("cpu"))
    networks.eval()
    return networks


def _text_encoder(folder: Path) -> CLIPTextModel:
    """Loads keys with or without `text_model.`: versions of transformers differ in this, and so do their files."""
    network = CLIPTextModel(CLIPTextConfig.from_pretrained(folder))
    saved = {key.removeprefix("text_model."): tensor for key, tensor in load_file(folder / "model.safetensors").items()}
    network.load_state_dict({key: saved[key.removeprefix("text_model.")] for key in network.state_dict()})
    return network.float()
