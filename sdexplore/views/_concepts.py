"""Where concepts are in the picture, words that the prompt need not have."""

import numpy as np

from ..analysis.concepts import concept_maps
from ..analysis.selection import Layers
from ..base.display import clip
from ..base.errors import TraceError
from ..figures.alt_texts import peak
from ..figures.code_lines import line_of_code, options
from ..figures.names import role_name
from ..figures.not_numbers import top_of
from ..figures.picture import Picture
from ..figures.titles import MOST_WORDS, run_title
from ..strings.wording import counted, listed, wording
from ..trace.trace import Steps, Trace
from ._maps import Scale, columns
from .made_from import made_from


@made_from("trace")
def concepts(
    trace: Trace,
    *,
    role: str = "cond",
    steps: Steps = None,
    layers: Layers = None,
    softmax: bool = True,
    scale: Scale = "shared",
) -> Picture:
    """Draws which share of each place every recorded concept has, one column a concept: over the picture, and bare.

    A map is `concept_maps`': at each place the shares of all concepts add up to 1, so that a high one says which of
    these concepts is the likeliest there, and not that it is there. With softmax=False it is the mean score. The bare
    row shows one square a picture token; over the picture the same colours lie, smoothed to pixels and 60 % opaque.

    Args:
        role, steps, layers, softmax: As `concept_maps` takes them.
        scale: "shared", or "each" to see weak concepts too.

    Raises:
        TraceError: What was asked for was not recorded; or there are more concepts than a figure has room for.

    Source: Helbling et al. 2025, ConceptAttention.
    """
    maps = concept_maps(trace, role=role, steps=steps, layers=layers, softmax=softmax)
    if len(maps) > MOST_WORDS:
        raise TraceError(f"concepts: these are {len(maps)}; a figure has room for {MOST_WORDS}, views.maps for twelve")
    read = trace.concept_scores[role]
    way = "shares" if softmax else "scores"
    over = wording(
        f"concepts.over.{'all' if steps is None else 'some'}",
        role=role_name(role),
        layers=counted(len(read), "layer") if layers is None else wording("concepts.chosen_layers"),
    )
    figure = columns(
        trace,
        tuple(maps),
        tuple(maps.values()),
        scale=scale,
        title=f"{run_title(trace)}\nConceptAttention: {over}",
        label=wording(f"concepts.bar.{way}"),
        grid=wording("concepts.grid"),
    )
    low = min(0.0, *(float(np.min(one, where=np.isfinite(one), initial=0.0)) for one in maps.values()))
    asked = {"role": role, "steps": steps, "layers": layers, "softmax": softmax, "scale": scale}
    usual = {"role": "cond", "steps": None, "layers": None, "softmax": True, "scale": "shared"}
    return Picture(
        figure=figure,
        data=dict(maps),
        alt=wording(
            f"concepts.alt.{'bare' if trace.image is None else 'over'}",
            concepts=listed(map(clip, maps)),
            unit=wording(f"concepts.bar.{way}"),
            over=over,
            scale=wording(f"attention.scale.{scale}", low=f"{low:.3g}", top=f"{top_of(*maps.values()):.3g}"),
            peaks=wording("list.semicolon").join(peak(clip(name), pixels) for name, pixels in maps.items()),
        ),
        caption=wording(f"concepts.caption.{way}"),
        call=line_of_code("concepts", f"trace{options(asked, usual)}", trace),
    )
