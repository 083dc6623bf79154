#!/usr/bin/env bash
# diffusers: with Pyramid Attention Broadcast, WanPipeline ignores the negative prompt.
#
# Expected: the cache reuses an attention's output of the step before: with `*_attention_block_skip_range=N`, "the
#           attention computation will be skipped N - 1 times (i.e., old attention states will be reused)".
# Seen:     WanPipeline calls its transformer twice a step, with the prompt and then with the negative prompt. The cache
#           counts calls and not steps, and keeps one output for both. With N = 2 the first call always computes, and
#           the second one always gets the prompt's attention of the same step. Nothing of the negative prompt is left:
#           two of them give equal latents. The pipeline names its calls, `cache_context("uncond")`; the cache does not
#           ask. (ChromaPipeline, which makes two calls as well, does the same.)
# Hurt:     users who want a video sooner: within the timesteps of the cache there is hardly any guidance, which looks
#           like the price of a cache.
# Way out:  a cache that keeps the calls apart, such as FirstBlockCacheConfig. CogVideoXPipeline, the example of the
#           documentation, makes one call for both prompts.
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
    AutoencoderKLWan,
    FirstBlockCacheConfig,
    PyramidAttentionBroadcastConfig,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)

torch.manual_seed(0)
transformer = WanTransformer3DModel(
    patch_size=(1, 2, 2),
    num_attention_heads=2,
    attention_head_dim=12,
    in_channels=4,
    out_channels=4,
    text_dim=32,
    ffn_dim=32,
    num_layers=2,
    rope_max_seq_len=32,
)
for weight in transformer.parameters():  # a new transformer has small numbers where its output is made
    torch.nn.init.normal_(weight, std=0.2)
autoencoder = AutoencoderKLWan(base_dim=3, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4)
scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
pipe = WanPipeline(None, None, autoencoder.eval(), scheduler, transformer.eval())
pipe.set_progress_bar_config(disable=True)
words, ugly, blurry = torch.randn(3, 1, 16, 32)
calls = []  # how many attentions each call of the transformer computes
transformer.register_forward_pre_hook(lambda *_: calls.append(0))
for layer in transformer.blocks:
    for attention in (layer.attn1, layer.attn2):
        attention.to_q.register_forward_hook(lambda *_: calls.append(calls.pop() + 1))


def drawn(negative):
    calls.clear()
    return pipe(
        prompt_embeds=words,
        negative_prompt_embeds=negative,
        height=32,
        width=32,
        num_frames=5,
        num_inference_steps=4,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(0),
        output_type="latent",
    ).frames


def another():
    """How much another negative prompt changes the latents, and the attentions computed in each call."""
    return float((drawn(ugly) - drawn(blurry)).abs().max()), list(calls)


def broadcast(timesteps):
    return PyramidAttentionBroadcastConfig(
        spatial_attention_block_skip_range=2,
        cross_attention_block_skip_range=2,
        spatial_attention_timestep_skip_range=timesteps,
        cross_attention_timestep_skip_range=timesteps,
        current_timestep_callback=lambda: pipe.current_timestep,
    )


print(f"diffusers {diffusers.__version__}, torch {torch.__version__}; a small WanPipeline, 4 steps, guidance_scale 5")
found = {"no cache": another()}
for name, cache in (
    ("PyramidAttentionBroadcastConfig, timesteps 100 to 800, the default", broadcast((100, 800))),
    ("PyramidAttentionBroadcastConfig, all timesteps", broadcast((0, 1001))),
    ("FirstBlockCacheConfig, as often as it can", FirstBlockCacheConfig(threshold=100.0)),
):
    transformer.enable_cache(cache)
    found[name] = another()
    transformer.disable_cache()
for name, (change, computed) in found.items():
    print(f"  {name}:\n    another negative prompt changes the latents by {change:.1e}; attentions a call: {computed}")
plain, part, whole, other = found.values()
if whole != (0.0, [4, 0] * 4) or part[1][-2:] != [4, 0] or min(plain[0], other[0]) < 1e-2 or other[1][-2:] != [2, 2]:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: the negative prompt's call computes no attention, and has no effect")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
