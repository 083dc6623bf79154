"""Errors in a dashboard: what they concern is cleared, and what they do not concern stays."""

import pytest

import sdexplore as sdx

SEEDS = [-5, 2**53, 2**64, 1.5, "3", True, None]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_no_dashboard_takes_is_refused(tiny, trace, seed):
    for source in (tiny, trace):
        with pytest.raises(sdx.RunError, match=r"explore\(seed=.*from 0 to"):
            sdx.explore(source, seed=seed)


def test_another_value_that_is_not_valid_is_refused_in_our_words(trace):
    with pytest.raises(sdx.RunError, match=r"explore: .*num_inference_steps"):
        sdx.explore(trace, num_inference_steps="many")


def test_a_run_that_fails_leaves_the_history_and_the_last_picture(explorer, page, monkeypatch):
    first = explorer.run(wait=True)
    kept, picture, caption = list(explorer.history.traces), page.picture, page.caption
    real, calls = type(explorer.board.pipe.scheduler).step, []

    def failing(self, *given, **options):
        calls.append(self)
        if len(calls) == 2:
            raise ZeroDivisionError("in mid-run")
        return real(self, *given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(type(explorer.board.pipe.scheduler), "step", failing)
        with pytest.raises(ZeroDivisionError):
            explorer.run(wait=True)
    assert explorer.history.traces == kept == [first]
    assert (explorer.trace, page.picture, page.caption) == (first, picture, caption)
    assert "in mid-run" in page.message
    assert explorer.run(wait=True) is not None
    assert page.message.startswith("Done")


def test_values_that_cannot_be_compared_leave_no_older_comparison_beside_their_error(explorer, page):
    explorer.run(wait=True)
    page.open("Compare")
    page.set("values", "1, 3")
    page.press("Compare")
    assert explorer.wait(120.0)
    assert "sdx.views.comparison(" in page.figure_code
    page.set("values", "1")
    page.press("Compare")
    assert "'1' is one value" in page.section_message
    assert "sdx.views.comparison(" not in page.figure_code


def test_a_comparison_that_fails_leaves_no_older_comparison_beside_its_error(explorer, page):
    explorer.state.num_inference_steps = 1
    page.open("Compare")
    page.set("values", "1, 3")
    page.press("Compare")
    assert explorer.wait(120.0)
    page.set("over", "scheduler")
    page.set("values", "Eulerr; DDIM")
    page.press("Compare")
    assert explorer.wait(120.0)
    assert "Eulerr" in page.alerts[0]
    assert "sdx.views.comparison(" not in page.figure_code
    page.set("values", "Euler; DDIM")
    page.press("Compare")
    assert explorer.wait(120.0)
    assert page.alerts == []
    assert "sdx.views.comparison(" in page.figure_code
