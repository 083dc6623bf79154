"""`compile_denoiser`: from then on `run` sends a pipeline's denoiser through a graph that gives the maps as well.

A graph is traced once for each kind of call (sizes, formats, what the Record asks of it) and kept; it works with the
model's own parameters. Where one cannot be had, a run says so and goes on without. `pipe(...)` itself is not compiled.
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
    said aloud; prompts, seeds, steps and schedulers share it. Pictures are the same within rounding, not to the
    bit, and a trace names its backend in `provenance["compiled"]`.

    Args:
        backend: "graph", the model's own operations as torch.export lists them: on CUDA one CUDA graph, on the CPU with
            narrow heads widened to 16. "inductor", the same through torch's compiler: the fastest on a GPU, a minute
            or more to compile. "auto": "inductor" on CUDA, "graph" elsewhere. None: back to uncompiled runs.

    Raises:
        RunError: There is no such backend.
        InspectionError: The pipeline has no UNet.
    """
    if backend is not None and backend not in _BACKENDS:
        raise RunError(f"no backend {backend!r}; {did_you_mean(str(backend), _BACKENDS)}, or None for uncompiled runs")
    denoiser = denoiser_of(pipe)
    with lock_of(pipe):  # a run that is under way keeps what it has
        _MADE.pop(denoiser, None)
        if backend is not None:
            _MADE[denoiser] = CompiledDenoiser(backend)


def compiled_denoiser(denoiser: torch.nn.Module) -> "CompiledDenoiser | None":
    """What `compile_denoiser` keeps for this denoiser; None where runs are not compiled."""
    return _MADE.get(denoiser)


class CompiledDenoiser:
    """The graphs of one denoiser, by what they were traced for.

    Attributes:
        backend: As it was asked for.
        used: How the calls of the run under way were made: backend -> "", or "eager" -> why without a graph.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.used: dict[str, str] = {}
        self._graphs: OrderedDict[Any, tuple[str, Graph] | str] = OrderedDict()
        self._failed: dict[str, str] = {}  # backend -> why it cannot work here
        self._obstacle: str | None = None
        self._likeness: Likeness | None = None  # of the denoiser when it was last looked at
        self._weights = ""
        self._told: set[str] = set()

    def stand_in(
        self, denoiser: torch.nn.Module, *, look_again: bool
    ) -> Callable[[Observer], AbstractContextManager[None]]:
        """For `observing`: the denoiser's graphs in the place of its forward.

        Args:
            look_again: Whether the denoiser is looked at before every call, and not before the first one alone:
                foreign code that runs in between may change it.
        """
        self.used = {}
        self._look_at(denoiser)
        self._obstacle = self._obstacle or foreign_hooks(denoiser)  # before the probes' own are there
        if self._obstacle is not None:  # what is kept may hold memory that was to be had by what is in its way
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
                    self._look_at(denoiser)  # adapters and processors come late: pipelines set them in their own call
                    looked = True
                    if self._likeness is not None and self._likeness.hooks() != hooks:
                        self._obstacle = "a hook was put on it, or taken off, while it ran"
                named = _by_name(signature, denoiser, args, kwargs)
                if not {"sample", "timestep"} <= named.keys():
                    self._go_without("its forward names no sample and timestep")
                    return original(*args, **kwargs)
                return_dict = named.pop("return_dict", True)
                arguments = _arguments(named)
                found = self._found(denoiser, original, observer, arguments, call.plan)
                if isinstance(found, str):
                    self._go_without(found)
                    return original(*args, **kwargs)
                name, graph = found
                self.used.setdefault(name, "")
                noise_pred = graph.run(arguments, call)
                return graph.output_class(sample=noise_pred) if return_dict else (noise_pred,)

            return forward

        return replaced(denoiser, "forward", stand_in)

    def _look_at(self, denoiser: torch.nn.Module) -> None:
        """Finds out what is in the way of a graph, or what kind of denoiser this is; if it is as it was, quickly."""
        if self._likeness is not None and self._likeness.still(denoiser):
            self._obstacle = None
            return
        self._likeness = None  # which holds weights that may have gone
        self._obstacle = obstacle(denoiser)
        if self._obstacle is not None:
            return
        self._likeness = Likeness(denoiser)
        if self._likeness.weights != self._weights:  # the graphs hold the old ones
            self._graphs.clear()
        self._weights = self._likeness.weights

    def _found(
        self, denoiser: torch.nn.Module, original: Forward, observer: Observer, arguments: Arguments, plan: CallPlan
    ) -> tuple[str, Graph] | str:
        """The graph for this call and its backend; or why there is none."""
        if reason := self._obstacle or _not_traceable(arguments):
            return reason
        assert self._likeness is not None  # noqa: S101  (there is one where nothing is in the way)
        device = arguments.tensors[0].device
        read = tuple(observer.layers.items()) if plan.rows else ()
        kind = (arguments.key(), plan.rows, len(plan.roles), read, self._likeness.structure, _switches(device.type))
        if kind not in self._graphs:
            with _TRACING:
                made = self._made(denoiser, original, observer, arguments, plan)
            if made == _NO_MEMORY:  # another time there may be
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
        except Exception as error:  # noqa: BLE001  (whatever it is, the model itself still runs)
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
        """Whether memory had run out; then the graphs there are, and what the error holds, are let go."""
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
    """What a forward is called with, but for the denoiser itself; nothing where it takes what it is given by *."""
    named = dict(signature.bind(denoiser, *args, **kwargs).arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return {}
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name, {})
    named.pop(next(iter(signature.parameters)))
    return named


def _arguments(named: dict[str, Any]) -> Arguments:
    """The call's arguments, the timestep as a tensor beside the sample: as a constant each would have its own graph."""
    sample, timestep = named["sample"], named["timestep"]
    if not isinstance(timestep, torch.Tensor):  # in the formats that diffusers' UNets give it
        whole = sample.device.type in ("mps", "npu")
        floating, integer = (torch.float32, torch.int32) if whole else (torch.float64, torch.int64)
        timestep = torch.tensor(timestep, dtype=floating if isinstance(timestep, float) else integer)
    return Arguments.of({**named, "timestep": timestep.to(sample.device)})


