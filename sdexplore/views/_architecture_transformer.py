"""A pipeline with a diffusion transformer: tokens of picture and words in two lanes, through groups of blocks."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from ..figures.picture import Picture, style
from ..records.transformer_architecture import BlockGroup, TransformerArchitecture
from ..strings.wording import counted, listed, wording
from ._architecture_frame import BUS, flow, pixels, readers, sheet, sides
from ._architecture_strokes import CROSS, CROSS_INK, JOINT, LINE, RESNET, SELF, SMALL, Place, arrow, in_lines
from ._architecture_words import caption, conditioned, line_of, surroundings

_PICTURE, _WORDS, _TALL = 3.0, 1.85, 0.6  # middles of the lanes, and the height of a box in one
_START, _STOP = 1.2, 0.42  # from the sides of the space to the groups
_LETTER = 0.068  # inches
_COLOURS = {"joint": JOINT, "self": SELF, "cross": CROSS}
_NAMES = {
    JOINT: "attention.joint",
    SELF: "attention.self",
    CROSS: "attention.cross",
    RESNET: "architecture.feed_forward",
}


def transformer(plan: TransformerArchitecture) -> Picture:
    """The drawing that `views.architecture` describes, of a diffusion transformer."""
    left, _ = sides(plan)
    there = {colour for group in plan.groups for colour in _stripes(group)}
    with style():
        kinds = [Patch(color=colour, label=wording(key)) for colour, key in _NAMES.items() if colour in there]
        figure, ax = sheet(plan, plan.transformer, kinds)
        places = _lanes(ax, plan)
        worked = [place for group, place in zip(plan.groups, places, strict=True) if _has(group, "picture")] or places
        flow(ax, plan, plan.latents, _end(worked[0]), _end(worked[-1]))
        _lane(ax, _PICTURE, worked, LINE)
        pixels(ax, plan)
        if plan.readers:
            gives, top = readers(ax, plan, plan.token_readers)
            _words(ax, plan, places, (gives, top), left + 0.2)
    y, x = plan.grid
    groups = [
        wording(
            "architecture.alt.group",
            blocks=counted(group.blocks, "block"),
            name=group.name,
            attention=listed(wording(f"attention.{kind}") for kind in group.attention),
        )
        for group in plan.groups
    ]
    return Picture(
        figure=figure,
        data={
            "blocks": np.array([group.blocks for group in plan.groups]),
            "parameters": np.array([group.parameters for group in plan.groups]),
            "grid": np.array(plan.grid),
        },
        alt=wording(
            "architecture.alt",
            spaces=surroundings(plan),
            denoiser=wording("architecture.alt.transformer", transformer=plan.transformer, y=y, x=x, width=plan.width),
            attention=wording("architecture.alt.groups", groups=" → ".join(groups)),
            conditioned=conditioned(plan),
        ),
        caption=caption(plan, plan.transformer),
        call=line_of(plan),
    )


def _lanes(ax: Axes, plan: TransformerArchitecture) -> list[Place]:
    """Draws the groups of blocks in their lanes, and how many tokens there are; where each group stands."""
    left, right = sides(plan)
    start, stop = left + _START, right - _STOP
    column = (stop - start) / len(plan.groups)
    places = [_box(ax, group, start + (number + 0.5) * column, column) for number, group in enumerate(plan.groups)]
    y, x = plan.grid
    tokens = wording("architecture.picture_tokens", y=y, x=x, patch=plan.patch)
    ax.text(left + 0.27, _PICTURE + 0.06, tokens, ha="left", va="bottom", fontsize=SMALL, color=LINE)
    return places


def _end(place: Place) -> Place:
    """A group where the picture's lane meets it."""
    return Place(place.x, _PICTURE, place.wide, _TALL)


def _lane(ax: Axes, y: float, places: list[Place], colour: str) -> None:
    """Arrows from each of these groups to the next."""
    for a, b in pairwise(places):
        arrow(ax, (a.right, y), (b.left, y), colour=colour, width=1.4 if colour == CROSS else 1.1)


