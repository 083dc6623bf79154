"""NaN and infinities are named with array and step: by the trace, by views' alt texts, by guidance_steps."""

import numpy as np
import pytest
import synthetic

import sdexplore as sdx
from sdexplore.base.errors import TraceError


def with_(name, step, value):
    array = np.array(getattr(synthetic.trace(), name))
    array[step] = value
    return array


def test_repr_names_array_and_step():
    trace = synthetic.trace(latents=with_("latents", slice(3, None), np.nan), noise_pred=with_("noise_pred", 2, np.inf))
    assert "latents at steps 3, 4, 5, the end (NaN), noise_pred at step 2 (Inf)" in repr(trace)
    assert "none" not in repr(synthetic.trace()).partition("array")[0]


def test_rows_of_a_role_that_was_not_computed_are_no_fault():
    trace = synthetic.trace()
    uncond = np.array(trace.noise_pred_uncond)
    uncond[3:] = np.nan
    fine = synthetic.trace(noise_preds={"uncond": uncond, "cond": trace.noise_pred_cond})
    assert "NaN" not in repr(fine)
    assert sdx.guidance_steps(fine).without_numbers == ""
    broken = synthetic.trace(noise_preds={"uncond": uncond, "cond": trace.noise_pred_cond},
                             noise_pred=with_("noise_pred", slice(4, None), np.nan))  # fmt: skip
    assert "noise_preds/uncond at steps 4, 5 (NaN)" in repr(broken)


def test_guidance_steps_leaves_out_what_is_no_number_and_says_so():
    trace = synthetic.trace()
    cond = np.array(trace.noise_pred_cond)
    cond[2, 0, 0, 0] = np.nan
    cond[4, 0, 0, 0] = np.inf
    found = sdx.guidance_steps(synthetic.trace(noise_preds={"uncond": trace.noise_pred_uncond, "cond": cond}))
    assert found.steps == (0, 1, 3, 5)
    assert np.isfinite(found.residual).all()
    assert "noise_preds/cond at steps 2, 4 (NaN and Inf)" in repr(found)
    lost = synthetic.trace(noise_preds={"uncond": trace.noise_pred_uncond, "cond": np.full_like(cond, np.nan)},
                           noise_pred=np.full_like(cond, np.nan))  # fmt: skip
    with pytest.raises(TraceError, match=r"noise_pred at steps 0, 1, 2, 3, 4, 5 \(NaN\)"):
        sdx.guidance_steps(lost)


@pytest.mark.filterwarnings("ignore")
def test_no_alt_text_says_that_a_map_peaks_at_nan():
    trace = synthetic.trace(latents=with_("latents", slice(3, None), np.nan))
    layers = {name: type(one)(probs=np.full_like(one.probs, np.nan), steps=one.steps, columns=one.columns,
                              tokenizer=one.tokenizer) for name, one in trace.attention().items()}  # fmt: skip
    broken = synthetic.trace(latents=trace.latents, cross_attention={"cond": layers})
    for picture in (sdx.views.attention(broken, ["cat"]), sdx.views.attention_steps(broken, "cat")):
        assert "at nan" not in picture.alt
        assert "cat has no number" in picture.alt or "(NaN)" in picture.alt
    assert "latents at step" in sdx.views.denoising(broken).alt
