#!/usr/bin/env bash
# diffusers: an empty `prompt_2` is the prompt, and SDXL ignores a `negative_prompt_2` that stands alone.
#
# Expected: the prompt of the second text encoder is `prompt_2`. "If not defined, `prompt` is used in both
#           text-encoders", and the same is said of `negative_prompt_2`. An empty text is defined: `prompt_2=""` leaves
#           the second encoder without words. `negative_prompt_2="blurry"` is a negative prompt.
# Seen:     `prompt_2=""` draws the same picture as no `prompt_2`: `prompt_2 or prompt` makes it the prompt. A list
#           `[""]` is taken as it stands. `negative_prompt_2="blurry"` without `negative_prompt` changes nothing either:
#           SDXL sets all negative embeddings to zero where `negative_prompt` is None, those of "blurry" too.
# Hurt:     everybody who asks what each text encoder contributes, and leaves one without words: both read the prompt,
#           and the answer is "nothing". Logs hold texts that no encoder was given. SD3 and FLUX have the same `or`.
# Way out:  `prompt_2=[""]`, a list; and `negative_prompt=""` beside `negative_prompt_2="blurry"`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error DIFFUSERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import string
import sys

import diffusers
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

torch.manual_seed(0)
letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
vocabulary = {piece: number for number, piece in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
sizes = CLIPTextConfig(
    vocab_size=len(vocabulary),
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    projection_dim=32,
    bos_token_id=vocabulary["<|startoftext|>"],
    eos_token_id=vocabulary["<|endoftext|>"],
)
pipe = StableDiffusionXLPipeline(
    vae=AutoencoderKL(
        sample_size=64,
        block_out_channels=(16, 32, 32, 32),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval(),
    text_encoder=CLIPTextModel(sizes).eval(),
    text_encoder_2=CLIPTextModelWithProjection(sizes).eval(),
    tokenizer=tokenizer,
    tokenizer_2=tokenizer,
    unet=UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=4,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
    ).eval(),
    scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
)
pipe.set_progress_bar_config(disable=True)
read = []  # the texts that the second encoder is given
pipe.text_encoder_2.register_forward_pre_hook(
    lambda _, given: read.append(tokenizer.decode(given[0][0], skip_special_tokens=True).replace(" ", ""))
)


def drawn(**texts):
    read.clear()
    given = {"height": 64, "width": 64, "num_inference_steps": 2, "guidance_scale": 5.0, "output_type": "latent"}
    return pipe("cat", generator=torch.Generator().manual_seed(0), **given, **texts).images


print(f"diffusers {diffusers.__version__}: a small SDXL, prompt 'cat', the same seed in every call")
alone, found = drawn(), []
for texts in (
    {"prompt_2": "dog"},
    {"prompt_2": ""},
    {"prompt_2": [""]},
    {"negative_prompt_2": "blurry"},
    {"negative_prompt": "", "negative_prompt_2": "blurry"},
):
    found.append(float((drawn(**texts) - alone).abs().max()))
    asked = ", ".join(f"{name}={text!r}" for name, text in texts.items())
    print(f"  {asked}: the latents change by {found[-1]:.1e}; the second encoder read {read}")
if found[1] != 0 or found[3] != 0 or min(found[0], found[2], found[4]) < 1e-3:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: prompt_2='' and negative_prompt_2='blurry' change nothing")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
