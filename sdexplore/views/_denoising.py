"""From noise to picture, step by step."""

from operator import index
from typing import Any, SupportsIndex

from ..analysis.trajectory import step_pictures
from ..base.errors import TraceError
from ..figures.alt_texts import in_words, way_of
from ..figures.code_lines import line_of_code, options
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.labels import row_label
from ..figures.names import drawn_by, not_decoded, steps_named
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import run_title, step_title
from ..strings.wording import counted, wording
from ..trace.one_frame import one_frame
from ..trace.trace import Steps, Trace
from .made_from import made_from


@made_from("trace")
def denoising(trace: Trace, steps: Steps = None, *, decode: bool = True, frame: SupportsIndex | None = None) -> Picture:
    """Draws x_t and the predicted x0 at chosen steps, decoded by the VAE: DDPM's Figure 2 as it really went.

    Upper row: what the latents look like before each step, on the variance-preserving scale. Lower row: the
    picture that the scheduler would arrive at if it believed the model at that step (`pred_original_sample`). The
    last column is the pipeline's own picture; of `look` and `invert` the picture that was given. Steps that were not
    decoded yet are decoded now, and the trace remembers them. Where there is no VAE for that, the linear preview is
    shown, one square a latent pixel, and marked "linear"; a picture by another decoder (`trace.decode(with_=…)`) bears
    its name. Panels are numbered by step from 0; t is the training timestep, σ = √(1−ᾱ)/√ᾱ.

    Args:
        steps: Which steps, a slice or one; by default those that the Record names, or the previews of eight.
        decode: False decodes nothing: steps that were not decoded yet are linear previews.
        frame: Of a video, which frame of the latents; negative ones count from the end. None: the middle one, the only
            one that the VAE's pictures of steps show. Of another frame all steps are linear previews.

    Raises:
        TraceError: A step or frame beyond the run, or a trace with neither decoded pictures nor latents.

    Source: Ho et al. 2020 (DDPM), Figure 2 and Eq. 15.
    """
    chosen = trace.check_steps(steps) if steps is not None else trace.shown_steps
    if not chosen:
        raise TraceError("denoising(steps=()): name at least one step, or leave steps out")
    whole, trace = trace, one_frame(trace, frame)
    asked, decode = (
        decode,
        decode and (steps is not None or bool(trace.decoded)),
    )  # a Record that names none wants none by itself
    noisy, clean = step_pictures(trace, chosen, decode=decode)
    rows = [("x_t", wording("denoising.x_t"), noisy)]
    rows += [("predicted x0", wording("denoising.x0"), clean)] if clean else []
    y, x = noisy[0].pixels.shape[:2]
    last = trace.image is not None
    with panels(len(rows), len(chosen) + last, aspect=y / x, top=0.6) as (figure, axes):
        figure.suptitle(run_title(trace), fontsize=9)
        for row, (_, label, pictures) in enumerate(rows):
            row_label(axes[row, 0], label)
            for column, picture in enumerate(pictures):
                axes[row, column].imshow(picture.pixels)
                if row == 0:
                    axes[row, column].set_title(step_title(trace, chosen[column]), fontsize=SMALL)
                if mark := drawn_by(picture):
                    axes[row, column].set_xlabel(drawable(mark, 24), fontsize=SMALL)
            if last:
                axes[row, -1].imshow(trace.image)
        if last:
            axes[0, -1].set_title(wording(f"panel.{'picture' if trace.kind == 'run' else 'given'}"), fontsize=SMALL)
    data = {f"{name}/{step}": one.pixels for name, _, ps in rows for step, one in zip(chosen, ps, strict=True)}
    by_step = {step: [ps[column] for _, _, ps in rows] for column, step in enumerate(chosen)}
    marked = not_decoded(by_step)
    given: dict[str, Any] = {"steps": list(chosen)} if steps is not None else {}
    given |= {} if asked else {"decode": False}
    given |= {} if frame is None else {"frame": index(frame)}
    return Picture(
        figure=figure,
        data=data if trace.image is None else data | {"image": trace.image},
        alt=wording(
            "denoising.alt",
            steps=steps_named(chosen),
            of=trace.num_steps,
            way=way_of(trace),
            prompt=in_words(trace),
            drawn_by=wording("denoising.not_decoded", pictures=marked) if marked else "",
        ),
        caption=wording(f"denoising.caption.{trace.kind}", steps=counted(trace.num_steps, "step")),
        call=line_of_code("denoising", f"trace{options(given)}", whole),
    )
