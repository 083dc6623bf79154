"""The commands of `%sdexplore`: what each takes, and the public function that it calls."""

import ast
import inspect
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from IPython.core.error import UsageError

from ..analysis.attention import METHODS
from ..base.errors import did_you_mean
from ..base.known_names import SCHEDULERS
from ..figures.picture import Picture
from ..publish.sites.registry import SITES
from ..trace.record import Record
from ..trace.trace import Trace
from .parsing import Asked, Option, parser_of


@dataclass(frozen=True)
class Notebook:
    """The variables of the notebook, as commands read them."""

    variables: Mapping[str, Any]

    def pipe(self, asked: Asked) -> Any:  # noqa: ANN401  (any diffusers pipeline)
        """The current pipeline; UsageError if there is none."""
        name = asked.options.get("pipe", "pipe")
        if name not in self.variables:
            raise UsageError(f"there is no pipeline in {name!r}: %sdexplore load makes one, or name another by --pipe")
        return self.variables[name]

    def trace(self, asked: Asked) -> Trace:
        """The current trace; UsageError if there is none."""
        name = asked.options.get("trace", "trace")
        found = self.variables.get(name)
        if not isinstance(found, Trace):
            what = f"{name!r} is a {type(found).__name__}" if name in self.variables else f"there is no {name!r}"
            raise UsageError(f"{what}: %sdexplore run makes a trace, or name another by --trace")
        return found

    def picture(self) -> Any:  # noqa: ANN401  (a Picture, or an Animation)
        """The Picture or Animation that was shown last; UsageError if there is none."""
        from ..publish.animations import Animation

        shown: Mapping[int, Any] = self.variables.get("_oh", {})
        for value in (self.variables.get("_"), *reversed(list(shown.values()))):
            if isinstance(value, Picture | Animation):
                return value
        raise UsageError("no picture has been shown yet: %sdexplore attention makes one, for example")


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: What it gives, in a line.
        text: What the free text is; "" where it takes none.
        options: What else it takes.
        call: Calls the public function.
        output: The variable that gets the result where -o names none; "" for none.
    """

    summary: str
    text: str
    options: tuple[Option, ...]
    call: Callable[[Notebook, Asked], Any]
    output: str = ""


def count(typed: str) -> int:
    """A number from 1 on."""
    if not typed.isdecimal() or int(typed) < 1:
        raise ArgumentTypeError(f"invalid count value: {typed!r}; it is a whole number, and at least 1")
    return int(typed)


def single(kind: Callable[[str], Any], name: str) -> Callable[[str], Any]:
    """`kind`, which names the way to compare where several values of `name` are typed."""

    @wraps(kind)
    def one(typed: str) -> Any:  # noqa: ANN401  (as `kind`)
        if "," in typed:
            again = f"%sdexplore compare --over {name}={typed}"
            raise ArgumentTypeError(f"{typed!r} is several values; {again} runs once for each")
        return kind(typed)

    return one


def variable(typed: str) -> str:
    """The name of a variable."""
    if not typed.isidentifier():
        raise ValueError
    return typed


def size(typed: str) -> tuple[int, int]:
    """(width, height) of "512" or "640x512"."""
    wide, _, high = typed.lower().partition("x")
    return int(wide), int(high or wide)


def steps(typed: str) -> Any:  # noqa: ANN401  (what the views take)
    """A step "3", several "0,5,-1", or a slice "2:10"."""
    if ":" in typed:
        return slice(*(int(part) if part else None for part in typed.split(":")))
    numbers = [int(part) for part in typed.split(",")]
    return numbers[0] if len(numbers) == 1 else numbers


def layer(typed: str) -> str | int:
    """A layer's name, or the longer side of its grid."""
    return int(typed) if typed.isdigit() else typed


def setting(typed: str) -> tuple[str, Any]:
    """(name, value) of "name=value"; a value that is no Python literal is text."""
    name, sign, value = typed.partition("=")
    if not sign or name in _HAVE_OPTIONS:
        raise ValueError
    return name, _literal(value)


def axis(typed: str) -> tuple[str, list[Any]]:
    """(name, values) of "guidance_scale=1,3,7.5" or "prompt=a cat;a dog"."""
    name, sign, values = typed.partition("=")
    parts = [part.strip() for part in values.split(";" if ";" in values else ",") if part.strip()]
    if not sign or not parts:
        raise ValueError
    return _NAMES.get(name, name), [_literal(part) for part in parts]


def _literal(typed: str) -> Any:  # noqa: ANN401  (any literal)
    try:
        return ast.literal_eval(typed)
    except (ValueError, SyntaxError):
        return typed


_NAMES = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "negative": "negative_prompt",
}  # as the options are called

_HAVE_OPTIONS = ("prompt", "record", "scheduler", "to", "seed", "width", "height", *_NAMES.values())

