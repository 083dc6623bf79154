"""Commands that run the pipeline: one run, and a run for each value of an argument."""

from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from ..base.known_names import SCHEDULERS
from ..base.parameters import parameters_of
from ..trace.record import Record
from .command import OUTPUT, PIPE, Command, Notebook
from .parsing import Asked, Option
from .values import axis, change, count, number, setting, single, size, whole

_RUN = (
    Option(("--steps",), "num_inference_steps", single(count, "steps"), "how many denoising steps"),
    Option(("--guidance",), "guidance_scale", single(number, "guidance"), "guidance_scale; 1 is off"),
    Option(("--seed",), "seed", single(whole, "seed"), "of the first image's noise (0)"),
    Option(("--negative",), "negative_prompt", str, "what the picture should not show"),
    Option(("--size",), "size", size, "512 or WIDTHxHEIGHT"),
    Option(("--scheduler",), "scheduler", str, "for this run only", SCHEDULERS),
    Option(("--change",), "change", change, "what the model does otherwise: \"Reweight('cat', 2)\"", many=True),
    Option(("--heads",), "heads", None, "keep the attention of each head, not their mean"),
    Option(("--to",), "to", str, "the file to which the trace is written during the run; for several, a folder"),
    Option(("--set",), "set", setting, "any other argument of the pipeline: name=value", many=True),
)


def _arguments(asked: Asked) -> dict[str, Any]:
    """The arguments of a run from its options, seed and Record included."""
    names = ("num_inference_steps", "guidance_scale", "seed", "negative_prompt")
    given: dict[str, Any] = {name: asked.options[name] for name in names if name in asked.options}
    if "size" in asked.options:
        given["width"], given["height"] = asked.options["size"]
    if "heads" in asked.options:
        given["record"] = Record(cross_attention="heads")
    if changes := asked.options.get("change"):
        given["change"] = changes if len(changes) > 1 else changes[0]
    return given | dict(asked.options.get("set", ()))


def _prompt(pipe: Any, asked: Asked) -> str | None:  # noqa: ANN401  (any diffusers pipeline)
    """The text as a prompt; None if the pipeline takes none.

    Raises:
        UsageError: The pipeline takes a prompt, and there is no text.
    """
    if not asked.text and "prompt" in parameters_of(type(pipe).__call__):
        raise UsageError("there is no prompt: write it after the command, as in %sdexplore run a cat in space")
    return asked.text or None


def _run(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a Trace, or Traces)
    pipe, arguments = notebook.pipe(asked), _arguments(asked)
    prompt, to = _prompt(pipe, asked), asked.options.get("to")
    if "scheduler" in asked.options:
        if to is not None:
            raise UsageError("%sdexplore run takes --to or --scheduler: load the pipeline with that --scheduler")
        from ..model.series.queued_runs import run_with

        return run_with(asked.options["scheduler"], pipe, prompt, **arguments)
    from ..model.runs.run_pipeline import run

    return run(pipe, prompt, to=to, **arguments)


def _compare(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a Comparison)
    from ..model.series.comparison import compare

    over = dict(asked.options.get("over", ()))
    if not over:
        raise UsageError("%sdexplore compare needs --over NAME=VALUES, as in --over guidance_scale=1,3,7.5")
    arguments = _arguments(asked)
    scheduler = {"scheduler": [asked.options["scheduler"]]} if "scheduler" in asked.options else {}
    axes, to = {**over, **scheduler}, asked.options.get("to")
    pipe = notebook.pipe(asked)
    prompt = None if "prompt" in over else _prompt(pipe, asked)
    return compare(pipe, prompt, over=axes, to=to, **arguments)


RUN_COMMANDS: Mapping[str, Command] = {
    "run": Command(
        "one recorded run; it becomes `trace`", "the prompt, or the cell", (*_RUN, PIPE, OUTPUT), _run, output="trace"
    ),
    "compare": Command(
        "a run for each value of an argument; they become `comparison`",
        "the prompt, or the cell",
        (
            Option(("--over",), "over", axis, "NAME=VALUES, as in guidance_scale=1,3,7.5", many=True),
            *_RUN,
            PIPE,
            OUTPUT,
        ),
        _compare,
        output="comparison",
    ),
}
