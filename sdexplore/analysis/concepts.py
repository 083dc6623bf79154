"""Where concepts are in the picture, words that the prompt need not have: ConceptAttention's maps."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from ..base.errors import TraceError, did_you_mean
from ..trace.concept_scores import ConceptScores
from ..trace.trace import Steps, Trace
from .selection import Layers, chosen_layers, steps_of


def concept_maps(
    trace: Trace, *, role: str = "cond", steps: Steps = None, layers: Layers = None, softmax: bool = True
) -> dict[str, Float32[np.ndarray, "y x"]]:
    """Concept -> which share of each picture token it has among the concepts: 0..1, on the layers' own grid (y, x).

    The scores of Record(concepts=…) are averaged over steps and layers, and the softmax over the concepts is taken of
    the mean: at each place the shares add up to 1. So a share says which of *these* concepts is the likeliest, and none
    says that a concept is there at all. With softmax=False a map is the mean score itself, of any sign and size.

    Args:
        role: Beside whose rows the concepts went.
        steps, layers: As `word_map` takes them; None: every recorded one. The paper averages over the last layers.
        softmax: Whether to divide each place among the concepts.

    Raises:
        TraceError: What was asked for was not recorded; or one concept alone is to be divided among.

    Source: Helbling et al. 2025, "ConceptAttention" (2502.04320), the output-space score. The authors' code for FLUX.1
    has this order too; their code for Stable Diffusion 3 averages what concepts and picture take over steps first,
    brings the concepts to length 1, and averages after the softmax.
    """
    chosen = chosen_layers(_recorded(trace, role), layers)
    known = sorted({step for one in chosen.values() for step in one.steps})
    wanted = steps_of(trace, steps, known, "concepts")
    found = [one.rows([call for call, step in enumerate(one.steps) if step in wanted]) for one in chosen.values()]
    calls = [rows for rows in found if len(rows)]
    names = next(iter(chosen.values())).concepts
    total = sum(rows.sum(axis=0, dtype=np.float64) for rows in calls) / sum(map(len, calls))
    if softmax and len(names) == 1:
        raise TraceError(
            f"concept_maps: {names[0]!r} alone has all of each place; record several, or ask softmax=False"
        )
    if softmax:
        with np.errstate(invalid="ignore"):  # where a score is no number, the shares are none
            total = np.exp(total - total.max(axis=-1, keepdims=True))
            total /= total.sum(axis=-1, keepdims=True)
    return {name: np.asarray(total[..., number], np.float32) for number, name in enumerate(names)}


def _recorded(trace: Trace, role: str) -> Mapping[str, ConceptScores]:
    if not trace.concept_scores:
        raise TraceError("this trace holds no concepts: run with Record(concepts=('sky', 'grass')), on SD3 or FLUX.1")
    if role not in trace.concept_scores:
        raise TraceError(f"no concepts of role {role!r}; {did_you_mean(role, trace.concept_scores)}")
    return trace.concept_scores[role]
