#!/usr/bin/env bash
# diffusers: `height=` without `width=` is ignored.
#
# Expected: `pipe(prompt, height=128)` draws 128 rows, and as many columns as the model's default says. Each of the two
#           arguments has a default of its own in the documentation.
# Seen:     StableDiffusionPipeline throws the given height away and draws the default size, without a warning:
#           `if not height or not width:` sets both. StableDiffusionXLPipeline keeps the given one.
# Hurt:     everybody who changes one side: the picture has another size than asked, and logs hold the argument that had no
#           effect. The same line does different things in the two pipelines.
# Way out:  give both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import sys
import warnings

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

torch.manual_seed(0)
sizes = {
    "sample_size": 8,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "cross_attention_dim": 32,
    "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
vae = AutoencoderKL(
    sample_size=64,
    block_out_channels=(16, 32, 32, 32),
    norm_num_groups=8,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
).eval()
parts = {"vae": vae, "scheduler": DDIMScheduler(clip_sample=False, steps_offset=1), "tokenizer": None, "text_encoder": None}
plain = StableDiffusionPipeline(
    **parts,
    unet=UNet2DConditionModel(**sizes, attention_head_dim=4).eval(),
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
)
xl = StableDiffusionXLPipeline(
    **parts,
    unet=UNet2DConditionModel(
        **sizes,
        attention_head_dim=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
    ).eval(),
    tokenizer_2=None,
    text_encoder_2=None,
)
words, pooled = torch.randn(1, 77, 32), torch.randn(1, 32)


def drawn(pipe, **size):
    pipe.set_progress_bar_config(disable=True)
    embeds = {"prompt_embeds": words}
    if pipe is xl:
        embeds |= {"pooled_prompt_embeds": pooled}
    return pipe(**embeds, guidance_scale=1.0, num_inference_steps=2, output_type="np", **size).images.shape[1:3]


print(f"diffusers {diffusers.__version__}; both models draw 64 x 64 by default; sizes are rows x columns")
found = {}
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    for name, pipe in (("StableDiffusionPipeline", plain), ("StableDiffusionXLPipeline", xl)):
        for size in ({}, {"height": 128}, {"height": 128, "width": 64}):
            found[name, len(size)] = drawn(pipe, **size)
            print(f"  {name}(..., {size}): {'{} x {}'.format(*found[name, len(size)])}")
print(f"  warnings that name a size: {[str(one.message) for one in heard if 'height' in str(one.message)]}")
if found["StableDiffusionPipeline", 1] != (64, 64) or found["StableDiffusionXLPipeline", 1] != (128, 64):
    sys.exit("changed: this is not what the finding says")
print("as the finding says: one pipeline ignores the height, the other one takes it")
PYTHON
cd "$folder"
venv/bin/python finding.py
