#!/usr/bin/env bash
# diffusers with PEFT: a call with LoRA scale 0 changes every later call.
#
# Expected: `cross_attention_kwargs={"scale": 0}` leaves the LoRA out of this one call. The strength that
#           `set_adapters` gave is in force again afterwards, as it is after a call with any other scale.
# Seen:     after the call, every LoRA layer has strength 1.0, whatever `set_adapters` said. Multiplying by 0 cannot
#           be undone by a division, and `unscale_lora_layers` writes 1.0 in its place.
# Hurt:     comparisons "with and without the LoRA": the picture made after the one without it is made with another
#           strength than the picture before. Nothing warns, and `get_active_adapters` says the same as before.
# Way out:  `pipe.disable_lora()` and `pipe.enable_lora()`, or `set_adapters` again after such a call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0 peft==0.21.2
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import sys

import diffusers
import peft
import torch
from diffusers import UNet2DConditionModel

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8,
    block_out_channels=(32, 64),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    cross_attention_dim=32,
    attention_head_dim=4,
    norm_num_groups=8,
).eval()
unet.add_adapter(peft.LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"], init_lora_weights=False), "style")
unet.set_adapters(["style"], [0.5])
latents, words = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 32)


@torch.no_grad()
def call(scale=None):
    options = None if scale is None else {"scale": scale}
    return unet(latents, 500, words, cross_attention_kwargs=options).sample


def strengths():
    layers = (module for module in unet.modules() if isinstance(module, peft.tuners.lora.LoraLayer))
    return sorted({layer.scaling["style"] for layer in layers})


print(f"diffusers {diffusers.__version__}, peft {peft.__version__}: a small UNet, one LoRA, set_adapters(..., [0.5])")
before = call()
print(f"  before:           strengths of the layers {strengths()}")
call(scale=0.3)
other = (call() - before).abs().max().item()
print(f"  after scale 0.3:  strengths {strengths()}, largest change of the same call {other:.1e}")
call(scale=0)
later = (call() - before).abs().max().item()
print(f"  after scale 0:    strengths {strengths()}, largest change of the same call {later:.1e}")
if strengths() != [1.0] or other > 1e-5 or later < 1e-3:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: scale 0 in one call sets the strength of later calls to 1.0")
PYTHON
cd "$folder"
venv/bin/python finding.py
