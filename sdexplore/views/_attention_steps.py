"""One word's map as the picture forms."""

import numpy as np

from ..analysis.attention import word_maps
from ..analysis.selection import Heads, Layers, Selection, Whole, Word, label
from ..analysis.trajectory import predicted_pictures
from ..base.display import clip
from ..figures.alt_texts import peak
from ..figures.captions import with_details
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.labels import colour_bar, row_label
from ..figures.not_numbers import top_of
from ..figures.panels import panels
from ..figures.picture import Picture, drawable
from ..figures.titles import MOST_STEPS, run_title, selection_title, step_title
from ..trace.record import spread
from ..trace.trace import Steps, Trace
from .made_from import made_from


@made_from("trace")
def attention_steps(
    trace: Trace,
    word: Word,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    occurrence: Whole | None = None,
    decode: bool = True,
) -> Picture:
    """Draws where one word's cross-attention went step by step, a column a step.

    A map is `word_map`'s at that step: the probability (0 to 1) that a latent pixel gives to the word, one square a
    latent pixel. All steps share one scale from 0, printed at the colour bar. Above each map, where it was recorded,
    stands the picture that the step predicts (x0): decoded by the VAE if all of these steps were, else by the linear
    preview, one square a latent pixel; the label says which. Panels are titled by step from 0, training
    timestep t and noise level σ = √(1−ᾱ)/√ᾱ.

    Args:
        word: A word or phrase of the prompt, or positions.
        steps: Which steps; None: eight of the recorded, evenly spread.
        role, layers, heads, occurrence: As `word_map` takes them.
        decode: False decodes nothing that was not decoded yet.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.

    Source: cf. Hertz et al. 2022, Figure 4.
    """
    selection = Selection(role, steps, layers, heads, occurrence)
    read = selection.of(trace)
    chosen = spread(read.steps, MOST_STEPS) if steps is None else read.steps
    maps = np.stack([word_maps(trace, (word,), selection.at(step))[0] for step in chosen])
    top = top_of(maps)
    y, x = maps.shape[1:]
    predicted, how = predicted_pictures(trace, chosen, decode=decode)
    with panels(1 + bool(predicted), len(chosen), aspect=y / x, top=0.8) as (figure, axes):
        over = selection_title(trace, read, without=("steps",))
        which = "" if occurrence is None else f", occurrence {occurrence}"
        figure.suptitle(f"{run_title(trace)}\n“{drawable(label(word), 40)}”{which}: {over}", fontsize=9)
        row_label(axes[-1, 0], "attention")
        for column, (step, pixels) in enumerate(zip(chosen, maps, strict=True)):
            axes[0, column].set_title(step_title(trace, step), fontsize=7.5)
            drawn = axes[-1, column].imshow(pixels, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
            if predicted:
                axes[0, column].imshow(predicted[column])
        if predicted:
            row_label(axes[0, 0], f"predicted x0\n{how}")
        colour_bar(figure, drawn, axes[-1, :], label="probability", pad=0.01)
    name = clip(label(word))
    above = f", beneath the picture that the step predicts ({how})" if predicted else ""
    ends = [peak(f"at step {step} it", pixels) for step, pixels in ((chosen[0], maps[0]), (chosen[-1], maps[-1]))]
    given = {**selection.given, **({} if decode else {"decode": False})}
    return Picture(
        figure=figure,
        data={"maps": maps, "steps": np.array(chosen)},
        alt=with_details(
            f"Heat maps of the {read.kind} to {name} at steps {', '.join(map(str, chosen))} of "
            f"{trace.num_steps}, on one scale from 0 to {top:.3g}{above}",
            *ends,
        ),
        call=line_of_code("attention_steps", f"trace, {word!r}{options(given)}", trace),
    )
