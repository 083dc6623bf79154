"""What the drawing of an architecture says in its alt text, its caption and its line of code."""

from ..records.architecture import Surroundings
from ..strings.wording import listed, wording


def surroundings(plan: Surroundings) -> str:
    """The sentence of an alt text on the spaces that are drawn."""
    if plan.autoencoder is None:
        return wording("architecture.alt.pixels", pipeline=plan.pipeline)
    encoder = plan.autoencoder
    return wording(
        "architecture.alt.latents", pipeline=plan.pipeline, autoencoder=encoder.class_name, factor=encoder.factor
    )


def conditioned(plan: Surroundings) -> str:
    """The sentence of an alt text on the text encoders."""
    if not plan.readers:
        return wording("architecture.alt.unconditional")
    named = [wording("architecture.alt.reader", name=one.name, width=one.width) for one in plan.readers]
    return wording("architecture.alt.conditioned", readers=listed(named))


def caption(plan: Surroundings, denoiser: str) -> str:
    """What the drawing means, of a denoiser of this class."""
    kind = ("latents" if plan.autoencoder else "pixels") + ("_text" if plan.readers else "")
    return wording(f"architecture.caption.{kind}", pipeline=plan.pipeline, denoiser=denoiser)


def line_of(plan: Surroundings) -> str:
    """The line of code that draws it again."""
    _, y, x = plan.image
    return f"sdx.views.architecture(sdx.pipeline_architecture(pipe, height={y}, width={x}))"