def _words(
    ax: Axes, plan: TransformerArchitecture, places: list[Place], comes: tuple[float, float], start: float
) -> None:
    """The way of the words' tokens: from the text encoders beneath the blocks into their lane."""
    gives, top = comes
    worked = [place for group, place in zip(plan.groups, places, strict=True) if _has(group, "words")]
    crossed = [
        place
        for group, place in zip(plan.groups, places, strict=True)
        if "cross" in group.attention and not _has(group, "words")
    ]
    way = [(gives, top), (gives, BUS), (start, BUS), (start, _WORDS)]
    if worked:
        arrow(ax, *way, (worked[0].left, _WORDS), colour=CROSS, width=1.4)
        _lane(ax, _WORDS, worked, CROSS)
    for place in crossed:  # from the lane up into the block
        before = [one.right for one in worked if one.x < place.x]
        come = [(before[-1], _WORDS)] if before else way
        arrow(ax, *come, (place.x, _WORDS), (place.x, place.bottom), colour=CROSS, width=1.4)
    text = wording("architecture.text_tokens", words=plan.words)
    ax.text(start + 0.07, _WORDS + 0.06, text, ha="left", va="bottom", fontsize=SMALL, color=CROSS_INK)


def _box(ax: Axes, group: BlockGroup, x: float, column: float) -> Place:
    """The boxes of one group: stripes of its first block, in the lanes that it works on; where they stand."""
    lanes = [_PICTURE] * _has(group, "picture") + [_WORDS] * _has(group, "words")
    low, high = min(lanes) - _TALL / 2, max(lanes) + _TALL / 2
    place = Place(x, (low + high) / 2, min(0.9, 0.72 * column), high - low)
    both, stripes = len(lanes) > 1, _stripes(group)
    for deep in range(min(2, group.blocks - 1), 0, -1):  # those behind it
        corner = (place.left + 0.05 * deep, low + 0.05 * deep)
        ax.add_patch(
            Rectangle(corner, place.wide, place.high, facecolor="white", edgecolor="#999999", linewidth=0.7, zorder=1.5)
        )
    ax.add_patch(
        Rectangle(
            (place.left, low), place.wide, place.high, facecolor="white", edgecolor=LINE, linewidth=0.9, zorder=1.5
        )
    )
    one = place.wide / len(stripes)
    for index, colour in enumerate(stripes):
        spans = both and (colour == JOINT or group.shared)
        within = [(low, place.high)] if spans else [(lane - _TALL / 2, _TALL) for lane in lanes]
        if colour in (SELF, CROSS) and both:
            within = within[:1]  # the picture's
        for bottom, tall in within:
            corner = (place.left + (index + 0.1) * one, bottom + 0.04)
            ax.add_patch(Rectangle(corner, 0.8 * one, tall - 0.08, facecolor=colour, linewidth=0, zorder=1.6))
    ax.text(x, high + 0.13, f"×{group.blocks}", ha="center", va="bottom", fontsize=11)
    facts = wording("architecture.group", heads=group.heads, width=group.width)
    text = "\n".join([*in_lines(group.name, int(0.95 * column / _LETTER)), facts])
    alone = len(lanes) == 1 and "cross" not in group.attention  # what is beneath it is free
    under = place.bottom if alone else _WORDS - _TALL / 2
    ax.text(x, under - 0.06, text, ha="center", va="top", fontsize=SMALL, color=LINE, linespacing=1.1)
    return place


def _has(group: BlockGroup, lane: str) -> bool:
    """Whether the group works on a lane; what is not known is drawn as the picture's."""
    return any(lane in stream for stream in group.streams) or (not group.streams and lane == "picture")


def _stripes(group: BlockGroup) -> list[str]:
    return [_COLOURS[kind] for kind in group.attention] + [RESNET]
