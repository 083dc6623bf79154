"""Views: each draws one Picture of a record. They compute nothing and touch nobody's rcParams."""

from ._attention import attention
from ._components import components
from ._denoising import denoising
from ._guidance import guidance
from ._latents import latents
from ._tokens import tokens
from ._tree import tree

__all__ = ["attention", "components", "denoising", "guidance", "latents", "tokens", "tree"]
