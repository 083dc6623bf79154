"""How far a study is."""

from dataclasses import dataclass

from ..base.display import Block, Line, Shown, count, counted


@dataclass(frozen=True, kw_only=True, repr=False)
class StudyProgress(Shown):
    """How far a study is, in runs.

    Attributes:
        study: Identity of the study.
        folder: Where it is.
        planned: How many runs were asked for; None where that is not known.
        rows: How many have a row.
        errors: How many of these have an error.
        made: How many rows this call of `run` made.
        seconds: How long this call of `run` took.
        repeated: How many runs were asked for that had been asked for before; each run has one row.
        stopped: Whether it was stopped before its last run.
    """

    study: str
    folder: str
    planned: int | None
    rows: int
    errors: int
    made: int = 0
    seconds: float = 0.0
    repeated: int = 0
    stopped: bool = False

    def blocks(self) -> list[Block]:
        """What the repr shows: runs done of those planned, errors, what this call did."""
        planned = "" if self.planned is None else f" of {count(self.planned)} planned"
        lines: list[Block] = [
            Line(f"Study {self.study} in {self.folder!r}: {counted(self.rows, 'run')}{planned}", strong=True)
        ]
        if self.errors:
            lines.append(Line(f"{counted(self.errors, 'run')} failed: study.errors() lists them"))
        if self.made:
            each = f", {self.seconds / self.made:.3g} s each" if self.made > 1 else ""
            lines.append(Line(f"This call made {count(self.made)} in {self.seconds:.3g} s{each}"))
        if self.repeated:
            lines.append(Line(f"{counted(self.repeated, 'run')} asked for more than once: each has one row"))
        if self.stopped:
            lines.append(Line("It was stopped; the same call goes on"))
        return lines
