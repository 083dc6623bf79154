"""Views: each draws one Picture of a record. They compute nothing and touch nobody's rcParams."""

from ._attention import attention
from ._attention_compare import attention_compare
from ._attention_layers import attention_layers
from ._attention_steps import attention_steps
from ._calibration import calibration
from ._components import components
from ._denoising import denoising
from ._guidance import guidance
from ._latents import latents
from ._maps import maps
from ._mass import attention_mass
from ._region import region
from ._segmentation import segmentation
from ._self_attention import self_attention
from ._tokens import tokens
from ._tree import tree

__all__ = [
    "attention",
    "attention_compare",
    "attention_layers",
    "attention_mass",
    "attention_steps",
    "calibration",
    "components",
    "denoising",
    "guidance",
    "latents",
    "maps",
    "region",
    "segmentation",
    "self_attention",
    "tokens",
    "tree",
]
