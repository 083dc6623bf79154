#!/usr/bin/env bash
# diffusers: after `fuse_qkv_projections()` a Stable Diffusion 3.5 medium model fails at its next call.
#
# Expected: the method fuses the projections, and the predictions stay the same. It works for Stable Diffusion 3.
# Seen:     with dual attention layers (3.5 medium) the next call raises AttributeError: 'NoneType' object has no
#           attribute 'ndim'. The second attention of such a block has no text, and the fused processor asks for one.
# Hurt:     users of 3.5 medium who follow the guide on fast inference; the message names no way out.
# Way out:  `unfuse_qkv_projections()`, and leave the projections as they are.
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
from diffusers import SD3Transformer2DModel

torch.manual_seed(0)
sizes = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 8,
    "caption_projection_dim": 32,
    "pooled_projection_dim": 8,
    "pos_embed_max_size": 8,
}
given = {
    "hidden_states": torch.randn(1, 4, 8, 8),
    "encoder_hidden_states": torch.randn(1, 5, 8),
    "pooled_projections": torch.randn(1, 8),
    "timestep": torch.tensor([500]),
}


@torch.no_grad()
def seen(**more):
    model = SD3Transformer2DModel(**sizes, **more).eval()
    before = model(**given).sample
    model.fuse_qkv_projections()
    try:
        return f"differs by {float((model(**given).sample - before).abs().max()):.0e}"
    except AttributeError as error:
        return f"AttributeError: {error}"


print(f"diffusers {diffusers.__version__}, torch {torch.__version__}; fuse_qkv_projections(), then a call")
sd3, medium = seen(), seen(dual_attention_layers=(0,), qk_norm="rms_norm")
print(f"  Stable Diffusion 3: {sd3}\n  Stable Diffusion 3.5 medium (dual attention): {medium}")
if not (sd3.startswith("differs by") and medium.startswith("AttributeError")):
    sys.exit("changed: this is not what the finding says")
print("as the finding says: the model with dual attention fails at its next call")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
