"""Builds the site into a folder, strictly: `python notebooks/site/build.py build/site`. `make site` calls it.

What is kept between two builds lies in the folder beside it that is named `…-doctrees`.
"""

import os
import sys
from pathlib import Path

from sphinx.cmd.build import main

HERE = Path(__file__).parent


def build(folder):
    """Builds the site; returns 0 if there was no warning."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns that torchvision is missing; nothing needs it
    kept = Path(folder).with_name(f"{Path(folder).name}-doctrees")
    places = ["-c", str(HERE), "-d", str(kept), str(HERE.parent), str(folder)]
    return main(["-W", "--keep-going", "--quiet", "-b", "html", *places])


if __name__ == "__main__":
    sys.exit(build(sys.argv[1]))
