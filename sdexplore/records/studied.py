"""What views ask of a study: its identity, and its table. `sdx.Study` and `sdx.studies.read(folder)` are such."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Studied(Protocol):
    """A table with a row a run."""

    @property
    def identity(self) -> str:
        """Of the study, eight hexadecimal digits."""
        ...

    def table(self, columns: Any = None, where: Any = None) -> Any:  # noqa: ANN401  (a DataFrame)
        """Rows as a pandas DataFrame."""
        ...
