"""A module of sdexplore as users run it: without the type checker that the tests put around every function."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import sdexplore


def unchecked(name: str) -> ModuleType:
    """A second copy of `sdexplore.<name>`; what it imports, errors among them, are the ordinary ones."""
    path = Path(sdexplore.__file__).parent / f"{name.replace('.', '/')}.py"
    loader = SourceFileLoader(f"sdexplore.{name}_unchecked", str(path))
    spec = spec_from_loader(loader.name, loader)
    module = sys.modules[loader.name] = module_from_spec(spec)  # dataclasses look their module up
    loader.exec_module(module)
    return module
