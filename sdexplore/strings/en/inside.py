"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "kind.joint": "joint attention",
    "kind.self": "self-attention",
    "kind.cross": "cross-attention",
    "count.block.one": "{n} block",
    "count.block.other": "{n} blocks",
    "architecture.title": "{pipeline}: {denoiser} of {parameters} parameters",
    "architecture.pixels": "pixel space",
    "architecture.pixels_alone": "pixel space, no autoencoder",
    "architecture.latents": "latent space",
    "architecture.conditioning": "conditioning",
    "architecture.residual": "residual block, given t",
    "architecture.skips": "skip connections",
    "architecture.feed_forward": "feed-forward network",
    "architecture.diffusion": "diffusion, {timesteps} timesteps",
    "architecture.from_noise": "sampling begins with noise",
    "architecture.last_step": "after the last step",
    "architecture.factor": "factor {factor}",
    "architecture.prompt": "prompt",
    "architecture.pooled": "pooled vector alone",
    "architecture.width": "width {width}",
    "architecture.keys": "keys and values from width {width}",
    "architecture.picture_tokens": "{y} × {x} tokens\nof {patch} × {patch} latents",
    "architecture.text_tokens": "{words} tokens\nof the text",
    "architecture.group": "{heads} heads\nwidth {width}",
    "architecture.alt": "{spaces} {denoiser} {attention} {conditioned}",
    "architecture.alt.latents": "The architecture of the {pipeline}: at the left the pixel space with encoder E and "
    "decoder D of the {autoencoder}, factor {factor}, beside it the latent space with the denoiser.",
    "architecture.alt.pixels": "The architecture of the {pipeline}: without an autoencoder, the denoiser works on "
    "pixels.",
    "architecture.alt.unet": "The {unet} is a U of boxes on {levels} levels, {channels} channels.",
    "architecture.alt.transformer": "The {transformer} has {y} × {x} tokens of the picture of width {width}.",
    "architecture.alt.crosses": "Cross-attention is in {blocks}.",
    "architecture.alt.no_cross": "It has no cross-attention.",
    "architecture.alt.group": "{blocks} of {name} ({attention})",
    "architecture.alt.groups": "From left to right: {groups}.",
    "architecture.alt.reader": "{name} of width {width}",
    "architecture.alt.conditioned": "At the right the text encoders: {readers}.",
    "architecture.alt.unconditional": "Nothing stands for a prompt: it is unconditional.",
    "architecture.caption.latents_text": "How the {pipeline} makes a picture of a prompt: in the latent space, the "
    "{denoiser} predicts the noise again and again while it reads the prompt, and D decodes what is left.",
    "architecture.caption.latents": "How the {pipeline} makes a picture of noise: in the latent space, the {denoiser} "
    "predicts the noise again and again, and D decodes what is left.",
    "architecture.caption.pixels_text": "How the {pipeline} makes a picture of a prompt: the {denoiser} predicts the "
    "noise of the pixels again and again while it reads the prompt.",
    "architecture.caption.pixels": "How the {pipeline} makes a picture of noise: the {denoiser} predicts the noise of "
    "the pixels again and again.",
}
