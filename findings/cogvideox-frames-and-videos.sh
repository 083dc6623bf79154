#!/usr/bin/env bash
# diffusers: `CogVideoXPipeline` draws another number of frames than asked, and one video where two are asked for.
#
# Expected: num_frames=10 gives 10 frames or is refused, and num_videos_per_prompt=2 gives two videos.
# Seen:     num_frames=10 gives 9 frames, without a word: what does not fit the autoencoder's compression in time is
#           dropped. num_videos_per_prompt=2 gives one video: the call sets it to 1 before it reads it.
# Hurt:     users who put sound or another video beside it, or compare two samples of one call.
# Way out:  ask for 4 n + 1 frames; give the prompt twice for two videos.
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
from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXPipeline, CogVideoXTransformer3DModel

torch.manual_seed(0)
transformer = CogVideoXTransformer3DModel(
    num_attention_heads=4,
    attention_head_dim=8,
    in_channels=4,
    out_channels=4,
    time_embed_dim=2,
    text_embed_dim=32,
    num_layers=1,
    sample_width=4,
    sample_height=2,
    sample_frames=9,
    patch_size=2,
    temporal_compression_ratio=4,
    max_text_seq_length=16,
)
autoencoder = AutoencoderKLCogVideoX(
    down_block_types=("CogVideoXDownBlock3D",) * 4,
    up_block_types=("CogVideoXUpBlock3D",) * 4,
    block_out_channels=(8,) * 4,
    latent_channels=4,
    layers_per_block=1,
    norm_num_groups=2,
    temporal_compression_ratio=4,
)
pipe = CogVideoXPipeline(None, None, autoencoder.eval(), transformer.eval(), CogVideoXDDIMScheduler())
pipe.set_progress_bar_config(disable=True)
text = torch.randn(1, 16, 32)


def seen(**asked):
    """How many videos, and frames of each."""
    given = {"height": 16, "width": 32, "num_inference_steps": 1, "guidance_scale": 1.0, "output_type": "np"}
    return tuple(pipe(prompt_embeds=text, **given, **asked).frames.shape[:2])


print(f"diffusers {diffusers.__version__}, torch {torch.__version__}; CogVideoXPipeline")
nine, ten = seen(num_frames=9), seen(num_frames=10)
two = seen(num_frames=9, num_videos_per_prompt=2)
print(f"  num_frames=9: {nine[1]} frames\n  num_frames=10: {ten[1]} frames\n  num_videos_per_prompt=2: {two[0]} video(s)")
if (nine, ten, two) != ((1, 9), (1, 9), (1, 9)):
    sys.exit("changed: this is not what the finding says")
print("as the finding says: 10 frames are 9, and two videos are one")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
