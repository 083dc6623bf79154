"""The section "Tokens": the tokens of the prompt, while it is typed."""

from typing import ClassVar

import ipywidgets as widgets

from ...base.display import Line, to_html
from ...figures.picture import Picture
from ...strings.wording import wording
from ...text.tokenization import Tokenizations
from ..article_form import ArticleForm
from ..board import Board
from ..controls import column
from ..records_in_words import tokens_in_words
from .section import Section


class TokensSection(Section):
    """The tokens of the prompt and the negative prompt as typed; without a pipeline, those of the stored trace."""

    title: ClassVar[str] = "Tokens"
    needs_trace: ClassVar[bool] = False
    uses: ClassVar[tuple[str, ...]] = ("prompt", "negative_prompt")

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self._tokens = widgets.HTML(layout=widgets.Layout(width="100%", overflow="auto"))
        self.widget = column(
            [self.message.widget, self._tokens, ArticleForm(board.article, self.figure).widget], padding="6px 0"
        )

    def _draw(self) -> None:
        html = [
            to_html([Line(title, strong=True)]) + to_html(tokens_in_words(tokens)) for title, tokens in self._found()
        ]
        self._tokens.value = "<br>".join(html) or to_html([Line(wording("dashboard.tokens.none"))])
        self.message.say("")

    def _found(self) -> list[tuple[str, Tokenizations]]:
        if self.board.pipe is None:
            return [
                (wording("dashboard.tokens.role", role=role), tokens) for role, tokens in self._trace().tokens.items()
            ]
        if "prompt" not in self.board.known:
            return []
        from ...model.components.tokens import tokens_with

        state, fixed = self.board.state, self.board.fixed
        found = [(wording("dashboard.tokens.prompt"), tokens_with(self.board.pipe, state.prompt, fixed))]
        if state.negative_prompt:
            found.append(
                (wording("dashboard.tokens.negative"), tokens_with(self.board.pipe, state.negative_prompt, fixed))
            )
        return found

    def figure(self) -> Picture:
        """The prompt's tokens as a figure."""
        from ...views import tokens as drawn

        found = self._found()
        if not found:
            return super().figure()
        return drawn(found[0][1])

    def clear(self) -> None:
        """Removes the tokens."""
        super().clear()
        self._tokens.value = ""
