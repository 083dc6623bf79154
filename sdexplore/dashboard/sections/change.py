"""The section "Change": one thing of the model is done otherwise, and both runs stand side by side."""

from typing import ClassVar

from ...changes.change import Change
from ...changes.several import as_code
from ...changes.several import in_words as changes_in_words
from ...records.tree import ModuleNode
from ...strings.wording import wording
from ...text.words import word_spans
from ...trace.collections import Comparison
from ..board import Board
from ..change_controls import ChangeControls
from ..code_lines import line_of_change
from ..compared_runs import ComparedRuns
from ..controls import button, close, column, labelled
from ..linked_pair import PairPlace
from ..messages import CodeLine
from ..module_tree import Branch
from ..state import RUN
from .section import Section


class ChangeSection(Section):
    """A run as it is and a run that is changed, from the same noise: their pictures, maps and differences.

    A click in the tree of the denoiser's modules writes that module into the field for modules.
    """

    title: ClassVar[str] = "Change"
    needs_trace: ClassVar[bool] = False
    always_drawn: ClassVar[bool] = True
    uses: ClassVar[tuple[str, ...]] = RUN

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._controls = ChangeControls(self._say_code)
        self._code = CodeLine(board.written)
        start = button(
            *labelled("dashboard.change.start"),
            self.run,
            icon="exchange",
        )
        self._runs = ComparedRuns(board, start, self._compared, self._drop)
        self._pair = PairPlace()
        self._tree = column([], flex="1 1 360px", width="auto", max_height="520px", overflow="auto")
        self._controls.beside_tree(self._tree)
        can = board.pipe is not None
        asked = column([self._controls.widget, self._code.widget, self._runs.widget])
        asked.layout.display = "" if can else "none"
        self.widget = column(
            [asked, self.message.widget, self._pair.widget, self.box.widget],
            padding="6px 0",
        )
        self._grown: object = None

    def _draw(self) -> None:
        if self.board.pipe is None:
            self.message.say(wording("dashboard.change.stored"))
            return
        prompt, chosen = self.board.prompt or "", self.board.state.words
        words = list(dict.fromkeys(prompt[start:stop] for start, stop in word_spans(prompt)))
        self._controls.offer(words, chosen, self.board.state.num_inference_steps)
        self._grow()
        self._say_code()
        if self.box.picture is None:
            self.message.say(wording("dashboard.change.none"))

    def _grow(self) -> None:
        """The tree of the denoiser's modules, in the order in which data passes them."""
        if self._grown is self.board.pipe:
            return
        from ...model.inspection.components import tree

        root = tree(self.board.pipe).root
        before = self._tree.children
        self._tree.children = [Branch(root, self._look_at, unfolded=True).widget]
        close(*before)
        self._grown = self.board.pipe

    def _look_at(self, node: ModuleNode) -> None:
        self._controls.choose(node.name)

    def _asked(self) -> Change:
        return self._controls.change()

    def _say_code(self) -> None:
        """The line of what the controls say; none while they say nothing that can be run."""
        board, state = self.board, self.board.state
        try:
            change = as_code(self._asked())
        except Exception:  # noqa: BLE001  (said where it is asked to run)
            self._code.show("")
            return
        arguments = board.arguments()
        self._code.show(line_of_change(board.prompt, change, state.seed, arguments, board.record, state.scheduler))

    def run(self) -> None:
        """Runs the prompt as it is and changed, from the same noise, and shows both."""
        try:
            change = self._asked()
        except Exception as error:  # noqa: BLE001  (shown to the user)
            self._runs.fail(error)
            return
        self._runs.start({"change": [None, change]})

    def _compared(self, found: Comparison) -> None:
        from ...views import comparison

        before, after = found.traces
        words = changes_in_words(found.over["change"][1])

        def show() -> None:
            self._pair.show(before, after, (wording("dashboard.change.unchanged"), words))
            self._show(lambda: comparison(found))

        if not self._attempt(show):
            self._drop()

    def _drop(self) -> None:
        """Removes what an older change has drawn."""
        self._pair.clear()
        self.box.clear()

    def clear(self) -> None:
        """Removes the figures, the explorers and the tree."""
        super().clear()
        self._pair.clear()
        before, self._tree.children, self._grown = self._tree.children, [], None
        close(*before)
