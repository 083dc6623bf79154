"""Tiny random pipelines (seconds) and the embedded model (real pictures) for every test."""

import gc
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault(
    "TRANSFORMERS_VERBOSITY", "error"
)  # transformers warns that torchvision is missing; no test needs it
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach a hub
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models gain nothing from more; several processes share the cores

import pytest
import type_checks
from hypothesis import HealthCheck, settings

gc.disable()  # until the tests run: collecting them imports a million objects that stay
sys.modules["rfc3987_syntax"] = None  # jsonschema compiles its grammar for seconds; no schema of a notebook uses it
type_checks.install()
# No test is timed, and none is another the next time.
untimed = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("untimed", untimed)
settings.load_profile("untimed")


KERNELS = "SDEXPLORE_TEST_KERNELS"  # the folder of kernels that all processes of a run share


def pytest_configure(config):
    """Before xdist starts its processes, a server of kernels for all of them; it costs little until it is asked."""
    if not getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        return
    from warm_kernels import warm_kernels

    stack = ExitStack()
    config.add_cleanup(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kernels-")))
    os.environ[KERNELS] = str(stack.enter_context(warm_kernels(folder)))
    stack.callback(os.environ.pop, KERNELS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop():
    """Spares garbage collections the million objects of the imported modules, and comes to them less often."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """The same chance for a test, whatever ran before it in its process."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadfile":
        return None
    from spreading import LongestFirst

    return LongestFirst(config, log)


@pytest.fixture(autouse=True)
def shared_parts():
    """Fails a test that changes what it shares with others."""
    yield
    if "shared_tokenizers" in sys.modules:  # tests without a model need none
        from shared_tokenizers import check_shared

        check_shared()


@pytest.fixture
def tiny():
    """A StableDiffusionPipeline with 1.6 M random parameters and no progress bar."""
    from tiny_pipelines import stable_diffusion

    return stable_diffusion()


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window, with the scrollbars that a reader's has."""
    from chromium import chromium

    return chromium()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Closes the Chromium after a file, unless the next file begins with it too."""
    try:
        return (yield)
    finally:
        if "chromium" in sys.modules and (
            nextitem is None or (nextitem.path != item.path and "browser" not in nextitem.fixturenames)
        ):
            sys.modules["chromium"].close_chromium()


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    """A folder for JUPYTER_PATH, whose kernels start in a tenth of a second."""
    from warm_kernels import warm_kernels

    if KERNELS in os.environ:
        yield Path(os.environ[KERNELS])
        return
    with warm_kernels(tmp_path_factory.mktemp("kernels")) as folder:
        yield folder


@pytest.fixture(scope="session")
def lab_of_all(tmp_path_factory, kernels):
    """A JupyterLab server with a root of its own, which starts while Chromium does and the kernels import."""
    from lab import jupyterlab
    from warm_kernels import prepare

    prepare(kernels)
    with jupyterlab(tmp_path_factory.mktemp("lab"), kernels) as found:
        yield found


@pytest.fixture(scope="module")
def lab(lab_of_all):
    """The JupyterLab server of all tests; after each file it closes the notebook and ends the kernels."""
    yield lab_of_all
    lab_of_all.close_notebook()


@pytest.fixture
def explorer(tiny):
    """A dashboard of the tiny pipeline; it is closed after the test."""
    from dashboards import PROMPT

    import sdexplore as sdx

    found = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=3, record=sdx.Record(decode=2))
    yield found
    found.wait(60.0)
    found.close()


@pytest.fixture(scope="module")
def trace():
    """A trace of made-up numbers, without a model."""
    import synthetic

    return synthetic.trace()


@pytest.fixture(scope="module")
def picture(trace):
    """A picture of that trace."""
    import sdexplore as sdx

    return sdx.views.attention(trace, ["cat"])


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """What every view is drawn from, made when it is first asked for."""
    from every_view import World

    return World(tmp_path_factory.mktemp("world"))
