"""How a diffusion pipeline is built: its three spaces, its UNet block by block, and the U-Net of 2015 beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..base.display import Block, Line, Shown, Table, count
from ..theory.unet_2015 import Level2015, unet_2015

Grid = tuple[int, int]
Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One block of a UNet: `down_blocks.0`, `mid_block`, `up_blocks.2`.

    Attributes:
        name: Dotted name in the UNet.
        class_name: Its class.
        side: Way down, bottom, or way up.
        level: How many times the grid was halved where it works; 0 is the latents' own.
        grid: (y, x) where it works.
        channels: Of what it returns.
        output: (channel, y, x) of what it returns, after its down- or upsampler.
        resnets: How many residual blocks.
        transformers: Layers of each of its transformers, in order: (1, 1), or (10, 10) deep in SDXL; empty without.
        cross_attention, self_attention: How many attention layers of each kind.
        heads: Heads of each of its attention layers; 0 without such layers.
        skips: (channel, y, x) of every tensor that it hands over (down) or takes (up, in the order of its resnets).
        parameters: Count.
    """

    name: str
    class_name: str
    side: Literal["down", "mid", "up"]
    level: int
    grid: Grid
    channels: int
    output: Shape
    resnets: int
    transformers: tuple[int, ...] = ()
    cross_attention: int = 0
    self_attention: int = 0
    heads: int = 0
    skips: tuple[Shape, ...] = ()
    parameters: int = 0


@dataclass(frozen=True, kw_only=True)
class TextReader:
    """One text encoder: `name` in the pipeline, its class, positions it reads (0: no limit), its layers and width."""

    name: str
    class_name: str
    positions: int
    layers: int
    width: int
    parameters: int


