#!/usr/bin/env bash
# diffusers with transformers 5: an embedding of several vectors whose name has a capital letter counts as its first vector.
#
# Expected: after `load_textual_inversion(..., token="EasyNegative")` of an embedding with four vectors, the word
#           EasyNegative in a prompt stands for all four vectors, as the documentation of `maybe_convert_prompt` says.
# Seen:     it stands for the first one alone. The tokenizer of CLIP lower-cases the prompt, so the token that it
#           reports is "easynegative". The pipeline looks that up among the names of the embedding, finds nothing, and
#           leaves the prompt as it is. A name without capitals works.
# Hurt:     users of negative embeddings such as EasyNegative: they load a file of several vectors, nothing warns, and
#           one of the vectors has an effect.
# Way out:  give a name without capitals: `load_textual_inversion(..., token="easynegative")`.
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
import transformers
from diffusers import StableDiffusionPipeline
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

letters = sorted(ByteLevel.alphabet())
pieces = (*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>")


def used_vectors(name):
    """How many of the four vectors the word `name` stands for in a prompt."""
    pipe = StableDiffusionPipeline(
        tokenizer=CLIPTokenizer(vocab={piece: n for n, piece in enumerate(pieces)}, merges=[], model_max_length=77),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(pieces), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4
            )
        ),
        **dict.fromkeys(("vae", "unet", "scheduler", "safety_checker", "feature_extractor")),
        requires_safety_checker=False,
    )
    pipe.load_textual_inversion({"emb_params": torch.randn(4, 32)}, token=name)
    prompt = pipe.maybe_convert_prompt(f"bad hands, {name}", pipe.tokenizer)
    ids = pipe.tokenizer(prompt).input_ids
    count = sum(number >= len(pieces) for number in ids)
    print(f"  token={name!r}: the prompt becomes {prompt!r}, {count} of 4 vectors are used")
    return count


print(f"diffusers {diffusers.__version__}, transformers {transformers.__version__}: an embedding of four vectors")
if used_vectors("EasyNegative") != 1 or used_vectors("easynegative") != 4:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: with a capital letter in its name, the embedding counts as its first vector")
PYTHON
cd "$folder"
venv/bin/python finding.py
