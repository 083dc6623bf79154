"""A view that is given a record of another kind names what it was given, what it draws, and what makes that."""

import pytest

import sdexplore as sdx
from sdexplore import views


@pytest.mark.parametrize("name", views.__all__)
def test_every_view_refuses_a_record_of_another_kind(name):
    with pytest.raises(sdx.TraceError, match=rf"^{name}\(Record\): it draws a"):
        getattr(views, name)(sdx.Record())


@pytest.mark.parametrize(
    ("view", "given", "said"),
    [
        ("attention", "rocket.safetensors", r"Trace\.load\('rocket\.safetensors'\)"),
        ("components", None, r"components\(None\): .* sdx\.components"),
        ("unet_comparison", 3, r"\.beside_2015 of what sdx\.pipeline_architecture"),
        ("guidance", [], r"a Trace or a Comparison, as sdx\.run or sdx\.compare makes one; .*traces\[0\]"),
    ],
)
def test_what_would_be_right_is_said(view, given, said):
    with pytest.raises(sdx.TraceError, match=said):
        getattr(views, view)(given)


def test_arguments_by_name_and_further_ones_are_looked_at_too(trace):
    with pytest.raises(sdx.TraceError, match=r"^denoising\(int\)|^denoising\(3\)"):
        views.denoising(trace=3)
    with pytest.raises(sdx.TraceError, match=r"^schedule\(4\)"):
        views.schedule(trace, 4)
    assert views.schedule(trace, trace).data