@dataclass(frozen=True, kw_only=True)
class AutoencoderPlan:
    """The network between pixels and latents; `widths` are the channels of its levels, from pixels to latents."""

    name: str
    class_name: str
    factor: int
    widths: tuple[int, ...]
    encoder_parameters: int
    decoder_parameters: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Surroundings(Shown):
    """What stands around a pipeline's denoiser, whatever kind that is, with the shapes of one picture.

    Attributes:
        pipeline: Class of the pipeline.
        image, latents: (channel, y, x); the same where the denoiser works on pixels.
        autoencoder: None for a pipeline in pixel space.
        readers: Text encoders; none for an unconditional pipeline.
        parameters: Of the denoiser.
        scheduler, num_train_timesteps, prediction_type: Of the pipeline's scheduler.
    """

    pipeline: str
    image: Shape
    latents: Shape
    autoencoder: AutoencoderPlan | None
    readers: tuple[TextReader, ...]
    parameters: int
    scheduler: str
    num_train_timesteps: int
    prediction_type: str

    def spaces(self, denoiser: str, embedded: str = "") -> Iterator[str]:
        """A line a space: pixels, latents, conditioning.

        Args:
            denoiser: What messages call it.
            embedded: What the line of the latents says of the timestep.
        """
        if self.autoencoder is None:
            yield f"pixel space: x {_shape(self.image)}; the {denoiser} works on it directly, there is no autoencoder"
        else:
            plan = self.autoencoder
            yield (
                f"pixel space: x {_shape(self.image)}; {plan.class_name}, factor {plan.factor}, "
                f"E {count(plan.encoder_parameters)} and D {count(plan.decoder_parameters)} parameters"
            )
        yield (
            f"latent space: z {_shape(self.latents)}; {self.scheduler}, {self.num_train_timesteps} timesteps, "
            f"predicts {self.prediction_type}{embedded}"
        )
        if not self.readers:
            yield "conditioning: none, an unconditional model"
        for reader in self.readers:
            positions = f"{reader.positions} positions, " if reader.positions else ""
            yield (
                f"conditioning: {reader.name}, {reader.class_name}, {positions}{reader.layers} "
                f"layers of width {reader.width}, {count(reader.parameters)} parameters"
            )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Architecture(Surroundings):
    """The parts of a diffusion pipeline with the shapes of one picture, found by running its code without weights.

    Attributes:
        unet: Class of the UNet.
        unet_input: (channel, y, x) of what it is given: more channels than the latents for inpainting, say.
        stages: Its blocks, down, mid, up.
        key_width: Width of the sequence that cross-attention takes its keys and values from; None without.
        stem: (channel, y, x) after `conv_in`, which is the first skip.
        time_width: Width of the embedding of the timestep.
        residual, downsampler, upsampler: What the first of each is made of, in words; "none" without one.
    """

    unet: str
    unet_input: Shape
    stages: tuple[Stage, ...]
    key_width: int | None
    stem: Shape
    time_width: int
    residual: str
    downsampler: str
    upsampler: str

    @property
    def levels(self) -> int:
        """How many resolutions the UNet has."""
        return 1 + max(stage.level for stage in self.stages)

    def at(self, level: int, side: Literal["down", "mid", "up"]) -> Stage | None:
        """The block of that level and side; None if there is no such block."""
        return next((stage for stage in self.stages if (stage.level, stage.side) == (level, side)), None)

    @cached_property
    def beside_2015(self) -> "UNetComparison":
        """This UNet level by level beside the U-Net of 2015."""
        return UNetComparison(architecture=self, levels_2015=tuple(unet_2015()))

    def blocks(self) -> list[Block]:
        """What the repr shows: the three spaces, then a row a block of the UNet."""
        headers = (
            "block",
            "class",
            "grid",
            "channels",
            "resnets",
            "transformers",
            "cross",
            "self",
            "heads",
            "skips",
            "parameters",
        )
        rows = [
            (
                stage.name,
                stage.class_name,
                _grid(stage.grid),
                str(stage.channels),
                str(stage.resnets),
                " + ".join(map(str, stage.transformers)) or "—",
                str(stage.cross_attention or "—"),
                str(stage.self_attention or "—"),
                str(stage.heads or "—"),
                _skips(stage),
                count(stage.parameters),
            )
            for stage in self.stages
        ]
        return [
            Line(
                f"{self.pipeline}: {self.unet} of {count(self.parameters)} parameters, {self.levels} levels",
                strong=True,
            ),
            *map(Line, self.spaces("UNet", f"; timestep embedded to {self.time_width}")),
            Table(headers, rows, frozenset(headers[2:])),
        ]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UNetComparison(Shown):
    """A UNet of today beside that of 2015, level by level: what stayed and what changed."""

    architecture: Architecture
    levels_2015: tuple[Level2015, ...]

    @property
    def changes(self) -> tuple[tuple[str, str, str], ...]:
        """(what, in 2015, here)."""
        here = self.architecture
        down = [stage for stage in here.stages if stage.side == "down"]
        skips = 1 + sum(len(stage.skips) for stage in down)
        resnets = sum(stage.resnets for stage in here.stages)
        attention = (
            sum(stage.self_attention for stage in here.stages),
            sum(stage.cross_attention for stage in here.stages),
        )
        return (
            ("works on", "a grey picture of 572 × 572", _shape(here.unet_input)),
            ("gives", "2 classes at 388 × 388", f"predicted {here.prediction_type}, {_shape(here.latents)}"),
            ("levels", str(len(self.levels_2015)), str(here.levels)),
            ("unit", "conv 3 × 3, ReLU, twice", f"{here.residual}; {resnets} of them"),
            ("borders", "unpadded: the grid shrinks, skips are cropped", "padded: the grid stays, skips fit"),
            ("down", "max pooling 2 × 2", here.downsampler),
            ("up", "up-convolution 2 × 2", here.upsampler),
            (
                "skips",
                f"{len(self.levels_2015) - 1}, one a level",
                f"{skips}, one a residual block and resampler, concatenated",
            ),
            ("timestep", "none", f"embedded to {here.time_width}, added in every residual block"),
            ("self-attention", "none", f"{attention[0]} layers" if attention[0] else "none"),
            (
                "cross-attention",
                "none",
                f"{attention[1]} layers, keys of width {here.key_width}" if attention[1] else "none",
            ),
        )

    def blocks(self) -> list[Block]:
        """What the repr shows: a row a level, then what changed."""
        here = self.architecture
        headers = ("level", "2015: channels", "down", "up", "here: channels", "grid", "blocks down", "blocks up")
        rows = []
        for level in range(max(len(self.levels_2015), here.levels)):
            old = self.levels_2015[level] if level < len(self.levels_2015) else None
            down, mid, up = (here.at(level, side) for side in ("down", "mid", "up"))
            some = down or mid or up
            rows.append(
                (
                    str(level),
                    str(old.channels) if old else "—",
                    f"{old.down[0]}² → {old.down[1]}²" if old else "—",
                    f"{old.up[0]}² → {old.up[1]}²" if old and old.up else "—",
                    str(some.channels) if some else "—",
                    _grid(some.grid) if some else "—",
                    " and ".join(filter(None, (_built(down), f"mid: {_built(mid)}" if mid else ""))) or "—",
                    _built(up) or "—",
                )
            )
        return [
            Line(f"The U-Net of 2015 beside the {here.unet} of this {here.pipeline}", strong=True),
            Table(headers, rows, frozenset(headers[:6])),
            Table(("what", "2015", "here"), self.changes),
        ]


def _built(stage: Stage | None) -> str:
    if stage is None:
        return ""
    attention = (
        ""
        if not (stage.cross_attention or stage.self_attention)
        else (f", {stage.self_attention} self" + f" + {stage.cross_attention} cross" * bool(stage.cross_attention))
    )
    return f"{stage.resnets} resnets{attention}"


def _skips(stage: Stage) -> str:
    if not stage.skips:
        return "—"
    widths = ", ".join(str(shape[0]) for shape in stage.skips)
    return f"{'hands over' if stage.side == 'down' else 'takes'} {widths}"


def _grid(grid: Grid) -> str:
    return f"{grid[0]} × {grid[1]}"


def _shape(shape: Shape) -> str:
    return " × ".join(map(str, shape))
