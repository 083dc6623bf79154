"""One word's map as the picture forms."""

import numpy as np

from ..analysis.attention import word_maps
from ..analysis.selection import Heads, Layers, Selection, Whole, Word
from ..analysis.trajectory import LINEAR, predicted_pictures
from ..base.display import clip
from ..figures.alt_texts import peak_place
from ..figures.code_lines import line_of_code, options
from ..figures.colours import SEQUENTIAL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar, row_label
from ..figures.names import attention_name, quoted, word_name
from ..figures.not_numbers import top_of
from ..figures.panels import panels
from ..figures.picture import Picture
from ..figures.titles import MOST_STEPS, run_title, selection_title, step_title
from ..strings.wording import listed, wording
from ..trace.record import spread
from ..trace.trace import Steps, Trace
from .made_from import made_from

_DRAWN = {"decoded": "attention_steps.decoded", LINEAR: "panel.linear"}  # else by a decoder, which has its name


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
    stands the picture that the step predicts (x0): decoded by the VAE, now if it was not before, as in
    `views.denoising`; where there is no VAE for that, by the linear preview, one square a latent pixel; the label says
    which. Panels are titled by step from 0, training timestep t and noise level σ = √(1−ᾱ)/√ᾱ.

    Args:
        word: A word or phrase of the prompt, or positions.
        steps: Which steps; None: eight of the recorded, evenly spread.
        role, layers, heads, occurrence: As `word_map` takes them.
        decode: False decodes nothing: the linear preview is shown unless all of these steps were decoded already.

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
    drawn_by = wording(_DRAWN[how]) if how in _DRAWN else how
    with panels(1 + bool(predicted), len(chosen), aspect=y / x, top=1.0) as (figure, axes):
        title = wording(
            f"attention_steps.title.{'all' if occurrence is None else 'one'}",
            word=drawable(word_name(word), 40),
            occurrence=occurrence,
            selection=selection_title(trace, read, without=("steps",)),
        )
        figure.suptitle(f"{run_title(trace)}\n{title}", fontsize=9)
        row_label(axes[-1, 0], wording("attention_steps.maps"))
        for column, (step, pixels) in enumerate(zip(chosen, maps, strict=True)):
            axes[0, column].set_title(step_title(trace, step), fontsize=9)
            drawn = axes[-1, column].imshow(pixels, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
            if predicted:
                axes[0, column].imshow(predicted[column])
        if predicted:
            row_label(axes[0, 0], wording("attention_steps.predicted", how=drawable(drawn_by, 24)))
        colour_bar(figure, drawn, axes[-1, :], label=wording("attention_steps.bar"), pad=0.01)
    looked = attention_name(read)
    given = {**selection.given, **({} if decode else {"decode": False})}
    return Picture(
        figure=figure,
        data={"maps": maps, "steps": np.array(chosen)},
        alt=wording(
            f"attention_steps.alt.{'predicted' if predicted else 'bare'}",
            how=drawn_by,
            attention=looked,
            word=clip(word_name(word)),
            steps=listed(map(str, chosen)),
            of=trace.num_steps,
            top=f"{top:.3g}",
            first=chosen[0],
            last=chosen[-1],
            at_first=peak_place(maps[0]),
            at_last=peak_place(maps[-1]),
        ),
        caption=wording("attention_steps.caption", attention=looked, word=quoted(word_name(word))),
        call=line_of_code("attention_steps", f"trace, {word!r}{options(given)}", trace),
    )
