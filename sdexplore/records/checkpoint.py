"""What a checkpoint says of itself before it is loaded: a record without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..base.display import Block, Line, Shown, Table, count, size
from ..base.errors import UnknownNameError, did_you_mean


@dataclass(frozen=True)
class CheckpointPart:
    """One part of a checkpoint, as its files describe it.

    Attributes:
        name: Of the component, "unet"; or what else the file holds, such as "EMA copy".
        class_name: Class that is made of it; empty if nothing is made of it.
        files: Names of the files that hold it.
        tensors: Count of its tensors.
        parameters: Count of the numbers in its floating-point tensors; None where no header says so, as for a pickle.
        dtypes: Numbers by number format, most frequent first.
        bytes: Size of its tensors in the files.
        config: Its configuration: as written, or, for a single file, as the shapes imply.
        note: A further remark.
    """

    name: str
    class_name: str = ""
    files: tuple[str, ...] = ()
    tensors: int = 0
    parameters: int | None = None
    dtypes: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    config: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint(Shown, Mapping[str, CheckpointPart]):
    """A checkpoint on disk by its parts, from headers and configurations alone.

    Attributes:
        name: As the user named it.
        layout: "single file", "folder" or "component".
        family: "SD 1.x", "SD 2.x v", "SDXL base", "SDXL refiner", "SDXL turbo" …, with what it is made for; or what
            else it is: "LoRA", "VAE", "ControlNet".
        pipeline: Class of the pipeline that `load` makes of it; empty if it makes none of it.
        parts: CheckpointPart of every name.
        summary: What it predicts, for which size, with which scheduler.
        metadata: What the writer of a single file noted in its header.
        notes: Decisions on weak evidence, and further remarks.
    """

    name: str
    layout: str
    family: str
    pipeline: str
    parts: Mapping[str, CheckpointPart]
    summary: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> CheckpointPart:
        try:
            return self.parts[name]
        except (KeyError, TypeError):
            raise UnknownNameError(
                f"{self.name!r} has no part {name!r}; {did_you_mean(str(name), self.parts)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def parameters(self) -> int:
        """Numbers in the floating-point tensors of all parts, copies and leftovers included."""
        return sum(part.parameters or 0 for part in self.values())

    @property
    def bytes(self) -> int:
        """Size of all tensors."""
        return sum(part.bytes for part in self.values())

    def blocks(self) -> tuple[Block, ...]:
        """The family, one row a part, and the notes of the file's writer."""
        headers = ("part", "class", "tensors", "parameters", "dtype", "size", "files")
        facts = "; ".join(f"{name} {what}" for name, what in self.summary.items())
        becomes = f"; loads as {self.pipeline}" if self.pipeline else ""
        return (
            Line(f"{self.name}: {self.family}, {self.layout}{becomes}", strong=True),
            Line(f"{count(self.parameters)} parameters, {size(self.bytes)}{'; ' * bool(facts)}{facts}"),
            Table(headers, [_row(part) for part in self.values()], frozenset(("tensors", "parameters", "size"))),
            *(Line(f"{part.name}: {part.note}") for part in self.values() if part.note),
            *(Line(note) for note in self.notes),
            *((Table(("noted by its writer", ""), list(self.metadata.items())),) if self.metadata else ()),
        )


def _row(part: CheckpointPart) -> tuple[str, ...]:
    weights = bool(part.tensors)
    return (
        part.name,
        part.class_name,
        count(part.tensors) if weights else "",
        count(part.parameters) if part.parameters is not None else "",
        ", ".join(part.dtypes),
        size(part.bytes) if weights else "",
        ", ".join(part.files[:2]) + (f" and {len(part.files) - 2} more" if len(part.files) > 2 else ""),  # noqa: PLR2004
    )
