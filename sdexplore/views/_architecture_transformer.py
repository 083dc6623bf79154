"""A pipeline with a diffusion transformer: tokens of picture and words in two lanes, through groups of blocks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ..base.display import count, counted
from ..figures.captions import with_details
from ..figures.panels import panel_grid
from ..figures.picture import Picture, drawable, style
from ..records.transformer_architecture import BlockGroup, TransformerArchitecture
from ._architecture_frame import HIGH, WIDE, flow, pixels, readers, sides, spaces
from ._architecture_strokes import CROSS, JOINT, LINE, RESNET, SELF, Place, path

_PICTURE, _WORDS, _TALL = 3.75, 2.55, 0.62  # middles of the lanes, and the height of a box in one
_COLOURS = {"joint": JOINT, "self": SELF, "cross": CROSS}
_NAMES = {JOINT: "joint attention", SELF: "self-attention", CROSS: "cross-attention", RESNET: "feed-forward network"}


def transformer(plan: TransformerArchitecture) -> Picture:
    """The drawing that `views.architecture` describes, of a diffusion transformer."""
    left, right = sides(plan)
    with style():
        figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
        ax = panel_grid(figure)[0, 0]
        ax.set_title(f"{plan.pipeline}: {plan.transformer} of {count(plan.parameters)} parameters", fontsize=10)
        spaces(ax, plan)
        places = _lanes(ax, plan, left + 0.92, right - 0.95)
        flow(ax, plan, plan.latents, places[0], places[-1])
        pixels(ax, plan)
        if plan.readers:
            gives, top = readers(ax, plan, plan.token_readers)
            start, bus = left + 0.92, 1.1
            path(ax, [(gives, top), (gives, bus), (start, bus), (start, _WORDS), (start + 0.2, _WORDS)], CROSS)
        there = {colour for group in plan.groups for colour in _stripes(group)}
        handles = [Patch(color=colour, label=label) for colour, label in _NAMES.items() if colour in there]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    y, x = plan.grid
    groups = " → ".join(
        f"{counted(group.blocks, 'block')} of {group.name} ({' and '.join(group.attention)} attention)"
        for group in plan.groups
    )
    reads = ", ".join(f"{one.name} of width {one.width}" for one in plan.readers) or "nothing: it is unconditional"
    return Picture(
        figure=figure,
        data={
            "blocks": np.array([group.blocks for group in plan.groups]),
            "parameters": np.array([group.parameters for group in plan.groups]),
            "grid": np.array(plan.grid),
        },
        alt=with_details(
            f"The architecture of the {plan.pipeline}: a transformer of {y} × {x} picture tokens of width {plan.width}",
            groups,
            f"conditioned on {reads}",
        ),
        call=f"sdx.views.architecture(sdx.pipeline_architecture(pipe, height={plan.image[1]}, width={plan.image[2]}))",
    )


def _lanes(ax: Axes, plan: TransformerArchitecture, left: float, right: float) -> list[Place]:
    """Draws the patches, the groups of blocks and the way back to latents; the places of the first and the last."""
    column = (right - left) / (len(plan.groups) + 1)
    start, stop = left + 0.02, right - 0.02
    end_of_words = max((n for n, group in enumerate(plan.groups) if _uses_words(group)), default=0)
    ax.annotate("", (stop, _PICTURE), (start, _PICTURE), arrowprops=_line(LINE), zorder=1.2)
    words_stop = left + (end_of_words + 1) * column
    if plan.readers:
        ax.plot([left + 0.2, words_stop], [_WORDS, _WORDS], color=CROSS, linewidth=1.2, zorder=1.2)
    y, x = plan.grid
    patches = f"{plan.patch}×{plan.patch} latents\na token:\n{y}×{x} = {count(plan.tokens)}\nof the picture"
    ax.text(left + 0.05, _PICTURE + 0.08, patches, ha="left", va="bottom", fontsize=6.3, color="#555555")
    if plan.readers:
        text = f"{plan.words} words' tokens"
        ax.text(
            left + 0.05, _WORDS + 0.06, text.replace(" ", "\n", 2), ha="left", va="bottom", fontsize=6.3, color=CROSS
        )
    for number, group in enumerate(plan.groups):
        _box(ax, group, left + (number + 1) * column, min(0.95, 0.72 * column))
    back = "tokens\nback to\nlatents"
    ax.text(stop - 0.02, _PICTURE + 0.08, back, ha="right", va="bottom", fontsize=6.3, color="#555555")
    return [Place(start, _PICTURE, 0.0, _TALL), Place(stop, _PICTURE, 0.0, _TALL)]


def _box(ax: Axes, group: BlockGroup, x: float, wide: float) -> None:
    """The boxes of one group: stripes of its first block, in the lanes that it works on."""
    lanes = [_PICTURE] * _has(group, "picture") + [_WORDS] * _has(group, "words")
    low, high = min(lanes) - _TALL / 2, max(lanes) + _TALL / 2
    both, stripes = len(lanes) > 1, _stripes(group)
    for deep in range(min(2, group.blocks - 1), 0, -1):  # those behind it
        corner = (x - wide / 2 + 0.05 * deep, low + 0.05 * deep)
        ax.add_patch(
            Rectangle(corner, wide, high - low, facecolor="white", edgecolor="#999999", linewidth=0.7, zorder=1.5)
        )
    ax.add_patch(
        Rectangle((x - wide / 2, low), wide, high - low, facecolor="white", edgecolor=LINE, linewidth=0.9, zorder=1.5)
    )
    one = wide / len(stripes)
    for index, colour in enumerate(stripes):
        spans = both and (colour == JOINT or group.shared)
        within = [(low, high - low)] if spans else [(lane - _TALL / 2, _TALL) for lane in lanes]
        if colour in (SELF, CROSS) and both:
            within = within[:1]  # the picture's
        for bottom, tall in within:
            corner = (x - wide / 2 + (index + 0.1) * one, bottom + 0.04)
            ax.add_patch(Rectangle(corner, 0.8 * one, tall - 0.08, facecolor=colour, linewidth=0, zorder=1.6))
    if "cross" in group.attention and not both:
        path(ax, [(x, _WORDS), (x, low)], CROSS)
    ax.text(x, high + 0.14, f"×{group.blocks}", ha="center", va="bottom", fontsize=9, fontweight="bold")
    first, _, rest = group.name.partition("_")
    name = drawable(group.name) if len(group.name) <= 12 else f"{drawable(first)}_\n{drawable(rest)}"  # noqa: PLR2004
    text = f"{name}\n{group.heads} heads, width {group.width}\n{count(group.parameters)} par."
    ax.text(x, 2.15, text, ha="center", va="top", fontsize=6.3, color=LINE)


def _has(group: BlockGroup, lane: str) -> bool:
    """Whether the group works on a lane; what is not known is drawn as the picture's."""
    return any(lane in stream for stream in group.streams) or (not group.streams and lane == "picture")


def _uses_words(group: BlockGroup) -> bool:
    return _has(group, "words") or "cross" in group.attention


def _stripes(group: BlockGroup) -> list[str]:
    return [_COLOURS[kind] for kind in group.attention] + [RESNET]


def _line(colour: str) -> dict[str, object]:
    return {"arrowstyle": "-", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
