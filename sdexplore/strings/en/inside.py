"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "attention.self": "self-attention",
    "count.skip.one": "{n} skip",
    "count.skip.other": "{n} skips",
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
    "architecture.alt.latents": "The architecture of the {pipeline}: at the left the pixel space with encoder E "
    "and decoder D of the {autoencoder}, factor {factor}, beside it the latent space with the denoiser.",
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
    "{denoiser} takes noise away step by step while it reads the prompt, and D decodes the result.",
    "architecture.caption.latents": "How the {pipeline} makes a picture of noise: in the latent space, the {denoiser} "
    "takes noise away step by step, and D decodes the result.",
    "architecture.caption.pixels_text": "How the {pipeline} makes a picture of a prompt: the {denoiser} takes noise "
    "away from the pixels step by step while it reads the prompt.",
    "architecture.caption.pixels": "How the {pipeline} makes a picture of noise: the {denoiser} takes noise away from "
    "the pixels step by step.",
    "unet_comparison.2015": "U-Net, 2015",
    "unet_comparison.here": "{unet} of the\n{pipeline}",
    "unet_comparison.convolutions": "convolutions only",
    "unet_comparison.attention": "with attention",
    "unet_comparison.block": "{channels} ch\n{grid}",
    "unet_comparison.block_here": "{channels} ch, {grid}",
    "unet_comparison.crop": "crop {sides}",
    "unet_comparison.resnets": "{n} res",
    "unet_comparison.self": "{n} self",
    "unet_comparison.cross": "{n} cross",
    "unet_comparison.alt": "Two U-shaped diagrams, levels as rows. Left the U-Net of 2015: {levels_2015} levels of "
    "{first} to {last} channels, {skips_2015} skips, no attention. Right the {unet}: {levels} levels, {channels} "
    "channels, {skips} skips, {own} self-attention and {cross} cross-attention layers.",
    "unet_comparison.caption": "What stayed of the U-Net of 2015 and what is new: the U and its skips stayed; "
    "residual blocks, the timestep and attention came.",
    "tree.rest": "the rest",
    "count.line.one": "{n} line",
    "count.line.other": "{n} lines",
    "tree.title": "{network}: {parameters} parameters",
    "tree.layers.joint": "{n} of joint attention",
    "tree.layers.cross": "{n} of cross-attention",
    "tree.layers.self": "{n} of self-attention",
    "tree.no_layer": "none of attention",
    "tree.kind.joint": "joint, {heads} heads of {width}",
    "tree.kind.cross": "cross, {heads} heads of {width}",
    "tree.kind.self": "self, {heads} heads of {width}",
    "tree.words": "words",
    "tree.registers": "registers and words",
    "tree.picture": "picture",
    "tree.alt": "The modules of {network} ({class_name}) to depth {depth}, indented, in {lines} with a bar each: "
    "{parameters} parameters. Layers: {layers}.",
    "tree.caption": "Where the parameters of the {class_name} are, in the order in which the data goes through it, "
    "and what part of them is attention.",
    "tree.caption.plain": "Where the parameters of the {class_name} are, in the order in which the data goes "
    "through it.",
    "components.title": "{pipeline}: {parameters} parameters, {size}",
    "components.parameters": "parameters",
    "components.kind": "format, device",
    "components.size": "size",
    "components.row.null": "{name}, null",
    "components.row.plain": "{name}, {class_name}",
    "components.row.network": "{name}, {class_name}: {parameters} parameters, {kind}, {size}",
    "components.facts": "From sdx.components:",
    "components.fact": "{name}: {what}",
    "components.fact.name.broken": "broken {component}",
    "components.fact.name.fit": "fit",
    "components.fact.name.guidance": "guidance",
    "components.fact.name.scheduler": "scheduler",
    "components.fact.name.prediction": "prediction type",
    "components.fact.name.vae": "VAE",
    "components.fact.name.latents": "latents",
    "components.fact.name.attention": "attention",
    "components.fact.name.cross": "cross-attention",
    "components.fact.name.self": "self-attention",
    "components.fact.name.joint": "joint-attention",
    "components.fact.broken": "NaN or infinite weights in {weight}",
    "components.fact.broken.more": "NaN or infinite weights in {weight} and {more} more",
    "components.fact.fit": "{names} on {device}: {needed} of {free} free",
    "components.fact.guidance.not_run": "not run yet",
    "components.fact.guidance.used": "in use in the last run, guidance_scale {scale}",
    "components.fact.guidance.not_used": "not in use in the last run, guidance_scale {scale}",
    "components.fact.prediction.flow": "flow",
    "components.fact.prediction.untold": "not in the scheduler's config",
    "components.fact.other_vae": "the VAE is that of {own} (scaling_factor {factor}), and the denoiser was trained on "
    "those of {trained} (scaling_factor {expected}): pictures will have wrong colours and contrast",
    "components.fact.latents.image": "{channels} channels of {y} × {x} for an image of {height} × {width} pixels",
    "components.fact.latents.frame": "{channels} channels of {y} × {x} for a frame of {height} × {width} pixels",
    "components.fact.latents.taken": "{said}; the {denoiser} takes {taken} channels",
    "components.fact.refused": "{why}",
    "components.fact.over_frames": "over frames; no run records it",
    "components.fact.layers": "{layers}: {where}",
    "components.fact.layers.at": "{n} at {y} × {x}",
    "components.alt": "The components of a {pipeline}, a row and a bar each: {rows}.",
    "components.alt.none": "A {pipeline} without components.",
    "components.caption": "What a {pipeline} is made of; its largest part: {largest}.",
    "components.caption.plain": "What a {pipeline} is made of.",
    "reconstruction.title": "{encoder} of {model}: {image} → {latents}, {ratio} to 1, PSNR {psnr} dB",
    "reconstruction.of_255": "error, of 255",
    "reconstruction.channel": "z, channel {number}",
    "reconstruction.preview": "linear preview",
    "reconstruction.scale": "on the denoiser's scale",
    "reconstruction.left": "; {number} more channels are not drawn",
    "reconstruction.alt": "Above, a picture, its reconstruction by the {encoder} (PSNR {psnr} dB) and the error, 0 "
    "to {error} of 255. Beneath, its {channels} latent channels of {grid} within ±{reach}{left}, and the linear "
    "preview (R² {r2}).",
    "reconstruction.caption": "What the {encoder} keeps of a picture when it is packed {ratio} to 1, and what the "
    "latents look like that the denoiser works on.",
    "latent_statistics.title": "{encoder} of {model}, {pictures}: scaling_factor {factor}, 1 / std is {fitted}\n"
    "PSNR {psnr} dB, linear preview R² {r2}",
    "latent_statistics.channel": "channel",
    "latent_statistics.std": "standard deviation",
    "latent_statistics.before": "z, before scaling",
    "latent_statistics.normal": "normal",
    "latent_statistics.latent": "latent, on the denoiser's scale",
    "latent_statistics.density": "density",
    "latent_statistics.inside": "{share} lie within ±5",
    "latent_statistics.alt": "Left a pair of bars for each of {channels} latent channels, right their histograms, "
    "over {pictures}: the standard deviations on the denoiser's scale are {stds}. scaling_factor is {factor}; "
    "{fitted} would make it 1 over all channels.",
    "latent_statistics.caption": "How well the scaling_factor of the {encoder} brings latents to the unit variance "
    "that the denoiser expects.",
    "features.title": "features of {module}, step {step}, {role}, {grid}",
    "feature_components.colours": "1, 2, 3 as R, G, B",
    "feature_components.scaled": "each from least\nto greatest",
    "feature_components.one": "component {number}: {share}",
    "feature_components.bar": "score",
    "feature_components.alt.colours": "{components} of the features of {module} (step {step}, {role}) for {prompt}, "
    "on a grid of {grid}: the first three as one picture in red, green and blue, then each alone from blue over "
    "white to red. They explain {shares} of the variance.",
    "feature_components.alt.alone": "{components} of the features of {module} (step {step}, {role}) for {prompt}, on "
    "a grid of {grid}, each from blue over white to red. They explain {shares} of the variance.",
    "feature_components.caption.colours": "The main directions in which what {module} gives differs between places; "
    "in colours, the first three, each from its least to its greatest: places of one colour have alike features.",
    "feature_components.caption.alone": "The main directions in which what {module} gives differs between places; "
    "the sign of a direction means nothing.",
    "feature_similarity.alike": "alike to the marked cell",
    "feature_similarity.cells": "cosine, cell by cell",
    "feature_similarity.bar": "cosine",
    "feature_similarity.alt.over": "The picture, the similarity laid over it, and the bare map of {grid} cells, with "
    "the cell of pixel {pixel} of {size} framed: features of {module} (step {step}, {role}) for {prompt}. {alike} of "
    "the cells have a cosine above 0.5; the least is {least}.",
    "feature_similarity.alt.bare": "A map of {grid} cells, with the cell of pixel {pixel} of {size} framed: features "
    "of {module} (step {step}, {role}) for {prompt}. {alike} of the cells have a cosine above 0.5; the least is "
    "{least}.",
    "feature_similarity.caption": "Which places {module} describes like the marked one: red ones have alike "
    "features, blue ones opposite.",
    "activation_statistics.title": "outputs of {modules}, step {step}, {role}",
    "activation_statistics.first": "the first that is not finite: {module}",
    "activation_statistics.magnitude": "greatest magnitude",
    "activation_statistics.deviation": "standard deviation",
    "activation_statistics.size": "size of the output",
    "activation_statistics.bad": "{module} is the first of {bad} that are not finite",
    "activation_statistics.finite": "all are finite",
    "activation_statistics.alt": "Points on a logarithmic axis, two for each of {modules} in the order in which they "
    "end (step {step}, {role}), for {prompt}: greatest magnitude and standard deviation. The largest, {largest}, is "
    "that of {module}; {verdict}.",
    "activation_statistics.caption": "How large the output of each module is on the way through the denoiser; "
    "float16 has no numbers above the dashed line. Of these outputs, {verdict}.",
}
