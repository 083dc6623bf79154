#!/usr/bin/env bash
# diffusers: the same configuration is another JSON text in every process.
#
# Expected: `scheduler.to_json_string()` and `json.dumps(scheduler.config)` of one scheduler, made with the same
#           arguments, are the same text in every process.
# Seen:     the text of `config` differs from process to process. The entry `_use_default_values` is a list that is made
#           from a set of strings, so its order follows Python's hash seed. `to_json_string()` leaves the entry out.
# Hurt:     caches, experiment trackers and resumable studies that take a hash of `pipe.scheduler.config` (or of
#           `pipe.unet.config`) as the identity of a run: each process finds another hash, and nothing is found again.
# Way out:  sort the entry before hashing. Dropping it loses information: `from_config` treats an argument that was left
#           to its default and one that was given with the same value differently, as the last lines show.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
install="$folder/venv/bin/python -m pip install --quiet --disable-pip-version-check"
$install torch==2.13.0
$install diffusers==0.42.1 transformers==5.23.0
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
cat > "$folder/one_process.py" <<'PYTHON'
import hashlib
import json

from diffusers import DDIMScheduler

scheduler = DDIMScheduler(beta_start=0.00085)
config = json.dumps(dict(scheduler.config), sort_keys=True)
print(json.dumps({
    "config": hashlib.sha256(config.encode()).hexdigest()[:12],
    "to_json_string": hashlib.sha256(scheduler.to_json_string().encode()).hexdigest()[:12],
    "first defaults": scheduler.config["_use_default_values"][:3],
}))
PYTHON
cat > "$folder/compare.py" <<'PYTHON'
import json
import os
import subprocess
import sys

import diffusers
from diffusers import DDIMScheduler, EulerDiscreteScheduler

print(f"diffusers {diffusers.__version__}, DDIMScheduler(beta_start=0.00085), one process for each hash seed")
found = []
for seed in ("1", "2", "3"):
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    printed = subprocess.run([sys.executable, "one_process.py"], env=environment, check=True, capture_output=True)
    found.append(json.loads(printed.stdout))
    print(f"  hash seed {seed}: {found[-1]}")
left_out = EulerDiscreteScheduler.from_config(DDIMScheduler().config).config["timestep_spacing"]
given = EulerDiscreteScheduler.from_config(DDIMScheduler(timestep_spacing="leading").config).config["timestep_spacing"]
print(f"  Euler from DDIMScheduler(): timestep_spacing {left_out!r}")
print(f"  Euler from DDIMScheduler(timestep_spacing='leading'), which is DDIM's default: {given!r}")
texts = {one["config"] for one in found}
if len(texts) == 1 or len({one["to_json_string"] for one in found}) != 1 or left_out == given:
    sys.exit("changed: this is not what the finding says")
print("as the finding says: one configuration, several texts")
PYTHON
cd "$folder"
venv/bin/python compare.py
