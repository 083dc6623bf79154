"""What all views share: colour maps, what titles say, the line of code that made a picture."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np

from ..analysis.selection import Selection, Word, zeroed
from ..base.display import clip
from ..trace.trace import Trace
from .picture import CodeLine, drawable

SEQUENTIAL: Final = "viridis"  # 0 upwards; even in lightness, legible to the colour-blind
DIVERGING: Final = "RdBu_r"  # signed values around 0
# Okabe and Ito's colours, which the colour-blind tell apart.
PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
MOST_WORDS: Final = len(PALETTE)
FAINT: Final = "#bbbbbb"


def step_title(trace: Trace, step: int) -> str:
    """A step as panels name it: its number, its timestep, its noise level."""
    t = trace.timesteps[step]
    sigma = "" if trace.sigmas is None else f", σ {trace.sigmas[step]:.3g}"
    return f"step {step}\nt {t:.0f}{sigma}"


def run_title(trace: Trace, over: Collection[str] = ()) -> str:
    """The run that a figure shows, in two lines: prompt, then model, scheduler, seed; without what is in `over`."""
    prompt = _prompt_title(trace, over)
    noised = noised_at(trace)
    facts = {
        "model": drawable(str(trace.provenance.get("model", "?"))),
        "scheduler": str(trace.provenance.get("scheduler", {}).get("class", "?")).removesuffix("Scheduler")
        if trace.kind != "look"  # its scheduler is ours and makes no step
        else f"looked at t = {trace.timesteps[0]:g}",
        "seed": f"seed {trace.call.get('seed')}",
        "image": f"image {trace.call['image']}" if "image" in trace.call else "",
        "strength": "" if noised is None else f"from an image noised to {noised}",
        "safety": "made black by the safety checker" if any(trace.flags.values()) else "",
    }
    line = ", ".join(fact for name, fact in facts.items() if fact and name not in over)
    return line if "prompt" in over else f"{prompt}\n{line}"


def _prompt_title(trace: Trace, over: Collection[str]) -> str:
    made = trace.call.get("conditioning", {})
    if "other" in made:
        ends = f"“{drawable(made['prompt'], 60)}” → “{drawable(made['other'], 60)}”, by {made['method']}"
        return ends if "weight" in over else f"{ends}, weight {made['weight']:g}"
    without = "unconditional" if trace.unconditional else "no prompt"
    return f"“{drawable(trace.prompt, 70)}”" if trace.prompt else without


def noised_at(trace: Trace) -> str | None:
    """To which timestep an image-to-image run noised its image at first; None of any other run."""
    from_image = re.search("Img2Img|Depth2Img", str(trace.provenance.get("pipeline")))
    if trace.kind != "run" or not from_image or not trace.num_steps:
        return None
    strength = trace.call.get("arguments", {}).get("strength")
    return f"t = {trace.timesteps[0]:.0f}" + ("" if strength is None else f" (strength {strength})")


def in_words(trace: Trace, over: Collection[str] = ()) -> str:
    """The prompt as alt texts quote it, 'a cat', and that the picture was made black, where it was.

    Between two prompts it is the way from one to the other, and how far on it, unless "weight" is in `over`.
    """
    made = trace.call.get("conditioning", {})
    if trace.unconditional:
        return "an unconditional model"
    if "other" in made:
        ends = f"the way from {clip(made['prompt'], 150)!r} to {clip(made['other'], 150)!r}"
        prompt = ends if "weight" in over else f"{ends} at weight {made['weight']:g}"
    else:
        prompt = "no prompt" if trace.prompt is None else repr(clip(trace.prompt, 200))
    return prompt + " (a picture that the safety checker made black)" * any(trace.flags.values())


def selection_title(trace: Trace, selection: Selection, without: Collection[str] = ()) -> str:
    """What a figure averages over; another prompt than the figure names; and that a role's embeddings were zeros."""
    note = " (its embeddings are all zeros: attention is uniform)" * zeroed(trace, selection.role)
    texts = [tokens.text for tokens in trace.tokens.get(selection.role, {}).values()]
    other = f"\n{selection.role}: “{drawable(texts[0], 70)}”" if texts and texts[0] not in ("", trace.prompt) else ""
    return f"{drawable(selection.describe(without))}{note}{other}"


def first_words(words: Sequence[Word]) -> tuple[tuple[Word, ...], str]:
    """As many of a prompt's words as a figure has room for, and a line for its title where that is not all of them."""
    shown = tuple(words[:MOST_WORDS])
    return shown, f"\nthe first {len(shown)} of {len(words)} words" if len(shown) < len(words) else ""


def short_layers(names: Sequence[str]) -> dict[str, str]:
    """Dotted name -> its blocks' numbers: "up 1.0" for "up_blocks.1.attentions.0.transformer_blocks.0.attn2".

    The transformer block is named where there are several. Names of another build stay as they are, cut in front.
    """
    found = {name: _LAYER.fullmatch(name) for name in names}
    deep = any(match and match["depth"] != "0" for match in found.values())
    short = {}
    for name, match in found.items():
        if match is None:
            short[name] = drawable(name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}")
            continue
        numbers = [match["block"], match["attention"], match["depth"] if deep else None]
        short[name] = f"{match['part']} {'.'.join(number for number in numbers if number)}"
    return short


_LONGEST = 24
_LAYER = re.compile(
    r"(?P<part>down|mid|up)_blocks?(?:\.(?P<block>\d+))?\.attentions\.(?P<attention>\d+)"
    r"\.transformer_blocks\.(?P<depth>\d+)\.attn[12]"
)


def grid_of(pixels: np.ndarray) -> str:
    """A map's grid as panels name it: "16 × 24", rows first."""
    return f"{pixels.shape[-2]} × {pixels.shape[-1]}"


def peak(name: str, pixels: np.ndarray) -> str:
    """The peak of a map in words, for those who do not see it."""
    row, column = np.unravel_index(int(pixels.argmax()), pixels.shape)
    vertical = ("top", "middle", "bottom")[min(2, int(3 * row / pixels.shape[0]))]
    horizontal = ("left", "centre", "right")[min(2, int(3 * column / pixels.shape[1]))]
    return f"{name} peaks at {pixels.max():.3g}, {vertical} {horizontal}"


def line_of_code(view: str, arguments: str, *traces: Trace) -> CodeLine:
    """The call that makes a picture again; a comment names the traces, and the line remembers how they were made."""
    named = " and ".join(trace.fingerprint for trace in traces)
    return CodeLine(f"sdx.views.{view}({arguments})  # trace{'s' * (len(traces) > 1)} {named}", traces)


def options(given: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Keyword arguments that differ from their defaults, as code."""
    return "".join(f", {name}={value!r}" for name, value in given.items() if value != defaults[name])
