"""Sources and measures of studies that need no model: workers import them by name."""

import os
import resource
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from sdexplore.trace.trace import Trace

IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def numbers(**load):
    """A source whose runs cost nothing; their only latents are the seed's noise."""
    note = load.get("loads")
    if note:  # a line for each process that loads
        with Path(note).open("a") as file:
            file.write(f"{os.getpid()}\n")
    return a_run


def a_run(prompt=None, *, seed, record, on_step, **arguments):
    """One run: it may raise, kill its process once, or take its time over its steps."""
    if note := arguments.get("note"):
        with Path(note).open("a") as file:
            file.write(f"{prompt}\n")
    while (gate := arguments.get("wait_for")) and not Path(gate).exists():
        time.sleep(0.02)
    fail, then, kill_once, steps, seconds = map(arguments.get, ("fail", "then", "kill_once", "steps", "seconds"))
    if fail and not (then and Path(then).exists()):
        raise ValueError(fail)
    for step in range(steps or 1):
        if kill_once and not Path(kill_once).exists():
            Path(kill_once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds or 0)
        stopping = []
        on_step(SimpleNamespace(step=step, total=steps or 1, stop=lambda to=stopping: to.append(1)))
        if stopping:
            from sdexplore.base.errors import Stopped

            raise Stopped("stopped")
    return Trace(
        kind="run",
        call={"prompt": prompt, "seed": seed, "record": record.to_json(), "arguments": arguments},
        provenance={},
        timesteps=np.array([1.0]),
        latents=np.random.default_rng(seed).normal(size=(2, 1, 2, 2)).astype(np.float32),
        image=IMAGE,
    )


def no_source(**_):
    """A source that no worker can load."""
    raise OSError("no weights here")


def ink(trace):
    """A number of the run."""
    return float(trace.latents[0, 0, 0, 0])


def letters(trace):
    """Another number."""
    return {"letters": len(trace.call["prompt"]), "upper": trace.call["prompt"].upper()}


def odd(trace, run):  # noqa: ARG001
    """What a run asks for: NaN, nothing, arrays."""
    wanted = run.get("about", {}).get("wanted")
    return {
        "nan": float("nan"),
        "nothing": None,
        "list": [1, 2.5],
        "array": np.eye(2),
        "text": "a half pair \ud800",
        "inf": float("inf"),
        "bool": True,
    }.get(wanted, 1)


def is_bright(row):
    """Whose trace is kept."""
    return row["ink"] > 0


def asks_pipe(trace, pipe):  # noqa: ARG001
    """A measure that asks the source again."""
    return float(pipe is a_run)


def faults():
    """A source whose runs make large arrays again and again."""

    def run(prompt, **arguments):
        """One run, with the page faults of its arrays in its call."""
        np.ones(1 << 19)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            np.ones(1 << 19)
        made = a_run(prompt, **arguments)
        more = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        return made.altered(call={**made.call, "faults": more})

    return run


def page_faults(trace):
    """Minor page faults of a run's arrays."""
    return trace.call["faults"]


def tiny():
    """A pipeline with random weights."""
    from tiny_pipelines import stable_diffusion

    return stable_diffusion()


def changing(flag):
    """A source whose runs come out otherwise once the file `flag` is there."""

    def run(prompt, *, seed, **arguments):
        return a_run(prompt, seed=seed + 1000 * Path(flag).exists(), **arguments)

    return run


def odd_number(trace, run):
    """As `odd`, where what is found is a number; a list or an array is an error."""
    found = odd(trace, run)
    if isinstance(found, list | np.ndarray):
        raise TypeError("no number")
    return found
