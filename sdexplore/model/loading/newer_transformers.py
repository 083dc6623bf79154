"""Two components of folders that a newer transformers wrote than the one that is installed.

Transformers 5.6 and later save a CLIPTextModel without `text_model.` in front of its keys; older versions then take
random weights, with a warning. They also save tokenizers as tokenizer.json alone, which older slow classes cannot read.
"""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizerFast

from .safetensors_headers import read_json
from .weight_files import weight_files

_FLAT_SINCE = (5, 6)
_PREFIX = "text_model."


def components_of_newer(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Name -> component, for components that the installed transformers would read wrongly; else empty."""
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    if version >= _FLAT_SINCE:
        return {}
    found: dict[str, Any] = {}
    for name, value in read_json(folder / "model_index.json", "model_index.json").items():
        cls, part = value[1] if isinstance(value, list) and len(value) > 1 else None, folder / name
        if cls == "CLIPTokenizer" and (part / "tokenizer.json").is_file() and not (part / "vocab.json").is_file():
            found[name] = CLIPTokenizerFast.from_pretrained(part)
        if cls == "CLIPTextModel" and (text := _flat_text_model(part, dtype)) is not None:
            found[name] = text
    return found


def _flat_text_model(folder: Path, dtype: torch.dtype) -> CLIPTextModel | None:
    files, _ = weight_files(folder, repr(folder.name))
    tensors = {key: tensor for file in files for key, tensor in load_file(folder / file).items()}
    if not tensors or any(key.startswith(_PREFIX) for key in tensors):
        return None
    model = CLIPTextModel(CLIPTextConfig.from_pretrained(folder))
    model.load_state_dict({_PREFIX + key: tensor for key, tensor in tensors.items()})
    return model.to(dtype).eval()
