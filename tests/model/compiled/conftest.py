"""A compiled pipeline that is traced in half the time of the ordinary tiny one."""

import pytest


@pytest.fixture
def compiled():
    """A pipeline of one cross-attention layer, set to compile its runs."""
    from compiled_runs import one_layer

    import sdexplore as sdx

    pipe = one_layer()
    sdx.compile_denoiser(pipe)
    return pipe
