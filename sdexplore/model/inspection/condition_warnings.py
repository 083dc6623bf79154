"""What `doctor` warns of in a pipeline's state: it changes pictures, and no argument of a call tells of it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ...base.display import counted
from ..components.adapters import networks, unreached
from ..components.vae_family import vae_of_another_family
from ..families import family_of
from ..runs.conditions import draws, foreign_code, merging

_MOST = 4  # modules with hooks to name


def condition_warnings(pipe: Any) -> Iterator[str]:
    """Foreign hooks, tokens that are merged by lot, adapters that fused projections pass by, a VAE of other latents."""
    inside = f"{family_of(pipe).component}."
    code = (one for one in foreign_code(pipe) if one.kind == "hook" or not one.module.startswith(inside))
    for one in islice(code, _MOST):  # a forward in the denoiser is told with what a run makes of it
        yield (
            f"{one.module} has a {one.kind} of {one.home}'s, which may change the picture; the trace names it in "
            'provenance["foreign"], and cannot tell what the code does'
        )
    if (told := merging(pipe)) is not None and draws(told):
        yield f'{told["note"]}. The trace names it in provenance["foreign"]'
    for component, network in networks(pipe).items():
        passed, layers = unreached(network)
        if passed:
            yield (
                f"adapters change {layers - len(passed)} of the {counted(layers, 'layer')} that they have in the "
                f"{component}: the others, such as {passed[0]!r}, are passed by, since fused projections are computed "
                "in their place. pipe.unfuse_qkv_projections() lets them in"
            )
    if (strange := vae_of_another_family(pipe)) is not None:
        yield strange
