"""A module of sdexplore as users run it: without the type checker that wraps every function in the tests."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import sdexplore


def unchecked(name: str) -> ModuleType:
    """A second copy of `sdexplore.<name>`; it imports the ordinary modules, and raises their errors."""
    path = Path(sdexplore.__file__).parent / f"{name.replace('.', '/')}.py"
    loader = SourceFileLoader(f"sdexplore.{name}_unchecked", str(path))
    spec = spec_from_loader(loader.name, loader)
    module = sys.modules[loader.name] = module_from_spec(spec)  # dataclasses look their module up
    loader.exec_module(module)
    return module
