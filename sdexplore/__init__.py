"""See inside a Stable Diffusion pipeline from a notebook.

    import sdexplore as sdx

    pipe = sdx.load()                                  # the embedded miniature Stable Diffusion
    trace = sdx.run(pipe, "a photo of an astronaut")   # one picture, one record
    sdx.views.attention(trace, ["astronaut"])          # everything shown is read from it

Names load on first use: importing this imports neither torch nor diffusers nor pyplot.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "load": "model.loading",
    "compile_denoiser": "model.compiling",
    "inspect": "model.checkpoints",
    "components": "model.inspection",
    "config": "model.configuration",
    "config_diff": "model.configuration",
    "tree": "model.inspection",
    "tokens": "model.tokenizing",
    "run": "model.running",
    "cost": "model.costing",
    "doctor": "model.diagnosing",
    "compare": "model.comparing",
    "schedule": "model.scheduling",
    "look": "model.looking",
    "invert": "model.looking",
    "text_encoding": "model.text_encoders",
    "clip_skip_embeds": "model.conditioning",
    "clip_skip_ladder": "model.conditioning",
    "interpolation": "model.conditioning",
    "occlusion": "model.occluding",
    "reconstruction": "model.autoencoding",
    "latent_statistics": "model.autoencoding",
    "pipeline_architecture": "model.stages",
    "equation_checks": "model.checking",
    "time_embedding": "model.checking",
    "redraw": "model.looking",
    "calibrate": "calibration.measuring",
    "word_effect": "calibration.effects",
    "open_word_map": "model.open_vocabulary",
    "explore": "widgets.exploring",
    "word_map": "analysis.attention",
    "region_words": "analysis.regions",
    "segmentation": "analysis.regions",
    "attention_mass": "analysis.mass",
    "entropy": "analysis.mass",
    "word_layers": "analysis.mass",
    "self_attention_mean": "analysis.self_attention",
    "self_attention_components": "analysis.self_attention",
    "pixel_map": "analysis.self_attention",
    "page": "publish.pages",
    "guidance_steps": "analysis.guidance",
    "difference": "analysis.differences",
    "Record": "record",
    "Trace": "trace",
    "Traces": "traces",
    "Comparison": "traces",
    "Schedule": "schedules",
    "Picture": "picture",
    "Article": "publish.article",
    "animation": "publish.animations",
    "reproduce": "reproduction",
    "SdexploreError": "errors",
    "LoadError": "errors",
    "InspectionError": "errors",
    "TokenError": "errors",
    "TraceError": "errors",
    "RunError": "errors",
    "PublishError": "errors",
    "Stopped": "errors",
}
_ROOMS = ("views", "theory", "mini")

__all__ = [*_HOMES, *_ROOMS]  # noqa: PLE0604  (strings, all of them)

if TYPE_CHECKING:
    from . import mini, theory, views
    from .analysis.attention import word_map
    from .analysis.differences import difference
    from .analysis.guidance import guidance_steps
    from .analysis.mass import attention_mass, entropy, word_layers
    from .analysis.regions import region_words, segmentation
    from .analysis.self_attention import pixel_map, self_attention_components, self_attention_mean
    from .calibration.effects import word_effect
    from .calibration.measuring import calibrate
    from .errors import (
        InspectionError,
        LoadError,
        PublishError,
        RunError,
        SdexploreError,
        Stopped,
        TokenError,
        TraceError,
    )
    from .model.autoencoding import latent_statistics, reconstruction
    from .model.checking import equation_checks, time_embedding
    from .model.checkpoints import inspect
    from .model.comparing import compare
    from .model.compiling import compile_denoiser
    from .model.conditioning import clip_skip_embeds, clip_skip_ladder, interpolation
    from .model.configuration import config, config_diff
    from .model.costing import cost
    from .model.diagnosing import doctor
    from .model.inspection import components, tree
    from .model.loading import load
    from .model.looking import invert, look, redraw
    from .model.occluding import occlusion
    from .model.open_vocabulary import open_word_map
    from .model.running import run
    from .model.scheduling import schedule
    from .model.stages import pipeline_architecture
    from .model.text_encoders import text_encoding
    from .model.tokenizing import tokens
    from .picture import Picture
    from .publish.animations import animation
    from .publish.article import Article
    from .publish.pages import page
    from .record import Record
    from .reproduction import reproduce
    from .schedules import Schedule
    from .trace import Trace
    from .traces import Comparison, Traces
    from .widgets.exploring import explore


def __getattr__(name: str) -> Any:  # noqa: ANN401  (whatever the name stands for)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    elif name in _ROOMS:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """`%load_ext sdexplore`: registers the magic `%sdexplore`; nothing else changes."""
    from .magics.registering import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401  (IPython's shell)
    """`%unload_ext sdexplore`: takes the magic away."""
    from .magics.registering import unregister

    unregister(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
