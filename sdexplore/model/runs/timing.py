"""Fair measurements of seconds: runs alternate, the host waits for the device; peaks and waits are measured apart."""

import copy
import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...records.benchmark import Spread
from ..families import family_of

Run = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Seconds of several ways of running. In each round every way runs once, in turn.

    Attributes:
        seconds: Name -> seconds, one a round.
    """

    seconds: Mapping[str, tuple[float, ...]]

    def of(self, name: str) -> Spread:
        """Seconds of one way."""
        return Spread.of(self.seconds[name])

    def ratio(self, name: str, base: str) -> Spread:
        """Seconds of one way divided by those of another, round by round."""
        pairs = zip(self.seconds[name], self.seconds[base], strict=True)
        return Spread.of([one / other for one, other in pairs])


def timed(runs: Mapping[str, Run], rounds: int, device: torch.device, warm_up: int = 1) -> Times:
    """Runs A B C A B C …, so that a disturbance that lasts longer than a round disturbs all ways alike."""
    for run in runs.values():
        for _ in range(warm_up):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            synchronise(device)
            started = time.perf_counter()
            run()
            synchronise(device)
            seconds[name].append(time.perf_counter() - started)
    return Times({name: tuple(found) for name, found in seconds.items()})


def synchronise(device: torch.device) -> None:
    """Waits until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(run: Run, device: torch.device) -> int | None:
    """Bytes that tensors took on the device at the peak of one run; None where torch does not count them."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    run()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device))


def waits(run: Run, device: torch.device) -> int | None:
    """How often the host waited for the device in one run, by torch's sync debug mode; None where it is not CUDA.

    That mode reports copies and numbers that the host reads. It does not report `torch.cuda.synchronize` or an event's
    `synchronize`; these are counted beside it.
    """
    if device.type != "cuda":
        return None
    asked: list[object] = []
    whole, of_event = torch.cuda.synchronize, torch.cuda.Event.synchronize

    def counted(original: Callable[..., None]) -> Callable[..., None]:
        def counting(*args: Any, **kwargs: Any) -> None:
            asked.append(args)
            original(*args, **kwargs)

        return counting

    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        torch.cuda.synchronize = counted(whole)
        torch.cuda.Event.synchronize = counted(of_event)  # type: ignore[method-assign]
        try:
            run()
        finally:
            torch.cuda.synchronize = whole
            torch.cuda.Event.synchronize = of_event  # type: ignore[method-assign]
            torch.cuda.set_sync_debug_mode(before)
    return len(asked) + sum("synchronizing CUDA operation" in str(one.message) for one in told)


def plain_latents(pipe: Any, prompt: str, seed: int, **arguments: Any) -> Any:
    """The latents of diffusers' own call, not traced, from this seed; pictures where output_type says so."""
    generator = torch.Generator("cpu").manual_seed(seed)
    given = {"output_type": "latent", **arguments}
    return pipe(prompt=prompt, generator=generator, **given).images


def as_numbers(latents: torch.Tensor) -> np.ndarray:
    """Latents as a trace holds them: float32 on the host, (channel, y, x)."""
    return np.asarray(latents[0].detach().float().cpu().numpy())


def facts(device: torch.device) -> dict[str, str]:
    """Facts of the measurement: device, versions, threads, the load before, date, commit. No name of a machine."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    found = {"device": name}
    if device.type == "cpu":
        found["cores"] = str(os.cpu_count())
        found["threads"] = str(torch.get_num_threads())
    if hasattr(os, "getloadavg"):
        found["load before"] = f"{os.getloadavg()[0]:.1f}"
    for package in ("torch", "diffusers", "transformers", "sdexplore"):
        found[package] = importlib.metadata.version(package)
    found["Python"] = platform.python_version()
    found["date"] = dt.datetime.now(dt.UTC).date().isoformat()
    if (commit := _commit()) is not None:
        found["commit"] = commit
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine() or "an unnamed processor"


def _commit() -> str | None:
    """The commit of the repository that holds this file, with "+" where files were changed since; None without one."""
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return None
    ask = ("git", "-C", str(here), "describe", "--always", "--dirty=+", "--exclude=*")
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  (fixed words)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def compiled_by_diffusers(pipe: Any) -> Any:
    """A pipeline of the same parts whose denoiser is compiled as diffusers' documentation says; `pipe` is not changed.

    On CUDA with mode="reduce-overhead": CUDA graphs, the fastest of the usual ways.
    """
    family = family_of(pipe)
    denoiser = copy.copy(family.held(pipe))  # the same parameters and layers; only its own call is compiled
    denoiser.compile(**({"mode": "reduce-overhead"} if next(denoiser.parameters()).device.type == "cuda" else {}))
    beside = copy.copy(pipe)  # from_pipe would cast what both share to float32
    setattr(beside, family.component, denoiser)
    return beside
