"""See inside a Stable Diffusion pipeline from a notebook.

    import sdexplore as sdx

    pipe = sdx.load()                                  # the embedded miniature Stable Diffusion
    trace = sdx.run(pipe, "a photo of an astronaut")   # one run, one record
    sdx.views.attention(trace, ["astronaut"])          # every figure is read from the record

Each name is loaded when it is first used. `import sdexplore` alone imports neither torch nor diffusers nor pyplot.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load": "model.loading.load_pipeline",
    "compile_denoiser": "model.compiled.denoiser",
    "inspect": "model.loading.inspect_checkpoint",
    "components": "model.inspection.components",
    "config": "model.inspection.configs",
    "config_diff": "model.inspection.configs",
    "tree": "model.inspection.components",
    "tokens": "model.components.tokens",
    "run": "model.runs.run_pipeline",
    "cost": "model.runs.cost",
    "doctor": "model.inspection.diagnosis",
    "compare": "model.series.comparison",
    "schedule": "model.inspection.schedule",
    "look": "model.experiments.look_and_invert",
    "invert": "model.experiments.look_and_invert",
    "text_encoding": "model.experiments.text_encoding",
    "clip_skip_embeds": "model.experiments.prompt_embeddings",
    "clip_skip_ladder": "model.experiments.prompt_embeddings",
    "interpolation": "model.experiments.prompt_embeddings",
    "occlusion": "model.experiments.occlusion",
    "attribution": "model.experiments.attribution",
    "head_effects": "model.experiments.head_effects",
    "reconstruction": "model.experiments.autoencoder",
    "latent_statistics": "model.experiments.autoencoder",
    "pipeline_architecture": "model.inspection.architecture",
    "equation_checks": "model.inspection.equation_checks",
    "time_embedding": "model.inspection.equation_checks",
    "redraw": "model.experiments.look_and_invert",
    "calibrate": "calibration.measuring",
    "word_effect": "calibration.word_effect",
    "open_word_map": "model.experiments.open_vocabulary",
    "explore": "dashboard.open_dashboard",
    "word_map": "analysis.attention",
    "concept_maps": "analysis.concepts",
    "region_words": "analysis.region",
    "segmentation": "analysis.segmentation",
    "attention_mass": "analysis.attention_mass",
    "entropy": "analysis.attention_mass",
    "word_layers": "analysis.word_layers",
    "self_attention_mean": "analysis.self_attention",
    "self_attention_components": "analysis.self_attention",
    "pixel_map": "analysis.self_attention",
    "feature_components": "analysis.features",
    "feature_similarity": "analysis.features",
    "activation_statistics": "analysis.activations",
    "page": "publish.pages",
    "guidance_steps": "analysis.guidance",
    "difference": "analysis.difference",
    "Record": "trace.record",
    "Reweight": "changes.reweight",
    "Ablate": "changes.ablate",
    "Keep": "changes.keep",
    "Patch": "changes.patch",
    "Progress": "model.runs.progress",
    "GuideStep": "model.runs.classifier_guidance",
    "load_classifier": "mini.evaluation.classifier",
    "Trace": "trace.trace",
    "Traces": "trace.collections",
    "Comparison": "trace.collections",
    "Schedule": "records.schedule",
    "Picture": "figures.picture",
    "Article": "publish.article",
    "animation": "publish.animations",
    "reproduce": "reproduction.reproduction",
    "Study": "studies.study",
    "grid": "studies.grid",
    "set_options": "base.options",
    "SdexploreError": "base.errors",
    "LoadError": "base.errors",
    "InspectionError": "base.errors",
    "TokenError": "base.errors",
    "TraceError": "base.errors",
    "RunError": "base.errors",
    "PublishError": "base.errors",
    "Stopped": "base.errors",
}
_ROOMS = ("views", "theory", "mini", "studies")

__all__ = [*_HOMES, *_ROOMS]  # noqa: PLE0604  (strings, all of them)

if TYPE_CHECKING:
    from . import mini, studies, theory, views
    from .analysis.activations import activation_statistics
    from .analysis.attention import word_map
    from .analysis.attention_mass import attention_mass, entropy
    from .analysis.concepts import concept_maps
    from .analysis.difference import difference
    from .analysis.features import feature_components, feature_similarity
    from .analysis.guidance import guidance_steps
    from .analysis.region import region_words
    from .analysis.segmentation import segmentation
    from .analysis.self_attention import pixel_map, self_attention_components, self_attention_mean
    from .analysis.word_layers import word_layers
    from .base.errors import (
        InspectionError,
        LoadError,
        PublishError,
        RunError,
        SdexploreError,
        Stopped,
        TokenError,
        TraceError,
    )
    from .base.options import set_options
    from .calibration.measuring import calibrate
    from .calibration.word_effect import word_effect
    from .changes.ablate import Ablate
    from .changes.keep import Keep
    from .changes.patch import Patch
    from .changes.reweight import Reweight
    from .dashboard.open_dashboard import explore
    from .figures.picture import Picture
    from .mini.evaluation.classifier import load_classifier
    from .model.compiled.denoiser import compile_denoiser
    from .model.components.tokens import tokens
    from .model.experiments.attribution import attribution
    from .model.experiments.autoencoder import latent_statistics, reconstruction
    from .model.experiments.head_effects import head_effects
    from .model.experiments.look_and_invert import invert, look, redraw
    from .model.experiments.occlusion import occlusion
    from .model.experiments.open_vocabulary import open_word_map
    from .model.experiments.prompt_embeddings import clip_skip_embeds, clip_skip_ladder, interpolation
    from .model.experiments.text_encoding import text_encoding
    from .model.inspection.architecture import pipeline_architecture
    from .model.inspection.components import components, tree
    from .model.inspection.configs import config, config_diff
    from .model.inspection.diagnosis import doctor
    from .model.inspection.equation_checks import equation_checks, time_embedding
    from .model.inspection.schedule import schedule
    from .model.loading.inspect_checkpoint import inspect
    from .model.loading.load_pipeline import load
    from .model.runs.classifier_guidance import GuideStep
    from .model.runs.cost import cost
    from .model.runs.progress import Progress
    from .model.runs.run_pipeline import run
    from .model.series.comparison import compare
    from .publish.animations import animation
    from .publish.article import Article
    from .publish.pages import page
    from .records.schedule import Schedule
    from .reproduction.reproduction import reproduce
    from .studies.grid import grid
    from .studies.study import Study
    from .trace.collections import Comparison, Traces
    from .trace.record import Record
    from .trace.trace import Trace


def __getattr__(name: str) -> Any:  # noqa: ANN401  (whatever the name stands for)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        _introduce()
    elif name in _ROOMS:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _introduce() -> None:
    """Tells traces, where they are loaded, how a network becomes a decoder: `trace.decode(with_=…)`."""
    if (traces := sys.modules.get(f"{__name__}.trace.step_decoding")) is not None:
        traces.made_by(_decoder_of)


def _decoder_of(network: object) -> Any:  # noqa: ANN401  (a class of a room that loads torch)
    from .model.components.step_decoder import decoder_of

    return decoder_of(network)


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """Called by `%load_ext sdexplore`: registers the magic `%sdexplore`, and changes nothing else."""
    from .magics.registering import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """Called by `%unload_ext sdexplore`: removes the magic `%sdexplore`."""
    from .magics.registering import unregister

    unregister(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
