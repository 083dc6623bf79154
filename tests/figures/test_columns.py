"""Figures are drawn to fit a column: an article's, or a wider one while a block lasts."""

import pytest

import sdexplore as sdx
from sdexplore.figures.columns import ARTICLE, Column, column, fitting


def test_a_figure_is_drawn_to_fit_the_column_of_the_block(trace):
    article = sdx.views.latents(trace).figure.get_figwidth()
    with fitting(Column(12.0, 90.0)):
        wide = sdx.views.latents(trace).figure
    assert wide.get_figwidth() > article
    assert wide.dpi == 90.0
    assert sdx.views.latents(trace).figure.get_figwidth() == article


def test_after_an_error_the_column_is_an_article_s_again():
    with pytest.raises(ZeroDivisionError), fitting(Column(9.0, 90.0)):
        raise ZeroDivisionError
    assert column() == ARTICLE
