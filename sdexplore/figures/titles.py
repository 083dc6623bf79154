"""What titles of figures say: the run, the step, what is averaged over, the layer."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from ..analysis.selection import Chosen, Word, keys_of, zeroed
from ..base.display import clip, short, with_infinity
from ..changes.several import in_words
from ..strings.wording import listed, wording
from ..trace.one_frame import shown_frame
from ..trace.provenance import model_in_words
from ..trace.trace import Trace
from .colours import PALETTE
from .font_families import drawable
from .names import parting_named, role_name, selection_named

MOST_WORDS: Final = len(PALETTE)  # for which a figure has room
_PARTING: Final = 130  # characters of the line that says where tokenizers part
MOST_STEPS: Final = 8  # for which a figure has room, a column each


def step_title(trace: Trace, step: int) -> str:
    """A step as panels name it, a line each: its number, its timestep, its noise level."""
    t = f"{trace.timesteps[step]:.0f}"
    if trace.sigmas is None:
        return wording("step.title", step=step, t=t)
    return wording("step.title.noise", step=step, t=t, sigma=with_infinity(float(trace.sigmas[step]), ".3g"))


def run_title(trace: Trace, over: Collection[str] = ()) -> str:
    """The run that a figure shows, in two lines: prompt, then model, scheduler, seed, less those in `over`."""
    prompt = _prompt_title(trace, over)
    noised = noised_at(trace)
    shown = shown_frame(trace)
    facts = {
        "model": drawable(model_in_words(trace.provenance)),
        "scheduler": str(trace.provenance.get("scheduler", {}).get("class", "?")).removesuffix("Scheduler")
        if trace.kind != "look"  # its scheduler is ours and makes no step
        else wording("run.looked", t=f"{trace.timesteps[0]:g}"),
        "seed": wording("run.seed", seed=trace.call.get("seed")),
        "image": wording("run.image", image=trace.call["image"]) if "image" in trace.call else "",
        "strength": "" if noised is None else wording("run.from_image", noised=noised),
        "change": changed_in_words(trace),
        "frame": "" if shown is None else shown.in_words(),
        "safety": wording("run.black") if any(trace.flags.values()) else "",
    }
    line = listed(fact for name, fact in facts.items() if fact and name not in over)
    return line if "prompt" in over else f"{prompt}\n{line}"


def changed_in_words(trace: Trace) -> str:
    """What the run was asked to change, cut to a line; "" where nothing."""
    change = trace.call.get("arguments", {}).get("change")
    return wording("run.changed", changes=drawable(in_words(change), _PARTING)) if change else ""


def setting_in_words(name: str, value: object) -> str:
    """One value of an argument that runs were compared over."""
    if name == "change":
        return in_words(value)
    if name == "without" and value is None:
        return wording("run.nothing_left_out")
    return f"{name} {clip(short(value, str)) or repr(value)}"


def _prompt_title(trace: Trace, over: Collection[str]) -> str:
    made = trace.call.get("conditioning", {})
    if "other" in made:
        ends = {name: drawable(made[name], 60) for name in ("prompt", "other")}
        if "weight" in over:
            return wording("run.between", **ends, method=made["method"])
        return wording("run.between.weight", **ends, method=made["method"], weight=f"{made['weight']:g}")
    if trace.prompt:
        return wording("run.prompt", prompt=drawable(trace.prompt, 70))
    return wording("run.unconditional" if trace.unconditional else "run.no_prompt")


def noised_at(trace: Trace) -> str | None:
    """The timestep to which an image-to-image run noised its image at first; None for any other run."""
    from_image = re.search("Img2Img|Depth2Img", str(trace.provenance.get("pipeline")))
    if trace.kind != "run" or not from_image or not trace.num_steps:
        return None
    strength = trace.call.get("arguments", {}).get("strength")
    return f"t = {trace.timesteps[0]:.0f}" + ("" if strength is None else f" (strength {strength})")


def selection_title(trace: Trace, chosen: Chosen, without: Collection[str] = ()) -> str:
    """What a figure averages over; another prompt than the figure names; and that a role's embeddings were zeros."""
    selection = drawable(selection_named(chosen, without))
    if zeroed(trace, chosen.role):
        selection = wording("selection.zeroed", selection=selection)
    texts = [tokens.typed for tokens in trace.tokens.get(chosen.role, {}).values()]
    other = texts and texts[0] not in ("", trace.prompt)
    named = wording("selection.prompt", role=role_name(chosen.role), prompt=drawable(texts[0], 70)) if other else ""
    partings = (parting_named(keys_of(trace, chosen.role, layer)) for layer in chosen.layers.values())
    return "\n".join(line for line in (selection, named, drawable(next(partings, ""), _PARTING)) if line)


def first_words(words: Sequence[Word]) -> tuple[tuple[Word, ...], str]:
    """As many of a prompt's words as a figure has room for, and a line for its title where that is not all of them."""
    shown = tuple(words[:MOST_WORDS])
    if len(shown) == len(words):
        return shown, ""
    return shown, "\n" + wording("words.first", shown=len(shown), all=len(words))


def short_layers(names: Sequence[str]) -> dict[str, str]:
    """Dotted name -> its blocks' numbers: "up 1.0" for "up_blocks.1.attentions.0.transformer_blocks.0.attn2".

    A transformer's "transformer_blocks.3.attn" is "block 3", its "single_transformer_blocks.0.attn" "single 0". Where
    two attentions of a block are named, theirs stand behind ("block 3 attn2"). The transformer block of a UNet is named
    where there are several. Names of another build stay as they are, cut in front.
    """
    found = {name: _LAYER.fullmatch(name) for name in names}
    deep = any(match and match["depth"] != "0" for match in found.values())
    blocks = Counter(_block(block) for block in map(_BLOCK.fullmatch, names) if block)
    short = {}
    for name, match in found.items():
        if match is None and (block := _BLOCK.fullmatch(name)) is not None:
            of = f" {block['attention']}" if blocks[_block(block)] > 1 else ""
            short[name] = f"{_block(block)}{of}"
            continue
        if match is None:
            short[name] = drawable(name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}")
            continue
        numbers = [match["block"], match["attention"], match["depth"] if deep else None]
        short[name] = f"{match['part']} {'.'.join(number for number in numbers if number)}"
    return short


def _block(match: re.Match[str]) -> str:
    return f"{match['stream'] or match['part']} {match['number']}"


_LONGEST = 24
_LAYER = re.compile(
    r"(?P<part>down|mid|up)_blocks?(?:\.(?P<block>\d+))?\.attentions\.(?P<attention>\d+)"
    r"\.transformer_blocks\.(?P<depth>\d+)\.attn[12]"
)
_BLOCK = re.compile(
    r"(?:(?P<stream>single|joint)_)?(?:transformer_)?(?P<part>block|layer)s\.(?P<number>\d+)"
    r"\.(?P<attention>attn\d?|attention)"
)


def grid_of(pixels: np.ndarray) -> str:
    """A map's grid as panels name it: "16 × 24", rows first."""
    return f"{pixels.shape[-2]} × {pixels.shape[-1]}"
