"""How a pipeline with a diffusion transformer is built: its tokens, and its blocks group by group."""

from dataclasses import dataclass
from typing import NoReturn

from ..base.display import Block, Line, Table, count
from ..base.errors import InspectionError
from .architecture import Grid, Surroundings


@dataclass(frozen=True, kw_only=True)
class BlockGroup:
    """Blocks of one kind, one behind the other: `transformer_blocks`, `single_transformer_blocks`, `noise_refiner`.

    Attributes:
        name: Dotted name of their list in the transformer.
        class_name: Of the first block.
        blocks: How many.
        streams: What the first block returns, in its order: ("words", "picture") where each has a stream of its own,
            "words and picture" for one sequence of both; empty where lengths do not tell.
        shared: Whether words and picture go through the same weights: the block has one stream of both.
        attention: Kinds of attention in the first block, in the order of its modules: ("joint",), ("self", "cross").
        heads: Of each of its attention layers; 0 without one.
        width: Of what it returns.
        parameters: Of all blocks of the group.
    """

    name: str
    class_name: str
    blocks: int
    streams: tuple[str, ...]
    shared: bool
    attention: tuple[str, ...]
    heads: int
    width: int
    parameters: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TransformerArchitecture(Surroundings):
    """The parts of a pipeline with a diffusion transformer, found by running its code without weights.

    Attributes:
        transformer: Its class.
        patch: Latents along the side of a picture token.
        grid: Picture tokens (y, x).
        words: How many positions of text the example has; another prompt's may be more or fewer.
        width: Of a token inside the transformer.
        token_readers: The text encoders whose tokens the picture attends to; FLUX's CLIP gives a pooled vector alone.
        groups: Its blocks, in the order in which they are called.
    """

    transformer: str
    patch: int
    grid: Grid
    words: int
    width: int
    token_readers: tuple[str, ...]
    groups: tuple[BlockGroup, ...]

    @property
    def tokens(self) -> int:
        """How many picture tokens there are."""
        return self.grid[0] * self.grid[1]

    @property
    def beside_2015(self) -> NoReturn:
        """Only a UNet can be compared with the U-Net of 2015.

        Raises:
            InspectionError: Always.
        """
        raise InspectionError(f"beside_2015: a {self.transformer} has no levels to set beside the U-Net of 2015")

    def blocks(self) -> list[Block]:
        """What the repr shows: the three spaces, the tokens, then a row a group of blocks."""
        headers = ("blocks", "class", "number", "returns", "attention", "heads", "width", "parameters")
        rows = [
            (
                group.name,
                group.class_name,
                str(group.blocks),
                ", ".join(group.streams) or "—",
                " + ".join(group.attention) or "—",
                str(group.heads or "—"),
                str(group.width),
                count(group.parameters),
            )
            for group in self.groups
        ]
        y, x = self.grid
        return [
            Line(
                f"{self.pipeline}: {self.transformer} of {count(self.parameters)} parameters, "
                f"{sum(group.blocks for group in self.groups)} blocks",
                strong=True,
            ),
            *map(Line, self.spaces("transformer")),
            Line(
                f"tokens: {y} × {x} = {count(self.tokens)} of the picture, a patch of {self.patch} × {self.patch} "
                f"latents each, and {self.words} of the text in this example; width {self.width}"
            ),
            Table(headers, rows, frozenset({"number", "heads", "width", "parameters"})),
        ]
