#!/usr/bin/env bash
# diffusers, SDXL and SD 2.x: an exclamation mark in the prompt becomes padding.
#
# Expected: SDXL's second text encoder reads "a cat!!!" as the tokens that it was trained with: OpenCLIP's own tokenizer
#           gives "!!!" one token, 995.
# Seen:     the second tokenizer pads with the vocabulary's entry "!" (id 0; diffusers' conversion makes it with
#           `pad_token="!"`). A special token is cut out of the text before everything else, so each typed "!" becomes
#           the padding token 0, in the middle of a sentence too. The first tokenizer, which pads with its end token,
#           gives 995. The ids of "!", "!!" and "!!!" that the encoder has learned are never used.
# Hurt:     SDXL and SD 2.x users who write exclamation marks, and tools that find the padding by its id: they count
#           what was typed as padding. The two encoders of SDXL read two different texts.
# Way out:  none in the prompt; a tool should count tokens from the end token on as padding, and not by their id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0 ftfy==6.3.1 regex==2026.11.19
$install --no-deps open_clip_torch==3.3.0 # its tokenizer and vocabulary; the rest of it needs torchvision
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
cat > "$folder/finding.py" <<'PYTHON'
import gzip
import importlib.util
import pathlib
import sys

import diffusers
import transformers
from transformers import CLIPTokenizer

opened = pathlib.Path(importlib.util.find_spec("open_clip").origin).parent  # found, not imported
spec = importlib.util.spec_from_file_location("tokenizer", opened / "tokenizer.py")
open_clip = importlib.util.module_from_spec(spec)
spec.loader.exec_module(open_clip)
reference = open_clip.SimpleTokenizer()

lines = gzip.open(opened / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8").read().split("\n")
merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
renamed = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
vocabulary = {renamed.get(piece, piece): number for piece, number in reference.encoder.items()}
options = {"vocab": vocabulary, "merges": merges, "model_max_length": 77}
first, second = CLIPTokenizer(**options), CLIPTokenizer(**options, pad_token="!")

print(f"diffusers {diffusers.__version__}, transformers {transformers.__version__}; ids without start and end")
found = {}
for prompt in ("a cat", "a cat!", "a cat!!!", "wow! a cat"):
    found[prompt] = [reference.encode(prompt), *(one(prompt).input_ids[1:-1] for one in (first, second))]
    ids = "; ".join(f"{name} {row}" for name, row in zip(("OpenCLIP", "first", "second"), found[prompt], strict=True))
    print(f"  {prompt!r}: {ids}")
print(f"  the second tokenizer's padding token: {second.pad_token!r}, {second.pad_token_id}")
own, one, two = found["a cat!!!"]
if own != one or two != [320, 2368, 0, 0, 0] or second.pad_token_id != 0 or own != [320, 2368, 995]:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: the second tokenizer turns typed exclamation marks into padding")
PYTHON
cd "$folder"
venv/bin/python finding.py