def _not_traceable(arguments: Arguments) -> str | None:
    if torch.is_grad_enabled():
        return "gradients are wanted"
    if torch.is_inference_mode_enabled():
        return "torch.inference_mode is on; torch.no_grad does as well"
    if arguments.tensors[0].device.type == "cuda" and torch.is_autocast_enabled("cuda"):
        return "torch.autocast is on: a CUDA graph would read the copies of weights that it gives back"
    if len(places := {str(tensor.device) for tensor in arguments.tensors}) > 1:
        # A CUDA graph has a number of the CPU's as a constant.
        return f"it is given tensors on {' and '.join(sorted(places))}"
    for leaf in arguments.leaves:
        if not isinstance(leaf, torch.Tensor | bool | int | float | str | None):
            return f"it is given a {type(leaf).__name__}"
    return None


def _switches(device: str) -> tuple[Any, ...]:
    """What all of torch is told to compute with; a CUDA graph goes on with what it was when it was captured."""
    told = (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
    if device != "cuda":
        return told
    cuda: Any = torch.backends.cuda
    cudnn: Any = torch.backends.cudnn
    if hasattr(cudnn, "conv"):  # since torch 2.9, where to ask for allow_tf32 may be an error
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
    """What this thread says aloud in the block goes to `told`, a line at a time, and is not printed."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def _say(text: str) -> None:
    if told := _TOLD.get():
        told(text)
    else:
        print(f"sdexplore: {text}", flush=True)  # noqa: T201  (what changes how a run is made is said aloud)


@contextmanager
def _aloud(text: str) -> Iterator[None]:
    """Says what is being done, and how long it took."""
    told, started, done = _TOLD.get(), time.perf_counter(), "failed"
    if told:
        told(f"{text} …")
    else:
        print(f"sdexplore: {text} … ", end="", flush=True)  # noqa: T201  (what takes a minute is said aloud)
    try:
        yield
        done = f"{time.perf_counter() - started:.1f} s"
    finally:
        if told:
            told(f"{text} … {done}")
        else:
            print(done, flush=True)  # noqa: T201  (as above)
