"""Attention modules of diffusers and transformers: what they attend to, their heads and widths."""

from dataclasses import dataclass
from typing import Literal

from diffusers.models.attention_processor import Attention
from torch import nn

Kind = Literal["cross", "self", "joint"]


@dataclass(frozen=True)
class AttentionFacts:
    """What a module attends to, and in which sizes.

    Attributes:
        kind: "cross": the picture attends to words; "self": to itself; "joint": to both, in one softmax.
        head_dim: Width of one head's queries and keys.
        key_dim: Width of what the keys are projected from.
    """

    kind: Kind
    heads: int
    head_dim: int
    key_dim: int


@dataclass(frozen=True)
class Layer:
    """One attention layer of a denoiser.

    Attributes:
        name: Dotted, in the denoiser.
        facts: What it attends to, its heads and widths.
        text_block: The block of two streams that it is in, where other words can go beside the text (`concept_stream`).
    """

    name: str
    module: nn.Module
    facts: AttentionFacts
    text_block: nn.Module | None = None

    @property
    def to_words(self) -> bool:
        """Whether the picture attends to words in it."""
        return self.facts.kind != "self"

    @property
    def to_picture(self) -> bool:
        """Whether the picture attends to itself in it."""
        return self.facts.kind != "cross"

    @property
    def joint(self) -> bool:
        """Whether it does both, in one softmax."""
        return self.facts.kind == "joint"

    @property
    def heads(self) -> int:
        """How many heads it has."""
        return self.facts.heads

    @property
    def width(self) -> int:
        """Width of the queries of all heads together."""
        return self.facts.heads * self.facts.head_dim

    @property
    def processor(self) -> str:
        """Class of its attention processor; "NoneType" where it has none."""
        return type(getattr(self.module, "processor", None)).__name__


@dataclass(frozen=True)
class Places:
    """Where picture and words stand in the one sequence of a joint layer.

    Attributes:
        picture: Of the queries, and of the keys.
        words: Of the same; the text from its first position to its last, padding too.
    """

    picture: slice
    words: slice


def attention_facts_of(module: nn.Module) -> AttentionFacts | None:
    """The facts of an attention module; None for every other module."""
    if isinstance(module, Attention):
        kind: Kind = "joint" if _is_joint(module) else "cross" if module.is_cross_attention else "self"
        return AttentionFacts(kind, module.heads, module.inner_dim // module.heads, module.cross_attention_dim)
    if not type(module).__name__.endswith("Attention"):
        return None
    queries, many = getattr(module, "to_q", None), getattr(module, "heads", None)
    # Each of the newer transformers of diffusers has an attention class of its own. A LoRA's layer is no nn.Linear.
    made, taken = (getattr(queries, name, None) for name in ("out_features", "in_features"))
    if isinstance(made, int) and isinstance(taken, int) and isinstance(many, int):
        kind = "joint" if _is_joint(module) else "self"
        return AttentionFacts(kind, many, made // many, taken)
    # The attention classes of transformers share no base: CLIP's and T5's name their attributes differently.
    heads = getattr(module, "num_heads", getattr(module, "n_heads", None))
    width = getattr(module, "head_dim", getattr(module, "key_value_proj_dim", None))
    keys = getattr(getattr(module, "k_proj", getattr(module, "k", None)), "in_features", None)
    return AttentionFacts("self", heads, width, keys) if heads and width and keys else None


def computes_fused(module: nn.Module) -> bool:
    """Whether an attention module computes its fused projections, and not those that they were made of."""
    if not getattr(module, "fused_projections", False):
        return False
    # `Attention` keeps the mark, and the copies, when they are not computed any more; its processor knows.
    fused_by = type(getattr(module, "processor", None)).__name__
    return not isinstance(module, Attention) or "Fused" in fused_by


def _is_joint(module: nn.Module) -> bool:
    """Whether picture and text attend together: projected apart (SD 3, FLUX), or as one row (FLUX's single blocks)."""
    return getattr(module, "add_q_proj", None) is not None or getattr(module, "pre_only", False) is True