_OUTPUT = Option(("-o", "--output"), "output", variable, "the variable that gets the result")
_PIPE = Option(("--pipe",), "pipe", str, "the variable that holds the pipeline (pipe)")
_TRACE = Option(("--trace",), "trace", str, "the variable that holds the trace (trace)")
_STEP = Option(("--step",), "step", steps, "a step 3, several 0,5,-1, or a range 2:10")
_RUN = (
    Option(("--steps",), "num_inference_steps", single(count, "steps"), "how many denoising steps"),
    Option(("--guidance",), "guidance_scale", single(float, "guidance"), "1 is off"),
    Option(("--seed",), "seed", single(int, "seed"), "of the first image's noise (0)"),
    Option(("--negative",), "negative_prompt", str, "what to keep away from"),
    Option(("--size",), "size", size, "512 or WIDTHxHEIGHT"),
    Option(("--scheduler",), "scheduler", str, "for this run alone", SCHEDULERS),
    Option(("--heads",), "heads", None, "keep each head's attention, not their mean"),
    Option(("--to",), "to", str, "the file that the trace is written to while it is made; a folder for several"),
    Option(("--set",), "set", setting, "any other argument of the pipeline: name=value", many=True),
)
_ATTENTION = (
    _STEP,
    Option(("--layer",), "layer", layer, "a layer's name, its beginning, or the longer side of its grid"),
    Option(("--head",), "head", int, "one head; needs a run with --heads"),
    Option(("--role",), "role", str, "whose prompt", ("cond", "uncond")),
    Option(("--method",), "method", str, "mean, or a published formula", METHODS),
    Option(("--scale",), "scale", str, "one colour scale for all words, or each its own", ("shared", "each")),
)


