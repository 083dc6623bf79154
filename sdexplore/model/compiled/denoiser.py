"""`compile_denoiser`: from then on `run` sends a pipeline's denoiser through a graph that gives the maps as well.

A graph is traced once for each kind of call (sizes, formats, what the Record asks of it) and kept. It works with the
model's own parameters. If no graph can be made, a run says so and goes on without. `pipe(...)` itself is not compiled.
"""

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, Final, Literal, get_args
from weakref import WeakKeyDictionary

import torch

from ...base.error_lines import named_line
from ...base.errors import RunError, did_you_mean
from ..capture.hooks import Observer
from ..capture.plans import CallPlan
from ..components.patching import replaced
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import denoiser as denoiser_of
from ..families import family_of
from ..families.family import Family
from .exported_graph import Arguments, Forward, Graph, captured, compiled, traced
from .guards import Likeness
from .traceability import foreign_hooks, obstacle

Backend = Literal["auto", "graph", "inductor"]

_BACKENDS: Final = get_args(Backend)
_KEPT = 6  # graphs of one denoiser; each holds memory of its own on CUDA
_NO_MEMORY = "there was not enough memory for a graph"
_MADE: WeakKeyDictionary[torch.nn.Module, "CompiledDenoiser"] = WeakKeyDictionary()
_TOLD: ContextVar[Callable[[str], object] | None] = ContextVar("told", default=None)
_TRACING = threading.Lock()  # torch.export and torch.compile change torch itself while they work


def compile_denoiser(pipe: Any, backend: Backend | None = "auto") -> None:
    """From now on `run` sends the pipeline's denoiser through a graph; `pipe(...)` itself stays as it is.

    The first run of each kind (sizes, batch, guidance on or off, what the Record asks for) traces its graph, which is
    printed; prompts, seeds, steps and schedulers share it. Pictures are the same within rounding, not to the bit, and
    a trace names its backend in `provenance["compiled"]`.

    Args:
        backend: "graph", the model's own operations as torch.export lists them: on CUDA one CUDA graph, on the CPU with
            narrow heads widened to 16. "inductor", the same through torch's compiler: the fastest on a GPU, a minute
            or more to compile. "auto": "inductor" on CUDA, "graph" elsewhere. None: back to uncompiled runs.

    Raises:
        RunError: There is no such backend.
        InspectionError: The pipeline has no denoiser of a known family.
    """
    if backend is not None and backend not in _BACKENDS:
        raise RunError(f"no backend {backend!r}; {did_you_mean(str(backend), _BACKENDS)}, or None for uncompiled runs")
    denoiser = denoiser_of(pipe)
    with lock_of(pipe):  # a run that is under way keeps its graphs
        _MADE.pop(denoiser, None)
        if backend is not None:
            _MADE[denoiser] = CompiledDenoiser(backend, family_of(pipe))


def compiled_denoiser(denoiser: torch.nn.Module) -> "CompiledDenoiser | None":
    """What `compile_denoiser` keeps for this denoiser; None where runs are not compiled."""
    return _MADE.get(denoiser)


