"""How long reading takes: word maps, frames of a dashboard, opening a file, importing. It needs no model."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from .. import views
from ..analysis.attention import word_map
from ..analysis.region import region_words
from ..browser.packing import pack
from ..dashboard.open_dashboard import explore
from ..figures.picture import Picture
from ..records.benchmark import Reading, Spread
from ..trace.trace import Trace
from .stored import stored_trace
from .subjects import WORD

_FRAME: Final = 50.0
_IMPORT: Final = (
    "import time; began = time.perf_counter(); import sdexplore; print(1000 * (time.perf_counter() - began))"
)
_LOAD_EXT: Final = (
    "import time; from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance(); "
    "began = time.perf_counter(); shell.run_line_magic('load_ext', 'sdexplore'); "
    "print(1000 * (time.perf_counter() - began))"
)


def readings(repeats: int = 15, *, steps: int = 50, side: int = 64) -> Iterator[Reading]:
    """All readings one after the other, in milliseconds.

    Args:
        repeats: How often each is timed.
        steps, side: The size of the trace: its steps, and the side of its latents; by default those of SD 1.5.
    """
    yield _reading("import sdexplore", _in_new_python(_IMPORT, repeats), 200.0)
    yield _reading("%load_ext sdexplore", _in_new_python(_LOAD_EXT, min(repeats, 5)), 200.0)
    with tempfile.TemporaryDirectory() as folder:
        for name, columns, heads in (
            ("the prompt's columns", False, 1),
            ("all 77 columns", True, 1),
            ("8 heads", False, 8),
        ):
            trace = stored_trace(steps=steps, side=side, heads=heads, every_position=columns)
            yield from _of_trace(trace, Path(folder) / "trace.safetensors", name, repeats)
        yield from _frames(stored_trace(steps=steps, side=side), repeats)


def _of_trace(made: Trace, path: Path, name: str, repeats: int) -> Iterator[Reading]:
    made.save(path)
    what = f"{made.nbytes / 2**20:.0f} MiB, {name}"
    yield _reading(f"open ({what})", _timed(lambda: Trace.load(path), repeats), 100.0)

    def one_step() -> object:
        return word_map(Trace.load(path), WORD, steps=-1)

    yield _reading(f"open, word_map of one step ({name})", _timed(one_step, repeats))
    yield _reading(f"open, word_map ({name})", _timed(lambda: word_map(Trace.load(path), WORD), repeats), _FRAME)
    opened = Trace.load(path)
    yield _reading(f"word_map ({name})", _timed(lambda: word_map(opened, WORD), repeats), _FRAME)
    methods = ("p2p", "amd") if next(iter(opened.attention().values())).head_mean else ("daam", "p2p", "amd")
    for method in methods:
        if method == "p2p" and not any(one.probs.shape[2] == 16 for one in opened.attention().values()):  # noqa: PLR2004
            continue  # p2p reads only grids of 16 × 16
        call = _published(opened, method)
        yield _reading(f"word_map, method {method!r} ({name})", _timed(call, repeats), _FRAME)
    side = 0 if opened.image is None else opened.image.shape[0] // 4
    box = (side, side, 2 * side, 2 * side)
    budget = _FRAME if name != "8 heads" else None
    yield _reading(f"region_words, every word ({name})", _timed(lambda: region_words(opened, box), repeats), budget)


def _published(trace: Trace, method: str) -> Callable[[], object]:
    return lambda: word_map(trace, WORD, method=method)


def _shown(draw: Callable[[], Picture]) -> Callable[[], object]:
    return lambda: draw().html()


def _frames(trace: Trace, repeats: int) -> Iterator[Reading]:
    """The work of the kernel for one frame of a dashboard; and figures that are drawn once."""
    few = min(repeats, 7)
    yield _reading(
        "pixels: pack the whole trace, once, for hovering without the kernel", _timed(lambda: pack(trace), few)
    )
    yield _reading(
        "frame, numbers: maps of every word", _timed(lambda: region_words(trace, (0, 0, 9, 9)), repeats), _FRAME
    )
    figures: dict[str, Callable[[], Picture]] = {
        "one word": lambda: views.attention(trace, [WORD]),
        "every word": lambda: views.attention(trace),
        "word by step": lambda: views.attention_steps(trace, WORD),
        "where it all went": lambda: views.attention_mass(trace),
        "denoising": lambda: views.denoising(trace),
    }
    for name, draw in figures.items():
        yield _reading(f"figure made and shown once: {name}", _timed(_shown(draw), few))
    for name, figure, words in (
        ("one word", "words", (WORD,)),
        ("every word", "words", ()),
        ("word by step", "by step", (WORD,)),
        ("word by layer", "by layer", (WORD,)),
        ("where it all went", "where it all went", ()),
        ("segmentation", "segmentation", ()),
    ):
        shown = {"section": "Attention", "figure": figure, "words": words}
        yield _reading(f"frame, dashboard, steps slider moved: {name}", _moved(trace, shown, "steps", few), _FRAME)
    one_step = _moved(trace, {"section": "Denoising"}, "step", few)
    yield _reading("frame, dashboard, step slider moved: denoising", one_step, _FRAME)


def _moved(trace: Trace, shown: Mapping[str, Any], slider: str, repeats: int) -> list[float]:
    """Milliseconds for each move of a slider over the later half of the steps."""
    board: Any = explore(trace, **shown)
    steps = cycle(range(trace.num_steps // 2, trace.num_steps))
    try:

        def move() -> None:
            step = next(steps)
            setattr(board.state, slider, (0, step) if slider == "steps" else step)

        move()
        return _timed(move, repeats)
    finally:
        board.close()


def _reading(name: str, milliseconds: list[float], budget: float | None = None) -> Reading:
    return Reading(name=name, milliseconds=Spread.of(milliseconds), budget=budget)


def _timed(call: Callable[[], object], repeats: int) -> list[float]:
    call()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - began))
    return found


def _in_new_python(code: str, repeats: int) -> list[float]:
    """The number that `code` prints, from `repeats` new interpreters.

    One more runs first and is not counted, since it may have to compile the files.
    """
    ask = (sys.executable, "-c", code)
    printed = [subprocess.run(ask, capture_output=True, text=True, check=True).stdout for _ in range(repeats + 1)]  # noqa: S603  (fixed words)
    return [float(one.split()[-1]) for one in printed[1:]]
