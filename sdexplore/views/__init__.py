"""Views: each draws one Picture of a record. They compute nothing, and they leave the user's rcParams alone.

A cell of a map or a picture is a square. Where it would be smaller than a pixel of the file, the pixel has the mean of
the cells in it: of maps the mean value, in its colour.
"""

from ._activations import activation_statistics
from ._architecture import architecture
from ._attention import attention
from ._attention_compare import attention_compare
from ._attention_layers import attention_layers
from ._attention_mass import attention_mass
from ._attention_steps import attention_steps
from ._attribution import attribution
from ._autoencoder import latent_statistics, reconstruction
from ._benchmark import benchmark
from ._calibration import calibration
from ._comparison import comparison
from ._components import components
from ._concepts import concepts
from ._denoising import denoising
from ._difference import difference
from ._equation_checks import equation_checks, time_embedding
from ._features import feature_components, feature_similarity
from ._guidance import guidance
from ._guidance_steps import guidance_steps
from ._head_effects import head_effects
from ._latents import latents
from ._maps import maps
from ._occlusion import occlusion
from ._region import region
from ._schedule import schedule
from ._segmentation import segmentation
from ._self_attention import self_attention
from ._story import story
from ._strip import strip
from ._study_distribution import study_distribution
from ._study_pairs import study_pairs
from ._study_pictures import study_ends, study_pictures
from ._text_encoding import text_attention, text_similarity
from ._text_norms import text_norms
from ._tokens import tokens
from ._tree import tree
from ._unet_comparison import unet_comparison

__all__ = [
    "activation_statistics",
    "architecture",
    "attention",
    "attention_compare",
    "attention_layers",
    "attention_mass",
    "attention_steps",
    "attribution",
    "benchmark",
    "calibration",
    "comparison",
    "components",
    "concepts",
    "denoising",
    "difference",
    "equation_checks",
    "feature_components",
    "feature_similarity",
    "guidance",
    "guidance_steps",
    "head_effects",
    "latent_statistics",
    "latents",
    "maps",
    "occlusion",
    "reconstruction",
    "region",
    "schedule",
    "segmentation",
    "self_attention",
    "story",
    "strip",
    "study_distribution",
    "study_ends",
    "study_pairs",
    "study_pictures",
    "text_attention",
    "text_norms",
    "text_similarity",
    "time_embedding",
    "tokens",
    "tree",
    "unet_comparison",
]