class CompiledDenoiser:
    """The graphs of one denoiser, by what they were traced for.

    Attributes:
        backend: As it was asked for.
        used: How the calls of the run under way were made: backend -> "", or "eager" -> why there was no graph.
    """

    def __init__(self, backend: Backend, family: Family) -> None:
        self.backend = backend
        self._family = family
        self.used: dict[str, str] = {}
        self._graphs: OrderedDict[Any, tuple[str, Graph] | str] = OrderedDict()
        self._failed: dict[str, str] = {}  # backend -> why it does not work here
        self._obstacle: str | None = None
        self._likeness: Likeness | None = None  # of the denoiser at the last look
        self._weights = ""
        self._told: set[str] = set()

    def go_without(self, reason: str) -> None:
        """The run that begins is made without a graph; says so once."""
        self.used = {}
        self._go_without(reason)

    def stand_in(
        self, denoiser: torch.nn.Module, *, look_again: bool
    ) -> Callable[[Observer], AbstractContextManager[None]]:
        """The `stand_in` of `observing`: the denoiser's graphs replace its forward.

        Args:
            look_again: Whether the denoiser is looked at before every call, and not only before the first: foreign code
                that runs in between may change it.
        """
        self.used = {}
        self._look_at(denoiser)
        self._obstacle = self._obstacle or foreign_hooks(denoiser)  # before the probes' own hooks are on it
        if self._obstacle is not None:  # what is kept may hold memory that the obstacle is to free
            self._likeness = None
            self._graphs.clear()
        return partial(self._standing_in, denoiser, look_again=look_again)

    def _standing_in(
        self, denoiser: torch.nn.Module, observer: Observer, *, look_again: bool
    ) -> AbstractContextManager[None]:
        signature = inspect.signature(type(denoiser).forward)
        looked, hooks = False, [] if self._likeness is None else self._likeness.hooks()

        def stand_in(original: Forward) -> Forward:
            @wraps(original)
            def forward(*args: Any, **kwargs: Any) -> Any:
                nonlocal looked
                if (call := observer.call) is None:  # not called as a module, and not observed
                    return original(*args, **kwargs)
                if self._obstacle is None and (look_again or not looked):
                    self._look_at(denoiser)  # pipelines set adapters and processors in their own call
                    looked = True
                    if self._likeness is not None and self._likeness.hooks() != hooks:
                        self._obstacle = "a hook was put on it, or taken off, while it ran"
                named = _by_name(signature, denoiser, args, kwargs)
                family = self._family
                if not {family.sample, family.timestep} <= named.keys():
                    self._go_without(f"its forward names no {family.sample} and {family.timestep}")
                    return original(*args, **kwargs)
                return_dict = named.pop("return_dict", True)
                arguments = _arguments(family, named)
                found = self._found(denoiser, original, observer, arguments, call.plan)
                if isinstance(found, str):
                    self._go_without(found)
                    return original(*args, **kwargs)
                name, graph = found
                self.used.setdefault(name, "")
                noise_pred = graph.run(arguments, call)
                return graph.output_class(**{family.output: noise_pred}) if return_dict else (noise_pred,)

            return forward

        return replaced(denoiser, "forward", stand_in)

    def _look_at(self, denoiser: torch.nn.Module) -> None:
        """Finds what is in the way of a graph, or what the denoiser is now; this is quick if nothing has changed."""
        if self._likeness is not None and self._likeness.still(denoiser):
            self._obstacle = None
            return
        self._likeness = None  # it holds weights that may be gone
        self._obstacle = obstacle(denoiser, self._family)
        if self._obstacle is not None:
            return
        self._likeness = Likeness(denoiser)
        if self._likeness.weights != self._weights:  # the graphs hold the old ones
            self._graphs.clear()
        self._weights = self._likeness.weights

    def _found(
        self, denoiser: torch.nn.Module, original: Forward, observer: Observer, arguments: Arguments, plan: CallPlan
    ) -> tuple[str, Graph] | str:
        """The graph for this call and its backend; or the reason why there is no graph."""
        if reason := self._obstacle or _not_traceable(arguments):
            return reason
        assert self._likeness is not None  # noqa: S101  (there is one if nothing is in the way)
        device = arguments.tensors[0].device
        read = tuple(observer.layers.items()) if plan.rows else ()
        kind = (arguments.key(), plan.rows, len(plan.roles), read, self._likeness.structure, _switches(device.type))
        if kind not in self._graphs:
            with _TRACING:
                made = self._made(denoiser, original, observer, arguments, plan)
            if made == _NO_MEMORY:  # there may be enough the next time
                return made
            self._graphs[kind] = made
            while len(self._graphs) > _KEPT:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(kind)
        return self._graphs[kind]

    def _made(
        self, denoiser: torch.nn.Module, original: Forward, observer: Observer, arguments: Arguments, plan: CallPlan
    ) -> tuple[str, Graph] | str:
        cuda = arguments.tensors[0].device.type == "cuda"
        size = " × ".join(map(str, arguments.tensors[0].shape))
        maps = f"the maps of {len(observer.layers)} layers" if plan.rows else "no maps"
        order = ("inductor", "graph") if self.backend == "inductor" or (self.backend == "auto" and cuda) else ("graph",)
        try:
            with _aloud(f"tracing {type(denoiser).__name__} for {size} with {maps}"):
                graph = traced(denoiser, original, observer, arguments, plan)
        except RunError:
            raise
        except Exception as error:  # noqa: BLE001  (the model itself runs, whatever the error is)
            return f"torch.export cannot trace it ({named_line(error)})" if not self._gave_back(error) else _NO_MEMORY
        for backend in order:
            if backend in self._failed:
                continue
            try:
                return backend, _ready(backend, graph, arguments)
            except Exception as error:  # noqa: BLE001  (as above)
                if self._gave_back(error):
                    return _NO_MEMORY
                self._failed[backend] = named_line(error)
                _say(f"backend {backend!r} does not work here: {self._failed[backend]}")
        return "; ".join(f"{backend}: {self._failed[backend]}" for backend in order)

    def _gave_back(self, error: Exception) -> bool:
        """Whether memory ran out; if so, frees the graphs and what the error holds."""
        from ..components.memory import give_back, ran_out

        if not ran_out(error):
            return False
        self._graphs.clear()
        give_back(error)
        return True

    def _go_without(self, reason: str) -> None:
        self.used.setdefault("eager", reason)
        if reason not in self._told:
            self._told.add(reason)
            _say(f"runs uncompiled: {reason}")


