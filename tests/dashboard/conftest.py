"""The page of the dashboard that a test gets."""

import pytest


@pytest.fixture
def page(explorer):
    from dashboards import Page

    return Page(explorer)
