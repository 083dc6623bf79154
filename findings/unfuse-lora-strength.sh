#!/usr/bin/env bash
# diffusers with PEFT: `unfuse_lora()` does not bring back the strength that `fuse_lora(lora_scale=...)` changed.
#
# Expected: `pipe.unfuse_lora()` "Reverses the effect of pipe.fuse_lora()": afterwards the LoRA has the strength that
#           `set_adapters` gave it.
# Seen:     `fuse_lora(lora_scale=0.7)` multiplies the strength of every LoRA layer by 0.7 before it merges the weights.
#           `unfuse_lora()` takes the weights out again and leaves the multiplied strength. A second round with the same
#           arguments gives 0.49, a third one 0.343: the same line fuses another model each time.
# Hurt:     comparisons of several values of `lora_scale`, and services that fuse for one request and unfuse after it:
#           the LoRA fades from call to call. Nothing warns, and `get_active_adapters` says the same as before.
# Way out:  give the strength to `set_adapters(name, 0.7)`, and call `fuse_lora()` without a scale; or call
#           `set_adapters` after each `unfuse_lora()`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0 peft==0.21.2
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error DIFFUSERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import sys

import diffusers
import peft
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

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
pipe = StableDiffusionPipeline(
    vae=AutoencoderKL(sample_size=64, block_out_channels=(16,), norm_num_groups=8).eval(),
    unet=unet,
    scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
    text_encoder=None,
    tokenizer=None,
    safety_checker=None,
    feature_extractor=None,
    requires_safety_checker=False,
)
unet.add_adapter(peft.LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"], init_lora_weights=False), "style")
latents, words = torch.randn(1, 4, 8, 8), torch.randn(1, 77, 32)


@torch.no_grad()
def call():
    return unet(latents, 500, words).sample


def strengths():
    layers = (module for module in unet.modules() if isinstance(module, peft.tuners.lora.LoraLayer))
    return sorted({round(layer.scaling["style"], 3) for layer in layers})


print(f"diffusers {diffusers.__version__}, peft {peft.__version__}: a small Stable Diffusion, one LoRA")
pipe.set_adapters("style", 1.0)
before, fused, after = call(), [], []
print(f"  set_adapters('style', 1.0):                            strengths of the layers {strengths()}")
for _ in range(3):
    pipe.fuse_lora(lora_scale=0.7)
    fused.append(call())
    pipe.unfuse_lora()
    after.append(strengths())
    change = float((call() - before).abs().max())
    print(f"  fuse_lora(lora_scale=0.7), then unfuse_lora():         {after[-1]}; the output differs by {change:.1e}")
apart = float((fused[0] - fused[1]).abs().max())
print(f"  the first and the second fused model differ by {apart:.1e}; active: {pipe.get_active_adapters()}")
pipe.set_adapters("style", 0.7)
pipe.fuse_lora()
pipe.unfuse_lora()
other = strengths()
print(f"  set_adapters('style', 0.7), fuse_lora(), unfuse_lora(): {other}")
if after != [[0.7], [0.49], [0.343]] or change < 1e-3 or apart < 1e-3 or other != [0.7]:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: each round leaves 0.7 of the LoRA's strength")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
