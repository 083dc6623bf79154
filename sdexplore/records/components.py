"""What a pipeline is made of: its components by name, without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..base.display import Block, Line, Shown, Table, count, size
from ..base.errors import look_up


@dataclass(frozen=True)
class Component:
    """One component of a pipeline.

    Attributes:
        name: As in `pipe.components`.
        class_name: Its class; None if the pipeline holds null under this name.
        library: Top-level package of the class.
        parameters: Count of its parameters, shared ones once; None if it is no network.
        dtypes: Number formats of its parameters, most frequent first; usually there is one.
        devices: Where its parameters are; "meta" means that the weights are offloaded or not loaded.
        bytes: Size of its parameters and buffers.
    """

    name: str
    class_name: str | None = None
    library: str = ""
    parameters: int | None = None
    dtypes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Components(Shown, Mapping[str, Component]):
    """The components of a pipeline by name, and facts about the whole.

    Attributes:
        pipeline: Class of the pipeline.
        entries: Component of every name, in the pipeline's own order.
        summary: Facts that readers of articles look up by hand: guidance, prediction type,
            latents, attention layers by resolution, scheduler.
    """

    pipeline: str
    entries: Mapping[str, Component]
    summary: Mapping[str, str]

    def __getitem__(self, name: str) -> Component:
        return look_up(self.entries, name, f"component in the {self.pipeline}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def parameters(self) -> int:
        """Parameters of all components."""
        return sum(component.parameters or 0 for component in self.values())

    @property
    def bytes(self) -> int:
        """Size of all components' parameters and buffers."""
        return sum(component.bytes for component in self.values())

    def blocks(self) -> tuple[Block, ...]:
        """One row a component, then the summary."""
        null = sum(component.class_name is None for component in self.values())
        headers = ("component", "class", "library", "parameters", "dtype", "device", "size")
        return (
            Line(
                f"{self.pipeline}: {len(self)} components{f', {null} of them null' * (null > 0)}; "
                f"{count(self.parameters)} parameters, {size(self.bytes)}",
                strong=True,
            ),
            Table(
                headers,
                [_component_row(c) for c in self.values()],
                frozenset(("parameters", "size")),
            ),
            *(Line(f"{fact}: {what}") for fact, what in self.summary.items()),
        )


def _component_row(component: Component) -> tuple[str, ...]:
    network = component.parameters is not None
    return (
        component.name,
        component.class_name or "null",
        component.library,
        count(component.parameters) if component.parameters is not None else "",
        ", ".join(component.dtypes),
        ", ".join(component.devices),
        size(component.bytes) if network else "",
    )
