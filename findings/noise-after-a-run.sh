#!/usr/bin/env bash
# diffusers: after a run, `scale_noise` and `add_noise` of the pipeline's scheduler add no noise, whatever the timestep.
#
# Expected: `scale_noise(sample, timestep, noise)` and `add_noise(sample, noise, timesteps)` give the sample as noisy as
#           the named timestep is, each row at its own. So they do on a new scheduler, and after a text-to-image run of
#           Stable Diffusion.
# Seen:     after a run of FluxPipeline, or of StableDiffusionImg2ImgPipeline with DPM-Solver, they return the sample
#           itself for every timestep. Such pipelines call `set_begin_index`; from then on the scheduler takes the noise
#           level of the step that it stands at, and after a run that is the last one, 0. `timestep` is not read.
# Hurt:     training that draws validation pictures with the same scheduler: the loss afterwards is that of clean
#           latents. Users who noise a picture of their own after a run, to see what the model makes of it.
# Way out:  a scheduler of one's own, `type(scheduler).from_config(scheduler.config)`, or `set_timesteps` before it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error DIFFUSERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import sys

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

torch.manual_seed(0)


def autoencoder(channels):
    return AutoencoderKL(
        latent_channels=channels,
        sample_size=64,
        block_out_channels=(16, 32, 32, 32),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()


flux = FluxPipeline(
    scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    vae=autoencoder(16),
    text_encoder=None,
    tokenizer=None,
    text_encoder_2=None,
    tokenizer_2=None,
    transformer=FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    ).eval(),
)
parts = {
    "vae": autoencoder(4),
    "unet": UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval(),
    "text_encoder": None,
    "tokenizer": None,
    "safety_checker": None,
    "feature_extractor": None,
    "requires_safety_checker": False,
}
text = StableDiffusionPipeline(scheduler=DPMSolverMultistepScheduler(), **parts)
image = StableDiffusionImg2ImgPipeline(scheduler=DPMSolverMultistepScheduler(), **parts)
words, photo = torch.randn(1, 8, 32), torch.rand(1, 3, 64, 64)
calls = {
    "FluxPipeline": (flux, {"pooled_prompt_embeds": torch.randn(1, 32), "height": 64, "width": 64}),
    "StableDiffusionPipeline": (text, {"guidance_scale": 1.0}),
    "StableDiffusionImg2ImgPipeline": (image, {"guidance_scale": 1.0, "image": photo, "strength": 1.0}),
}


def shares(scheduler):
    """What of the noise is in a sample of zeros, at each timestep of the scheduler."""
    timesteps = scheduler.timesteps
    sample, noise = torch.zeros(len(timesteps), 4, 8, 8), torch.ones(len(timesteps), 4, 8, 8)
    if hasattr(scheduler, "scale_noise"):
        noisy = scheduler.scale_noise(sample, timesteps, noise)
    else:
        noisy = scheduler.add_noise(sample, noise, timesteps)
    return [round(float(row.mean()), 2) for row in noisy]


print(f"diffusers {diffusers.__version__}; the share of noise at each timestep, of 4 steps")
found = {}
for name, (pipe, given) in calls.items():
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler.set_timesteps(4)
    before = shares(pipe.scheduler)
    pipe(prompt_embeds=words, num_inference_steps=4, output_type="latent", **given)
    found[name] = before, shares(pipe.scheduler)
    print(f"  {name} with {type(pipe.scheduler).__name__}: before a run {before}, after it {found[name][1]}")
good, none = found.pop("StableDiffusionPipeline"), [0.0] * 4
if good[0] != good[1] or any(after != none or min(before[:3]) < 0.5 for before, after in found.values()):
    sys.exit("changed: this is not what the finding says")
print("as the finding says: after two of the three runs, no timestep has noise")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
