#!/usr/bin/env bash
# diffusers: ZImagePipeline writes its chat template into the caller's list of prompts.
#
# Expected: a pipeline reads the list that it is given. Calling it twice with the same list and the same seed gives the
#           same picture twice.
# Seen:     after the first call the list holds "<|im_start|>user ..." in place of the prompt. The second call
#           wraps that text once more, and the picture is another one. The list of negative prompts is changed as well.
# Hurt:     loops over seeds or guidance scales with one list of prompts: only the first round draws the prompt. What
#           is logged from the list after the call is not what the user asked for.
# Way out:  pass a copy: `pipe(prompt=list(prompts))`. A single string is safe.
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

import diffusers
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

torch.manual_seed(0)
alphabet = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
letters = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(alphabet)}, merges=[]))
letters.pre_tokenizer, letters.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=letters,
    eos_token="<|im_end|>",
    pad_token="<|endoftext|>",
    additional_special_tokens=["<|im_start|>"],
)
tokenizer.chat_template = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
pipe = ZImagePipeline(
    transformer=ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    ).eval(),
    vae=AutoencoderKL(
        latent_channels=16,
        block_out_channels=(16, 16, 16, 16),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval(),
    text_encoder=Qwen3Model(
        Qwen3Config(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            vocab_size=len(alphabet),
        )
    ).eval(),
    tokenizer=tokenizer,
    scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
)
pipe.set_progress_bar_config(disable=True)
for weight in pipe.transformer.parameters():  # a new transformer has zeros where its output is made
    torch.nn.init.normal_(weight, std=0.2)


def drawn(prompt, negative_prompt):
    options = {"height": 64, "width": 64, "num_inference_steps": 2, "guidance_scale": 3.0, "output_type": "latent"}
    return pipe(
        prompt=prompt,
        negative_prompt=negative_prompt,
        generator=torch.Generator().manual_seed(0),
        max_sequence_length=256,
        **options,
    ).images


print(f"diffusers {diffusers.__version__}: a small ZImagePipeline with random weights, the same seed in every call")
prompts, negatives = ["a cat"], ["blurry"]
first = drawn(prompts, negatives)
print(f"  the lists after the first call:  {prompts}, {negatives}")
second = drawn(prompts, negatives)
print(f"  the list after the second call:  {prompts}")
change = (second - first).abs().max().item()
copied = (drawn(["a cat"], ["blurry"]) - first).abs().max().item()
print(f"  largest difference of the latents: the same lists again {change:.2e}, new lists {copied:.2e}")
if "<|im_start|>" not in prompts[0] or "<|im_start|>" not in negatives[0] or change == 0 or copied != 0:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: the caller's list is changed, and the second picture with it")
PYTHON
cd "$folder"
venv/bin/python finding.py