def _load(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (any diffusers pipeline)
    del notebook
    from ..model.loading.load_pipeline import load

    given = {name: asked.options[name] for name in ("device", "dtype", "scheduler") if name in asked.options}
    return load(asked.text or "mini", **given)


def _components(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a record)
    from ..model.inspection.components import components

    return components(notebook.pipe(asked))


def _config(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.inspection.configs import config

    return config(notebook.pipe(asked), asked.text or "unet")


def _tree(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.inspection.components import tree

    depth = {"depth": asked.options["depth"]} if "depth" in asked.options else {}
    return tree(notebook.pipe(asked), asked.text or "unet", **depth)


def _tokens(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401
    from ..model.components.tokens import tokens

    text = asked.text or notebook.trace(asked).prompt or ""
    return tokens(notebook.pipe(asked), text)


def _arguments(asked: Asked) -> dict[str, Any]:
    """The pipeline's arguments of the options of a run, seed and Record included."""
    names = ("num_inference_steps", "guidance_scale", "seed", "negative_prompt")
    given: dict[str, Any] = {name: asked.options[name] for name in names if name in asked.options}
    if "size" in asked.options:
        given["width"], given["height"] = asked.options["size"]
    if "heads" in asked.options:
        given["record"] = Record(cross_attention="heads")
    return given | dict(asked.options.get("set", ()))


def _prompt(pipe: Any, asked: Asked) -> str | None:  # noqa: ANN401  (any diffusers pipeline)
    """The text as a prompt, None where the pipeline takes none; UsageError where it takes one and there is none."""
    if not asked.text and "prompt" in inspect.signature(type(pipe).__call__).parameters:
        raise UsageError("there is no prompt: write it behind the command, as in %sdexplore run a cat in space")
    return asked.text or None


def _run(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (a Trace, or Traces)
    pipe, arguments = notebook.pipe(asked), _arguments(asked)
    prompt, to = _prompt(pipe, asked), asked.options.get("to")
    if "scheduler" in asked.options:
        if to is not None:
            raise UsageError("%sdexplore run takes --to or --scheduler: load the pipeline with that --scheduler")
        from ..model.series.comparison import compare

        return compare(pipe, prompt, over={"scheduler": [asked.options["scheduler"]]}, **arguments).traces[0]
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


def _denoising(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import denoising

    return denoising(notebook.trace(asked), steps=asked.options.get("step"))


def _guidance(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import guidance

    return guidance(notebook.trace(asked), steps=asked.options.get("step"))


def _attention(notebook: Notebook, asked: Asked) -> Picture:
    from ..views import attention

    names = {"step": "steps", "layer": "layers", "head": "heads", "role": "role", "method": "method", "scale": "scale"}
    given = {names[name]: value for name, value in asked.options.items() if name in names}
    return attention(notebook.trace(asked), asked.words or None, **given)


def _explore(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (the dashboard)
    from ..dashboard.open_dashboard import explore

    if asked.text:
        return explore(asked.text)
    named = asked.options.get("trace") or ("trace" if "pipe" not in notebook.variables else None)
    if named is None or "pipe" in asked.options:
        return explore(notebook.pipe(asked))
    return explore(notebook.trace(asked))


def _export(notebook: Notebook, asked: Asked) -> Any:  # noqa: ANN401  (the Article)
    from ..publish.article import Article

    for needed in ("slug", "key"):
        if needed not in asked.options:
            raise UsageError(
                f"%sdexplore export needs --{needed}, as in --slug inside-stable-diffusion --key attention"
            )
    options = asked.options
    where = {name: options[name] for name in ("flavor", "root") if name in options}
    article = Article(options["slug"], **where)
    words = {name: options[name] for name in ("caption", "alt") if name in options}
    article.add(notebook.picture(), key=options["key"], **words)
    article.save()
    return article


COMMANDS: Mapping[str, Command] = {
    "load": Command(
        "the pipeline of a source; it becomes `pipe`",
        "mini (the embedded model), a hub id, a folder or a file",
        (
            Option(("--device",), "device", str, "cuda, mps, cpu", ("cuda", "mps", "cpu")),
            Option(("--dtype",), "dtype", str, "of every component", ("float16", "bfloat16", "float32")),
            Option(("--scheduler",), "scheduler", str, "takes the place of the pipeline's own", SCHEDULERS),
            _OUTPUT,
        ),
        _load,
        output="pipe",
    ),
    "components": Command("what the pipeline is made of", "", (_PIPE, _OUTPUT), _components),
    "config": Command("the configuration of a component", "a component (unet)", (_PIPE, _OUTPUT), _config),
    "tree": Command(
        "the module tree of a component",
        "a component (unet)",
        (Option(("--depth",), "depth", int, "levels of the text (2)"), _PIPE, _OUTPUT),
        _tree,
    ),
    "tokens": Command(
        "what a prompt becomes", "the prompt (that of the current trace)", (_PIPE, _TRACE, _OUTPUT), _tokens
    ),
    "run": Command(
        "one recorded run; it becomes `trace`", "the prompt, or the cell", (*_RUN, _PIPE, _OUTPUT), _run, output="trace"
    ),
    "denoising": Command("the way from noise to picture", "", (_STEP, _TRACE, _OUTPUT), _denoising),
    "guidance": Command("what either half of guidance predicts", "", (_STEP, _TRACE, _OUTPUT), _guidance),
    "attention": Command(
        "where words looked", "words; a phrase in quotes (all words)", (*_ATTENTION, _TRACE, _OUTPUT), _attention
    ),
    "compare": Command(
        "a run for each value of an argument; they become `comparison`",
        "the prompt, or the cell",
        (
            Option(("--over",), "over", axis, "NAME=VALUES, as in guidance_scale=1,3,7.5", many=True),
            *_RUN,
            _PIPE,
            _OUTPUT,
        ),
        _compare,
        output="comparison",
    ),
    "explore": Command(
        "the dashboard", "the path of a trace (the current pipeline)", (_PIPE, _TRACE, _OUTPUT), _explore
    ),
    "export": Command(
        "the picture shown last as a file of an article",
        "",
        (
            Option(("--slug",), "slug", str, "the article's name"),
            Option(("--key",), "key", str, "the picture's name; the same key again replaces it"),
            Option(("--caption",), "caption", str, "stands beneath it; as before, or its own words"),
            Option(("--alt",), "alt", str, "what is to be seen, in words (the picture's own)"),
            Option(("--flavor",), "flavor", str, "zenn and others", tuple(SITES)),
            Option(("--root",), "root", str, "the folder under which images/ stands (.)"),
            _OUTPUT,
        ),
        _export,
    ),
}


def command_of(name: str) -> Command:
    """The command of that name; UsageError with the near misses if there is none."""
    if name not in COMMANDS:
        raise UsageError(f"%sdexplore has no command {name!r}; {did_you_mean(name, COMMANDS)}")
    return COMMANDS[name]


def help_of(name: str) -> str:
    """What a command takes, for people."""
    command = command_of(name)
    text = f" TEXT\n\nTEXT: {command.text}" if command.text else ""
    lines = parser_of(name, command.options).format_help().partition("options:")[2].rstrip()
    kept = f"\nThe result becomes the variable `{command.output}`, unless -o names another." if command.output else ""
    return f"%sdexplore {name} [options]{text}\n\nGives {command.summary}.{kept}\n\noptions:{lines}"


def overview() -> str:
    """All commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    return (
        "Looks inside a Stable Diffusion pipeline: %sdexplore COMMAND [options] [text]\n\n"
        f"{lines}\n\n"
        "`%sdexplore COMMAND --help` says what a command takes. Options stand before or behind the text, which\n"
        "is kept as typed; one pair of quotes around the whole of it is taken off. `%%sdexplore run` takes the cell\n"
        "as its prompt. The current pipeline and trace are the variables `pipe` and `trace`; what a command gives\n"
        "is its value.\n\n"
        "  %sdexplore load mini\n"
        "  %sdexplore run a cat and a rocket in space --seed 3 --steps 25\n"
        "  %sdexplore attention cat rocket --step 5:\n"
    )
