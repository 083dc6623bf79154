#!/usr/bin/env bash
# diffusers: `set_attention_backend` of one model changes every model of the process, and the reset does not end it.
#
# Expected: the method belongs to a model. Its documentation says "Set the attention backend for the model"; the reset is
#           "Resets the attention backend for the model".
# Seen:     the call also sets the default of the whole process. A second model that never got a call computes with that
#           backend from then on, and after the reset both still do.
# Hurt:     comparisons of two pipelines, one with another backend: both have it. Benchmarks that reset between two rows
#           measure the first backend twice. Pictures of an untouched pipeline change by rounding.
# Way out:  set the backend of every model by name ("native"), or use the context manager `attention_backend(...)`.
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
from diffusers import FluxTransformer2DModel
from torch.profiler import ProfilerActivity, profile

torch.manual_seed(0)


def network():
    return FluxTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=0,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=False,
    ).eval()


given = {
    "hidden_states": torch.randn(1, 16, 4),
    "encoder_hidden_states": torch.randn(1, 5, 8),
    "pooled_projections": torch.randn(1, 8),
    "timestep": torch.tensor([0.5]),
    "img_ids": torch.zeros(16, 3),
    "txt_ids": torch.zeros(5, 3),
}


@torch.no_grad()
def kernel(model):
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        model(**given)
    names = {event.key.removeprefix("aten::") for event in seen.key_averages()}
    return "math" if "_scaled_dot_product_attention_math" in names else "fused"


touched, untouched = network(), network()
print(f"diffusers {diffusers.__version__}, torch {torch.__version__}; two models of their own")
found = {"at first": (kernel(touched), kernel(untouched))}
touched.set_attention_backend("_native_math")
found["touched.set_attention_backend('_native_math')"] = (kernel(touched), kernel(untouched))
touched.reset_attention_backend()
found["touched.reset_attention_backend()"] = (kernel(touched), kernel(untouched))
for when, (one, other) in found.items():
    print(f"  {when}: touched runs {one}, untouched runs {other}")
if list(found.values()) != [("fused", "fused"), ("math", "math"), ("math", "math")]:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: the other model changes too, and the reset leaves both as they are")
PYTHON
cd "$folder"
venv/bin/python -W ignore finding.py
