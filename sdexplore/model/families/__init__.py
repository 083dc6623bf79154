"""Kinds of denoisers: one file a family, one line here; only this room knows what a pipeline's denoiser is called."""

from typing import Any, Final

from torch import nn

from ...base.errors import InspectionError
from .animatediff import AnimateDiff
from .auraflow import AuraFlow
from .chroma import Chroma
from .cogvideox import CogVideoX
from .family import Family, unwrapped
from .flux import Flux
from .flux2 import Flux2
from .hunyuandit import HunyuanDiT
from .lumina2 import Lumina2
from .pixart import PixArt
from .qwenimage import QwenImage
from .sana import Sana
from .sd3 import SD3
from .unet import UNet
from .wan import Wan
from .zimage import ZImage

FAMILIES: Final[dict[str, Family]] = {
    "unet": UNet(),
    "sd3": SD3(),
    "flux": Flux(),
    "flux2": Flux2(),
    "pixart": PixArt(),
    "sana": Sana(),
    "lumina2": Lumina2(),
    "qwenimage": QwenImage(),
    "zimage": ZImage(),
    "hunyuandit": HunyuanDiT(),
    "auraflow": AuraFlow(),
    "chroma": Chroma(),
    "cogvideox": CogVideoX(),
    "wan": Wan(),
    "animatediff": AnimateDiff(),
}
_NAMES = ("unet", "transformer", "prior", "decoder")  # what pipelines of diffusers call a denoiser


def family_of(owner: Any) -> Family:
    """The family of a pipeline's denoiser, or of a denoiser itself.

    Raises:
        InspectionError: There is no denoiser, or it is of no known family.
    """
    if isinstance(owner, nn.Module):
        # The last registered first: the UNet's takes whatever nobody else knows.
        found = next((one for one in reversed(FAMILIES.values()) if one.knows(unwrapped(owner))), None)
        if found is None:
            raise InspectionError(f"a {type(unwrapped(owner)).__name__} is of no known family of denoisers; {_known()}")
        return found
    for family in FAMILIES.values():
        held = family.held(owner)
        if isinstance(held, nn.Module) and family.knows(unwrapped(held)):
            return family
    raise InspectionError(_refusal(owner))


def _refusal(pipe: Any) -> str:
    if isinstance(pipe, str):
        return f"the pipeline comes first, as in sdx.run(pipe, 'a cat'), and {pipe!r:.80} is a text"
    for name in _NAMES:
        if isinstance(held := getattr(pipe, name, None), nn.Module):
            kind = type(unwrapped(held)).__name__
            return f"the {type(pipe).__name__} has a {name} of class {kind}, which is of no known family; {_known()}"
    return f"the {type(pipe).__name__} has no denoiser (no UNet, no transformer); {_known()}"


def _known() -> str:
    return f"known families: {', '.join(FAMILIES)}"
