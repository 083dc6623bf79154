"""Weights that are no weights as they stand: 8-bit floats with a scale beside them, and whole numbers.

diffusers reads such a file without a word: it leaves the scales out, and takes 25 as the weight 25.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ...base.errors import LoadError
from .safetensors_headers import Header, read_header, read_json
from .weight_files import weight_files

_SCALE = re.compile(r"(^|\.)scaled_fp8$|\.(scale_weight|scale_input|weight_scale|comfy_quant|SCB|quant_state\.\w+)$")
_WHOLE = re.compile(r"u?int(8|16|32|64)")
_WAY = "load the version in float16"


def quantized(header: Header) -> str | None:
    """How the weights of a file are quantized, with the name of a tensor that tells it; None where they are not."""
    for name in header.tensors:
        if _SCALE.search(name):
            return f"scaled 8-bit weights ({name!r} belongs to them)"
    for name, tensor in header.tensors.items():
        if name.endswith("weight") and len(tensor.shape) > 1 and _WHOLE.fullmatch(tensor.dtype):
            return f"weights in {tensor.dtype} ({name!r} is the first)"
    return None


def refusal(header: Header) -> str | None:
    """Why weights in a file are not loaded, with the way out; None where they are weights."""
    how = quantized(header)
    return None if how is None else f"it has {how}, which diffusers would take as they are; {_WAY}"


def check_folder_weights(source: str, folder: Path, arguments: Mapping[str, object]) -> None:
    """LoadError where a component's weights are quantized and its configuration does not say by whom.

    Args:
        source: What the user calls the pipeline.
        folder: Of the component.
        arguments: Those that `from_pretrained` is given.
    """
    what = f"{folder.name!r} in {source!r}"
    config = folder / "config.json"
    try:
        known = config.is_file() and read_json(config, f"config.json of {what}").get("quantization_config")
    except LoadError:  # damaged: diffusers meets it too, and what it says is explained
        return
    if known or arguments.get("quantization_config"):
        return
    variant = arguments.get("variant")
    files = sorted(path.name for path in folder.glob(f"*.{variant}*.safetensors")) if variant else []
    for file in files or weight_files(folder, what)[0]:
        try:
            why = refusal(read_header(folder / file))
        except LoadError:  # damaged: diffusers meets it too, and what it says is explained
            continue
        if why is not None:
            raise LoadError(f"{what} cannot be loaded: {why}")
