"""Where words looked, over the picture and bare."""

from collections.abc import Sequence

from ..analysis.attention import word_maps
from ..analysis.selection import Asking, Heads, Layers, Selection, Word, label, words_of
from ..base.display import clip
from ..figures.alt_texts import peak
from ..figures.code_lines import line_of_code, options
from ..figures.names import attention_name, selection_named, word_name
from ..figures.not_numbers import top_of
from ..figures.picture import Picture
from ..figures.titles import first_words, run_title, selection_title
from ..strings.wording import listed, wording
from ..trace.trace import Steps, Trace
from ._maps import Scale, columns
from .made_from import made_from


@made_from("trace")
def attention(  # noqa: PLR0913  (each says another part of what is asked for)
    trace: Trace,
    words: Word | Sequence[Word] | None = None,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    heads: Heads = None,
    method: str = "mean",
    queries: Asking = "picture",
    scale: Scale = "shared",
) -> Picture:
    """Draws where each word's cross-attention went, one column a word: over the picture, and bare beneath.

    A map is `word_map`'s: the probability (0 to 1) that a latent pixel gives to the word, averaged over what is asked
    for; of a published `method` it has that method's own grid and unit, which the colour bar names. The bare row shows
    one square a latent pixel; over the picture the same colours lie, smoothed to pixels and 60 % opaque, so read values
    off the bare row. All panels share one scale from 0, printed at the colour bar;
    with scale="each" every word has its own, printed beneath it. Attention shows where a layer looked, not why the
    picture is as it is. With queries="words" a map is how much the word looked at each pixel, not the other way round.

    Args:
        words: Words or phrases of the prompt (or positions); None takes the words of the prompt, the first eight if
            there are more; the title then says so.
        role, steps, layers, heads, method, queries: As `word_map` takes them.
        scale: "shared", or "each" to see weak words too.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: What was asked for was not recorded.

    Source: cf. Tang et al., ACL 2023 (DAAM).
    """
    chosen, cut = words_of(trace, role, words), ""
    if words is None:
        chosen, cut = first_words(chosen)
    selection = Selection(role, steps, layers, heads, queries=queries)
    maps = word_maps(trace, chosen, selection, method)
    read = selection.of(trace)
    way = "words" if queries == "words" else "mean" if method == "mean" else "method"
    title = wording(f"attention.over.{way}", method=method, selection=selection_title(trace, read))
    figure = columns(
        trace,
        [word_name(word) for word in chosen],
        maps,
        scale=scale,
        title=f"{run_title(trace)}\n{title}{cut}",
        label=wording(f"attention.bar.{way}", method=method),
    )
    names = [clip(word_name(word)) for word in chosen]
    looked = {"attention": attention_name(read), "words": listed(names)}
    peaks = wording("list.semicolon").join(map(peak, names, maps))
    given = options(selection.given | {"method": method, "scale": scale}, {"method": "mean", "scale": "shared"})
    return Picture(
        figure=figure,
        data=dict(zip(map(label, chosen), maps, strict=True)),
        alt=wording(
            f"attention.alt.{'bare' if trace.image is None else 'over'}",
            maps=wording(f"attention.maps.{way}", **looked),
            selection=wording(f"attention.over.{way}", method=method, selection=selection_named(read)),
            scale=wording(f"attention.scale.{scale}", low=0, top=f"{top_of(*maps):.3g}"),
            peaks=peaks,
        ),
        caption=wording(f"attention.caption.{way}", **looked, method=method),
        call=line_of_code("attention", f"trace, {list(chosen)!r}{given}", trace),
    )
