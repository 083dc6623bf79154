"""A stored trace, and a process that opens files."""

import json
import subprocess
import sys

import pytest
import synthetic

# A user's process, without the tests' type checker: it reads a file name a line and prints the error of each.
READER = """
import json, sys
from sdexplore.trace.trace import Trace
for line in sys.stdin:
    said = None
    try:
        trace = Trace.load(json.loads(line))
        shown = repr(trace), trace._repr_html_()
        trace.verify()
    except BaseException as error:
        said = [type(error).__name__, str(error)]
    print(json.dumps(said), flush=True)
"""


@pytest.fixture(scope="module")
def opened():
    """Loads, shows and verifies a file elsewhere: None, or (class, message) of what was raised."""
    with subprocess.Popen([sys.executable, "-c", READER], stdin=-1, stdout=-1, text=True) as reader:

        def ask(path):
            reader.stdin.write(json.dumps(str(path)) + "\n")
            reader.stdin.flush()
            return json.loads(reader.stdout.readline())

        yield ask
        reader.stdin.close()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return synthetic.trace().save(tmp_path_factory.mktemp("traces") / "cat.safetensors")
