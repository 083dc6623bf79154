"""Which steps of a trace were decoded when a picture was drawn: a figure shows the others by the linear preview."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..base.display import clip
from ..base.errors import PublishError
from ..trace.step_decoding import NAMES
from ..trace.trace import Trace


def decoded_as_then(trace: Trace, source: Mapping[str, Any]) -> Iterator[str]:
    """Has the steps of a trace made again count as decoded that were so then, and no other; yields what differs.

    The VAE makes a picture of them when it is first looked at. An older sidecar does not tell of it: then views decode
    what they draw.

    Args:
        source: The trace's facts in the sidecar.

    Raises:
        PublishError: The sidecar is damaged.
        TraceError: A step cannot be decoded.
    """
    pictures = source.get("pictures")
    if pictures is None:
        return
    if not isinstance(pictures, Mapping) or not all(_are_steps(pictures.get(name)) for name in ("named", *NAMES)):
        raise PublishError(
            f"the sidecar is damaged: of trace {source['fingerprint']} it says {clip(repr(pictures), 80)} in place of "
            "the steps that were decoded"
        )
    trace.decoded_as(pictures["named"], {name: pictures[name] for name in NAMES})
    others = pictures.get("others")
    for by in others if isinstance(others, Mapping) else ():
        yield f"Otherwise: steps were decoded by {clip(str(by))} then, which the sidecar does not hold."


def decode_all(trace: Trace) -> None:
    """Makes the pictures that were not looked at yet, of a pipeline that is not kept."""
    for name in NAMES:
        for step in sorted(trace.decoded_steps(name)):
            trace.picture_of_step(step, x0=name == "decoded_x0")


def _are_steps(found: object) -> bool:
    return isinstance(found, list) and all(type(step) is int and step >= 0 for step in found)
