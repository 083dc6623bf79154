"""Where words looked, over the picture and bare."""

from collections.abc import Sequence
from typing import Any, Literal

from ..analysis.attention import word_map
from ..analysis.grids import resized
from ..analysis.selection import Heads, Layers, Steps, Word, label, select, words_of
from ..display import clip
from ..errors import TraceError
from ..picture import Picture, drawable
from ..trace import Trace
from ._figure import SEQUENTIAL, line_of_code, options, panels, peak, row_label, run_title, selection_title

_OVERLAY = 0.6


def attention(
    trace: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    method: str = "mean",
    scale: Literal["shared", "each"] = "shared",
) -> Picture:
    """Draws where each word's cross-attention went, one column a word: over the picture, and bare beneath.

    A map is `word_map`'s: the probability (0 to 1) that a latent pixel gives to the word, averaged over what is asked
    for; of a published `method` it has that method's own grid and unit, which the colour bar names. The bare row shows
    one square a latent pixel; over the picture the same colours lie, smoothed to pixels and 60 % opaque, so read values
    off the bare row. All panels share one scale from 0, printed at the colour bar;
    with scale="each" every word has its own, printed beneath it. Attention shows where a layer looked, not why the
    picture is as it is.

    Args:
        words: Words or phrases of the prompt (or positions); None takes every word of the prompt, eight at most.
        role, steps, layers, heads, method: As `word_map` takes them.
        scale: "shared", or "each" to see weak words too.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.

    Source: cf. Tang et al., ACL 2023 (DAAM).
    """
    if scale not in ("shared", "each"):
        raise TraceError(f"attention(scale={scale!r}): scale is 'shared' or 'each'")
    chosen = words_of(trace, role, words)
    asked: dict[str, Any] = {"role": role, "steps": steps, "layers": layers, "heads": heads}
    maps = [word_map(trace, word, method=method, **asked) for word in chosen]
    shared = max(float(pixels.max()) for pixels in maps)
    selection = select(trace, **asked)
    unit = "attention probability" if method == "mean" else f"{method}'s score"
    method_note = "" if method == "mean" else f"method {method}, "
    y, x = maps[0].shape
    over = trace.image is not None
    with panels(1 + over, len(chosen) + over, aspect=y / x, top=0.8) as (figure, axes):
        figure.suptitle(f"{run_title(trace)}\n{method_note}{selection_title(trace, selection)}", fontsize=9)
        row_label(axes[-1, 0], "latent grid")
        if over:
            row_label(axes[0, 0], "over the picture")
            axes[0, 0].imshow(trace.image)
            axes[0, 0].set_title("picture", fontsize=9)
        for column, (word, pixels) in enumerate(zip(chosen, maps, strict=True), start=int(over)):
            top = shared if scale == "shared" else float(pixels.max())
            drawn = axes[-1, column].imshow(pixels, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
            axes[0, column].set_title(drawable(label(word), 24), fontsize=9)
            if scale == "each":
                axes[-1, column].set_xlabel(f"0 to {top:.3g}", fontsize=7.5)
            if trace.image is not None:
                picture = trace.image
                axes[0, column].imshow(picture)
                fine = resized(pixels, (picture.shape[0], picture.shape[1]))
                axes[0, column].imshow(fine, cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0, alpha=_OVERLAY)
        if scale == "shared":
            figure.colorbar(drawn, ax=axes[-1, :], label=unit, pad=0.01)
    names = ", ".join(clip(label(word)) for word in chosen)
    defaults = {**dict.fromkeys(asked), "role": "cond", "method": "mean", "scale": "shared"}
    given = {**asked, "method": method, "scale": scale}
    return Picture(
        figure=figure,
        data={label(word): pixels for word, pixels in zip(chosen, maps, strict=True)},
        alt=f"Heat maps of the cross-attention to {names} ({method_note}{selection.describe()}); "
        + "; ".join(peak(clip(label(word)), pixels) for word, pixels in zip(chosen, maps, strict=True))
        + ".",
        call=line_of_code("attention", f"trace, {list(chosen)!r}{options(given, defaults)}", trace),
    )
