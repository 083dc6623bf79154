#!/usr/bin/env bash
# diffusers: the attention mask that ChromaPipeline makes does not mask.
#
# Expected: padding of the prompt has no influence on the picture; ChromaTransformer2DModel takes `attention_mask` for that.
# Seen:     the pipeline makes the mask of floats, 1.0 and 0.0. The kernel adds a float mask to the logits, so padding is
#           attended, with e times less weight than a word has. With the same mask as bool the padding has no influence.
# Hurt:     readers of attention maps: padding holds a share that nobody expects. Two prompts padded to different
#           lengths (`max_sequence_length`) draw different pictures.
# Way out:  none within the pipeline; a tool that reads attention must add the mask as the kernel does.
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
from diffusers import ChromaTransformer2DModel

torch.manual_seed(0)
model = ChromaTransformer2DModel(
    in_channels=4,
    num_layers=1,
    num_single_layers=1,
    attention_head_dim=16,
    num_attention_heads=2,
    joint_attention_dim=8,
    axes_dims_rope=(4, 4, 8),
    approximator_num_channels=8,
    approximator_hidden_dim=16,
    approximator_layers=1,
).eval()
picture, words, other = torch.randn(1, 16, 4), torch.randn(1, 6, 8), torch.randn(1, 6, 8)
real = 2  # tokens of the text; the other four are padding
mask = torch.cat([torch.arange(6)[None] < real, torch.ones(1, 16, dtype=torch.bool)], dim=1)
changed = torch.where(mask[:, :6, None], words, other)  # the padding alone is another


@torch.no_grad()
def out(text, attention_mask):
    return model(
        hidden_states=picture,
        encoder_hidden_states=text,
        timestep=torch.tensor([0.5]),
        img_ids=torch.zeros(16, 3),
        txt_ids=torch.zeros(6, 3),
        attention_mask=attention_mask,
        return_dict=False,
    )[0]


print(f"diffusers {diffusers.__version__}, torch {torch.__version__}; the text has {real} tokens and 4 of padding")
found = {}
for name, given in (("float, as the pipeline makes it", mask.float()), ("bool", mask)):
    found[name] = float((out(words, given) - out(changed, given)).abs().max())
    print(f"  mask {name}: other padding changes the prediction by {found[name]:.1e}")
leaks, exact = found.values()
if not (leaks > 1e-4 and exact == 0.0):
    sys.exit("changed: this is not what the finding says")
print("as the finding says: with a mask of floats the padding is attended")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
