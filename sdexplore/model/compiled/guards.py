"""What a network was when its graph was made; and a quick check that it is still the same.

A look reads classes, settings, addresses and formats, digests them, and keeps every object that it read. If each is
still the same object in the same place, another look would find the same. Changed numbers in the weights need not be
noticed, since a graph reads them where they lie. (Torch's counts of writes cannot show them: a write through `.data`,
numpy or a storage does not change `_version`.)
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from itertools import chain
from operator import attrgetter, is_
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch

from .traceability import HOOKS, functions_of, hooks_everywhere, namespaces_of

_WEIGHTS = ("_parameters", "_buffers")
_NO_SETTINGS = (frozenset(vars(torch.nn.Module())) | {"_version", "forward"}) - {"training"}
_TENSORS = (torch.Tensor, torch.nn.Parameter)  # which hold only numbers
_DEPTH = 4  # how deep settings are read: those of a processor, in a list, in a list
_format = attrgetter("shape", "dtype", "device")


class Likeness:
    """The result of a look at a network. It holds the weights and the attributes of the network, but not the network.

    Attributes:
        weights: A digest of each weight's address and format.
        structure: A digest of the classes and settings of every module and attention processor: plain values such as
            adapters' scales, FreeU's factors or chunked feed-forward, which a graph holds as constants. A function
            among them, such as an activation, counts by its name.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        modules = dict(network.named_modules())
        places = namespaces_of(network)
        weights = {
            f"{name}.{own}": tensor
            for name, module in modules.items()
            for kind in _WEIGHTS
            for own, tensor in vars(module)[kind].items()
            if tensor is not None
        }
        self._objects: list[Any] = [
            module for name, module in modules.items() if name
        ]  # and others whose contents are read
        self._objects += (tensor for tensor in weights.values() if type(tensor) not in _TENSORS)
        self._containers: list[Collection[Any]] = []
        self._named: list[Collection[Any]] = []  # those of them whose contents have names
        self._opened: set[int] = set()
        self._numbers: list[Any] = []  # settings whose numbers may be constants of the graph
        self._hooks = [*hooks_everywhere(), *(vars(module)[kind] for module in modules.values() for kind in HOOKS)]
        self._weights = [part for tensor in weights.values() for part in _parts(tensor)]
        told = [f"{name} {_name(type(module))} {self._settings(module)}" for name, module in modules.items()]
        self.structure = _digest(chain(told, *map(_borrowed, places)))
        self.weights = _digest(f"{name} {_name(type(tensor))} {_place(tensor)}" for name, tensor in weights.items())
        for module in modules.values():
            for kind in (*_WEIGHTS, "_modules"):
                self._open(vars(module)[kind])
        for thing in chain(places, self._objects):
            self._open(vars(thing))
        self._held, self._names = [*chain.from_iterable(self._containers)], [*chain.from_iterable(self._named)]
        self._same, self._equal = self._seen(network)

    def still(self, network: torch.nn.Module) -> bool:
        """Whether nothing has changed, hooks and the network's own `forward` apart."""
        same, equal = self._seen(network)
        return (
            equal == self._equal
            and all(map(is_, same, self._same))
            and all(map(is_, chain.from_iterable(self._containers), self._held))
            and [*chain.from_iterable(self._named)] == self._names
        )

    def hooks(self) -> list[Any]:
        """The hooks that are there now, by their places; two such lists are equal if no hook came or went."""
        return [(id(hooks), *hooks.items()) for hooks in self._hooks if hooks]

    def _seen(self, network: torch.nn.Module) -> tuple[list[Any], tuple[Any, ...]]:
        """The things that must still be the same objects, and those that must be equal."""
        own = [thing for item in vars(network).items() if item[0] != "forward" for thing in item]
        same = [type(network), *own, *map(type, self._objects), *map(vars, self._objects)]
        lengths = [len(same), *map(len, self._containers)]
        places = [*map(torch.Tensor.data_ptr, self._weights)], [*map(torch.Tensor.stride, self._weights)]
        return same, (lengths, places, [*map(_format, self._weights)], [*map(_content, self._numbers)])

    def _open(self, container: Any) -> None:
        """From now on, the container's contents and their names are compared too."""
        if id(container) in self._opened:
            return
        self._opened.add(id(container))
        if isinstance(container, list | tuple | set | frozenset):
            self._containers.append(container)
        else:
            self._containers.append(container.values())
            self._named.append(container)

    def _settings(self, module: torch.nn.Module) -> Any:
        return [(key, self._plain(value, _DEPTH - 1)) for key, value in vars(module).items() if key not in _NO_SETTINGS]

    def _plain(self, value: Any, depth: int) -> Any:  # noqa: C901, PLR0911  (one line for each kind)
        """The plain part of `value`: numbers and names unchanged, of objects the class and plain attributes."""
        match value:
            case None | bool() | int() | float() | str() | torch.dtype() | torch.device():
                return value
            case torch.Tensor() | np.ndarray():
                self._numbers.append(value)
                return _content(value)
            case type() | FunctionType() | MethodType() | BuiltinFunctionType():
                return _name(value)
            case torch.nn.Module():
                return type(value).__qualname__  # it has an entry of its own
            case _ if depth == 0:
                return type(value).__qualname__
            case dict():
                self._open(value)
                return [(str(key), self._plain(inner, depth - 1)) for key, inner in value.items()]
            case list() | tuple():
                self._open(value)
                return [self._plain(inner, depth - 1) for inner in value]
            case set() | frozenset():
                self._open(value)
                return sorted(map(str, value))
            case partial():
                return ["partial", *(self._plain(part, depth - 1) for part in (value.func, value.args, value.keywords))]
        if not hasattr(value, "__dict__"):
            return repr(value)  # such as a number of numpy
        self._objects.append(value)
        return (type(value).__qualname__, [(key, self._plain(inner, depth - 1)) for key, inner in vars(value).items()])


def _borrowed(place: Any) -> Iterator[str]:
    """The functions of a class or module that were written elsewhere."""
    own = _name(place) if isinstance(place, type) else place.__name__
    for name, function in functions_of(place):
        if (written := _name(function)) != f"{own}.{name}":
            yield f"{own}.{name} {written}"


def _parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The tensor, and the tensors that it consists of, as quantized weights do."""
    names = tensor.__tensor_flatten__()[0] if hasattr(tensor, "__tensor_flatten__") else ()
    return [tensor, *chain.from_iterable(_parts(getattr(tensor, name)) for name in names)]


def _place(tensor: torch.Tensor) -> list[Any]:
    return [(part.data_ptr(), part.stride(), *_format(part)) for part in _parts(tensor)]


def _content(numbers: Any) -> tuple[Any, ...]:
    """Numbers and their address: a graph may hold either."""
    if isinstance(numbers, torch.Tensor):
        return (*_place(numbers), numbers.detach().cpu().tolist())
    return (numbers.ctypes.data, numbers.strides, numbers.shape, str(numbers.dtype), numbers.tolist())


def _name(of: Any) -> str:
    return f"{of.__module__}.{of.__qualname__}"


def _digest(lines: Iterable[str]) -> str:
    content = hashlib.sha256()
    for line in lines:
        content.update(line.encode())
    return content.hexdigest()