def _ready(backend: str, graph: Graph, arguments: Arguments) -> Graph:
    if backend == "inductor":
        with _aloud("compiling it, kept for the runs to come; this can take minutes"):
            graph = compiled(graph)
            graph.function(*arguments.tensors)
    if arguments.tensors[0].device.type == "cuda":
        with _aloud("capturing it as a CUDA graph"):
            graph = captured(graph, arguments)
    return graph


def _by_name(signature: inspect.Signature, denoiser: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """A forward's arguments by name, without the denoiser itself; empty if it has a `*args`."""
    named = dict(signature.bind(denoiser, *args, **kwargs).arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return {}
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name, {})
    named.pop(next(iter(signature.parameters)))
    return named


def _arguments(family: Family, named: dict[str, Any]) -> Arguments:
    """The call's arguments, the timestep as a tensor beside the sample: as a constant, each would need a graph."""
    sample, timestep = named[family.sample], named[family.timestep]
    if not isinstance(timestep, torch.Tensor):  # in the formats that diffusers' UNets give it
        whole = sample.device.type in ("mps", "npu")
        floating, integer = (torch.float32, torch.int32) if whole else (torch.float64, torch.int64)
        timestep = torch.tensor(timestep, dtype=floating if isinstance(timestep, float) else integer)
    return Arguments.of({**named, family.timestep: timestep.to(sample.device)})


def _not_traceable(arguments: Arguments) -> str | None:
    if torch.is_grad_enabled():
        return "gradients are wanted"
    if torch.is_inference_mode_enabled():
        return "torch.inference_mode is on; torch.no_grad works"
    if arguments.tensors[0].device.type == "cuda" and torch.is_autocast_enabled("cuda"):
        return "torch.autocast is on: a CUDA graph would read copies of weights that autocast frees"
    if len(places := {str(tensor.device) for tensor in arguments.tensors}) > 1:
        # A CUDA graph holds a number on the CPU as a constant.
        return f"it is given tensors on {' and '.join(sorted(places))}"
    for leaf in arguments.leaves:
        if not isinstance(leaf, torch.Tensor | bool | int | float | str | None):
            return f"it is given a {type(leaf).__name__}"
    return None


def _switches(device: str) -> tuple[Any, ...]:
    """The settings of torch that change how it computes; a CUDA graph keeps those of its capture."""
    told = (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
    if device != "cuda":
        return told
    cuda: Any = torch.backends.cuda
    cudnn: Any = torch.backends.cudnn
    if hasattr(cudnn, "conv"):  # since torch 2.9, where asking for allow_tf32 may be an error
        tf32 = (cuda.matmul.fp32_precision, cudnn.conv.fp32_precision)
    else:
        tf32 = (cuda.matmul.allow_tf32, cudnn.allow_tf32)
    return (
        *told,
        *tf32,
        cuda.matmul.allow_fp16_reduced_precision_reduction,
        cuda.matmul.allow_bf16_reduced_precision_reduction,
        getattr(cuda.matmul, "allow_fp16_accumulation", None),  # since 2.7
        cuda.fp16_bf16_reduction_math_sdp_allowed(),
        *(cuda.preferred_blas_library(), cuda.preferred_linalg_library()),
        tuple(torch._C._get_sdp_priority_order()),  # noqa: SLF001  (there is no public name)
        *(getattr(cuda, f"{kernel}_sdp_enabled")() for kernel in ("flash", "mem_efficient", "math", "cudnn")),
        *(cudnn.enabled, cudnn.benchmark, cudnn.deterministic),
        torch.are_deterministic_algorithms_enabled(),
    )


@contextmanager
def telling(told: Callable[[str], object]) -> Iterator[None]:
    """What this thread would print in the block goes to `told`, a line at a time."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def _say(text: str) -> None:
    if told := _TOLD.get():
        told(text)
    else:
        print(f"sdexplore: {text}", flush=True)  # noqa: T201  (the user must know what changes how a run is made)


@contextmanager
def _aloud(text: str) -> Iterator[None]:
    """Prints what is being done, and how long it took."""
    told, started, done = _TOLD.get(), time.perf_counter(), "failed"
    if told:
        told(f"{text} …")
    else:
        print(f"sdexplore: {text} … ", end="", flush=True)  # noqa: T201  (the user must know what takes a minute)
    try:
        yield
        done = f"{time.perf_counter() - started:.1f} s"
    finally:
        if told:
            told(f"{text} … {done}")
        else:
            print(done, flush=True)  # noqa: T201  (as above)
